"""The style `sgraffito`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import (
    SQUARE,
    colors,
    curve,
    emboss,
    follow,
    grain,
    grid,
    mix,
    noise,
    ramp,
    sample,
    scatter,
    step,
    streaks,
    swirl,
)


def draw(rng):
    """Sgraffito: two birds and a tree of life scratched through slips of petrol, cream and moss to the red clay."""
    x, y = grid(SQUARE)
    clay = ramp(
        0.6 * noise(rng, SQUARE, 30, 4) + 0.4 * streaks(rng, SQUARE, 300, 9), colors("7a3018", "b5512a", "d9793f")
    )
    names = ("petrol", "cream", "moss", "gold")
    slips = colors("12414a", "efe3c8", "7f9a4a", "dba03a")
    slip = Image.new("L", SQUARE[::-1], 1)  # 0 is bare clay, then 1 + the index of the slip
    cut = Image.new("L", SQUARE[::-1], 0)
    glaze, scratch = ImageDraw.Draw(slip), ImageDraw.Draw(cut)

    def needle(path, width=4):
        """Scratch along a path with an unsteady hand."""
        path = path + rng.normal(0, 0.6, path.shape)
        scratch.line([tuple(p) for p in path], int(rng.integers(200, 256)), width, joint="curve")

    def fill(outline, name, hatching=None, gap=10):
        """Paint a shape in slip, scratch its outline and, at an angle, lines across it."""
        points = [tuple(p) for p in outline]
        shape = Image.new("L", SQUARE[::-1])
        ImageDraw.Draw(shape).polygon(points, 255)
        glaze.polygon(points, 1 + names.index(name))
        cut.paste(0, mask=shape)
        if hatching is not None:
            low, high = np.min(outline, 0), np.max(outline, 0)
            middle, reach = (low + high) / 2, np.hypot(*(high - low)) / 2
            inside = np.asarray(shape)
            way, aside = (np.array([np.cos(hatching + a), np.sin(hatching + a)]) for a in (0, np.pi / 2))
            for offset in np.arange(-reach, reach, gap):
                run = middle + aside * offset + way * np.linspace(-reach, reach, 80)[:, None]
                kept = sample(inside, run) > 0
                for part in np.split(np.arange(80), np.flatnonzero(np.diff(kept)) + 1):
                    if kept[part[0]] and len(part) > 2:
                        needle(run[part], 3)
        needle(np.vstack([outline, outline[:1]]), 6)

    ring = np.hypot(x - 576, y - 576)
    waves = swirl(SQUARE, ((250, 300, 200, 1), (900, 300, 200, -1), (250, 850, 180, -1), (900, 850, 180, 1)))
    for path in follow(waves, scatter(rng, SQUARE, 21), 5, 6):
        needle(path[: rng.integers(3, 7)], 4)
    stem = curve([(576, 1010), (566, 860), (584, 700), (572, 520), (578, 330), (576, 200)], 12)
    fill(np.vstack([stem - (15, 0), (stem + (15, 0))[::-1]]), "moss", 0.5, 9)

    def leaf(root, turn, length, name, wide=0.22):
        """A leaf with a scratched rib and veins."""
        t = np.linspace(0, 1, 20)[:, None]
        way, aside = (np.array([np.cos(turn + a), np.sin(turn + a)]) for a in (0, np.pi / 2))
        rib = root + length * t * way + 0.12 * length * np.sin(np.pi * t) * aside
        half = wide * length * np.sin(np.pi * t**0.8) * aside
        fill(np.vstack([rib - half, (rib + half)[::-1]]), name)
        needle(rib, 4)
        for k in range(2, 17, 2):
            for lift in (-0.86, 0.86):
                needle(np.array([rib[k], rib[k + 2] + lift * half[k + 2]]), 3)

    def flower(at, size, name, heart, petals=9):
        """A flower of hatched petals around a dotted heart."""
        for k in range(petals):
            turn = 2 * np.pi * k / petals
            t = np.linspace(0, 2 * np.pi, 16)
            along, aside = 0.62 + 0.4 * np.cos(t), 0.27 * np.sin(t)
            spun = np.stack(
                [along * np.cos(turn) - aside * np.sin(turn), along * np.sin(turn) + aside * np.cos(turn)], -1
            )
            fill(at + size * spun, name, turn, 7)
        t = np.linspace(0, 2 * np.pi, 24)[:-1]
        fill(at + 0.34 * size * np.stack([np.cos(t), np.sin(t)], -1), heart, 0.8, 8)

    for side in (-1, 1):
        for k, (height, reach) in enumerate(((880, 330), (720, 210), (480, 380), (360, 300), (270, 180))):
            tip = np.array([576 + side * reach, height - 120])
            branch = curve([(576, height), (576 + side * reach * 0.5, height - 26), tip], 10)
            needle(branch, 9)
            needle(branch + (0, 9), 5)
            for step_at in range(4, len(branch) - 1, 4):
                for lift in (-1, 1):
                    leaf(branch[step_at], lift * 0.9 - (0.2 if side > 0 else np.pi - 0.2), 84, ("moss", "gold")[k % 2])
            if k not in (1, 2):
                flower(tip, 74 - 5 * k, ("cream", "gold")[k % 2], ("gold", "petrol")[k % 2])
    flower(np.array([576, 200]), 92, "cream", "gold", 11)
    for side in (-1, 1):
        frame = np.array([side, 1]) * 1.3
        body = curve(
            [
                (-70, -96),
                (-20, -130),
                (30, -108),
                (60, -40),
                (150, 30),
                (200, 110),
                (90, 90),
                (0, 92),
                (-70, 40),
                (-96, -30),
            ],
            8,
            True,
        )
        place = np.array([576 - side * 330, 600])
        for k in range(5):
            feather = np.array([(120, 20), (230, 60 + 34 * k), (262, 92 + 38 * k), (218, 92 + 36 * k), (90, 60)])
            fill(curve(feather, 6, True) * frame + place, ("gold", "moss")[k % 2], side * (0.5 + 0.1 * k), 8)
        fill(body * frame + place, "cream")
        for row in range(7):
            for column in range(7):
                spot = np.array([-56 + 26 * column + 13 * (row % 2), -56 + 20 * row])
                t = np.linspace(0.2, np.pi - 0.2, 8)
                if np.hypot((spot[0] - 10) / 90, (spot[1] - 0) / 84) < 0.9:
                    needle((spot + np.stack([12 * np.cos(t), 12 * np.sin(t)], -1)) * frame + place, 3)
        wing = curve([(-20, -40), (60, -30), (150, 50), (110, 66), (40, 50), (-24, 20)], 8, True)
        fill(wing * frame + place, "gold", side * 0.45, 8)
        beak = np.array([(-66, -92), (-112, -72), (-70, -64)])
        fill(beak * frame + place, "gold")
        eye = np.array([-34, -92]) * frame + place
        scratch.ellipse((*(eye - 13), *(eye + 13)), 255)
        glaze.ellipse((*(eye - 6), *(eye + 6)), 1)
        scratch.ellipse((*(eye - 6), *(eye + 6)), 0)
        for foot in (-10, 24):
            needle(np.array([(foot, 90), (foot, 140), (foot - 20, 156)]) * frame + place, 6)
            needle(np.array([(foot, 140), (foot + 20, 156)]) * frame + place, 6)
    for cx in np.arange(30, 1152, 68):
        leaf(np.array([cx, 1040.0]), -np.pi / 2 + rng.normal(0, 0.3), 120, ("moss", "cream", "gold")[int(cx) % 3], 0.26)
    for low, high, name in ((1030, 1152, "cream"), (0, 84, "cream")):
        for k in range(25):
            left, flip = 48 * k - 24, k % 2
            tooth = np.array(
                [(left, low if flip else high), (left + 48, high if flip else low), (left + 96, low if flip else high)]
            )
            fill(tooth, name if flip else "petrol", 0.9 if flip else 2.2, 9)
    layer = np.asarray(slip).astype(int)
    painted = slips[np.clip(layer - 1, 0, 3)] * (0.82 + 0.36 * streaks(rng, SQUARE, 240, 12, 0.3))[..., None]
    bare = np.asarray(cut, np.float32) / 255
    chip = step(0.73, 0.78, noise(rng, SQUARE, 11, 3))
    bare = np.maximum(bare, chip * 0.8) * (layer > 0)
    rgb = mix(painted, clay, np.maximum(bare, layer == 0))
    height = 0.75 - 0.5 * bare + 0.14 * noise(rng, SQUARE, 16, 3)
    shine = 0.94 + 0.16 * np.exp(-((ring - 380) ** 2) / 220**2)
    return emboss(rgb * shine[..., None], height, 0.5) * grain(rng, SQUARE, 0.08)
