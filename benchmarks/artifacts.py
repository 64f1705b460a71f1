"""Halos and marks in twelve difficult pictures, stylized by `compact` and by the full-size pair.

    python -m benchmarks.artifacts --weights-dir FOLDER [--candidate FILE] [-o FOLDER]

Eight are photographs of examples/, and four are drawn here; each has a style of its own and 512 pixels. A row shows, as
adain_core/evaluation/artifacts.py defines them:

- marks: the energy of the finest detail where the photograph is flat, in millionths, and `compact`'s over the pair's;
- halos: the overshoot beside strong edges, on the bright and the dark side, in percent of the photograph's step.

The last row gives the medians. The sheet has a row for each picture: photograph, style,
`compact`, the full-size pair, and the 128x128 pixels of `compact` and of the pair where the photograph is flattest.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from adain_core import images, stylize, weights
from adain_core.evaluation.artifacts import flat, halo, luminance, marks
from adain_core.system import console, files
from benchmarks.compact import compact_model
from ui.examples import FOLDER

MODELS = ("compact", "vgg19")
SIZE = 512
DETAIL = 128  # pixels of a side that the sheet shows enlarged
Drawing = NDArray[np.float32]  # [SIZE,SIZE,3] in [0,1]
X, Y = np.meshgrid(*[np.linspace(0, 1, SIZE, dtype=np.float32)] * 2)


def draw_sky() -> Drawing:
    """Draw a clear sky, paler toward dark hills."""
    ridge = 0.78 + 0.06 * np.sin(7 * X) + 0.03 * np.sin(19 * X + 1)
    sky = _mix("#2f6fb4", "#cfe2ef", Y / 0.8)
    return np.where((ridge < Y)[..., None], _mix("#26361f", "#3d4f2b", Y), sky)


def draw_wall() -> Drawing:
    """Draw a plain wall in slanting light, with a door and its shadow."""
    wall = _mix("#e3d5bd", "#c4b190", (X + Y) / 2)
    wall = np.where(_box(0.62, 0.42, 0.88, 0.97)[..., None], _mix("#9c8c70", "#9c8c70", X), wall)
    return np.where(_box(0.58, 0.4, 0.84, 0.97)[..., None], _mix("#41586b", "#34495a", Y), wall)


def draw_night() -> Drawing:
    """Draw lit windows in a nearly black house below a dark sky."""
    night = _mix("#0b1020", "#1b2138", Y)
    night = np.where((X / 2 + 0.1 < Y)[..., None], _mix("#0a0908", "#0d0b0a", Y), night)
    for left, top in ((0.15, 0.5), (0.4, 0.55), (0.15, 0.75), (0.65, 0.75)):
        night = np.where(_box(left, top, left + 0.1, top + 0.13)[..., None], _mix("#ffd98a", "#ffc35a", Y), night)
    return night


def draw_cards() -> Drawing:
    """Draw gray cards, lighter and darker than the gray they lie on, and a disc across them."""
    cards = np.full((SIZE, SIZE, 3), 0.5, np.float32)
    for number, level in enumerate((0.05, 0.25, 0.75, 0.95)):
        cards[_box(0.06 + 0.23 * number, 0.1, 0.23 + 0.23 * number, 0.9)] = level
    cards[np.hypot(X - 0.5, Y - 0.5) < 0.16] = (0.9, 0.2, 0.15)
    return cards


PICTURES: Mapping[str, tuple[str | Callable[[], Drawing], str]] = {  # a photograph of examples/ or a drawing; a style
    "gray cat": ("cat", "night_river"),
    "bridge at night": ("bridge", "night_river"),
    "moose and leaves": ("moose", "birches"),
    "tiger on snow": ("tiger", "great_wave"),
    "dark meadow": ("meadow", "woodcut"),
    "face, dark helmet": ("astronaut", "impasto_sunset"),
    "bee, blurred garden": ("bee", "stained_glass"),
    "fruit on white": ("citrus", "mosaic"),
    "clear sky": (draw_sky, "cubism"),
    "plain wall": (draw_wall, "watercolor"),
    "windows at night": (draw_night, "pointillism"),
    "gray cards": (draw_cards, "psychedelic"),
}


def hard(source: str | Callable[[], Drawing]) -> Image.Image:
    """Return a photograph or a drawing with 512 pixels on the longer side."""
    if isinstance(source, str):
        return images.load(FOLDER / "photos" / f"{source}.jpg", SIZE).rgb
    drawn = cv2.GaussianBlur(source(), (0, 0), 0.7)  # edges as soft as a lens makes them
    grain = np.random.default_rng(0).normal(0, 0.003, drawn.shape)
    return Image.fromarray(np.rint((drawn + grain).clip(0, 1) * 255).astype(np.uint8))


def measure(photo: Image.Image, stylized: Mapping[str, Image.Image]) -> dict[str, float]:
    """Return the figures of what both models made of a photograph, by name, without those it has no place for."""
    found = {}
    for name, picture in stylized.items():
        bright, dark = halo(photo, picture)
        found |= {f"{name} marks": 1e6 * marks(photo, picture)}
        found |= {f"{name} bright": 100 * bright, f"{name} dark": 100 * dark}
    found["marks"] = found["compact marks"] / found["vgg19 marks"]
    return {name: value for name, value in found.items() if not np.isnan(value)}


def row(name: str, found: Mapping[str, float]) -> str:
    """Format the figures of a picture as a row of the table."""
    columns = {f"{model} marks": ".0f" for model in MODELS} | {"marks": ".2f"}
    columns |= {f"{model} {side}": ".0f" for side in ("bright", "dark") for model in MODELS}
    cells = [format(found[each], digits) if each in found else "-" for each, digits in columns.items()]
    return f"| {' | '.join([name, *cells])} |"


def flattest(photo: Image.Image) -> tuple[int, int, int, int]:
    """Return the box of DETAIL pixels on a side that covers the most flat area in a photograph."""
    share = cv2.boxFilter(flat(luminance(photo)).astype(np.float32), -1, (DETAIL, DETAIL))
    inner = share[DETAIL // 2 : photo.height - DETAIL // 2, DETAIL // 2 : photo.width - DETAIL // 2]
    top, left = np.unravel_index(inner.argmax(), inner.shape)
    return int(left), int(top), int(left) + DETAIL, int(top) + DETAIL


def _mix(one: str, other: str, share: NDArray[np.float32]) -> Drawing:
    colors = [np.array([int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)], np.float32) for code in (one, other)]
    return colors[0] + (colors[1] - colors[0]) * share.clip(0, 1)[..., None]


def _box(left: float, top: float, right: float, bottom: float) -> NDArray[np.bool_]:
    return (left <= X) & (right > X) & (top <= Y) & (bottom > Y)


def main(
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of the full-size weights.")] = None,
    candidate: Annotated[Path | None, typer.Option(help="Other weights of the compact model to measure.")] = None,
    output: Annotated[Path | None, typer.Option("-o", help="Folder for the sheet and results.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Measure all pictures and print a table."""
    if output is not None:
        files.check_new(output, ["artifacts.jpg", "results.json"], overwrite)
    loaded = (compact_model(candidate), weights.load("vgg19", folder=weights_dir, download=False))
    models = dict(zip(MODELS, loaded, strict=True))
    results: dict[str, dict[str, float]] = {}
    shown: list[Image.Image] = []
    for name, (source, style) in tqdm(PICTURES.items(), "pictures", disable=None):
        photo, painting = hard(source), FOLDER / "styles" / f"{style}.jpg"
        made = {model: stylize(photo, painting, networks=networks) for model, networks in models.items()}
        results[name] = measure(photo, made)
        details = [each.crop(flattest(photo)) for each in made.values()]
        shown += [photo, images.load(painting).rgb, *made.values(), *details]
    print("| picture | marks: compact | vgg19 | ratio | halo, bright: compact | vgg19 | dark: compact | vgg19 |")
    print("|---|---|---|---|---|---|---|---|")
    for name, found in results.items():
        print(row(name, found))
    names = {each for found in results.values() for each in found}
    medians = {each: statistics.median(found[each] for found in results.values() if each in found) for each in names}
    print(row("median", medians))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        images.sheet(shown, columns=6, side=320).save(output / "artifacts.jpg", quality=90)
        files.write(output / "results.json", json.dumps(results | {"median": medians}, indent=1).encode())


if __name__ == "__main__":
    console.script(main, "benchmarks.artifacts")
