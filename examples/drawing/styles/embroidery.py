"""The style `embroidery`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import TALL, blur, colors, curve, emboss, grain, grid, noise, scatter


def draw(rng):
    """Embroidery: a folk bouquet in satin stitch and knots of shining thread on quilted black cloth."""
    x, y = grid(TALL)
    weave = 0.5 + 0.5 * np.sin(x * np.pi / 4) * np.sin(y * np.pi / 4)
    cloth = colors("17161f")[0] * (0.7 + 0.7 * weave)[..., None]
    picture = Image.fromarray((np.clip(cloth, 0, 1) * 255).astype(np.uint8))
    relief = Image.fromarray((60 + 50 * weave).astype(np.uint8))
    ink, body = ImageDraw.Draw(picture), ImageDraw.Draw(relief)

    def stitch(start, end, color, width=5):
        """One stitch of thread: dark below, bright along its back, dipping into the cloth at both ends."""
        tone = np.clip(color * rng.uniform(0.86, 1.12) + rng.normal(0, 0.015, 3), 0, 1)
        a, b = np.asarray(start, float), np.asarray(end, float)
        for share, wide, light in ((1, width + 2, 0.45), (0.97, width, 0.9), (0.6, max(width - 3, 1), 1.25)):
            middle, half = (a + b) / 2, (b - a) / 2 * share
            ends = [tuple(middle - half), tuple(middle + half)]
            ink.line(ends, tuple((np.clip(tone * light, 0, 1) * 255).astype(int)), int(wide))
            body.line(ends, int(90 + 130 * (light - 0.45) / 0.8), int(wide))

    def satin(rib, half, shades, slant=0.5, gap=4.2):
        """Fill a shape on both sides of its rib [P,2] with parallel stitches; `half` [P] is its half width."""
        length = np.r_[0, np.hypot(*np.diff(rib, axis=0).T).cumsum()]
        for at in np.arange(0, length[-1], gap):
            center = np.array([np.interp(at, length, rib[:, i]) for i in (0, 1)])
            ahead = np.array([np.interp(at + 3, length, rib[:, i]) for i in (0, 1)]) - center
            ahead = ahead / (np.hypot(*ahead) + 1e-6)
            aside, reach = np.array([-ahead[1], ahead[0]]), np.interp(at, length, half)
            split = np.array([0, rng.uniform(0.42, 0.6), 1.0])
            for side in (-1, 1):
                for k, (near, far) in enumerate(zip(split, split[1:], strict=False)):
                    way = side * aside + slant * ahead
                    shade = shades[min(k + (at > 0.62 * length[-1]), len(shades) - 1)]
                    stitch(center + way * reach * near, center + way * reach * far, shade)

    def knots(at, radius, colors_of, count):
        """French knots scattered over a disc."""
        for k in range(count):
            far, turn = radius * np.sqrt((k + 0.5) / count), 2.4 * k
            cx, cy = at + far * np.array([np.cos(turn), np.sin(turn)])
            tone = (np.clip(colors_of[k % len(colors_of)], 0, 1) * 255).astype(int)
            for size, light in ((7, 0.5), (5.5, 0.95), (2.5, 1.3)):
                ink.ellipse(
                    (cx - size, cy - size, cx + size, cy + size), tuple(np.clip(tone * light, 0, 255).astype(int))
                )
                body.ellipse((cx - size, cy - size, cx + size, cy + size), int(110 + 90 * light))

    for row in range(0, TALL[0] + 30, 15):
        for column in range(-20, TALL[1] + 20, 34):
            sway = 10 * np.sin(column / 60 + row / 90)
            cx = column + 17 * (row // 15 % 2) + rng.normal(0, 1.5)
            stitch(
                (cx, row + sway), (cx + 21, row + sway + 1.5), colors("2b3350", "39305a", "27424f")[rng.integers(3)], 4
            )

    red = colors("8f0f2a", "d81f3a", "ff6a5a")
    rose = colors("a81f6a", "ef4f96", "ffb0c8")
    blue = colors("1a3fa8", "3f86e0", "a8dcf5")
    gold = colors("c8741a", "f5b62a", "ffe98a")
    green = colors("1a6a3a", "3fa84f", "a8d85a")
    teal = colors("0f6a6a", "2fb0a0", "9fe8d0")
    ivory = colors("d8c8a8", "f5ecd8", "ffffff")

    def leaf(root, turn, length, shades, wide=0.2, bend=0.15):
        """A leaf in fishbone stitch."""
        t = np.linspace(0, 1, 30)[:, None]
        way, aside = (np.array([np.cos(turn + a), np.sin(turn + a)]) for a in (0, np.pi / 2))
        rib = root + length * t * way + bend * length * np.sin(np.pi * t) * aside
        satin(rib, (wide * length * np.sin(np.pi * t**0.85).clip(0))[:, 0] + 2, shades, 0.7)
        for k in range(0, 28, 3):
            stitch(rib[k], rib[k + 2], shades[2], 4)

    def flower(at, size, shades, heart, petals=8, wide=None):
        """A flower of satin petals around a heart of knots."""
        for k in rng.permutation(petals):
            turn = 2 * np.pi * k / petals + 0.2
            t = np.linspace(0.16, 1, 20)[:, None]
            rib = at + size * t * np.array([np.cos(turn), np.sin(turn)])
            satin(
                rib,
                (wide or 2.0 / petals) * size * np.sin(np.pi * t[:, 0] ** 1.6).clip(0) ** 0.75 + 2,
                shades[::-1],
                -0.35,
                4,
            )
        knots(at, size * 0.26, heart, int(size * 0.4))

    def stem(points, shades):
        """A stem of stitches like a rope."""
        path = curve(points, 40)
        satin(path, np.full(len(path), 7.0), shades, 1.2, 5)
        return path

    heads = (
        ((576, 470), 205, red, gold, 10),
        ((255, 640), 140, blue, gold, 8),
        ((900, 640), 145, rose, ivory, 8),
        ((400, 240), 105, gold, red, 8),
        ((790, 250), 112, ivory, rose, 9),
        ((170, 360), 84, rose, gold, 7),
        ((1000, 380), 86, blue, ivory, 7),
        ((576, 850), 120, gold, blue, 9),
        ((330, 980), 90, red, ivory, 7),
        ((830, 980), 92, teal, gold, 8),
    )
    for (cx, cy), size, *_ in heads:
        path = stem(
            [
                (576 + 0.06 * (cx - 576), 1390),
                (576 + 0.35 * (cx - 576), 1150),
                (cx + 0.16 * (cx - 576), 0.5 * (cy + 1150)),
                (cx, cy + size * 0.6),
            ],
            green,
        )
        for k in range(34, len(path) - 16, 13):
            for side in (-1, 1):
                turn = np.arctan2(*(path[k + 3] - path[k])[::-1]) + side * rng.uniform(0.6, 1.0)
                leaf(path[k], turn, rng.uniform(70, 115), (green, teal)[rng.integers(2)])
    for side in (-1, 1):
        for k in range(6):
            leaf(
                np.array([576 + side * 90, 1180 - 25 * k]),
                -np.pi / 2 + side * (0.5 + 0.27 * k),
                260 - 12 * k,
                (teal, green)[k % 2],
                0.14,
            )
        for k in range(9):
            spot = np.array([576 + side * (120 + 48 * k), 1330 - 6 * (k - 4) ** 2 + 60])
            leaf(spot, -0.5 if side > 0 else np.pi + 0.5, 80, gold, 0.2)
            knots(spot + (0, 44), 14, red, 7)
    for (cx, cy), size, shades, heart, petals in heads:
        flower(np.array([cx, cy], float), size, shades, heart, petals)
    vase = np.linspace(0, 1, 40)
    satin(
        np.stack([np.full(40, 576.0), 1270 + 190 * vase], -1),
        60 + 62 * np.sin(np.pi * (0.15 + 0.8 * vase)),
        blue[::-1],
        0.1,
        4.4,
    )
    for level in (1300, 1370, 1440):
        for cx in range(486, 668, 15):
            knots(np.array([cx, level + 10 * np.sin((cx - 576) / 30)]), 4, gold, 1)
    for spot in scatter(rng, TALL, 118):
        if (
            np.min(np.hypot(*(np.array([h[0] for h in heads]) - spot).T) - np.array([h[1] for h in heads])) > 26
            and abs(spot[0] - 576) > 150
        ):
            flower(spot, 26, (rose, blue, gold, ivory)[rng.integers(4)], gold, 5, 0.4)
    for k in range(0, 1152, 24):
        for edge in (26, 1510):
            stitch((k, edge - 14), (k + 12, edge + 14), red[1], 6)
            stitch((k + 12, edge + 14), (k + 24, edge - 14), gold[1], 6)
    for k in range(0, 1536, 24):
        for edge in (26, 1126):
            stitch((edge - 14, k), (edge + 14, k + 12), red[1], 6)
            stitch((edge + 14, k + 12), (edge - 14, k + 24), gold[1], 6)
    rgb = np.asarray(picture, np.float32) / 255
    height = np.asarray(relief, np.float32) / 255
    shadow = np.roll(blur(height, 5), (4, 3), (0, 1)) - height
    rgb = rgb * (1 - 0.9 * np.clip(shadow, 0, 0.5))[..., None] * (0.92 + 0.16 * noise(rng, TALL, 200))[..., None]
    return emboss(rgb, height, 0.4) * grain(rng, TALL, 0.06)
