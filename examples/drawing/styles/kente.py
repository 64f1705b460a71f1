"""The style `kente`."""

import numpy as np

from ..brush import SQUARE, blur, colors, emboss, grain, grid, hatch, noise, step

STRIP, BLOCK = 128, 144  # pixels of the large picture


def draw(rng):
    """Kente: narrow woven strips of gold, green, red and black, sewn edge to edge, each block another motif."""
    x, y = grid(SQUARE)
    x = x + 5 * np.sin(y / 170) + 3 * (noise(rng, SQUARE, 120, 2) - 0.5)
    lift = noise(rng, SQUARE, 260, 3)
    y = y + 7 * (lift - 0.5)
    gold, green, red, black, blue, cream, orange = colors(
        "f2b01e", "13793b", "b3182b", "15120f", "1c4aa3", "f6ead0", "e0661a"
    )
    sets = (
        (gold, green, red, black),
        (gold, red, black, green),
        (orange, blue, gold, black),
        (cream, green, gold, red),
        (gold, blue, red, cream),
        (green, gold, black, orange),
    )
    strip = np.floor(x / STRIP).astype(int)
    sewn = y + np.array([0, 72, 30, 96, 12, 60, 110, 40, 84, 20])[np.clip(strip, 0, 9)]
    block = np.floor(sewn / BLOCK).astype(int)
    u, v = x / STRIP - strip, sewn / BLOCK - block
    rgb = np.zeros((*SQUARE, 3), np.float32)
    cell_u, cell_v = np.floor(u * 16), np.floor(v * 18)
    across, down = np.abs(cell_u - 7.5), np.abs(cell_v - 8.5)

    def motif(kind, a, b, c, d):
        """Colors [H,W,3] of one motif: pairs of a mask and the color it shows, the last true one on top."""
        layers = (
            ((cell_u % 4 < 2, b), (cell_u % 8 == 0, c), (cell_v < 1, d), (cell_v > 16, d)),
            (((cell_u // 2 + cell_v // 2) % 2 == 0, b), (across + down < 5, d), (across + down < 3, c)),
            ((across + down < 9, b), (across + down < 7, c), (across + down < 5, d), (across + down < 2, a)),
            (((cell_v + across) % 6 < 3, b), ((cell_v + across) % 6 == 0, c), (across > 6.4, d)),
            ((cell_v % 6 < 3, b), (cell_v % 6 == 1, c), (across < 2, d), ((across < 1) & (cell_v % 2 == 0), a)),
            (((across - 3) ** 2 + (down - 4) ** 2 < 9, b), ((across + down) % 4 == 0, c), (across + down < 3, d)),
            ((np.maximum(across, down * 0.9) < 7, b), (np.maximum(across, down * 0.9) < 5, c),
             (np.maximum(across, down * 0.9) < 3.5, d), (np.maximum(across, down * 0.9) < 1.6, a)),
            ((down - across < 2, b), (down - across < 0, c), (across > down + 4, d)),
        )[kind]  # fmt: skip
        shown = np.broadcast_to(a, (*SQUARE, 3))
        for mask, color in layers:
            shown = np.where(mask[..., None], color, shown)
        return shown

    motifs = {}
    for column in range(strip.min(), strip.max() + 1):
        for row in range(block.min(), block.max() + 1):
            kind = 0 if (row + column) % 2 else 1 + int(rng.integers(7))
            look = (kind, int((3 * column + row // 2) % 6 if kind else column % 6))
            motifs.setdefault(look, np.zeros(SQUARE, bool))
            motifs[look] |= (strip == column) & (block == row)
    for (kind, palette), where in motifs.items():
        rgb = np.where(where[..., None], motif(kind, *sets[palette]), rgb)
    thread = np.abs(np.sin(sewn * np.pi / 8))
    warp = np.abs(np.sin(x * np.pi / 8))
    over = (np.floor(sewn / 8) + np.floor(x / 8)) % 2
    faced = hatch(v, 0.2) < 0.5
    weave = np.where(faced, 0.25 + 0.75 * thread**0.7, 0.3 + 0.7 * np.where(over > 0, thread, warp))
    tone = (
        noise(rng, (SQUARE[0] // 8 + 2, SQUARE[1] // 24), 1.5, 1).repeat(8, 0).repeat(24, 1)[: SQUARE[0], : SQUARE[1]]
    )
    fuzz = noise(rng, SQUARE, 5, 2)
    seam = np.minimum(u, 1 - u) * STRIP
    rgb = rgb * (0.5 + 0.5 * weave + 0.28 * (tone - 0.5) + 0.24 * (fuzz - 0.5))[..., None]
    rgb = rgb * (1 - 0.62 * step(6, 1, seam))[..., None]
    stitch = step(4, 2, seam) * (np.sin(y * np.pi / 11) > 0.2)
    rgb = np.where((stitch > 0.5)[..., None], gold * 0.7, rgb)
    height = 0.55 * weave + 0.2 * fuzz + 0.9 * blur(lift, 6) + 0.25 * step(0, 12, seam)
    return emboss(rgb * (0.88 + 0.24 * lift)[..., None], height, 0.4) * grain(rng, SQUARE, 0.07)
