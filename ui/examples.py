"""The example pictures that the page offers: photographs, drawn styles, and pairs with stored results."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

FOLDER = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Example:
    """A picture and a short title."""

    path: str
    title: str

    def thumbnail(self, width: int = 128, height: int = 128) -> tuple[Image.Image, str]:
        """Return the picture cropped to a size, and its title, as a gallery item."""
        return _cropped(self.path, width, height), self.title


@dataclass(frozen=True)
class Pair:
    """A photograph and a style, with the result stored by examples/make_results.py."""

    photo: Example
    style: Example
    result: Example


@functools.cache
def photos() -> tuple[Example, ...]:
    """Return the photographs."""
    return _read("photos")


@functools.cache
def styles() -> tuple[Example, ...]:
    """Return the drawn styles."""
    return _read("styles")


@functools.cache
def pairs() -> tuple[Pair, ...]:
    """Return the pairs with stored results; the page opens with the first."""
    by_name = {Path(each.path).stem: each for each in (*photos(), *styles())}
    found = []
    for photo, style in _index()["pairs"]:
        title = f"{by_name[photo].title} in the style of {by_name[style].title}"
        result = Example(str(FOLDER / "results" / f"{photo}-{style}.jpg"), title)
        found.append(Pair(by_name[photo], by_name[style], result))
    return tuple(found)


def paths() -> list[str]:
    """Return the path of every picture."""
    return [each.path for each in (*photos(), *styles(), *(pair.result for pair in pairs()))]


@functools.cache  # several tabs show the same thumbnails
def _cropped(path: str, width: int, height: int) -> Image.Image:
    with Image.open(path) as image:
        image.draft("RGB", (2 * width, 2 * height))
        return ImageOps.fit(image.convert("RGB"), (width, height))


def _read(kind: str) -> tuple[Example, ...]:
    return tuple(Example(str(FOLDER / kind / f"{name}.jpg"), title) for name, title in _index()[kind].items())


@functools.cache
def _index() -> dict[str, dict[str, str]]:
    return json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
