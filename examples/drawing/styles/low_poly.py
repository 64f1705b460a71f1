"""The style `low_poly`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import WIDE, colors, grain, grid, mix, noise, ramp, sample, step

FACET = 40  # pixels of the large picture


def draw(rng):
    """Low poly: snowy peaks, pines and a lake at sunrise, folded from flat triangles of mint, coral and lilac."""
    x, y = grid(WIDE)
    shore = 800
    scene = ramp(
        y / 640 + 0.12 * (noise(rng, WIDE, 260) - 0.5), colors("2a4f8f", "5aa7c4", "a8dcc8", "ffd9a0", "ff9a7a")
    )
    far = np.hypot(x - 1050, y - 420)
    scene = mix(scene, colors("fff0b8")[0], 0.8 * step(340, 120, far))
    scene = mix(scene, colors("fffbe6")[0], step(96, 92, far))
    ranges = (
        (((180, 330, 0.9), (520, 420, 0.8), (900, 470, 0.75), (1300, 360, 0.9)), ("9a86c8", "6f62ae", "f2c4d0")),
        (((360, 250, 1.15), (760, 380, 1.0), (1480, 300, 1.0)), ("5f78b8", "374a8a", "fff4ee")),
        (((80, 520, 0.7), (640, 590, 0.6), (1160, 500, 0.75)), ("2f9a94", "14605f", "8fe0c0")),
    )
    for peaks, tints in ranges:
        slopes = np.stack([top + steep * np.abs(x - px) for px, top, steep in peaks])
        ridge, nearest = slopes.min(0), slopes.argmin(0)
        center, top = (np.array([peak[i] for peak in peaks])[nearest] for i in (0, 1))
        crease = center + 46 * np.sin((y - top) / 70) + (y - top) * 0.18
        lit, dark, snow = colors(*tints)
        land = np.where((x > crease)[..., None], lit, dark) * (0.85 + 0.3 * noise(rng, WIDE, 70, 2))[..., None]
        cap = (y - top) < 120 + 50 * np.sin(x / 23) + 34 * np.sin(x / 51)
        land = np.where(cap[..., None], np.where((x > crease)[..., None], snow, snow * (0.72, 0.76, 0.92)), land)
        scene = mix(scene, land, (y > ridge) & (y < shore))
    hills = y > 730 + 40 * np.sin(x / 150) + 20 * np.sin(x / 61)
    grass = ramp(noise(rng, WIDE, 80, 2), colors("0f4f4a", "2f8a5a", "8fc45a", "e0d06a"))
    scene = mix(scene, grass, hills & (y < shore))
    row = np.clip(2 * shore - y, 0, WIDE[0] - 1)
    mirror = sample(scene, np.stack([x + 12 * np.sin(y / 9), row], -1))
    lake = mix(mirror, colors("1f6f9a")[0], 0.35 + 0.3 * (y - shore) / 350)
    scene = np.where((y >= shore)[..., None], lake, scene)
    bank = y > 1010 + 70 * np.sin(x / 270 + 0.6) + 26 * np.sin(x / 90)
    meadow = ramp(noise(rng, WIDE, 90, 3), colors("14403f", "23785a", "6fb04f", "d8d85a", "f2a05a"))
    scene = mix(scene, meadow, bank)

    rows, columns = WIDE[0] // FACET + 4, WIDE[1] // FACET + 4
    mesh = np.stack(np.mgrid[:rows, :columns][::-1], -1).astype(float) - 1.5
    mesh[..., 0] += 0.5 * (np.arange(rows) % 2)[:, None]
    mesh = (mesh + rng.uniform(-0.36, 0.36, mesh.shape)) * FACET
    picture = Image.new("RGB", WIDE[::-1])
    ink = ImageDraw.Draw(picture)

    def facet(corners, color, vary=0.09):
        """One flat triangle, lighter or darker as it is turned to the sun, with a faint fold along its edges."""
        turned = np.cross(np.diff(corners[:2], axis=0)[0], np.diff(corners[1:], axis=0)[0])
        tone = np.clip(color * (1 + rng.uniform(-vary, vary) + 0.04 * np.sign(turned)) + rng.normal(0, 0.012, 3), 0, 1)
        points = [tuple(p) for p in corners]
        ink.polygon(points, tuple((tone * 255).astype(int)))
        ink.line([*points, points[0]], tuple((np.clip(tone * 1.1 + 0.03, 0, 1) * 255).astype(int)), 2)

    for r in range(rows - 1):
        for c in range(columns - 1):
            a, b, d, e = mesh[r, c], mesh[r, c + 1], mesh[r + 1, c], mesh[r + 1, c + 1]
            halves = ((a, b, d), (b, e, d)) if r % 2 == 0 else ((a, b, e), (a, e, d))
            for corners in halves:
                corners = np.array(corners)
                inner = np.vstack([corners.mean(0), 0.6 * corners + 0.4 * corners.mean(0)])
                facet(corners, np.median(sample(scene, inner), 0), 0.13)

    pines = np.column_stack([rng.uniform(-10, 1546, 46), rng.uniform(770, 830, 46)])
    pines = np.vstack([pines, np.column_stack([rng.uniform(-20, 1556, 9), rng.uniform(1020, 1140, 9)])])
    for cx, foot in pines[np.argsort(pines[:, 1])]:
        tall = rng.uniform(90, 150) if foot < 900 else rng.uniform(230, 370)
        wide = tall * rng.uniform(0.2, 0.27)
        hue = colors("0f4a4a", "14655a", "1f7f5f", "2f5f7a")[rng.integers(4)]
        facet(
            np.array([(cx - wide * 0.12, foot), (cx + wide * 0.12, foot), (cx, foot - tall * 0.3)]), colors("5a3a3f")[0]
        )
        for k in range(5):
            low, high = foot - tall * (0.1 + 0.17 * k), foot - tall * (0.36 + 0.17 * k)
            reach = wide * (1 - 0.17 * k)
            tip, drop = np.array([cx, high]), low - 0.14 * reach
            middle = (cx + rng.uniform(-0.15, 0.15) * reach, low + 0.16 * reach)
            facet(np.array([(cx - reach, drop), middle, tip]), hue * 0.75)
            facet(np.array([middle, (cx + reach, drop), tip]), hue * 1.35 + (0.08, 0.05, 0))
    for _ in range(46):
        cx, cy, size = rng.uniform(0, 1536), rng.uniform(1060, 1150), rng.uniform(9, 22)
        hue = colors("ff8a7a", "fff0b8", "f2c4ea", "ffd24a")[rng.integers(4)]
        for turn in np.arange(5) * 1.257 + rng.uniform(0, 1):
            ends = [(cx + size * np.cos(turn + a), cy + size * np.sin(turn + a)) for a in (-0.5, 0.5)]
            facet(np.array([(cx, cy), *ends]), hue, 0.16)
    return np.asarray(picture, np.float32) / 255 * grain(rng, WIDE, 0.05)
