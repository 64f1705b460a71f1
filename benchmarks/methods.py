"""Seconds of each method beside AdaIN's, with the ratios of the paper's Table 1 (Huang & Belongie 2017).

    python -m benchmarks.methods [--weights-dir FOLDER] [--sizes 256,512] [--steps 6] [--repeats 3]

Everything runs in one process, on one photograph and one painting, both square; methods take turns and the best of each
counts. Style encoding is included. Optimizations are timed over a few steps, the first left out, and scaled to 500
iterations; the column says so. The paper's ratios are of a GPU (Pascal Titan X) and of VGG-19.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from PIL import Image

from adain_core import images, methods, weights
from adain_core.contracts import Style
from adain_core.networks import Networks
from ui import examples

ITERATIONS = 500
ROWS = ("adain", "wct", "histogram_match", "style_swap", "gatys")
PAPER = {"gatys": {256: 14.19 / 0.027, 512: 46.79 / 0.098}, "style_swap": {256: 0.407 / 0.027, 512: 4.144 / 0.098}}


def square(name: str, size: int) -> torch.Tensor:
    """Load an example as [1,3,size,size]."""
    picture = images.load(Path(examples.FOLDER) / name).rgb
    return images.to_tensor(picture.resize((size, size), Image.Resampling.LANCZOS))


def way(name: str, networks: Networks, content: torch.Tensor, style: torch.Tensor, steps: int) -> Callable[[], float]:
    """Return a function that runs a method and gives its seconds, of an optimization those of ITERATIONS."""
    method = methods.get(name)
    many = "steps" in method.params.model_fields
    options: dict[str, Any] = {"steps": steps} if many else {}

    def once() -> float:
        networks.memory.clear()
        start = time.perf_counter()
        seconds = []
        for _ in method.run(content, [Style(style)], method.params(**options), networks):
            seconds.append(time.perf_counter() - start)
        return (seconds[-1] - seconds[0]) / (steps - 1) * ITERATIONS if many else seconds[-1]

    return once


def main(
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of the full-size weights.")] = None,
    sizes: Annotated[str, typer.Option(help="Pixels of a side, with commas between.")] = "256,512",
    steps: Annotated[int, typer.Option(help="Iterations that are timed.", min=2)] = 6,
    repeats: Annotated[int, typer.Option(help="Turns; the best of each counts.")] = 3,
) -> None:
    """Print a table."""
    models = [weights.load("compact")]
    try:
        models.append(weights.load("vgg19", folder=weights_dir, download=False))
    except weights.WeightsError as error:
        print(error)
    print("| model | method | px | seconds | over AdaIN | the paper's |")
    print("|---|---|---|---|---|---|")
    for size in [int(each) for each in sizes.split(",")]:
        content, style = square("photos/tiger.jpg", size), square("styles/night_river.jpg", size)
        ways = {
            (networks.name, name): way(name, networks, content, style, steps) for networks in models for name in ROWS
        }
        best = dict.fromkeys(ways, float("inf"))
        for _ in range(repeats):
            for key, once in ways.items():
                best[key] = min(best[key], once())
        for (model, name), seconds in best.items():
            scaled = f" ({ITERATIONS} iterations)" if "steps" in methods.get(name).params.model_fields else ""
            ratio = seconds / best[model, "adain"]
            paper = PAPER.get(name, {}).get(size)
            print(
                f"| {model} | {name}{scaled} | {size} | {seconds:.3g} | {ratio:.3g} |"
                f" {'' if paper is None or model != 'vgg19' else f'{paper:.0f}'} |",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
