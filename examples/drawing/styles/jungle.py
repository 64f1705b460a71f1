"""The style `jungle`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import TALL, colors, disc, emboss, grain, grid, mix, noise, ramp


def blade(length, width, bend):
    """Return a leaf's midrib and its two edges, each [P,2], growing upward from the origin."""
    t = np.linspace(0, 1, 26)
    rib = np.stack([bend * length * t**2, -length * t], -1)
    half = width * np.sin(np.pi * t**0.8) ** 0.9
    across = np.stack([half, 2 * bend * t * half], -1)
    return rib, rib - across, rib + across


def draw(rng):
    """Jungle: night leaves in dozens of flat greens, hard-edged and veined, around an orange moon."""
    x, y = grid(TALL)
    rgb = ramp(
        y / TALL[0] + 0.2 * (noise(rng, TALL, 300) - 0.5),
        colors("0c3a4a", "127a6a", "b8d96a", "0f4a2a", "04180f"),
    )
    rgb = mix(rgb, colors("ff8a1f")[0], disc(TALL, 610, 430, 150))
    rgb = mix(rgb, colors("ffb84a")[0], disc(TALL, 600, 420, 128))
    image = Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    ink = ImageDraw.Draw(image)
    greens = colors("06301c", "0a4a26", "0f6b2f", "1c8f3a", "4fb53a", "9ad13a")
    dark = (3, 20, 14)

    def leaf(root, turn, length, width, tone, bend):
        """One leaf: a light half and a dark half, outlined, with veins."""
        turned = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        rib, left, right = (line @ turned + root for line in blade(length, width, bend))
        light, shade = (tuple((ramp(v, greens) * 255).astype(int)) for v in (tone + 0.16, tone - 0.08))
        for edge, fill in ((left, light), (right, shade)):
            ink.polygon([tuple(p) for p in np.vstack([rib, edge[::-1]])], fill)
            ink.line([tuple(p) for p in edge], dark, 4)
        for k in range(3, 22, 2):
            for edge, tint in ((left, shade), (right, light)):
                ink.line([tuple(rib[k]), tuple(edge[k + 3] * 0.85 + rib[k + 3] * 0.15)], tint, 3)
        ink.line([tuple(p) for p in rib], tuple((ramp(tone + 0.4, greens) * 255).astype(int)), 5)

    for depth in np.linspace(0, 1, 15):
        tone = 0.72 - 0.5 * depth + rng.uniform(-0.08, 0.08)
        for _ in range(4):
            side = rng.uniform(0, 1)
            around = rng.uniform(0, 2 * np.pi)
            frame = np.array([576 + (640 - 60 * depth) * np.cos(around), 830 + (880 - 60 * depth) * np.sin(around)])
            root = frame if side < 0.75 else np.array([rng.uniform(0, TALL[1]), rng.uniform(1000, 1600)])
            inward = np.arctan2(576 - root[0], root[1] - 760) + rng.normal(0, 0.5)
            kind = rng.integers(3)
            if kind == 0:
                for fan in np.linspace(-1.1, 1.1, 9):
                    leaf(
                        root,
                        inward + fan,
                        rng.uniform(250, 330),
                        24,
                        tone + 0.05 * np.cos(fan * 5),
                        0.1 * fan,
                    )
            elif kind == 1:
                stem = root + np.linspace(0, 1, 12)[:, None] * 470 * np.array([np.sin(inward), -np.cos(inward)])
                for k, point in enumerate(stem[1:]):
                    for lean in (-0.9, 0.9):
                        leaf(point, inward + lean, 170 - 9 * k, 19, tone + 0.02 * k, -0.12 * lean)
                ink.line([tuple(p) for p in stem], dark, 7)
            else:
                for fan in (-0.55, 0.5, 0):
                    leaf(
                        root,
                        inward + fan,
                        rng.uniform(330, 430),
                        rng.uniform(62, 88),
                        tone,
                        rng.uniform(-0.25, 0.25),
                    )
    for fx, fy, size, tint in (
        (250, 1180, 92, "ff4f8a"),
        (900, 1010, 78, "ff6a2a"),
        (980, 1330, 96, "ffd23a"),
        (520, 1400, 84, "ff4f8a"),
        (160, 820, 64, "ffd23a"),
    ):
        base = colors(tint)[0]
        for petal in range(16):
            turn, reach = petal * 2.4, size * (1 - 0.035 * petal)
            tip = np.array([fx, fy]) + reach * np.array([np.cos(turn), np.sin(turn)])
            side = 0.42 * reach * np.array([-np.sin(turn), np.cos(turn)])
            middle = tip * 0.6 + np.array([fx, fy]) * 0.4
            outline = [(fx, fy), tuple(middle + side), tuple(tip), tuple(middle - side)]
            ink.polygon(outline, tuple((np.clip(base * (0.72 + 0.028 * petal), 0, 1) * 255).astype(int)))
            ink.line([*outline, outline[0]], (70, 8, 30), 3)
        ink.ellipse((fx - 13, fy - 13, fx + 13, fy + 13), (255, 240, 170))
    rgb = np.asarray(image, np.float32) / 255
    brushed = noise(rng, (TALL[0], TALL[1] * 3), 30, 3)[:, ::3]
    return emboss(rgb, 0.5 + 0.3 * brushed, 0.4) * grain(rng, TALL, 0.06)
