"""Short clips with known motion, rendered from the photographs in examples/photos.

    python -m examples.clips -o FOLDER [--size 512] [--frames 48]

Each clip shows a photograph through a moving camera, and in one of them a second photograph's cutout crosses it. Since
every pixel's place in its photograph is known at every time, so is the motion between any two frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from adain_core import images
from adain_core.system import console, files
from adain_core.video import writing

PHOTOS = Path(__file__).parent / "photos"
FPS = 24
SHAPE = (16, 9)  # width to height
TWICE = 2  # frames are rendered at this multiple of their size and reduced, as a lens does
NOISE = 6.0  # standard deviation in levels of 255
FLASH = 1.5  # factor of brightness
CUTOUT = (0.22, 0.3)  # semi-axes of the cutout, in heights of the frame
Matrix = NDArray[np.float64]  # 3x3, maps places in the frame to places in the photograph, both in heights of the frame
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Clip:
    """A rendered clip.

    Attributes:
        name: its name.
        frames: its frames, [H,W,3] in RGB.
        true: `true(now, then)` returns the flow from a frame to another one, [H,W,2] in pixels, and a map, [H,W], that
            is 1 where the other frame shows the same.
    """

    name: str
    frames: Sequence[NDArray[np.uint8]]
    true: Callable[[int, int], tuple[Floats, Floats]]


def camera(x: float, y: float, zoom: float, turn: float) -> Matrix:
    """Return the view of a camera: its center, how many frame heights it sees, and its rotation in radians."""
    cos, sin = zoom * math.cos(turn), zoom * math.sin(turn)
    return np.array([[cos, -sin, x], [sin, cos, y], [0, 0, 1]])


def pan(t: float) -> Matrix:
    """Pan, zoom, and roll slowly; `t` goes from 0 to 1."""
    return camera(0.12 * math.sin(2.2 * t), 0.08 * t, 1 - 0.15 * t, 0.05 * math.sin(3 * t))


def shake(t: float) -> Matrix:
    """Shake as a hand does."""
    return camera(0.02 * math.sin(17 * t), 0.015 * math.sin(23 * t + 1), 0.95, 0.008 * math.sin(13 * t))


def still(_: float) -> Matrix:
    """Do not move."""
    return camera(0, 0, 0.95, 0)


RECIPES: dict[str, dict[str, Any]] = {  # the arguments of `render` for each clip
    "camera": {"photo": "tiger", "view": pan},
    "crossing": {"photo": "meadow", "view": shake, "other": "cat"},
    "cut": {"photo": "bridge", "view": pan, "after": "citrus"},
    "flash": {"photo": "moose", "view": shake, "flash": True},
    "noise": {"photo": "bee", "view": pan, "noise": True},
    "still": {"photo": "astronaut", "view": still},
}


def render(name: str, size: int = 256, frames: int = 12) -> Clip:
    """Render a clip.

    Args:
        name: one of RECIPES.
        size: width in pixels; the height is 9 sixteenths of it.
        frames: how many.
    """
    recipe = RECIPES[name]
    height = round(size * SHAPE[1] / SHAPE[0]) // 2 * 2
    view, half = recipe["view"], frames // 2
    photos = [_photo(recipe[each], height) for each in ("photo", "after", "other") if each in recipe]
    rng = np.random.default_rng(0)
    times = [number / max(1, frames - 1) for number in range(frames)]

    def scene(number: int) -> int:
        return int("after" in recipe and number >= half)

    def cutout(number: int) -> Matrix:
        """Map places in the frame to places in the cutout, whose center is 0."""
        return camera(1.1 - 2.2 * times[number], 0.1 * math.sin(5 * times[number]), 1, 0)

    def inside(places: Floats, number: int) -> NDArray[np.bool_]:
        if "other" not in recipe:
            return np.zeros(places.shape[:2], bool)
        own = _moved(places, cutout(number))
        return np.square(own / np.array(CUTOUT, np.float32)).sum(-1) < 1

    def shown(number: int) -> NDArray[np.uint8]:
        places = _grid(TWICE * size, TWICE * height)
        found = _looked_up(photos[scene(number)], _moved(places, view(times[number])))
        if "other" in recipe:
            found = np.where(
                inside(places, number)[..., None], _looked_up(photos[-1], _moved(places, cutout(number))), found
            )
        small = cv2.resize(found, (size, height), interpolation=cv2.INTER_AREA).astype(np.float32)
        if "flash" in recipe and number in (half, half + 1):
            small = 255 * (small / 255) ** (1 / FLASH)
        if "noise" in recipe:
            small = small + rng.normal(0, NOISE, small.shape)
        return np.asarray(np.rint(small.clip(0, 255)), np.uint8)

    def true(now: int, then: int) -> tuple[Floats, Floats]:
        places = _grid(size, height)
        front = inside(places, now)
        there = _moved(places, np.linalg.inv(view(times[then])) @ view(times[now]))
        front_there = _moved(places, np.linalg.inv(cutout(then)) @ cutout(now))
        to = np.where(front[..., None], front_there, there)
        pixels = _pixels(to, size, height)
        within = (pixels >= 0).all(-1) & (pixels <= np.array([size - 1, height - 1])).all(-1)
        same = (inside(to, then) == front) & within & (scene(now) == scene(then))
        return np.asarray(pixels - _pixels(places, size, height), np.float32), np.asarray(same, np.float32)

    return Clip(name, [shown(number) for number in range(frames)], true)


def _photo(name: str, height: int) -> NDArray[np.uint8]:
    """Load a photograph so that it covers a frame of this height, at the resolution that it is rendered at."""
    picture = images.load(PHOTOS / f"{name}.jpg").rgb
    needed = 1.5 * TWICE * height  # so that a moving camera stays within it
    scale = max(needed / picture.height, needed * SHAPE[0] / SHAPE[1] / picture.width)
    return np.asarray(picture.resize((round(picture.width * scale), round(picture.height * scale))))


def _grid(width: int, height: int) -> Floats:
    """Return the place of each pixel relative to the center, in heights of the frame, [H,W,2]."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return np.stack([(x + 0.5 - width / 2) / height, (y + 0.5 - height / 2) / height], -1).astype(np.float32)


def _pixels(places: Floats, width: int, height: int) -> Floats:
    return np.asarray(places * height + np.array([width / 2 - 0.5, height / 2 - 0.5]), np.float32)


def _moved(places: Floats, matrix: Matrix) -> Floats:
    return np.asarray(places @ matrix[:2, :2].T + matrix[:2, 2], np.float32)


def _looked_up(photo: NDArray[np.uint8], places: Floats) -> NDArray[np.uint8]:
    height, width = photo.shape[:2]
    found = places * (height / 1.5) + np.array([width / 2 - 0.5, height / 2 - 0.5])
    x, y = found.astype(np.float32).transpose(2, 0, 1)
    return np.asarray(cv2.remap(photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101), np.uint8)


def main(
    output: Annotated[Path, typer.Option("-o", help="Folder for the clips.")],
    size: Annotated[int, typer.Option(help="Width in pixels.", min=64)] = 512,
    frames: Annotated[int, typer.Option(help="Frames of each clip.", min=2)] = 48,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files.")] = False,
) -> None:
    """Render all clips as mp4 files."""
    files.check_new(output, [f"{name}.mp4" for name in RECIPES], overwrite)
    output.mkdir(parents=True, exist_ok=True)
    for name in RECIPES:
        clip = render(name, size, frames)
        save(clip, output / f"{name}.mp4")


def save(clip: Clip, path: Path) -> None:
    """Save a clip as a video."""
    height, width = clip.frames[0].shape[:2]
    pieces = writing.Pieces(path.with_suffix(".part"), writing.kind_of(path), (width, height))
    for number, frame in enumerate(clip.frames):
        pieces.add(frame, Fraction(number, FPS))
    pieces.finish()
    pieces.join(path, None, 0, None, Fraction(1, FPS))
    pieces.remove()


if __name__ == "__main__":
    console.script(main, "examples.clips")
