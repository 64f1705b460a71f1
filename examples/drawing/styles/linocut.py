"""The style `linocut`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import TALL, colors, disc, follow, grain, grid, mix, noise, sample, scatter, step


def draw(rng):
    """Linocut: an owl among leaves before a full moon, gouged out of a petrol block, with one rust-red block."""
    x, y = grid(TALL)
    cx, cy = 580, 800
    moon = np.hypot(x - 640, y - 430)
    body = np.hypot((x - cx) / 285, (y - cy) / 430) - 0.05 * np.cos(2 * np.arctan2(y - cy, x - cx))
    rise = np.clip((560 - y) / 220, 0, 9)
    ears = (np.abs(np.abs(x - cx) - 105 - 90 * rise**1.3) < 95 * (1 - rise)) & (y < 560)
    owl = (body < 1) | ears
    plate = Image.new("L", TALL[::-1], 255)  # 255 prints, 0 is cut away
    tint = Image.new("L", TALL[::-1], 0)  # the second block
    ink, second = ImageDraw.Draw(plate), ImageDraw.Draw(tint)

    def gouge(path, width, fill=0):
        """A cut that starts at a point, widens and runs out again."""
        t = np.linspace(0, 1, len(path))[:, None]
        ahead = np.gradient(path, axis=0)
        side = np.stack([-ahead[:, 1], ahead[:, 0]], -1) / (np.hypot(*ahead.T)[:, None] + 1e-6)
        half = width / 2 * np.sin(np.pi * np.clip(t, 0.02, 0.98) ** 0.7) * rng.uniform(0.75, 1.25, t.shape)
        ink.polygon([tuple(p) for p in np.vstack([path + side * half, (path - side * half)[::-1]])], fill)

    angle = np.arctan2(y - 430, x - 640) + 0.5 * (noise(rng, TALL, 300) - 0.5)
    ring = angle + np.pi / 2
    starts = scatter(rng, TALL, 24)
    far = sample(moon, starts)
    for path, out in zip(follow(np.where(moon < 560, ring, angle), starts, 6, 9), far, strict=True):
        if out > 330:
            gouge(path, rng.uniform(7, 15) * np.clip(1.5 - out / 1100, 0.45, 1))
    ink.ellipse((640 - 318, 430 - 318, 640 + 318, 430 + 318), 0)
    for path in follow(ring, rng.uniform((330, 120), (960, 740), (420, 2)), 6, 8):
        if np.hypot(*(path[3] - (640, 430))) < 300:
            ink.line([tuple(p) for p in path], 255, int(rng.integers(2, 5)))

    mask = Image.fromarray((owl * 255).astype(np.uint8))
    plate.paste(255, mask=mask)
    edge = Image.fromarray(((np.abs(body - 1.03) < 0.03) & (y > 500)).astype(np.uint8) * 255)
    plate.paste(0, mask=edge)
    for row in range(24):
        for column in range(-8, 9):
            px, py = cx + 40 * column + 20 * (row % 2), 630 + 26 * row
            reach = np.hypot((px - cx) / 240, (py - cy) / 400)
            wing = abs(px - cx) > 120 + 30 * np.sin(row / 4)
            if reach < 0.97 and (py > 650 or wing):
                t = np.linspace(0, np.pi, 9)
                size = 19 if not wing else 22
                bowl = np.stack([px + size * np.cos(t), py + (30 if wing else 22) * np.sin(t)], -1)
                gouge(bowl, 9 if wing else 12)
                if wing:
                    gouge(np.array([[px, py - 8], [px, py + 6], [px, py + 20]]), 8)
                else:
                    for lean in (-7, 7):
                        gouge(np.array([[px + lean, py - 6], [px + lean * 0.8, py + 3], [px + lean * 0.5, py + 12]]), 6)
    for side in (-1, 1):
        ex, ey = cx + 108 * side, 570
        ink.ellipse((ex - 118, ey - 118, ex + 118, ey + 118), 255)
        for turn in np.linspace(0, 2 * np.pi, 46, endpoint=False):
            way = np.array([np.cos(turn), np.sin(turn)])
            gouge(np.array([ex, ey]) + way * np.linspace(62, 112 + 8 * (turn % 0.3 < 0.15), 5)[:, None], 10)
        ink.ellipse((ex - 56, ey - 56, ex + 56, ey + 56), 0)
        second.ellipse((ex - 54, ey - 54, ex + 54, ey + 54), 255)
        ink.ellipse((ex - 30, ey - 30, ex + 30, ey + 30), 255)
        ink.ellipse((ex - 19, ey - 19, ex + 1, ey + 1), 0)
        second.ellipse((ex - 19, ey - 19, ex + 1, ey + 1), 0)
        for k in range(7):
            brow = np.array([[cx + side * (18 + 9 * k), 520 - 10 * k], [cx + side * (60 + 15 * k), 450 - 13 * k]])
            gouge(np.linspace(*brow, 6), 11)
    beak = [(cx - 34, 590), (cx + 34, 590), (cx, 688)]
    ink.polygon(beak, 0)
    second.polygon(beak, 255)
    ink.line([*beak, beak[0]], 255, 7)

    ink.polygon([(-10, 1210), (500, 1180), (1170, 1235), (1170, 1320), (480, 1276), (-10, 1310)], 255)
    for _ in range(150):
        at = np.array([rng.uniform(-20, 1120), rng.uniform(1195, 1300)])
        gouge(at + np.stack([np.linspace(0, rng.uniform(40, 120), 6), 4 * np.sin(np.linspace(0, 3, 6))], -1), 7)
    for foot in (-92, 92):
        for toe in (-40, 0, 40):
            spot = (cx + foot + toe - 17, 1170, cx + foot + toe + 17, 1250)
            ink.ellipse(spot, 0)
            second.ellipse(spot, 255)
            ink.arc(spot, 0, 360, 255, 6)

    def leaf(root, turn, length, red):
        """A leaf with its midrib and veins cut out."""
        t = np.linspace(0, 1, 22)[:, None]
        way, across = (np.array([np.cos(turn + a), np.sin(turn + a)]) for a in (0, np.pi / 2))
        rib = root + length * t * way + 0.1 * length * np.sin(np.pi * t) * across
        half = 0.24 * length * np.sin(np.pi * t**0.75) * across
        outline = [tuple(p) for p in np.vstack([rib - half, (rib + half)[::-1]])]
        ink.polygon(outline, 0 if red else 255)
        second.polygon(outline, 255 if red else 0)
        ink.line([*outline, outline[0]], 255 if red else 0, 7)
        if red:
            ink.line([tuple(p) for p in rib], 255, 6)
            for k in range(3, 19, 2):
                for lift in (-0.8, 0.8):
                    ink.line([tuple(rib[k]), tuple(rib[k + 2] + lift * half[k + 2])], 255, 4)
        else:
            gouge(rib, 9)
            for k in range(3, 19, 2):
                for lift in (-0.85, 0.85):
                    gouge(np.linspace(rib[k], rib[min(k + 3, 21)] + lift * half[min(k + 3, 21)], 5), 9)

    for k in range(15):
        root = np.array([rng.uniform(20, 1130), rng.uniform(1225, 1300)])
        leaf(root, rng.uniform(0.3, 2.8), rng.uniform(170, 260), k % 3 == 0)
    for side, lean in ((30, 0.0), (1122, np.pi)):
        for k in range(11):
            root = np.array([side + 14 * np.sin(k), 60 + 112 * k])
            leaf(root, lean + rng.uniform(-0.75, 0.75), rng.uniform(130, 215), k % 4 == 1)
    wobbly = 5 * (noise(rng, TALL, 60, 3) - 0.5)
    border = np.minimum(np.minimum(x, TALL[1] - x), np.minimum(y, TALL[0] - y)) + wobbly
    block = np.asarray(plate, np.float32) / 255
    block = np.where(border < 40, (border > 27), block) * (border > 20)
    patchy = 1 - 0.75 * step(0.66, 0.76, noise(rng, TALL, 7, 3)) - 0.12 * noise(rng, TALL, 200)
    paper = mix(np.broadcast_to(colors("f2e8d0")[0], (*TALL, 3)), colors("e7b24c")[0], disc(TALL, 646, 436, 318) * 0.9)
    red = np.roll(np.asarray(tint, np.float32) / 255, (5, -4), (0, 1))
    printed = mix(paper, colors("d0472a")[0], red * patchy * (border > 40))
    return mix(printed, colors("0f3a44")[0], block * patchy) * grain(rng, TALL, 0.08)
