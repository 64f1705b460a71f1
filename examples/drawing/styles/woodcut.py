"""The style `woodcut`."""

import numpy as np

from ..brush import WIDE, colors, grain, grid, mix, noise, step


def draw(rng):
    """Woodcut: sun, mountains and a plowed valley in carved black lines on warm paper."""
    x, y = grid(WIDE)
    wobble = noise(rng, WIDE, 130, 5) - 0.5
    tremble = noise(rng, WIDE, 24, 3) - 0.5

    def carve(phase, tone):
        """Ink where the line pattern of a phase (in lines) is under the tone: darker means wider lines."""
        wave = np.abs((phase + 0.16 * tremble) % 1 - 0.5) * 2
        return step(-0.07, 0.07, np.clip(tone, 0, 1) - wave)

    sun_x, sun_y = 1010, 330
    far, around = np.hypot(x - sun_x, y - sun_y), np.arctan2(y - sun_y, x - sun_x)
    ink = carve(around / (2 * np.pi) * 84 + 0.7 * wobble, 0.22 + far / 1350 + 0.35 * wobble)
    cloud = np.maximum.reduce(
        [
            1 - np.hypot((x - cx) / w, (y - cy) / h)
            for cx, cy, w, h in (
                (330, 210, 250, 60),
                (450, 170, 160, 60),
                (220, 250, 200, 42),
                (1350, 170, 190, 48),
                (620, 90, 190, 36),
            )
        ]
    )
    cloud = cloud + 0.5 * tremble
    ink = np.where(cloud > 0, carve(cloud * 5, 0.9 - 2.4 * cloud), ink)
    ink = np.where(np.abs(cloud) < 0.06, 1, ink)
    ink = np.where(far < 130, carve(far / 17, 0.18), np.where(far < 140, 1, ink))
    sun = (far < 130).astype(np.float32)

    land = np.zeros(WIDE)
    for peaks, base, lines in (
        (((200, 560, 1.0), (620, 430, 0.8), (1240, 520, 0.9)), 800, 15),
        (((420, 690, 0.55), (900, 640, 0.6), (1430, 700, 0.5)), 860, 13),
    ):
        ridge = np.minimum.reduce([top + slope * np.abs(x - px) for px, top, slope in peaks]) + 60 * wobble
        ridge = np.minimum(ridge, base)
        nearest = np.stack([top + slope * np.abs(x - px) for px, top, slope in peaks]).argmin(0)
        left = x < np.array([p[0] for p in peaks])[nearest] + (y - ridge) * 0.3 * np.sin(y / 60)
        slope_line = np.where(left, y + 1.1 * x, y - 1.1 * x) / lines + 3 * wobble
        dark = np.where(left, 0.88 + 0.3 * wobble, 0.30 + (y - ridge) / 900 + 0.5 * wobble)
        snow = step(90, 40, y - ridge + 90 * wobble)
        inside = y > ridge
        ink = np.where(inside, carve(slope_line, dark * (1 - 0.85 * snow * ~left)), ink)
        ink = np.where(np.abs(y - ridge) < 6 + 4 * tremble, 1, ink)
        land = np.maximum(land, inside)

    horizon = 800 + 30 * np.sin(x / 240) + 20 * wobble
    depth = np.clip((y - horizon) / (WIDE[0] - horizon), 0.002, 1)
    furrow = (x - 760 + 120 * np.sin(depth * 3)) / (depth + 0.16) / 46
    tone = 0.42 + 0.45 * np.sin(furrow * 0.22 + 1) * 0.5 + 0.3 * wobble + 0.2 * (1 - depth)
    ink = np.where(y > horizon, carve(furrow, tone), ink)
    ink = np.where(np.abs(y - horizon) < 7, 1, ink)
    band = (y > 930 + 60 * np.sin(x / 170)) & (y < 1000 + 66 * np.sin(x / 170 + 0.2))
    ink = np.where(band, carve((y - 60 * np.sin(x / 170)) / 12 + wobble, 0.32 + 0.3 * wobble), ink)
    field = (y > horizon) & ~band

    trunk = np.abs(x - 250 - 26 * np.sin(y / 110) - 6 * tremble) < 30 + np.clip(y - 960, 0, 200) * 0.22
    trunk &= (y > 500) & (y < 1075)
    ink = np.where(trunk, carve(x / 13 + 2 * wobble, 0.72 + (250 - x) / 60), ink)
    crown_mask = np.zeros(WIDE, bool)
    for cx, cy, radius in (
        (250, 380, 190),
        (110, 500, 150),
        (395, 500, 150),
        (240, 540, 140),
        (60, 380, 120),
        (420, 380, 110),
    ):
        out = np.hypot(x - cx, y - cy) + 34 * np.sin(np.arctan2(y - cy, x - cx) * 17) * 0.4 + 30 * tremble
        crown = out < radius
        light = (cx - x + (y - cy)) / radius
        leaf = carve(out / 15 + 0.4 * np.sin(np.arctan2(y - cy, x - cx) * 17), 0.72 + 0.33 * light)
        ink = np.where(crown, leaf, ink)
        ink = np.where(np.abs(out - radius) < 5, 1, ink)
        crown_mask |= crown
    border = np.minimum(np.minimum(x, WIDE[1] - x), np.minimum(y, WIDE[0] - y)) + 8 * tremble
    ink = np.where(border < 34, step(20, 24, border), ink)

    rgb = np.broadcast_to(colors("f1dfb8")[0], (*WIDE, 3))
    rgb = mix(rgb, colors("e2502f")[0], sun)
    rgb = mix(rgb, colors("e8b04a")[0], field * 0.8 * (border > 34) * ~crown_mask * ~trunk)
    rgb = mix(rgb, colors("f1dfb8")[0], border < 20)
    worn = 0.94 - 0.35 * (noise(rng, WIDE, 10, 3) > 0.74)
    return mix(rgb, colors("17120f")[0], ink * worn) * grain(rng, WIDE, 0.08)
