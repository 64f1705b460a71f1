"""The style `marbled_paper`."""

import numpy as np

from ..brush import SQUARE, colors, grain, grid, mix, noise, sample, step, voronoi


def draw(rng):
    """Marbled paper: drops of color floated on a bath, combed both ways, then curled with a stylus.

    Every tool displaces the bath along a line or a circle and fades with the distance (Lu, Jaffer et al. 2012,
    "Mathematical marbling"); each pixel is traced back through the tools, the last one first, to the drops.
    """
    x, y = (each + 6 * (noise(rng, SQUARE, 90, 3) - 0.5) for each in grid(SQUARE))
    for _ in range(9):
        cx, cy, reach = *rng.uniform(60, 1092, 2), rng.uniform(70, 150)
        far = np.hypot(x - cx, y - cy)
        turn = rng.choice([-1, 1]) * 2.6 * np.exp(-((far / reach) ** 2))
        x, y = (
            cx + (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn),
            cy + (x - cx) * np.sin(turn) + (y - cy) * np.cos(turn),
        )
    x = x + 22 * np.sin(y / 61)  # the whole comb sways
    pitch = 66
    tine = np.abs(x / pitch - np.round(x / pitch)) * pitch
    y = y + 170 * 0.9**tine
    tine = np.abs(y / 150 - np.round(y / 150)) * 150
    x = x + np.where(np.round(y / 150) % 2, 1, -1) * 210 * 0.965**tine

    inks = colors("8a1228", "f3e4c2", "16305f", "e0a63a", "2a8a8f", "d24a2c", "f8f0dc", "8fc0b8", "f0c8a4", "5a1a2a")
    label, border, point = voronoi(rng, SQUARE, 104, 1.0)
    place = np.stack([x % SQUARE[1], y % SQUARE[0]], -1)
    label, border, point = (sample(field, place) for field in (label, border, point))
    kind = np.random.default_rng(3).integers(0, len(inks), label.max() + 1)[label]
    rgb = inks[kind]
    rgb = mix(rgb, inks[(kind * 3 + 2) % len(inks)], step(32, 30, point))
    rgb = mix(rgb, inks[(kind * 7 + 5) % len(inks)], step(15, 13, point))
    rgb = mix(rgb, inks[(kind + 4) % len(inks)], step(14, 12, border))
    rgb = mix(rgb, inks[2] * 0.5, step(4, 2.5, np.abs(border - 14)) * 0.9)
    rgb = mix(rgb, colors("f6efdc")[0], step(1.8, 0.8, border))
    edge = sum(np.abs(np.gradient(rgb.mean(-1), axis=axis)) for axis in (0, 1))
    rgb = rgb * (1 - 0.25 * step(0.05, 0.3, edge))[..., None]
    specks = np.hypot(*(noise(rng, SQUARE, 22, 2) - 0.5 for _ in range(2)))
    rgb = mix(rgb, colors("fbf5e4")[0], step(0.022, 0.014, specks))
    bloom = 0.9 + 0.2 * noise(rng, SQUARE, 180, 4)
    return rgb * bloom[..., None] * grain(rng, SQUARE, 0.1)
