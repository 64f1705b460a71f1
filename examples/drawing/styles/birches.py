"""The style `birches`."""

import numpy as np

from ..brush import WIDE, Canvas, colors, grid, mix, noise, ramp, step


def draw(rng):
    """Birches: white trunks in yellow autumn woods, in short broken strokes of oil."""
    x, y = grid(WIDE)
    lumps, fine = noise(rng, WIDE, 240), noise(rng, WIDE, 70)
    leaves = ramp(0.55 * lumps + 0.45 * fine, colors("7a3b12", "c9761a", "f2a900", "ffd21f", "fff09a"))
    sky = colors("8fd0e8")[0]
    under = mix(leaves, sky, step(0.60, 0.68, noise(rng, WIDE, 190)) * step(520, 120, y))
    ground = 800 + 40 * np.sin(x / 300) + 50 * (lumps - 0.5)
    floor = ramp(fine * 0.8 + 0.3 * (y - 800) / 350, colors("5a1f1a", "a8391a", "e0661a", "ffa31a", "7a2a3a"))
    path = np.abs(x - 860 - (y - 800) * 0.35 - 60 * np.sin(y / 110)) < 20 + (y - 790) * 0.36
    floor = mix(floor, ramp(fine, colors("6a5a9a", "b9a5c9", "f0d9c0")), path)
    under = np.where((y < ground)[..., None], under, floor)
    angle = np.where(y < ground, 5 * lumps + 4 * fine, 0.5 * (fine - 0.5))
    canvas = Canvas(under)
    canvas.paint(rng, under, angle, 26, 44, 19, bristles=8, vary=0.08)
    trunks = sorted((rng.uniform(0.35, 1.0), rng.uniform(0, 1)) for _ in range(17))
    for near, place in trunks:
        width, foot = 14 + 52 * near**1.6, 770 + 330 * near**1.5
        cx = (place * 1.1 - 0.05) * WIDE[1]
        t = np.linspace(0, 1, 34)
        lean = rng.normal(0, 40)
        trunk = np.stack([cx + lean * t + 8 * np.sin(t * 7 + cx), foot - (foot + 40) * t], -1)
        for part in range(31):
            piece = trunk[part : part + 4]
            thick = width * (1 - 0.012 * part)
            tones = (
                colors("fffaf0", "e6e0ea", "f6e6c8")[rng.integers(3)],
                colors("8f8fb8", "6f6a98")[rng.integers(2)],
            )
            canvas.stroke(rng, piece - (thick * 0.14, 0), thick * 0.72, tones[0], 7, 0.05)
            canvas.stroke(rng, piece + (thick * 0.36, 0), thick * 0.32, tones[1], 4, 0.05)
        for _ in range(int(6 + 9 * near)):
            at = trunk[rng.integers(1, 33)]
            half = width * rng.uniform(0.15, 0.5) * np.array([[-1, 0], [0, 0.14], [1, 0]])
            mark = at + half + (rng.uniform(-0.3, 0.3) * width, 0)
            canvas.stroke(rng, mark, 4 + 9 * near * rng.random(), colors("1c1622")[0], 3, 0.03)
        for _ in range(3):
            at, side = trunk[rng.integers(12, 30)], rng.choice([-1, 1])
            s = np.linspace(0, 1, 9)
            twig = at + np.stack([side * 130 * s, -110 * s - 40 * s**2], -1) * near
            canvas.stroke(rng, twig, 7 * near, colors("2a1e2a")[0], 3, 0.04)
        for fallen in rng.normal((cx, foot - 4), (width * 0.9, 9), (int(10 + 14 * near), 2)):
            tint = colors("a8391a", "e0661a", "ffa31a", "ffd21f")[rng.integers(4)]
            canvas.stroke(rng, fallen + np.array([[-14, 2], [0, -2], [14, 1]]), 12, tint, 5, 0.06)
        spots = rng.normal((cx + lean * 0.7, 260), (170, 190), (int(70 * near), 2))
        for spot in spots:
            turn = rng.uniform(0, np.pi)
            dab = spot + np.array([[-1], [0], [1]]) * 13 * np.array([np.cos(turn), np.sin(turn)])
            tint = colors("ffd21f", "ffb000", "fff3a0", "e0661a", "a8c23a")[rng.integers(5)]
            canvas.stroke(rng, dab, 20, tint, 6, 0.06)
    return canvas.lit(0.6)
