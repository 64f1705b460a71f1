"""The style `gouache`."""

import numpy as np

from ..brush import WIDE, colors, disc, emboss, extent, grain, grid, mix, noise, polygon, ramp, step, streaks


def draw(rng):
    """Gouache: a village among terraced hills, in matt flat colors with a dry brush dragged over them."""
    x, y = grid(WIDE)
    rgb = np.zeros((*WIDE, 3), np.float32)
    height = np.full(WIDE, 0.5, np.float32)

    drags = [streaks(rng, WIDE, 260, 7, turn) for turn in (0.05, 0.5, 1.4)]
    uneven = noise(rng, WIDE, 90, 3)

    def lay(mask, color, turn=0, dry=0.3):
        """Cover the mask with opaque paint, then drag a lighter and a darker dry brush over it."""
        at = extent(mask)
        moved = rng.integers(0, WIDE)
        light, dark, cloudy = (np.roll(each, moved, (0, 1))[at] for each in (drags[turn], drags[turn][::-1], uneven))
        paint = np.clip((color if color.ndim == 1 else color[at]) * (0.93 + 0.14 * cloudy)[..., None], 0, 1)
        paint = mix(paint, np.clip(paint * 1.16 + 0.07, 0, 1), step(0.62, 0.7, light) * dry * 2)
        paint = mix(paint, paint * colors("b8a4c8")[0], step(0.64, 0.72, dark) * dry)
        rgb[at] = mix(rgb[at], paint, mask[at])
        height[at] += (0.35 + 0.3 * light - height[at]) * mask[at]

    wobble = noise(rng, WIDE, 120, 3) - 0.5
    for low, tint in ((-99, "f4b9a0"), (110, "f8cba8"), (215, "fbdcb4"), (320, "fde9c6")):
        lay(step(-3, 3, y - low - 50 * wobble - 30 * np.sin(x / 230 + low)), colors(tint)[0], 0, 0.4)
    lay(disc(WIDE, 1090, 250, 118), colors("fff4dc")[0], 1)
    for cx, cy, wide, high in ((340, 165, 250, 46), (620, 245, 190, 30), (1330, 120, 210, 36), (150, 285, 170, 26)):
        lay(
            step(0, 0.06, 1 - np.hypot((x - cx) / wide, (y - cy) / high) + 0.9 * wobble),
            colors("fff0e2", "f09a8e")[int(cx < 300)],
        )

    tints = ("9fc5c0", "6fa8a6", "e0a878", "4b8a8c", "d9a441", "2f6d70", "b8632f", "1f4f57")
    for index, tint in enumerate(tints):
        ridge = 395 + 92 * index + 88 * (1 - index / 14) * np.sin(x / (330 - 22 * index) + 1.9 * index) + 40 * wobble
        ridge = ridge - 60 * np.exp(-(((x - 300 - 170 * index) / 210) ** 2))
        lay(step(-2, 2, y - ridge), colors(tint)[0], index % 2, 0.45)
        row = (y - ridge - 16) / (24 + 4 * index)
        dab = np.hypot((x / (30 + 5 * index) + 0.5 * np.floor(row) + wobble) % 1 - 0.5, 0.8 * (row % 1 - 0.5))
        kept = noise(rng, WIDE, 60, 2) > 0.42
        if index % 2:
            bush = step(0.36, 0.30, dab) * (row > 0) * (row < 3) * kept
            lay(bush, ramp(rng.random(), colors("16454d", "3d7f5a", "8fae4e")), 2, 0.6)
        else:
            furrow = step(0.34, 0.26, np.abs(row * 0.9 + 1.2 * wobble - np.round(row * 0.9 + 1.2 * wobble))) * (row > 0)
            lay(furrow * (row < 4), np.clip(colors(tint)[0] * (0.8, 0.76, 0.72), 0, 1), 0, 0.6)
        if index in (2, 4, 6):
            homes = np.sort(rng.uniform(-30, 1500, 7)) + (0, 40, -20, 30, 10, -30, 0)
            for left in homes:
                wide, tall = rng.uniform(54, 92) * (0.75 + index / 10), rng.uniform(52, 88) * (0.75 + index / 10)
                foot = ridge[0, int(np.clip(left + wide / 2, 0, WIDE[1] - 1))] + 34
                foot = ridge[int(np.clip(foot, 0, WIDE[0] - 1)), int(np.clip(left + wide / 2, 0, WIDE[1] - 1))] + 34
                front = [(left, foot), (left, foot - tall), (left + wide, foot - tall), (left + wide, foot)]
                flank = [(left + wide, foot), (left + wide, foot - tall), *((left + wide * 1.5, v) for v in (0, 0))]
                flank = [*flank[:2], (left + wide * 1.5, foot - tall * 0.95), (left + wide * 1.5, foot - 8)]
                lay(polygon(WIDE, front), colors("fff3df", "f7dcc0", "f3c7b0")[rng.integers(3)], 2)
                lay(polygon(WIDE, flank), colors("8f86a6", "b59aa0")[rng.integers(2)], 2)
                roof = [(left - 8, foot - tall), (left + wide * 0.5, foot - tall * 1.45)]
                roof += [(left + wide * 1.2, foot - tall * 1.4), (left + wide * 1.56, foot - tall * 0.93)]
                roof += [(left + wide, foot - tall * 0.98)]
                lay(polygon(WIDE, roof), colors("c6492f", "d9673a", "a83a3a")[rng.integers(3)], 1, 0.5)
                for pane in (0.2, 0.6):
                    corner = np.array([left + wide * pane, foot - tall * 0.72])
                    square = corner + np.array([[0, 0], [wide * 0.2, 0], [wide * 0.2, tall * 0.3], [0, tall * 0.3]])
                    lay(polygon(WIDE, square), colors("27505c")[0])
        if index in (3, 5):
            for cx in rng.uniform(20, 1516, 9):
                foot = ridge[600, int(cx)] + 60
                tall, wide = rng.uniform(130, 210), rng.uniform(17, 27)
                rise = np.clip((foot - y) / tall, 0, 1)
                tree = step(
                    2, -2, np.abs(x - cx - 5 * np.sin(y / 17)) - wide * np.sin(np.pi * rise**0.7).clip(0) ** 0.8
                )
                lay(tree * (rise > 0) * (rise < 1), colors("153f3f", "1f5a48", "2b4a5e")[rng.integers(3)], 2, 0.6)
    return emboss(rgb, height, 0.3) * grain(rng, WIDE, 0.12)
