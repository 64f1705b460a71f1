"""The style `neon`."""

import numpy as np

from ..brush import SQUARE, blur, bricks, colors, curve, emboss, grain, grid, noise, step, trace


def draw(rng):
    """Neon: a flamingo, palms and a striped sun in glowing tubes on a wall of glazed brick at night."""
    x, y = grid(SQUARE)
    number, joint = bricks(rng, SQUARE, 74, 34, 3)
    tone = rng.uniform(0.5, 1.1, int(number.max()) + 1)[number] * (0.7 + 0.5 * noise(rng, SQUARE, 16, 3))
    height = step(0.5, 6, joint) + 0.35 * noise(rng, SQUARE, 10, 3)
    wall = colors("463a6a")[0] * (tone * (0.3 + 0.7 * step(0, 4, joint)))[..., None]
    pink, cyan, gold, violet, lime, orange = colors("ff2fa0", "20e0ff", "ffd84a", "a04aff", "5aff9a", "ff7a2a")
    glow, tubes, core = (np.zeros((*SQUARE, 3), np.float32) for _ in range(3))
    dark = np.zeros(SQUARE, np.float32)

    def tube(points, color, width=11, closed=False, smooth=True):
        """A glass tube along points: a white core, colored gas, its halo and its shadow on the wall."""
        path = curve(points, 12, closed) if smooth else np.asarray(points, float)
        gas = trace(SQUARE, path, width)
        np.maximum(tubes, gas[..., None] * color, out=tubes)
        np.maximum(core, trace(SQUARE, path, max(width * 0.4, 3))[..., None] * (0.35 * color + 0.65), out=core)
        np.add(glow, gas[..., None] * color, out=glow)
        np.maximum(dark, np.roll(gas, (14, 9), (0, 1)), out=dark)

    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    around = np.stack([np.cos(turn), np.sin(turn)], -1)
    sun = np.array([690, 400])
    tube(sun + 268 * around, orange, 12, True)
    for k, level in enumerate(np.linspace(-190, 235, 9)):
        half = np.sqrt(250**2 - level**2) - 14
        tube([(690 - half, 400 + level), (690 + half, 400 + level)], (gold, orange, pink)[k // 3], 8 + k * 0.9)
    body = [
        (330, 300), (360, 250), (410, 250), (432, 300), (410, 370), (362, 440), (346, 520), (372, 590), (450, 600),
        (540, 580), (640, 600), (720, 664), (640, 690), (560, 724), (470, 734), (390, 700), (330, 620), (312, 520),
        (334, 420), (376, 350), (372, 310), (346, 316),
    ]  # fmt: skip
    tube(body, pink, 12, True)
    tube([(330, 300), (284, 318), (266, 362), (286, 378), (310, 344), (346, 316)], gold, 10)
    tube([(392, 282), (393, 283)], cyan, 16)
    for k in range(4):
        tube(
            [(430 + 18 * k, 630 + 12 * k), (520 + 18 * k, 622 + 16 * k), (600 + 26 * k, 640 + 10 * k)],
            (violet, pink)[k % 2],
            8,
        )
    tube([(470, 734), (462, 850), (476, 980), (430, 992)], pink, 9)
    tube([(540, 728), (560, 830), (500, 870), (540, 980), (586, 990)], pink, 9)
    for root, lean, color in (((1000, 1060), -1, lime), ((150, 1080), 1, cyan)):
        root = np.array(root)
        for side in (-14, 14):
            tube(
                [root + (side, 0), root + (side - 26 * lean, -260), root + (side * 0.5 - 10 * lean, -520)],
                violet if color is lime else lime,
                8,
            )
        crown = root + (-10 * lean, -530)
        for k, angle in enumerate(np.linspace(-2.9, -0.2, 7)):
            reach = 210 + 30 * np.sin(3 * angle)
            tip = crown + reach * np.array([np.cos(angle), 0.72 * np.sin(angle)]) + (0, 90)
            bow = crown + 0.6 * reach * np.array([np.cos(angle), np.sin(angle)]) + (0, -20)
            tube([crown, bow, tip], color, 9)
            for share in (0.3, 0.5, 0.7, 0.9):
                at = crown * (1 - share) ** 2 + 2 * share * (1 - share) * bow + share**2 * tip
                tube([at, at + (26 * np.cos(angle) - 8, 44)], (color, cyan)[k % 2], 5)
    for k in range(5):
        level = 1010 + 30 * k
        tube(
            [(cx, level + 9 * (-1) ** j) for j, cx in enumerate(range(-20, 1200, 44))],
            (cyan, violet, pink, cyan, violet)[k],
            8,
        )
    for cx, cy, size, color in (
        (140, 150, 46, gold),
        (300, 90, 26, cyan),
        (1010, 130, 40, violet),
        (1080, 300, 24, gold),
        (90, 330, 24, pink),
        (500, 70, 22, lime),
        (880, 70, 26, cyan),
    ):
        points = (cx, cy) + np.stack([np.cos(turn[::4] - 0.3), np.sin(turn[::4] - 0.3)], -1) * np.where(
            np.arange(10) % 2, size, size * 0.42
        )[:, None]
        tube(np.vstack([points, points[:1]]), color, 7, smooth=False)
    frame = np.array([(34, 34), (1118, 34), (1118, 1118), (34, 1118), (34, 34)])
    tube(frame, violet, 9, smooth=False)
    tube(576 + (frame - 576) * 0.955, cyan, 7, smooth=False)
    lit = 1.1 * blur(glow, 7) + 1.7 * blur(glow, 26) + 4.2 * blur(glow, 90)
    wall = wall * (1 - 0.45 * blur(dark, 5))[..., None]
    wall = emboss(wall * (0.34 + 1.6 * lit), height, 0.7) + 0.05 * lit
    hot = np.clip(blur(core, 1) + 0.4 * blur(glow, 5), 0, 1)
    rgb = np.maximum(wall, 0) * (1 - tubes.max(-1, keepdims=True)) + tubes
    rgb = 1 - (1 - np.clip(rgb, 0, 1)) * (1 - 0.85 * np.clip(core, 0, 1)) * (1 - 0.35 * hot)
    return np.clip(rgb, 0, 1) * grain(rng, SQUARE, 0.05)
