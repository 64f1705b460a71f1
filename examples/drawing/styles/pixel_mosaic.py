"""The style `pixel_mosaic`."""

import numpy as np

from ..brush import WIDE, colors, emboss, grain, grid, noise, step

BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]) / 16  # Bayer's ordered dither
TILE = 12  # pixels of the large picture


def draw(rng):
    """Pixel mosaic: a harbor town at dusk in square glazed tiles of a dithered palette."""
    rows, columns = shape = (WIDE[0] // TILE, WIDE[1] // TILE)
    x, y = grid(shape)
    ground = np.tile(BAYER, (rows // 4 + 1, columns // 4 + 1))[:rows, :columns]

    def dither(value, palette):
        """Palette entries [...,3] for values in [0,1], neighbors mixed by a pattern."""
        index = np.clip(value, 0, 1) * (len(palette) - 1) + ground - 0.5
        return palette[np.clip(np.round(index), 0, len(palette) - 1).astype(int)]

    dusk = colors("1a1440", "3a1d6e", "6f2a8a", "b83a86", "f0596a", "ff8a4a", "ffc25a", "ffe99a")
    rgb = dither(y / 52 + 0.12 * (noise(rng, shape, 26, 2) - 0.5), dusk)
    sun = np.hypot(x - 78, y - 22)
    rgb[sun < 13.5] = dither((y - 9) / 26, colors("fff6c8", "ffd84a", "ff9a3a"))[sun < 13.5]
    cloud = noise(rng, (rows, columns * 3), 24, 3)[:, ::3] + 0.25 * np.sin(y / 4)
    rgb[(cloud > 0.76) & (y < 44)] = dither(1 - cloud, colors("ff8a9a", "ffb08a", "ffd8a8"))[(cloud > 0.76) & (y < 44)]
    stars = (rng.random(shape) > 0.972) & (y < 20)
    rgb[stars] = colors("fff6d8", "8fe0ff")[rng.integers(2, size=stars.sum())]
    ridge = 46 + 6 * noise(rng, shape, 22, 3)[:1] - 5 * np.sin(x / 17)
    rgb[y > ridge] = dither((y - ridge) / 14, colors("7a3a9a", "54308a", "35286e"))[y > ridge]

    walls = (
        ("2a2358", "3a2f70", "4a3d8a"),
        ("1f4068", "2a5a86", "3a78a0"),
        ("5a2350", "7a2f60", "9a3d6a"),
        ("14343f", "1f5058", "2a6a6a"),
    )
    left = -2
    while left < columns:
        wide, top = int(rng.integers(7, 15)), int(rng.integers(26, 54))
        wall = colors(*walls[rng.integers(4)])
        block = (x >= left) & (x < left + wide) & (y >= top)
        rgb[block] = dither((x - left) / wide, wall)[block]
        roof = rng.integers(3)
        if roof == 0:
            peak = (
                (y >= top - wide / 2 + np.abs(x - left - (wide - 1) / 2)) & (y < top) & (x >= left) & (x < left + wide)
            )
            rgb[peak] = dither(ground, colors("e0483a", "b02a4a"))[peak]
        elif roof == 1:
            dome = np.hypot(x - left - (wide - 1) / 2, y - top) < wide / 2
            rgb[dome & (y < top)] = dither((x - left) / wide, colors("4ad0b0", "1f8a8a", "14506a"))[dome & (y < top)]
        else:
            rgb[(x == left + wide // 2) & (y >= top - 6) & (y < top)] = colors("ffd84a")[0]
        panes = block & ((x - left) % 3 == 1) & ((y - top) % 4 >= 2) & (x < left + wide - 1) & (y > top + 1)
        on = rng.random((rows // 4 + 1, columns)).repeat(4, 0)[:rows] < 0.55
        rgb[panes & on] = colors("ffe27a", "ffb84a", "fff6c8")[rng.integers(3, size=(panes & on).sum())]
        rgb[panes & ~on] = colors("140f30")[0]
        left += wide + int(rng.integers(0, 2))

    shore = 68
    row = np.clip(2 * shore - y + 2 * np.sin(y), 0, rows - 1).astype(int)
    mirror = rgb[row, np.clip(x + 2 * np.sin(y * 1.7 + x / 9), 0, columns - 1).astype(int)]
    sea = dither(
        (y - shore) / 30 + 0.2 * np.sin(x / 5 + 3 * np.sin(y / 2)), colors("ff8a6a", "b0488a", "4a3a9a", "20346e")
    )
    water = y >= shore
    kept = ((ground < 0.62) & (np.sin(y * 2.1 + x / 7) > -0.5))[..., None]
    rgb[water] = np.where(kept, mirror * 0.8, sea)[water]
    glint = water & (np.abs(x - 78) < 3 + (y - shore) / 3) & (rng.random(shape) < 0.5)
    rgb[glint] = colors("ffd84a", "fff0b0", "ff9a4a")[rng.integers(3, size=glint.sum())]
    rgb[(y == shore) | (y == shore + 1)] = dither(ground, colors("e8b48a", "8a5a6a"))[(y == shore) | (y == shore + 1)]
    for cx, base, size, tint in ((30, 84, 9, "f4f0e0"), (66, 79, 6, "ff6a5a"), (108, 88, 10, "5ad0d8")):
        sail = (
            (x > cx)
            & (x <= cx + size * 0.8 * (1 - (base - 2 - y) / size / 1.7))
            & (y < base - 1)
            & (y > base - 2 - size * 1.7)
        )
        rgb[sail] = dither((x - cx) / size, colors(tint, "fff0d0"))[sail]
        jib = (
            (x < cx)
            & (cx - x < size * 0.5 * (1 - (base - 2 - y) / size / 1.4))
            & (y < base - 1)
            & (y > base - 2 - size * 1.4)
        )
        rgb[jib] = colors(tint)[0] * 0.8
        rgb[(x == cx) & (y > base - size * 1.8) & (y < base)] = colors("3a1d2e")[0]
        hull = (np.abs(x - cx) < size * 0.9 - (y - base)) & (y >= base - 1) & (y < base + 3)
        rgb[hull] = dither((y - base) / 3, colors("a8433a", "5a1f3a"))[hull]

    large = rgb.repeat(TILE, 0).repeat(TILE, 1)
    shade = rng.uniform(0.86, 1.12, shape).repeat(TILE, 0).repeat(TILE, 1)[..., None]
    x, y = grid(WIDE)
    rim = np.minimum(np.minimum(x % TILE, TILE - 1 - x % TILE), np.minimum(y % TILE, TILE - 1 - y % TILE))
    tile = step(0, 2, rim)
    glaze = 0.3 + 0.5 * tile + 0.16 * noise(rng, WIDE, 14, 2)
    lit = large * shade * (1 + 0.16 * (np.hypot(x % TILE - 3.5, y % TILE - 3.5) < 2.2))[..., None]
    joint = colors("120c22")[0]
    return emboss(joint + (lit - joint) * (0.3 + 0.7 * tile[..., None]), glaze, 0.4) * grain(rng, WIDE, 0.06)
