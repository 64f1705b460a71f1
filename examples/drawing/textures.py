"""Three hundred textures: families of patterns drawn by the styles' brushes, their parameters and colors by seed.

Twenty families of fifteen: seed 20 k + f is the k-th of family f, and no two of a family share a palette. Lengths
are in pixels of the large picture, so a larger texture shows more of the pattern, not a larger one.
"""

import numpy as np
from PIL import Image

from .brush import colors, emboss, grain
from .patterns import FAMILIES

COUNT = 300
PALETTES = [  # dark to light, the last an accent
    colors(*codes.split())
    for codes in (
        "1b1f3b 27408b 4f86c6 f2e9d0 e4572e",
        "2b0f12 7a1f1f c8553d f6d7a7 2a9d8f",
        "0b2b26 1f6f54 8ab17d f1f0c4 e76f51",
        "2d1e2f 7b2d5b d1495b edae49 00798c",
        "1a1a1a 5b5b5b a8a49c f4f1ea c1121f",
        "3a2412 8a5a2b d09a4e f7e3b5 37718e",
        "0d1b2a 415a77 98b4c8 f8f4e3 ffb703",
        "201335 5f2a8a b76fd0 f7d9ff 37e0c0",
        "10324a 1f8a9c 7fd1c2 fdf6d8 ff6b6b",
        "33210f 6b705c a5a58d ffe8d6 cb997e",
        "003049 d62828 f77f00 fcf2d4 2a9d5f",
        "2f0a28 8a1c5c ff5d8f ffd6e0 ffd23f",
        "122620 2f5d50 b8860b f4e9cd a63d40",
        "0f0f24 2d3092 5ec8ff f4fbff ff3ea5",
        "3b1f2b a23e48 ff8c61 fff1d6 6c8ead",
        "1c2b1a 4f772d b5c44a f7f6d0 e07a1f",
        "2a1a0e 99582a ffa94d fff3d6 5f0f40",
        "14213d 5f6f94 d0d7e5 ffffff fca311",
        "240a0a 6a040f dc2f02 ffd97d 03506f",
        "08302f 0a7f6f f2b632 fbf3dc c2296b",
        "22223b 4a4e69 c9ada7 f2e9e4 588157",
        "2c1250 ff2e88 ffb000 fff7d6 00b8b0",
        "0c2340 0072ce ffd100 ffffff e4002b",
        "271c19 604d43 b8a28c efe6da 7a9e7e",
    )
]


def texture(seed, size):
    """Draw the texture of a seed in 0..299 as an RGB image of `size` by `size` pixels; the same seed, the same image.

    Raises:
        ValueError: if the seed is not one of the three hundred.
    """
    if not 0 <= seed < COUNT:
        raise ValueError(f"There is no texture {seed}; seeds are 0 to {COUNT - 1}.")
    rng = np.random.default_rng(seed)
    shape = (2 * size, 2 * size)
    rgb, height = FAMILIES[seed % len(FAMILIES)](rng, shape, palette_of(seed))
    rgb = emboss(rgb, height, rng.uniform(0.2, 0.5)) * grain(rng, shape, rng.uniform(0.04, 0.12))
    return Image.fromarray((np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)).reduce(2)


def palette_of(seed):
    """Colors [5,3] of a texture."""
    kind, family = divmod(seed, len(FAMILIES))
    return PALETTES[(7 * kind + 5 * family) % len(PALETTES)]
