"""The style `risograph`."""

import numpy as np

from ..brush import SQUARE, colors, grain, grid, halftone, hatch, noise, step


def draw(rng):
    """Risograph: lemons, leaves and a checkered cloth in halftones of three loud inks that miss each other."""
    x, y = grid(SQUARE)
    yellow, pink, blue = tones = [np.zeros(SQUARE, np.float32) for _ in range(3)]

    def lay(mask, *amounts):
        """Set what yellow, pink and blue print inside a mask."""
        for tone, amount in zip(tones, amounts, strict=True):
            tone[...] = tone + (amount - tone) * mask

    def spun(cx, cy, turn):
        """Coordinates around a point, along a direction and across it."""
        return (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn), (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)

    far = np.hypot(x - 800, y - 300)
    rays = hatch(np.arctan2(y - 300, x - 800) / (2 * np.pi) * 36, 0.5)
    lay(1.0, 0.1 + 0.2 * rays, 0.85 - 0.7 * y / 800 - 0.22 * rays, 0.1 + 0 * x)
    lay(step(232, 229, far), 0.95 - 0.4 * (y - 70) / 460, 0.1 + 0.8 * step(60, 540, y), 0 * x)
    lay(step(3, -3, np.abs(far - 262) - 9), 0.9, 0.1, 0)

    horizon = 800
    depth = np.clip((y - horizon) / (1152 - horizon), 0.001, 1)
    check = np.sign(np.sin((x - 576) / (0.35 + depth) / 34) * np.sin(9 * np.log(0.22 + depth) * 1.9))
    lay(
        y > horizon, 0.15 + 0.2 * depth, np.where(check > 0, 0.12, 0.55), np.where(check > 0, 0.05, 0.75 + 0.25 * depth)
    )
    lay(np.abs(y - horizon) < 7, 0, 0, 1)

    def leaf(cx, cy, turn, length, wide, shade):
        """A leaf with a notched edge, a rib and veins."""
        u, v = spun(cx, cy, turn)
        t = np.clip(u / length, 0, 1)
        half = wide * np.sin(np.pi * t**0.8).clip(0) ** 0.8
        notch = step(0.62, 0.7, np.abs(v) / (half + 1)) * step(0.2, 0.5, np.sin(u / length * 26 - np.abs(v) / wide * 5))
        inside = step(2, -2, np.abs(v) - half) * (u > 0) * (u < length)
        body = inside * (1 - notch)
        light = np.where(v > 0, 0.35, 0.8)
        lay(body, 0.85, 0.05 * light, shade * light + 0.25 * t)
        vein = hatch(u / length * 11 - np.abs(v) / wide * 2, 0.14) * step(0.95, 0.85, np.abs(v) / (half + 1))
        lay(body * np.maximum(vein, step(4, 2, np.abs(v))), 0.7, 0, 0.05)

    for k, turn in enumerate(np.linspace(-2.75, -0.4, 8)):
        leaf(330, 640, turn, 420 + 70 * np.sin(3 * k), 84 + 18 * (k % 3), 0.7 + 0.3 * (k % 2))
    for k, turn in enumerate((-2.3, -1.2, -0.35, 0.3)):
        leaf(960, 790, turn, 250, 58, 0.6 + 0.4 * (k % 2))
    across = (x - 330) / (150 + 46 * np.cos((y - 640) / 76))
    vase = step(1.01, 0.99, np.abs(across)) * (y > 600) * (y < 1000)
    band = np.sin((y - 600) / 19 + 1.6 * np.abs((x / 48) % 2 - 1))
    lay(
        vase,
        0.05 + 0 * x,
        np.where(band > 0, 0.95, 0.35) * (0.75 + 0.25 * across),
        np.where(band > 0.55, 0.9, 0.12) + 0.45 * across.clip(0),
    )
    shadow = np.hypot((x - 460) / 250, (y - 1000) / 44)
    lay(step(1, 0.9, shadow) * (1 - vase) * (y > horizon) * 0.85, 0.1, 0.4, 0.95)

    def lemon(cx, cy, turn, size):
        """A whole lemon with its shadow, speckled skin and shine."""
        u, v = spun(cx, cy, turn)
        ground = np.hypot((x - cx - 0.5 * size) / (1.3 * size), (y - cy - 0.78 * size) / (0.3 * size))
        lay(step(1, 0.9, ground) * 0.9, 0.2, 0.45, 0.95)
        skin = np.hypot(u / (1.12 * size), v / (0.82 * size)) - 0.24 * np.exp(
            -(((np.abs(u) / size - 1.16) / 0.16) ** 2)
        )
        body = step(1.01, 0.99, skin)
        light = (x - cx + 1.1 * (y - cy)) / size
        pores = step(0.62, 0.72, noise(rng, SQUARE, 13, 2))
        lay(
            body,
            1 + 0 * x,
            np.clip(0.12 + 0.4 * light, 0.02, 0.85) + 0.2 * pores * (light > -0.5),
            np.clip(0.5 * light - 0.32, 0, 0.7),
        )
        shine = np.hypot((x - cx + 0.34 * size) / 0.26, (y - cy + 0.32 * size) / 0.15) / size
        lay(step(1, 0.9, shine), 0.12, 0, 0)

    def slice_of(cx, cy, size):
        """A slice with its rind, pith and segments."""
        out, around = np.hypot(x - cx, y - cy) / size, np.arctan2(y - cy, x - cx) + 0.3
        ground = np.hypot(x - cx - 22, y - cy - 24) / size
        lay(step(1.02, 0.98, ground), 0.2, 0.45, 0.95)
        lay(step(1.01, 0.99, out), 1, 0.3 * (x - cx) / size + 0.3, 0)
        lay(step(0.9, 0.88, out), 0.12, 0.03, 0)
        part = np.abs((around / (2 * np.pi) * 9) % 1 - 0.5)
        flesh = step(0.82, 0.79, out) * step(0.46, 0.43, part + 0.02 / (out + 0.05)) * (out > 0.12)
        juice = noise(rng, SQUARE, 22, 3)
        lay(flesh, 0.95, np.clip(0.2 + 0.5 * juice * out, 0, 1), 0)

    lemon(720, 905, 0.35, 118)
    lemon(930, 960, -0.5, 126)
    lemon(585, 1040, 1.0, 104)
    slice_of(790, 1070, 92)
    slice_of(1060, 800, 74)
    slice_of(130, 1040, 108)
    lemon(130, 860, -0.3, 92)
    rgb = np.broadcast_to(colors("f6f1e2")[0], (*SQUARE, 3)) * grain(rng, SQUARE, 0.07)
    plates = (
        (yellow, "ffe100", 11, 0.0, (0, 0)),
        (pink, "ff3ea5", 10, 0.26, (5, -6)),
        (blue, "0a5fb4", 10, 1.31, (-4, 5)),
    )
    printed = np.minimum(np.minimum(x, SQUARE[1] - x), np.minimum(y, SQUARE[0] - y)) > 30
    for tone, ink, pitch, turn, miss in plates:
        dots = halftone(np.roll(tone * printed, miss, (0, 1)), pitch, turn)
        cover = dots * (0.93 - 0.3 * step(0.55, 0.8, noise(rng, SQUARE, 6, 2)) - 0.12 * noise(rng, SQUARE, 300))
        rgb = rgb * (1 - cover[..., None] * (1 - colors(ink)[0]))
    return rgb
