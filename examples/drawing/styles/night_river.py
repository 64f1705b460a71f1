"""The style `night_river`."""

import numpy as np

from ..brush import WIDE, Canvas, colors, grid, mix, noise, ramp, step, swirl

STARS = ((250, 230, 120, 1), (620, 420, 150, -1), (900, 150, 90, 1), (1270, 260, 170, 1), (1060, 520, 80, -1))


def draw(rng):
    """Night river: a swirling sky in thick oil over hills and a village with lit windows."""
    x, y = grid(WIDE)
    angle = swirl(WIDE, STARS) + 0.5 * (noise(rng, WIDE, 300) - 0.5)
    sky = ramp(0.75 * noise(rng, WIDE, 260, 3) + 0.25 * y / 800, colors("071040", "12348c", "2a66c8", "7fb5dc"))
    for cx, cy, radius, _ in STARS:
        far = np.hypot(x - cx, y - cy)
        rings = np.exp(-far / radius * 1.1) * (0.6 + 0.4 * np.cos(far / radius * 8))
        gold = ramp(rng.random(WIDE), colors("f6b81a", "ffe066", "fff1a8"))
        sky = np.where((rng.random(WIDE) < rings)[..., None], gold, sky)
        sky = mix(sky, colors("fff3b0")[0], step(radius * 0.42, radius * 0.25, far))
    ridge = 690 + 70 * np.sin(x / 190) + 50 * np.sin(x / 83 + 1)
    bank = 850 + 30 * np.sin(x / 260 + 2)
    hill = ramp(noise(rng, WIDE, 90) * 0.6 + 0.4 * (y - ridge) / 200, colors("0a1d4a", "0f4c5c", "1f7a6d", "0b2545"))
    glow = sum(np.exp(-np.abs(x - cx) / 34) for cx in (250, 520, 760, 1010, 1290)) * (0.5 + 0.5 * np.sin(y / 9))
    water = mix(ramp(noise(rng, WIDE, 70), colors("050f33", "123a8a", "2b6cb8")), colors("f2b705")[0], glow * 0.9)
    under = np.where((y < ridge)[..., None], sky, np.where((y < bank)[..., None], hill, water))
    slope = np.arctan2(np.gradient(ridge, axis=1), 1)
    angle = np.where(y < ridge, angle, np.where(y < bank, slope + 0.5 * np.sin(x / 60), 0.1 * np.sin(y / 30)))
    canvas = Canvas(under)
    canvas.paint(rng, under, angle, 26, 120, 22)
    canvas.paint(rng, under, angle, 16, 80, 15, vary=0.14)
    for cx in np.arange(300, 1250, 46) + rng.uniform(-14, 14, 21):
        base, height, width = 850 + rng.uniform(-40, 10), rng.uniform(40, 80), rng.uniform(26, 44)
        wall = np.array([[cx, base], [cx, base - height]])
        canvas.stroke(rng, wall, width, colors("16203f", "24407a", "3a2d5c")[rng.integers(3)], 6)
        roof = np.array(
            [[cx - width * 0.7, base - height], [cx, base - height - 26], [cx + width * 0.7, base - height]]
        )
        canvas.stroke(rng, roof, 12, colors("8c3b2e", "5a2a4a")[rng.integers(2)], 4)
        for side in (-0.22, 0.22):
            pane = np.array([[cx + side * width, base - height * 0.6], [cx + side * width, base - height * 0.35]])
            canvas.stroke(rng, pane, 8, colors("ffd23f")[0], 3)
    rise = np.linspace(0, 1, 12)
    for reach in np.sort(rng.random(260)):
        lean = rng.normal(0, 70) * (1 - reach) ** 0.7
        flame = np.stack(
            [
                115 + lean * (1 - 0.5 * rise) + 9 * np.sin(rise * 5 + reach * 30),
                1200 - 950 * reach - 150 * rise,
            ],
            -1,
        )
        canvas.stroke(rng, flame, 18, colors("0b1f1a", "123524", "2c5e2e", "08142b")[rng.integers(4)], 7, 0.05)
    return canvas.lit(0.65)
