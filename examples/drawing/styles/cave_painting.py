"""The style `cave_painting`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import (
    WIDE,
    blur,
    colors,
    curve,
    emboss,
    extent,
    grid,
    mix,
    noise,
    polygon,
    ramp,
    rub,
    step,
    tooth,
    trace,
    voronoi,
    window,
)

BISON = (  # outlines of animals that look to the left, in units of a tenth of their length
    (0.3, 3.6), (0.6, 2.7), (1.1, 2.1), (1.8, 1.2), (2.7, 0.5), (3.7, 0.3), (5.4, 1.2), (7.4, 1.3), (9.2, 1.8),
    (9.8, 3.0), (9.5, 4.2), (9.5, 5.0), (9.4, 5.9), (8.9, 5.9), (8.8, 4.9), (8.2, 4.1), (6.4, 4.4), (4.6, 4.6),
    (4.1, 5.1), (4.0, 6.1), (3.5, 6.1), (3.4, 5.0), (2.4, 4.7), (1.6, 5.0), (1.1, 4.4), (0.5, 4.2),
)  # fmt: skip
HORSE = (
    (0.2, 2.3), (0.8, 1.3), (1.2, 0.7), (1.5, 1.1), (2.4, 1.2), (3.4, 1.9), (5.2, 2.2), (7.2, 1.9), (8.2, 2.6),
    (8.1, 3.8), (8.5, 4.7), (8.2, 5.7), (7.8, 5.7), (7.8, 4.8), (7.0, 4.0), (5.6, 4.3), (4.1, 4.1), (3.8, 4.8),
    (3.6, 5.8), (3.2, 5.8), (3.2, 4.9), (2.8, 3.9), (2.3, 3.1), (1.8, 2.4), (1.1, 2.6), (0.5, 2.8),
)  # fmt: skip
STAG = (
    (0.2, 1.9), (0.9, 1.3), (1.5, 1.1), (2.0, 1.6), (2.6, 2.4), (3.6, 2.6), (5.4, 2.5), (7.0, 2.4), (7.8, 2.9),
    (7.8, 3.8), (8.2, 4.7), (8.0, 6.2), (7.7, 6.2), (7.6, 4.9), (6.9, 4.0), (5.4, 4.1), (3.9, 4.1), (3.6, 4.8),
    (3.4, 6.2), (3.1, 6.2), (3.0, 4.8), (2.6, 3.9), (2.0, 3.0), (1.5, 2.2), (0.8, 2.2),
)  # fmt: skip


def draw(rng):
    """Cave painting: bison, horses, stags, hunters and hands in ochre, red and soot on cracked limestone."""
    x, y = grid(WIDE)
    lumps = noise(rng, WIDE, 420, 6)
    fine = noise(rng, WIDE, 46, 5)
    rgb = ramp(
        0.65 * lumps + 0.35 * noise(rng, WIDE, 150, 5),
        colors("6f4a2c", "b07f4c", "d9b27a", "ecd2a0", "c99a62", "8a5c38"),
    )
    rgb = mix(rgb, colors("e8dcc4")[0], step(0.62, 0.8, noise(rng, WIDE, 260, 5)) * 0.7)
    rgb = mix(rgb, colors("5a3420")[0], step(0.6, 0.85, noise(rng, WIDE, 200, 5)) * 0.5)
    crack = np.zeros(WIDE, np.float32)
    for size in (430, 170):
        _, border, _ = voronoi(rng, WIDE, size, 1.0)
        bent = border + 16 * (noise(rng, WIDE, 70, 4) - 0.42)
        crack = np.maximum(crack, step(3.5, 0.5, np.abs(bent)) * step(0.4, 0.6, noise(rng, WIDE, 260)))
    rough = 0.55 * tooth(rng, WIDE) + 0.45 * fine
    red, ochre, soot, white = colors("8f2f16", "c97a1e", "1d1512", "efe6d2")

    def stain(pressure, color, strength=0.92):
        """Rub pigment into the rock."""
        at = extent(pressure > 0.02)
        rgb[at] = mix(rgb[at], color, rub(rough[at], pressure[at]) * strength)

    def line(path, width, color):
        """Draw along a path with a brush."""
        at = window(WIDE, path, 2 * np.max(width) + 4)
        inside = trace(rough[at].shape, path - (at[1].start, at[0].start), width)
        rgb[at] = mix(rgb[at], color, rub(rough[at], 0.78 * blur(inside, 1)) * 0.95)

    def animal(outline, left, top, length, color, facing=1, dark=soot):
        """One animal: pigment blown into the body, fading at the belly, and a brushed outline."""
        frame = np.array([facing, 1]) * length / 10
        corner = np.array([left + (length if facing < 0 else 0), top])
        path = curve(np.array(outline) * frame + corner, 8, True)
        body = polygon(WIDE, path)
        height = np.clip((y - top) / (length * 0.6), 0, 1)
        blown = blur(body, 9) * (0.95 - 0.55 * height + 0.5 * (noise(rng, WIDE, 90, 3) - 0.5))
        stain(blown * (0.3 + 0.7 * body), color)
        rim = np.clip(body - blur(body, length / 26), 0, 1) * body
        stain(rim * 1.6 * step(0.85, 0.2, height), dark, 0.8)
        width = length / 46 * (0.7 + 0.6 * np.sin(np.linspace(0, 19, len(path))) ** 2)
        line(path, width, dark)
        return frame, corner

    def brush(points, frame, corner, width, color=soot):
        """A brushed line in an animal's own coordinates."""
        path = curve(np.array(points) * frame + corner, 8)
        line(path, np.linspace(width, width * 0.5, len(path)), color)

    for left, top, length, color, facing in (
        (520, 330, 640, red, 1),
        (80, 110, 360, ochre, 1),
        (1060, 760, 400, ochre, -1),
    ):
        frame, corner = animal(BISON, left, top, length, color, facing)
        size = length / 40
        brush([(1.4, 2.0), (0.9, 1.5), (1.0, 0.8)], frame, corner, size)
        brush([(1.9, 1.6), (1.7, 0.9), (2.1, 0.4)], frame, corner, size)
        brush([(9.3, 1.9), (10.2, 2.3), (10.3, 3.6)], frame, corner, size)
        brush([(7.7, 4.2), (7.7, 5.1), (7.5, 5.8)], frame, corner, size * 1.6)
        brush([(4.9, 4.6), (5.1, 5.3), (4.9, 6.0)], frame, corner, size * 1.6)
        for k in range(16):
            mane = 1.2 + 0.2 * k
            brush([(mane, 3.4 + 0.05 * k), (mane + 0.25, 4.0), (mane + 0.1, 4.7)], frame, corner, size * 0.6)
            brush([(1.8 + 0.24 * k, 1.5 - 0.3 * np.sin(k / 5)), (2.0 + 0.24 * k, 2.1)], frame, corner, size * 0.5)
        brush([(1.1, 3.0), (1.2, 3.05)], frame, corner, size * 1.1, white)
    for left, top, length, color, facing in (
        (60, 620, 420, ochre, 1),
        (330, 850, 300, red, 1),
        (1120, 90, 330, white, -1),
        (1180, 420, 280, red, -1),
    ):
        frame, corner = animal(HORSE, left, top, length, color, facing)
        for k in range(13):
            crest = 1.4 + 0.16 * k
            brush([(crest, 1.2 + 0.03 * k), (crest + 0.2, 0.7 + 0.08 * k)], frame, corner, length / 60)
        brush([(8.1, 2.5), (8.9, 3.2), (8.8, 4.4)], frame, corner, length / 40)
        brush([(6.6, 4.1), (6.9, 4.9), (6.6, 5.6)], frame, corner, length / 28)
        brush([(4.6, 4.2), (4.8, 4.9), (4.5, 5.6)], frame, corner, length / 28)
    for left, top, length, facing in ((620, 90, 330, 1), (700, 790, 300, -1)):
        frame, corner = animal(STAG, left, top, length, red, facing)
        for lean in (-0.5, 0.7):
            brush([(1.4, 1.1), (1.4 + lean, 0.0), (1.2 + 1.7 * lean, -1.2)], frame, corner, length / 45)
            for share in (0.3, 0.6, 0.9):
                at = np.array([1.4 + lean * share * 1.2, 1.1 - 2.1 * share])
                brush([at, at + (-0.55, -0.5)], frame, corner, length / 55)
        brush([(4.5, 4.1), (4.8, 5.0), (4.6, 6.1)], frame, corner, length / 40)
    for k, (cx, cy) in enumerate(((480, 560), (420, 520), (1050, 690), (980, 720), (540, 720))):
        frame, corner = np.array([1 if cx < 700 else -1, 1]) * 15, np.array([cx, cy])
        brush([(0, 0), (0.3, 2.5), (0, 4)], frame, corner, 10, (soot, red)[k % 2])
        brush([(0, 4), (-1, 6), (-1.6, 7.6)], frame, corner, 8, (soot, red)[k % 2])
        brush([(0, 4), (1, 5.8), (1.8, 7.4)], frame, corner, 8, (soot, red)[k % 2])
        brush([(-1.6, 2.2), (0.2, 1.2), (2.4, 0.6)], frame, corner, 7, (soot, red)[k % 2])
        brush([(-2, 1.4), (3, 0.4), (7, -0.6)], frame, corner, 5)
        brush([(0, -1.1), (0.1, -1)], frame, corner, 22, (soot, red)[k % 2])
    for cx, cy, turn, size, tint in (
        (1420, 600, 0.2, 72, red),
        (480, 130, -0.4, 66, red),
        (330, 545, -0.3, 58, soot),
        (70, 520, 0.4, 62, red),
        (960, 1060, -0.2, 74, red),
    ):
        hand = Image.new("L", WIDE[::-1])
        ink = ImageDraw.Draw(hand)
        ink.ellipse((cx - 0.5 * size, cy - 0.5 * size, cx + 0.5 * size, cy + 0.6 * size), 255)
        for finger, reach in ((-1.25, 0.95), (-0.45, 1.3), (-0.12, 1.45), (0.2, 1.35), (0.55, 1.1)):
            direction = np.array([np.sin(finger + turn), -np.cos(finger + turn)])
            tip = np.array([cx, cy]) + direction * size * reach
            ink.line([(cx, cy), tuple(tip)], 255, int(size * 0.26))
            ink.ellipse((*(tip - size * 0.13), *(tip + size * 0.13)), 255)
        ink.line([(cx, cy), (cx - size * 1.2 * np.sin(turn), cy + size * 1.3)], 255, int(size * 0.6))
        mask = blur(np.asarray(hand, np.float32) / 255, 1.5)
        far = np.hypot(x - cx, y - cy + 0.2 * size) / (2.1 * size) + 0.5 * (noise(rng, WIDE, 60, 3) - 0.5)
        stain(step(1.05, 0.35, far) * (1 - mask) * 0.95, tint, 0.95)
    for cx, cy, count, turn in ((150, 80, 11, 0.1), (1120, 1080, 12, -0.15), (860, 290, 7, 0.4), (60, 1100, 8, -0.3)):
        for k in range(count):
            at = np.array([cx + 34 * k * np.cos(turn), cy + 34 * k * np.sin(turn)]) + rng.normal(0, 3, 2)
            line(np.array([at, at + 1]), 21, (red, soot)[k % 2 if count == 8 else 0])
    rgb = mix(rgb, colors("2a1a10")[0], crack * 0.85)
    height = 0.55 * lumps + 0.3 * fine + 0.25 * tooth(rng, WIDE) - 0.3 * blur(crack, 2)
    shade = 0.75 + 0.4 * step(1.2, 0.2, np.hypot((x - 760) / 1000, (y - 560) / 760))
    lit = emboss(rgb, blur(height, 2) * 2.2, 0.5)
    return np.clip(emboss(lit, height * 1.2, 0.4) * shade[..., None], 0, 1)
