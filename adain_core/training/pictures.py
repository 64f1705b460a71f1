"""Training pictures: decoded once, kept in memory at reduced size, and cropped at random scales.

Every batch has its own random generator, seeded with the run's seed and the step, so a resumed run sees the same
batches as an uninterrupted one.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch import Tensor
from tqdm import tqdm

from adain_core import images
from adain_core.training.loop import Batch, Settings

HELD_OUT = Path(__file__).parent / "held_out.txt"
KINDS = ("gray", "dark", "bright", "poster", "inverted", "ink", "recolored")


def held_out() -> dict[str, list[str]]:
    """Return the names of pictures excluded from training, 40 `photos` and 40 `art`, in the order of their pairs."""
    names = HELD_OUT.read_text(encoding="utf-8").split()
    return {folder: [name for name in names if name.startswith(folder)] for folder in ("photos", "art")}


def find(folder: Path, without: Collection[str] = ()) -> list[Path]:
    """List the pictures in a folder, except those in `without`, which are named as folder/file.

    Raises:
        ValueError: there is no picture.
    """
    paths = [path for path in sorted(folder.iterdir()) if path.suffix.lower() in images.SUFFIXES]
    paths = [path for path in paths if f"{folder.name}/{path.name}" not in without]
    if not paths:
        raise ValueError(f"There is no picture to train on in the folder {folder.name}.")
    return paths


def load(folder: Path, short_side: int, without: Collection[str] = ()) -> list[Image.Image]:
    """Decode every picture in a folder, and reduce large ones.

    Args:
        folder: folder of pictures in any supported format.
        short_side: maximum length of the shorter side in pixels.
        without: names to skip, as folder/file.

    Raises:
        ValueError: there is no picture.
    """
    paths = find(folder, without)

    def one(path: Path) -> Image.Image:
        picture = images.load(path).rgb
        factor = short_side / min(picture.size)
        if factor < 1:
            picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
        return picture

    with ThreadPoolExecutor() as pool:
        return list(tqdm(pool.map(one, paths), f"reading {folder.name}", len(paths), disable=None, leave=False))


def vary(picture: Image.Image, rng: random.Random, kind: str) -> Image.Image:
    """Turn a crop into one of KINDS, which are rare in collections; "ink" looks like a drawing."""
    if kind == "gray":
        return ImageOps.grayscale(picture).convert("RGB")
    if kind == "dark":
        return ImageEnhance.Brightness(picture).enhance(rng.uniform(0.15, 0.5))
    if kind == "bright":
        return ImageOps.invert(ImageEnhance.Brightness(ImageOps.invert(picture)).enhance(rng.uniform(0.15, 0.5)))
    if kind == "poster":
        return ImageOps.posterize(picture, rng.choice((1, 2)))
    if kind == "inverted":
        return ImageOps.invert(picture)
    if kind == "ink":
        gray, threshold = ImageOps.autocontrast(ImageOps.grayscale(picture)), rng.uniform(64, 192)
        return gray.point([0 if level < threshold else 255 for level in range(256)]).convert("RGB")
    return Image.merge("RGB", rng.sample(picture.split(), 3))


def crops(
    pictures: Sequence[Image.Image],
    count: int,
    size: int,
    rng: random.Random,
    scales: tuple[float, float] = (1, 1),
    varied: float = 0,
    sharp: float = 0,
) -> Tensor:
    """Draw random crops, scaled and mirrored at random, some of them changed by `vary`.

    Args:
        pictures: the pictures to crop; crops of a picture smaller than `size` are enlarged.
        count: number of crops; no picture is used twice if there are enough.
        size: side length of a crop in pixels.
        rng: source of the random choices.
        scales: smallest and largest scale of a crop relative to its picture, drawn log-uniformly; scales above 1
            imitate small pictures that are enlarged.
        varied: share of crops that `vary` changes.
        sharp: share of crops at the original scale of their picture, regardless of `scales`.

    Returns:
        [count,3,size,size], RGB as uint8, which takes a quarter of float32's time to reach a GPU.
    """
    drawn = []
    for picture in rng.sample(pictures, count) if count <= len(pictures) else rng.choices(pictures, k=count):
        kept = sharp > 0 and rng.random() < sharp
        least, most = (min(size / scale, *picture.size) for scale in ((1, 1) if kept else reversed(scales)))
        side = least * (most / least) ** rng.random()
        left, top = rng.uniform(0, picture.width - side), rng.uniform(0, picture.height - side)
        box = (left, top, left + side, top + side)
        crop = picture.resize((size, size), Image.Resampling.BICUBIC, box)
        if rng.random() < 0.5:
            crop = ImageOps.mirror(crop)
        if rng.random() < varied:
            crop = vary(crop, rng, rng.choice(KINDS))
        drawn.append(np.asarray(crop))
    return torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2)  # [N,H,W,3] -> [N,3,H,W], channels_last


def batches(
    photos: Sequence[Image.Image],
    paintings: Sequence[Image.Image],
    settings: Settings,
    steps: range,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the content and style crops of each step, prepared some steps in advance."""

    def draw(step: int) -> tuple[Tensor, Tensor]:
        rng = random.Random(f"{settings.seed} {step}")
        scales = (settings.smallest, settings.largest)
        how = (settings.batch, settings.size, rng, scales, settings.varied, settings.sharp)
        return crops(photos, *how), crops(paintings, *how)

    return ahead(draw, steps)


def ahead(draw: Callable[[int], Batch], steps: range) -> Iterator[Batch]:
    """Yield what `draw` makes for each step, prepared some steps in advance."""
    workers = os.cpu_count() or 2
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(draw, step) for step in steps[: 2 * workers]]
        for step in steps:
            batch = waiting.pop(0)
            if (later := step + 2 * workers) in steps:
                waiting.append(pool.submit(draw, later))
            yield batch.result()
