"""The drawn styles and textures in examples/."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.drawing.textures import COUNT, FAMILIES, PALETTES, palette_of, texture

EXAMPLES = Path(__file__).parents[1] / "examples"


def test_every_drawn_style_has_a_picture_a_title_and_a_row():
    drawn = {path.stem for path in (EXAMPLES / "drawing" / "styles").glob("*.py")} - {"__init__"}
    assert {path.stem for path in (EXAMPLES / "styles").iterdir()} == drawn
    assert set(json.loads((EXAMPLES / "examples.json").read_text(encoding="utf-8"))["styles"]) == drawn
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `styles/(\w+)\.jpg` \|", readme, re.M) == sorted(drawn)


def test_the_pictures_of_styles_are_small_files_of_one_size():
    for path in (EXAMPLES / "styles").iterdir():
        with Image.open(path) as picture:
            assert max(picture.size) in (576, 768) and min(picture.size) == 576, path.name
        assert path.stat().st_size < 300_000, path.name


def test_a_texture_is_the_same_for_the_same_seed_and_has_the_size():
    for seed in range(len(FAMILIES)):
        drawn = texture(seed, 41)
        assert drawn.size == (41, 41) and drawn.mode == "RGB"
        assert drawn.tobytes() == texture(seed, 41).tobytes(), FAMILIES[seed].__name__


def test_three_hundred_textures_differ_and_none_is_flat():
    drawn = np.stack([np.asarray(texture(seed, 32), float) for seed in range(COUNT)])
    few = drawn.reshape(COUNT, -1)[:, ::7]
    apart = np.sqrt(((few[:, None] - few[None]) ** 2).mean(-1)) + 999 * np.eye(COUNT)
    assert apart.min() > 12  # of 255
    assert drawn.std((1, 2)).max(-1).min() > 8


def test_no_two_textures_of_a_family_share_a_palette():
    assert len({palette.tobytes() for palette in PALETTES}) == len(PALETTES)
    for family in range(len(FAMILIES)):
        seeds = range(family, COUNT, len(FAMILIES))
        assert len({palette_of(seed).tobytes() for seed in seeds}) == len(seeds)


@pytest.mark.parametrize("seed", [-1, COUNT])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match=rf"^There is no texture {seed}; seeds are 0 to 299\.$"):
        texture(seed, 32)
