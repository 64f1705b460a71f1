"""The drawn styles in examples/."""

import json
import re
from pathlib import Path

from PIL import Image

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
