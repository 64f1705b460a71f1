"""The style `chalk`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import WIDE, blur, colors, curve, grain, grid, hatch, mix, noise, rub, step, streaks, tooth, window


def draw(rng):
    """Chalk: planets, moons and a comet in soft colored chalk on a blackboard that was wiped before."""
    x, y = grid(WIDE)
    board = colors("22332f")[0] * (0.8 + 0.5 * noise(rng, WIDE, 300, 4))[..., None]
    wiped = 0.10 * streaks(rng, WIDE, 620, 34, -0.25) + 0.10 * streaks(rng, WIDE, 460, 22, 0.4) * noise(rng, WIDE, 260)
    board = board + (0.9 * wiped)[..., None]
    rgb = board * grain(rng, WIDE, 0.10)
    white, yellow, orange, pink, blue, green, violet = colors(
        "f4f1e6", "f7d65a", "f2914a", "f28aa8", "7fb8ea", "8fd08a", "b79af0"
    )

    def chalk(lines, color, width=7, pressure=0.75, dust=7):
        """Draw paths [P,2] with the edge of a stick; dust settles around them."""
        at = window(WIDE, np.vstack(lines), 3 * dust)
        corner = np.array([at[1].start, at[0].start])
        sheet = Image.new("L", (at[1].stop - at[1].start, at[0].stop - at[0].start))
        ink = ImageDraw.Draw(sheet)
        for path in lines:
            ink.line([tuple(p) for p in path - corner], int(rng.uniform(0.8, 1.0) * 255), int(width), joint="curve")
        marks = blur(np.asarray(sheet, np.float32) / 255, 1)
        smeared = mix(rgb[at], color * 0.9, 0.4 * blur(marks, dust))
        rgb[at] = mix(smeared, color, rub(rough[at], pressure * marks * (0.85 + 0.4 * uneven[at])) * 0.96)

    rough, uneven = tooth(rng, WIDE), noise(rng, WIDE, 26, 3)
    for tint, turn in (("8f6ae0", 0.5), ("3f9ae0", 2.6), ("e0609a", 1.0), ("4fc08f", 2.1), ("e8a04a", 0.2)):
        along = x * np.cos(turn) + y * np.sin(turn) + 46 * (noise(rng, WIDE, 150, 4) - 0.5)
        scribble = hatch(along / 19, 0.5, 0.2) * step(0.56, 0.85, noise(rng, WIDE, 340, 3))
        rgb = mix(
            mix(rgb, colors(tint)[0], 0.3 * blur(scribble, 14)), colors(tint)[0], 0.85 * rub(rough, 0.72 * scribble)
        )
    circle = np.linspace(0, 2 * np.pi, 360)

    def scribble(cx, cy, radius, color, turn, gap=8, part=None, pressure=0.6):
        """Fill a disc, or part of it, with rows of chalk along an angle."""
        rows = []
        for offset in np.arange(-radius, radius, gap):
            half = np.sqrt(max(radius**2 - offset**2, 0))
            run = np.stack(
                [np.linspace(-half, half, 40), np.full(40, offset) + rng.normal(0, 1.4, 40).cumsum() * 0.3], -1
            )
            kept = run if part is None else [p for p in run if part(*p)]
            if len(kept) > 2:
                spun = np.array(kept) @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
                rows.append(spun + (cx, cy))
        chalk(rows, color, gap * 0.95, pressure, 12)

    def hand(path, size=2.0):
        """The path as an unsteady hand draws it."""
        return path + size * np.sin(np.linspace(0, 9, len(path)))[:, None] * rng.normal(0, 0.5, 2)

    orbits = [
        hand(np.stack([150 + r * np.cos(circle), 1010 + 0.92 * r * np.sin(circle)], -1)) for r in range(330, 1700, 190)
    ]
    for orbit in orbits:
        chalk([orbit[k : k + 5] for k in range(0, 356, 7)], white, 5, 0.62, 5)
    for radius, color in ((250, orange), (200, yellow), (120, white)):
        scribble(150, 1010, radius, color, 0.7 + radius, 10, pressure=0.55)
    chalk(
        [
            np.array([[150 + a * np.cos(t), 1010 + a * np.sin(t)] for a in (272, 300 + 40 * (k % 2))])
            for k, t in enumerate(np.arange(0, 6.28, 0.13))
        ],
        yellow,
        8,
    )
    planets = (
        (520, 690, 66, orange, pink),
        (330, 500, 44, violet, white),
        (800, 560, 96, blue, green),
        (1190, 400, 150, yellow, orange),
        (1090, 880, 120, pink, violet),
        (640, 210, 84, green, blue),
        (1440, 150, 62, blue, white),
        (1420, 1010, 58, orange, yellow),
    )
    for index, (cx, cy, radius, color, second) in enumerate(planets):
        rgb = mix(rgb, rgb * 0.5, blur((np.hypot(x - cx, y - cy) < radius).astype(np.float32), 2))
        scribble(cx, cy, radius, color, 0.4 + 0.5 * index, 8)
        scribble(
            cx,
            cy,
            radius * 0.96,
            second,
            0.1 * index,
            9,
            lambda u, v, n=index: np.sin(v / 13 + n + 0.6 * np.sin(u / 30)) > 0.15,
        )
        scribble(
            cx, cy, radius, white, -0.8, 9, lambda u, v, r=radius: u < -0.35 * r and np.hypot(u, v) < 0.86 * r, 0.5
        )
        chalk([hand(np.stack([cx + radius * np.cos(circle), cy + radius * np.sin(circle)], -1))], white, 7)
    for grow in (1.45, 1.62, 1.8):
        turned = np.stack([150 * grow * np.cos(circle), 44 * grow * np.sin(circle)], -1)
        turned = turned @ np.array([[0.95, -0.3], [0.3, 0.95]]) + (1190, 400)
        front = (circle < 3.3) | (np.hypot(*(turned - (1190, 400)).T) > 152)
        chalk([turned[k : k + 2] for k in range(359) if front[k]], (white, pink, yellow)[int(grow * 10) % 3], 8, 0.7)
    for k in range(16):
        tail = curve([(980, 140), (1060, 96 - 2 * k), (1200 + 6 * k, 30 + 7 * k), (1330, -30 + 12 * k)], 8)
        chalk([tail[: rng.integers(10, 25)]], (white, blue, violet)[k % 3], 5, 0.6)
    scribble(975, 142, 26, white, 0.5, 7, pressure=0.9)
    stars = rng.uniform((20, 20), (1516, 1132), (70, 2))
    for kind, color in enumerate((white, yellow, blue)):
        rays = []
        for sx, sy in stars[kind::3]:
            size = rng.uniform(5, 17)
            for t in np.arange(3 if size > 9 else 2) * np.pi / (3 if size > 9 else 2) + rng.uniform(0, 1):
                way = size * np.array([np.cos(t), np.sin(t)])
                rays.append(np.array([(sx, sy) - way, (sx, sy) + way]))
        chalk(rays, color, 5, 0.8, 4)
    spiral = np.linspace(1.0, 17, 150)
    galaxy = np.stack([260 + 9.5 * spiral * np.cos(spiral), 200 + 5.6 * spiral * np.sin(spiral)], -1)
    for shade, lean in ((violet, 0), (pink, 5), (white, 10)):
        chalk([galaxy[:-1] + (lean, lean) + rng.normal(0, 2, (149, 2))], shade, 8, 0.62, 16)
    powder = noise(rng, WIDE, 7, 2) * noise(rng, WIDE, 90, 3)
    return np.clip(rgb + 0.22 * step(0.4, 0.62, powder)[..., None], 0, 1)
