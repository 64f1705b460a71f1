"""The style `psychedelic`."""

import numpy as np

from ..brush import TALL, blur, colors, grid, mix, noise, step


def draw(rng):
    """Psychedelic: a poster of warped bands around an eye, in hot inks with black lines."""
    x, y = grid(TALL)
    x = x + 70 * np.sin(y / 170) + 90 * (noise(rng, TALL, 420, 2) - 0.5)
    y = y + 60 * np.sin(x / 150 + 1) + 90 * (noise(rng, TALL, 420, 2) - 0.5)
    cx, cy = 590, 640
    far, around = np.hypot(x - cx, (y - cy) * 0.9), np.arctan2(y - cy, x - cx)
    wide = np.clip(np.cos(np.clip((x - cx) / 400, -1, 1) * np.pi / 2), 0.01, 1) ** 0.8
    lid = np.abs(y - cy) / (215 * wide)
    field = far / 46 + 1.7 * np.sin(around * 6 + far / 130) * step(150, 460, far)
    field = field + 2.2 * (noise(rng, TALL, 300, 2) - 0.5) - 1.2 * wide * np.exp(-lid)
    inks = colors("ff2e88", "ffd400", "00b8b0", "ff7a00", "ff8fc0", "5a1fc0", "fff0c0", "ff3d2e")
    band = np.floor(field).astype(int)
    rgb = inks[band % len(inks)]
    within = field - band
    petals = (
        (np.cos(around * 24 + band * np.pi / 2 + far / 60) > 0.35) & (band % 3 == 1) & (np.abs(within - 0.5) < 0.27)
    )
    rgb = mix(rgb, inks[(band + 3) % len(inks)], petals)
    dots = (np.hypot(within - 0.5, (around * np.maximum(band, 3) * 1.1 / np.pi * 2) % 1 - 0.5) < 0.24) & (band % 3 == 0)
    rgb = mix(rgb, colors("fff6d6")[0], dots)
    ink = np.maximum(step(0.13, 0.08, within), np.clip(blur(petals.astype(np.float32), 2) * (1 - petals) * 3, 0, 1))
    rgb = mix(rgb, colors("16061f")[0], ink)
    eye = step(1.0, 0.985, lid) * (np.abs(x - cx) < 395)
    rgb = mix(rgb, colors("16061f")[0], step(1.2, 1.17, lid) * (np.abs(x - cx) < 398))
    rgb = mix(rgb, colors("fff6d6")[0], eye)
    ray = 0.5 + 0.5 * np.sin(around * 40 + far / 16)
    iris = mix(np.where((ray > 0.5)[..., None], inks[3], inks[4]), inks[2], step(110, 80, far) * (ray > 0.2))
    rgb = mix(rgb, iris, eye * step(172, 169, far))
    rgb = mix(rgb, colors("16061f")[0], eye * np.maximum(step(9, 6, np.abs(far - 172)), step(66, 63, far)))
    rgb = mix(rgb, colors("ffffff")[0], eye * step(24, 22, np.hypot(x - cx + 34, y - cy + 34)))
    return rgb * (1 - 0.10 * (noise(rng, TALL, 5, 1) > 0.8))[..., None]
