"""The style `graffiti`."""

import numpy as np

from ..brush import WIDE, blur, bricks, colors, curve, emboss, extent, grain, grid, hatch, mix, noise, ramp, step, trace

LETTERS = {  # strokes of each letter in a box 1 wide and 1 high
    "A": ([(0.02, 1.0), (0.3, 0.45), (0.5, -0.02), (0.72, 0.5), (1.0, 1.05)], [(0.2, 0.62), (0.82, 0.66)]),
    "D": ([(0.12, 0.0), (0.1, 1.0)], [(0.1, 0.02), (0.75, 0.12), (0.98, 0.5), (0.7, 0.92), (0.1, 1.0)]),
    "I": ([(0.5, 0.28), (0.46, 0.66), (0.5, 1.02)], [(0.5, -0.05), (0.51, -0.04)]),
    "N": ([(0.06, 1.04), (0.08, 0.0)], [(0.08, 0.0), (0.5, 0.55), (0.92, 1.0)], [(0.92, 1.0), (0.96, -0.06)]),
}


def draw(rng):
    """Graffiti: fat letters with an outline, a shadow and shines, sprayed over brick with haze and drips."""
    x, y = grid(WIDE)
    brick, joint = bricks(rng, WIDE, 96, 40, 2.5)
    wall = ramp(rng.random(brick.max() + 1)[brick], colors("6a6f78", "8a8f94", "7a7480", "9a9690"))
    wall = wall * (0.7 + 0.5 * noise(rng, WIDE, 20, 4))[..., None]
    mortar = step(5, 2, joint)
    rgb = mix(wall, colors("b8b4ac")[0], mortar)

    def spray(mask, color, soft=0.0, speckle=0.25):
        """Mist of paint over a mask: soft toward its edge, with droplets around it."""
        at = extent(mask, 50 + 3 * soft)
        mist = blur(mask[at], soft) if soft else mask[at]
        around = blur(mask[at], 14 + soft) * (1 - mist) * speckle * 2
        rgb[at] = mix(rgb[at], color, mist + around * np.roll(droplets, rng.integers(0, WIDE), (0, 1))[at])

    droplets = step(0.56, 0.6, noise(rng, WIDE, 5, 2)) * step(0.1, 0.5, noise(rng, WIDE, 60))

    for cx, cy, wide, high, tint in (
        (260, 300, 330, 230, "12b5c9"),
        (760, 220, 380, 220, "7a2fd0"),
        (1260, 330, 330, 260, "ff2f8a"),
        (420, 860, 360, 220, "ffd21f"),
        (1020, 880, 420, 230, "18c06a"),
    ):
        cloud = step(1.1, 0.55, np.hypot((x - cx) / wide, (y - cy) / high) + 0.5 * (noise(rng, WIDE, 90, 4) - 0.5))
        spray(cloud * 0.92, colors(tint)[0], 10, 0.6)
    for k, tint in enumerate(("ffffff", "111319", "ff6a1f", "12b5c9", "ffd21f", "ff2f8a")):
        for _ in range(3):
            at = rng.uniform((60, 60), (1440, 1090))
            tag = curve(at + np.cumsum(rng.normal(0, 46, (9, 2)), 0) * (1.2, 0.55), 8)
            spray(trace(WIDE, tag, 7 + 2 * (k % 3)), colors(tint)[0], 1, 0.15)

    spine, left = [], 92
    for letter, width, lean, drop in (
        ("A", 285, 40, 20),
        ("D", 235, 30, -24),
        ("A", 265, 10, 30),
        ("I", 90, -10, -10),
        ("N", 265, -30, 10),
    ):
        for path in LETTERS[letter]:
            points = np.array(path, float)
            points = np.stack(
                [left + width * points[:, 0] + lean * (0.5 - points[:, 1]), 350 + drop + 440 * points[:, 1]], -1
            )
            spine.append((curve(points, 14) if letter != "N" else points, left))
        left += width + 62
    order = ["ff2f8a", "ff8a1f", "ffd21f", "7be03a", "12b5c9"]

    def letters(width):
        """All the letters, as one mask."""
        return np.max([trace(WIDE, path, width) for path, _ in spine], 0)

    depth, block = letters(158), letters(150)
    for k in range(1, 12, 2):
        depth = np.maximum(depth, np.roll(block, (6 * k, -5 * k), (0, 1)))
    spray(blur(depth, 20) * 1.4, colors("2a0f52")[0], 6, 0.8)
    spray(depth, colors("3a1a78")[0])
    spray(depth * hatch((x + y) / 44, 0.45), colors("5a2fb8")[0])
    done = np.zeros(WIDE, np.float32)
    for index, start in enumerate(sorted({at for _, at in spine})):
        mine = [path for path, at in spine if at == start]
        outline, body = (np.max([trace(WIDE, path, width) for path in mine], 0) for width in (152, 126))
        spray(outline, colors("0d0c14")[0])
        top = colors(order[index])[0]
        fill = ramp(
            np.clip((y - 330) / 480 + 0.25 * (noise(rng, WIDE, 90) - 0.5), 0, 1),
            np.stack([top * 0.25 + 0.75, top, top * (0.9, 0.45, 0.75)]),
        )
        fill = mix(fill, colors("ffffff")[0], step(0.60, 0.66, noise(rng, WIDE, 24, 2)) * step(620, 420, y) * 0.5)
        fill = mix(fill, colors("101018")[0], step(0.62, 0.66, noise(rng, WIDE, 30, 2)) * step(560, 800, y) * 0.55)
        core = np.max([trace(WIDE, path, 60) for path in mine], 0)
        shade = np.clip(body - np.roll(blur(body, 9), (-14, -12), (0, 1)), 0, 1)
        fill = mix(fill, fill * 0.55, shade)
        rings = np.sin(np.hypot(x - start - 120, y - 900) / 15) > 0.5
        fill = mix(fill, np.clip(fill * 1.25 + 0.06, 0, 1), rings * (1 - core))
        rgb = mix(rgb, fill, body)
        shine = np.max([trace(WIDE, path[: max(len(path) // 3, 2)] + (-24, -20), 15) for path in mine], 0) * body
        spray(shine, colors("ffffff")[0], 1, 0.05)
        done = np.maximum(done, outline)
    halo = np.clip(blur(letters(184), 3) - done, 0, 1) * (1 - np.clip(depth, 0, 1))
    rgb = mix(rgb, colors("ffffff")[0], halo * 0.9)
    for cx in rng.uniform(90, 1450, 34):
        column = done[:, int(cx)] + depth[:, int(cx)]
        if column.any():
            foot = np.flatnonzero(column)[-1] - 14
            run = rng.uniform(30, 230)
            drip = np.stack([np.full(12, cx), np.linspace(foot, foot + run, 12)], -1)
            tint = colors("0d0c14", "3a1a78", *order)[rng.integers(7)]
            spray(trace(WIDE, drip, np.r_[np.linspace(9, 5, 11), 11]), tint, 0, 0)
    for _ in range(40):
        cx, cy, size = *rng.uniform((0, 0), (1536, 1152)), rng.uniform(2, 9)
        rgb = mix(
            rgb,
            colors("ffffff", "ffd21f", "ff2f8a", "0d0c14")[rng.integers(4)],
            step(1, -1, np.hypot(x - cx, y - cy) - size),
        )
    rough = 0.5 - 0.34 * mortar + 0.25 * noise(rng, WIDE, 9, 3)
    return emboss(rgb * (1 - 0.18 * mortar)[..., None], rough, 0.3) * grain(rng, WIDE, 0.1)
