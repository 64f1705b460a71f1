"""The style `batik`."""

import numpy as np

from ..brush import SQUARE, blur, colors, grain, grid, hatch, mix, noise, ramp, step, voronoi, window


def draw(rng):
    """Batik: blossoms on indigo beside waves of soga brown, dotted with wax and veined where it cracked."""
    x, y = grid(SQUARE)
    x = x + 14 * (noise(rng, SQUARE, 160, 3) - 0.5)
    y = y + 14 * (noise(rng, SQUARE, 160, 3) - 0.5)
    cream, soga, dark, indigo, sky = colors("f1e3c2", "a8602a", "4a2414", "15254f", "4a78a8")
    u, v = (x + y) / np.sqrt(2), (y - x) / np.sqrt(2)
    bound = u - 815 + 46 * np.sin(v / 74)

    band = (u - 20) / 118
    lane = np.floor(band)
    across = band - lane - 0.5
    along = v / 70 + 0.5 * lane
    knife = along - 1.5 * across - 0.35 * np.sin(across * 7)
    blade = np.abs(knife - np.round(knife))
    parang = step(0.27, 0.24, blade + 0.1 * np.cos(across * 9))
    eye = np.hypot((knife - np.round(knife)) * 70, across * 118)
    waves = mix(np.broadcast_to(soga, (*SQUARE, 3)), cream, parang)
    waves = mix(waves, dark, step(0.04, 0.02, np.abs(blade + 0.1 * np.cos(across * 9) - 0.31)))
    waves = mix(waves, dark, step(0.09, 0.06, blade) * (np.abs(across) < 0.3) * (np.abs(across) > 0.12))
    waves = mix(waves, soga, step(10, 8, eye) * parang)
    lozenge = np.abs(np.abs(across) - 0.5) * 118
    waves = mix(waves, indigo, step(19, 17, lozenge))
    beads = np.hypot(lozenge, ((v / 20 + 0.5) % 1 - 0.5) * 20)
    waves = mix(waves, cream, step(8, 6, beads) + step(2.5, 1.5, np.abs(lozenge - 14)))

    garden = np.broadcast_to(indigo, (*SQUARE, 3)) * (0.85 + 0.3 * noise(rng, SQUARE, 120))[..., None]
    row = np.round(y / 17)
    dots = np.hypot(((x / 17 + 0.5 * (row % 2)) % 1 - 0.5) * 17, y - row * 17)
    garden = mix(garden, sky, step(4.6, 3.4, dots))
    blossoms = (
        (960, 880, 170),
        (620, 1010, 120),
        (1040, 560, 125),
        (1000, 240, 105),
        (760, 740, 95),
        (340, 1080, 95),
        (1100, 1090, 80),
        (820, 1090, 66),
        (1110, 400, 58),
    )
    for index, (cx, cy, size) in enumerate(blossoms):
        at = window(SQUARE, [(cx, cy)], 1.8 * size)
        left, top, bloom = x[at], y[at], garden[at]
        for turn in np.arange(5) * 1.257 + index:
            leaf_x, leaf_y = cx + 1.22 * size * np.cos(turn), cy + 1.22 * size * np.sin(turn)
            along = (left - leaf_x) * np.cos(turn) + (top - leaf_y) * np.sin(turn)
            aside = (
                (top - leaf_y) * np.cos(turn) - (left - leaf_x) * np.sin(turn) + 0.1 * size * np.sin(along / size * 4)
            )
            leaf = np.hypot(along / (0.46 * size), aside / (0.17 * size))
            bloom = mix(bloom, cream, step(1.16, 1.12, leaf))
            bloom = mix(bloom, sky, step(1, 0.96, leaf))
            veins = hatch(along / 13 - np.abs(aside) / 13, 0.3) * (leaf < 0.9)
            bloom = mix(bloom, indigo, veins + step(3, 2, np.abs(aside)) * (leaf < 0.95))
        far, around = np.hypot(left - cx, top - cy), np.arctan2(top - cy, left - cx) + index
        petals = 8
        lobe = size * (0.74 + 0.26 * np.abs(np.cos(around * petals / 2)) ** 0.7)
        bloom = mix(bloom, cream, step(2, -2, far - lobe))
        inner = ramp(
            far / size, (colors("f1e3c2", "d8935a", "a8602a"), colors("f1e3c2", "c98a4a", "7a3a1c"))[index % 2]
        )
        bloom = mix(bloom, inner, step(2, -2, far - lobe * 0.9))
        rays = hatch(around * petals * 5 / (2 * np.pi), 0.4) * (far < lobe * 0.78) * (far > size * 0.42)
        bloom = mix(bloom, dark, rays + step(3, 2, np.abs(far - lobe * 0.9)))
        heart = step(2, -2, far - size * 0.36)
        bloom = mix(bloom, cream, heart)
        seed = np.hypot((far / 15) % 1 - 0.5, (around * np.round(far / 15) % (2 * np.pi / 3)) / 3 - 0.3)
        bloom = mix(bloom, dark, heart * step(0.3, 0.22, seed) + step(3, 2, np.abs(far - size * 0.36)))
        bloom = mix(bloom, soga, step(2, -2, far - size * 0.11))
        garden[at] = bloom
    rgb = mix(waves, garden, step(-2, 2, bound))
    rgb = mix(rgb, cream, step(22, 20, np.abs(bound)))
    rgb = mix(rgb, soga, step(16, 14, np.abs(bound)))
    teeth = np.hypot(bound, ((v / 24) % 1 - 0.5) * 24)
    rgb = mix(rgb, cream, step(9, 7, teeth))

    rgb = 0.7 * rgb + 0.3 * blur(rgb, 3)
    wax = step(0.25, 0.75, rgb.mean(-1))
    for size, strength in ((210, 0.9), (88, 0.7), (38, 0.4)):
        _, border, _ = voronoi(rng, SQUARE, size, 1.0)
        vein = step(3.4, 0.6, border + 7 * (noise(rng, SQUARE, 26, 3) - 0.35)) * step(
            0.35, 0.6, noise(rng, SQUARE, 150)
        )
        rgb = mix(rgb, indigo * 0.8 + dark * 0.2, vein * strength * (0.25 + 0.75 * wax))
    weave = 1 + 0.06 * np.sin(x * np.pi / 2.5)[..., None] * np.sin(y * np.pi / 2.5)[..., None]
    return rgb * weave * (0.9 + 0.2 * noise(rng, SQUARE, 240))[..., None] * grain(rng, SQUARE, 0.08)
