"""The style `charcoal`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import WIDE, blur, colors, grain, grid, mix, noise, rub, step, streaks, tooth


def draw(rng):
    """Charcoal: bare trees along a wet road under a storm, hatched, smudged and lifted with an eraser."""
    x, y = grid(WIDE)
    sheet = Image.new("L", WIDE[::-1])
    ink = ImageDraw.Draw(sheet)

    def line(path, width, dark):
        """Drag the stick along a path; the stroke thins toward its end."""
        for k, (start, end) in enumerate(zip(path, path[1:], strict=False)):
            thick = max(int(width * (1 - 0.5 * k / len(path))), 1)
            ink.line([tuple(start), tuple(end)], int(255 * dark), thick)
            ink.ellipse((*(end - thick / 2), *(end + thick / 2)), int(255 * dark))

    storm = (0.3 + 0.7 * noise(rng, WIDE, 330, 4)) * step(800, 300, y) + 0.3 * step(400, 0, y)
    for _ in range(4200):
        at = rng.uniform((-60, -40), (1560, 800))
        cloud = storm[int(np.clip(at[1], 0, 1151)), int(np.clip(at[0], 0, 1535))]
        if rng.random() < cloud * 1.5 - 0.25:
            turn, reach = -0.75 + rng.normal(0, 0.14) + 0.9 * (cloud > 0.62), rng.uniform(70, 190)
            bow = np.linspace(0, 1, 6)[:, None]
            heading = np.array([np.cos(turn), np.sin(turn)])
            line(at + reach * (bow - 0.5) * heading + 9 * np.sin(3 * bow), rng.uniform(4, 13), 0.25 + 0.6 * cloud)
    for _ in range(1500):
        cy = 770 + 390 * rng.random() ** 1.1
        near = (cy - 760) / 390
        cx, reach = rng.uniform(-80, 1560), (60 + 170 * rng.random()) * (0.3 + near)
        road = abs(cx - 800 + 120 * near) < 90 + 420 * near
        if rng.random() < (0.28 if road else 0.95):
            slope = 0.1 * np.sin(cx / 190) + (0 if road else 0.25 * rng.normal())
            line(np.array([[cx, cy], [cx + reach, cy + slope * reach]]), 3 + 8 * near, rng.uniform(0.35, 0.8))
    scribble = np.asarray(sheet, np.float32) / 255
    smudged = blur(scribble, 7)
    sheet.paste(0, (0, 0, *WIDE[::-1]))

    def limb(root, turn, length, width, dark):
        """A branch and, thinner, those that leave it."""
        bow = np.linspace(0, 1, 9)[:, None]
        heading, side = (np.array([np.cos(turn + a), np.sin(turn + a)]) for a in (0, np.pi / 2))
        path = root + length * bow * heading + side * length * rng.normal(0, 0.06) * np.sin(3 * bow)
        path = path + rng.normal(0, width * 0.06, path.shape)
        line(path, width, dark)
        if width > 2.2:
            for at in rng.choice(np.arange(3, 9), 3 + (width > 14), replace=False):
                lean = rng.uniform(0.35, 0.95) * rng.choice([-1, 1])
                limb(
                    path[at],
                    turn + lean * (1 - 0.25 * (width > 20)),
                    length * rng.uniform(0.5, 0.74),
                    width * 0.52,
                    dark,
                )

    for cx in (690, 745, 862, 925):
        limb(np.array([cx, 790.0]), -np.pi / 2, 130, 9, 0.55)
    for cx, cy, tall, wide in ((560, 850, 250, 22), (1040, 870, 280, 25), (1240, 960, 400, 44), (270, 1010, 480, 56)):
        limb(np.array([cx, cy]), -np.pi / 2 + rng.normal(0, 0.06), tall, wide, 0.95)
        for _ in range(26):
            root = np.array([cx + rng.normal(0, wide * 0.4), cy + 6])
            line(root + np.array([[0, 0], [rng.normal(0, wide * 0.8), rng.uniform(2, 22)]]), wide * 0.12, 0.8)
    for cx, cy in rng.uniform((420, 120), (1140, 460), (15, 2)):
        span = rng.uniform(9, 24)
        line(np.array([[cx - span, cy - span * 0.5], [cx, cy], [cx + span, cy - span * 0.7]]), 6, 1.0)
    bark = step(0.52, 0.64, streaks(rng, WIDE, 150, 5, 1.5))
    drawn = np.asarray(sheet, np.float32) / 255 * (1 - 0.25 * bark)
    pressure = 0.3 * smudged + 0.42 * scribble + 0.16 * storm + 0.12 * step(700, 1100, y)
    pool = noise(rng, (WIDE[0], WIDE[1] // 5), 90, 3).repeat(5, 1)
    pool = np.pad(pool, ((0, 0), (0, WIDE[1] - pool.shape[1])), mode="edge")
    road = step(60, 0, np.abs(x - 800 + 0.31 * (y - 760)) - 60 - 1.0 * (y - 760)) * (y > 775)
    light = step(0.56, 0.66, pool) * road + np.exp(-(((y - 768) / 26) ** 2)) * 0.7
    light = light + step(0.985, 1, np.sin(x / 210 - y / 300 + 3 * noise(rng, WIDE, 260, 2))) * (y < 640) * 0.5
    mirror = np.roll(blur(drawn[::-1], 8), 2 * 790 - WIDE[0], 0) * road
    pressure = np.clip(pressure * (1 - 0.75 * np.clip(light, 0, 1)) + 0.4 * mirror, 0, 0.9)
    dust = 0.55 * blur(pressure, 5) * (0.8 + 0.4 * noise(rng, WIDE, 40, 4))
    rough = tooth(rng, WIDE)
    dark = np.maximum(
        np.maximum(dust, 0.92 * rub(rough, pressure)), 0.95 * rub(rough, np.maximum(0.84 * drawn, 0.5 * blur(drawn, 7)))
    )
    paper = colors("d9cfbd")[0] * grain(rng, WIDE, 0.14)
    return mix(paper, colors("191615")[0], dark)
