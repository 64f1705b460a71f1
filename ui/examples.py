"""The pictures in examples/, for the page to offer: photographs, drawn styles, and pairs with their stored results."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

FOLDER = Path(__file__).parents[1] / "examples"


@dataclass(frozen=True)
class Example:
    """A picture and what it shows, in a few words."""

    path: str
    title: str

    def thumbnail(self, width: int = 128, height: int = 128) -> tuple[Image.Image, str]:
        """Return it cropped to a size, and its title, as a gallery takes them."""
        with Image.open(self.path) as image:
            image.draft("RGB", (2 * width, 2 * height))
            return ImageOps.fit(image.convert("RGB"), (width, height)), self.title


@dataclass(frozen=True)
class Pair:
    """A photograph in a style, with the result that examples/make_results.py stored."""

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
    """Return the pairs that have stored results; the first is what the page opens with."""
    by_name = {Path(each.path).stem: each for each in (*photos(), *styles())}
    found = []
    for photo, style in _index()["pairs"]:
        title = f"{by_name[photo].title} in the style of {by_name[style].title}"
        result = Example(str(FOLDER / "results" / f"{photo}-{style}.jpg"), title)
        found.append(Pair(by_name[photo], by_name[style], result))
    return tuple(found)


def paths() -> list[str]:
    """Return every picture's file."""
    return [each.path for each in (*photos(), *styles(), *(pair.result for pair in pairs()))]


def _read(kind: str) -> tuple[Example, ...]:
    return tuple(Example(str(FOLDER / kind / f"{name}.jpg"), title) for name, title in _index()[kind].items())


@functools.cache
def _index() -> dict[str, dict[str, str]]:
    return json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
