"""The style `engraving`."""

import numpy as np

from ..brush import TALL, colors, grain, grid, hatch, mix, noise, step


def draw(rng):
    """Engraving: a balloon over hills, in swelling and crossing lines of bottle green with a rose guilloche."""
    x, y = grid(TALL)
    waver = noise(rng, TALL, 150, 3) - 0.5
    ink = np.zeros(TALL, np.float32)

    def cut(mask, dark, phase, crossing=None, edge=None):
        """Engrave a mask: lines that swell with darkness, and a second set across them in the shadows."""
        nonlocal ink
        lines = hatch(phase, np.clip(dark, 0.05, 0.9), 0.07)
        if crossing is not None:
            lines = np.maximum(lines, hatch(crossing, np.clip(1.5 * dark - 0.62, 0, 0.75), 0.07) * (dark > 0.42))
        ink = ink + (lines - ink) * mask
        if edge is not None:
            ink = np.maximum(ink, step(4, 2, np.abs(edge)))

    sky = 0.78 - 0.5 * y / 1100 + 0.25 * waver
    cut(1.0, sky, y / 13 + 2.4 * waver, (y + 0.5 * x) / 14)
    for cx, cy, size in (
        (220, 300, 150),
        (950, 210, 170),
        (1010, 760, 150),
        (150, 820, 160),
        (880, 1010, 120),
        (420, 1030, 100),
    ):
        puffs = [
            (0, 0, 0.62),
            (-0.6, 0.22, 0.45),
            (0.62, 0.2, 0.5),
            (-1.1, 0.42, 0.3),
            (1.15, 0.42, 0.32),
            (0.2, -0.3, 0.42),
        ]
        for px, py, radius in puffs:
            u, v, r = x - cx - px * size, y - cy - py * size, radius * size
            out = np.hypot(u, v) / r + 0.09 * np.sin(np.arctan2(v, u) * 9 + cx) + 0.25 * waver
            light = 0.1 + 0.42 * np.clip(0.55 * (u + 1.6 * v) / r, 0, 1)
            cut(
                step(1.01, 0.99, out) * (y < cy + 0.62 * size),
                light,
                out * r / 13,
                edge=(out - 1) * r + 99 * (y > cy + 0.62 * size),
            )

    for k, (base, swing, tone) in enumerate(((1150, 60, 0.4), (1220, 46, 0.56), (1310, 40, 0.44))):
        ridge = base - swing * np.sin(x / (210 - 30 * k) + 2 * k) - 70 * np.exp(-(((x - 250 - 330 * k) / 170) ** 2))
        ridge = ridge - 22 * waver
        slope = np.cos(x / (210 - 30 * k) + 2 * k)
        cut(
            step(-1, 1, y - ridge),
            tone + 0.34 * slope + 0.15 * waver,
            (y - ridge) / 12 + 0.014 * x * slope,
            (x + 0.6 * y) / 14,
            y - ridge,
        )
        for cx in np.sort(rng.uniform(0, TALL[1], 26)):
            foot, tall = ridge[base, int(cx)] + rng.uniform(4, 40), rng.uniform(28, 58)
            rise = (foot - y) / tall
            tree = (
                (rise > 0) & (rise < 1) & (np.abs(x - cx) < 0.3 * tall * (1 - rise) * (0.7 + 0.3 * np.sin(rise * 25)))
            )
            cut(tree.astype(np.float32), 0.6 + 0.02 * (x - cx), (y + 0.4 * np.abs(x - cx)) / 8)
    stream = 640 + 130 * np.sin(y / 62) * (y - 1240) / 240
    river = step(2, -2, np.abs(x - stream) - 10 - 0.22 * (y - 1240)) * (y > 1250)
    cut(
        river,
        0.12 + 0.3 * np.abs(np.sin(x / 40 + y / 9)),
        y / 10,
        edge=np.where(y > 1250, np.abs(x - stream) - 10 - 0.22 * (y - 1240), 99),
    )

    cx, cy, size = 576, 520, 345
    fall = np.clip((y - cy) / size, -1, 2)
    half = size * np.where(fall < 0, np.sqrt(np.clip(1 - fall**2, 0, 1)), np.clip(np.cos(fall * 1.12), 0, 1) ** 0.75)
    across = np.clip((x - cx) / (half + 1e-3), -1, 1)
    balloon = step(1.004, 0.996, np.abs(x - cx) / (half + 1e-3)) * (fall > -1) * (fall < 1.24)
    angle = np.arcsin(across)
    gore = np.floor(angle / (np.pi / 12))
    light = np.clip(0.5 + 0.5 * np.sin(angle - 0.1) + 0.22 * fall, 0, 1)
    stripe = (gore % 2) * 0.24
    dark = 0.08 + 0.62 * light**1.4 + stripe
    cut(balloon, dark, angle * 18 + 0.5 * fall, (y + 46 * np.cos(angle)) / 13)
    swag = 0.06 + 0.09 * np.abs(np.sin(angle * 6))
    for low, tone in ((-0.12, 0.1), (0.42, 0.2)):
        zone = balloon * (fall + 0.1 * np.cos(angle) > low) * (fall + 0.1 * np.cos(angle) < low + 0.2 + swag)
        cut(zone, 0.75 * light + tone, (y + 46 * np.cos(angle)) / 11, angle * 21)
        rim = np.abs(fall + 0.1 * np.cos(angle) - low - 0.2 - swag) * size
        ink = np.maximum(ink, step(5, 3, rim) * balloon)
    seam = np.abs(angle / (np.pi / 12) - np.round(angle / (np.pi / 12))) * half * np.cos(angle) * (np.pi / 12)
    ink = np.maximum(ink, step(3, 1.5, seam) * balloon)
    ink = np.maximum(ink, step(5, 3, np.abs(np.abs(x - cx) - half)) * (fall > -0.99) * (fall < 1.2))
    for lean in (-92, -46, 0, 46, 92):
        rope = np.abs(x - cx - lean * (1 - 0.45 * np.clip((y - 940) / 110, 0, 1)))
        ink = np.where((rope < 4) & (y > 930) & (y < 1052), step(3.4, 2.2, rope), ink)
    basket = step(1, 0.98, np.maximum(np.abs(x - cx) / (60 - 0.12 * (y - 1045)), np.abs(y - 1092) / 46))
    plait = np.where((np.floor((x - cx) / 15) + np.floor((y - 1045) / 15)) % 2 > 0, (x + y) / 9, (x - y) / 9)
    cut(basket, 0.55 + 0.004 * (x - cx), plait)
    ink = np.maximum(ink, step(5, 3, np.abs(y - 1048)) * (np.abs(x - cx) < 64))

    edge = np.minimum(np.minimum(x, TALL[1] - x), np.minimum(y, TALL[0] - y))
    along = np.where(np.minimum(x, TALL[1] - x) < np.minimum(y, TALL[0] - y), y, x)
    border = step(92, 90, edge)
    rose = np.zeros(TALL, np.float32)
    for k in range(7):
        swing = 56 + 26 * np.sin(along / 23.2 + k * 0.9) * np.cos(along / 92 + k * 0.45)
        rose = np.maximum(rose, step(4.2, 2.4, np.abs(edge - swing)))
    ink = np.where(border > 0.5, np.maximum(hatch(edge / 5.5, 0.3) * (edge > 84), step(3, 1, np.abs(edge - 12))), ink)
    ink = np.where(border > 0.5, np.maximum(ink, hatch(along / 6 + edge / 9, 0.34) * (np.abs(edge - 21) < 6)), ink)
    corner_x, corner_y = np.minimum(x, TALL[1] - x) - 62, np.minimum(y, TALL[0] - y) - 62
    medal, turn = np.hypot(corner_x, corner_y), np.arctan2(corner_y, corner_x)
    inside = step(112, 110, medal)
    wreath = np.zeros(TALL, np.float32)
    for k in range(5):
        wreath = np.maximum(wreath, step(2.4, 1.1, np.abs(medal - 66 - 32 * np.sin(turn * 8 + k * 1.26))))
    ink = ink * (1 - inside) + inside * np.maximum(wreath, step(3, 1.5, np.abs(medal - 106)))
    rose = rose * border * (1 - inside) + inside * hatch(medal / 8, 0.35)
    paper = np.broadcast_to(colors("f0f0d4")[0], (*TALL, 3)) * grain(rng, TALL, 0.08)
    tint = hatch((x + 26 * np.sin(y / 31)) / 11, 0.22) * (1 - border)
    rgb = mix(paper, colors("8fcfa8")[0], tint * 0.75)
    rgb = mix(rgb, colors("f0955a")[0], balloon * (gore % 2) * 0.85)
    rgb = mix(rgb, colors("cf3f58")[0], rose * 0.9)
    return mix(rgb, colors("0b4a38")[0], ink * (0.96 - 0.2 * noise(rng, TALL, 9, 2)))
