"""Proportional and native strokes, on photographs of at least 2048 pixels.

    python -m benchmarks.strokes --pictures FOLDER [--pairs 12] [--threads 1] [-o FOLDER]

The photographs are the first ones in the folder, by name, whose longer side has at least 2048 pixels; each gets the
next style of examples/. Everything is made by `compact`. For each pair and both kinds of strokes a row shows:

- SSIM of the 2048 px picture, reduced to 512 px, to the picture made at 512 px: 1 if the large one only adds detail;
- top octave: the energy of the finest detail where the photograph is flat, relative to the picture made at 512 px (see
  adain_core/evaluation/artifacts.py): enlarged pixels have next to none;
- time: the CPU time of proportional strokes, from file to picture, relative to native ones; nothing is cached.

The sheet has a row for each pair: the 512 px picture, both kinds whole, and 400x400 pixels from the middle of each.
"""

from __future__ import annotations

import json
import statistics
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image, ImageOps
from tqdm import tqdm

from adain_core import images, load, stylize
from adain_core.evaluation.artifacts import flat, luminance, top_octave
from adain_core.images.metrics import ssim
from adain_core.networks.model import Networks
from adain_core.runs.inputs import DECODED
from adain_core.system import console, files
from ui import examples

SMALL, LARGE = 512, 2048
KINDS = ("proportional", "native")
DETAIL = 400  # pixels of a side that the sheet shows as they are


def photographs(folder: Path, count: int) -> list[Path]:
    """Return the first large photographs of a folder.

    Raises:
        ValueError: there are none.
    """
    found = []
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in images.SUFFIXES):
        if len(found) < count and max(images.measure(path)) >= LARGE:
            found.append(path)
    if not found:
        raise ValueError(f"None of the files in this folder is a picture of at least {LARGE} pixels; choose another.")
    return found


def make(photo: Path, style: str, networks: Networks) -> tuple[dict[str, Image.Image], dict[str, float]]:
    """Return the picture with each kind of strokes, and the CPU time of each in seconds."""
    made, seconds = {}, {}
    for kind in KINDS:
        networks.memory.clear()
        DECODED.clear()
        start = time.process_time()
        made[kind] = stylize(photo, style, size=LARGE, strokes=kind, networks=networks)
        seconds[kind] = time.process_time() - start
    return made, seconds


def measure(photo: Path, small: Image.Image, large: Image.Image) -> dict[str, float]:
    """Return how a large picture relates to the small one."""
    where = flat(luminance(images.load(photo, SMALL).rgb))
    enlarged = np.asarray(Image.fromarray(where).resize(large.size, Image.Resampling.NEAREST))
    detail, goal = (
        np.square(top_octave(luminance(picture))[mask]).mean() for picture, mask in ((large, enlarged), (small, where))
    )
    reduced = large.resize(small.size, Image.Resampling.LANCZOS)
    alike = ssim(*(images.to_tensor(each.convert("RGB")) for each in (reduced, small)))
    return {"ssim": float(alike), "top octave": float(detail / goal)}


def main(
    pictures: Annotated[Path, typer.Option(help="Folder of photographs.")],
    pairs: Annotated[int, typer.Option(help="Number of pairs.", min=1)] = 12,
    threads: Annotated[int, typer.Option(help="Number of threads.", min=1)] = 1,
    output: Annotated[
        Path | None, typer.Option("-o", help="Folder for the pictures, sheet.jpg and results.json.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files.")] = False,
) -> None:
    """Measure all pairs and print a table."""
    photos = photographs(pictures, pairs)
    if output is not None:
        names = [f"{photo.stem}-{kind}.png" for photo in photos for kind in KINDS]
        files.check_new(output, [*names, "sheet.jpg", "results.json"], overwrite)
        output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    networks, styles = load("compact"), [style.path for style in examples.styles()]
    results: dict[str, dict[str, float]] = {}
    shown: list[Image.Image] = []
    print("| pair | SSIM: proportional | native | top octave: proportional | native | time |")
    print("|---|---|---|---|---|---|")
    for number, photo in enumerate(tqdm(photos, "pairs", disable=None)):
        style = styles[number % len(styles)]
        small = stylize(photo, style, size=SMALL, networks=networks)
        made, seconds = make(photo, style, networks)
        found = {f"{what}, {kind}": each for kind in KINDS for what, each in measure(photo, small, made[kind]).items()}
        name = f"{photo.stem.partition('_')[0]}, {Path(style).stem}"
        results[name] = found | {"time": seconds["proportional"] / seconds["native"]}
        print(row(name, results[name]), flush=True)
        details = [ImageOps.fit(each, (DETAIL, DETAIL), centering=(0.5, 0.5)) for each in (small, *made.values())]
        middle = [each.crop(_middle(each.size)) for each in made.values()]
        shown += [*details, *middle]
        if output is not None:
            for kind, each in made.items():
                images.save(each, output / f"{photo.stem}-{kind}.png")
    columns = next(iter(results.values()))
    medians = {each: statistics.median(found[each] for found in results.values()) for each in columns}
    print(row("median", medians))
    if output is not None:
        images.sheet(shown, columns=5, side=DETAIL).save(output / "sheet.jpg", quality=92)
        files.write(output / "results.json", json.dumps(results | {"median": medians}, indent=1).encode())


def row(name: str, found: dict[str, float]) -> str:
    """Format the figures of a pair as a row of the table."""
    cells = [f"{found[f'{what}, {kind}']:.2f}" for what in ("ssim", "top octave") for kind in KINDS]
    return f"| {name} | {' | '.join(cells)} | {found['time']:.2f} |"


def _middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = ((side - DETAIL) // 2 for side in size)
    return left, top, left + DETAIL, top + DETAIL


if __name__ == "__main__":
    console.script(main, "benchmarks.strokes")
