"""Time per stage, peak memory, and the share of this machine's matrix-product rate, for every model and size.

    python -m benchmarks.speed [--weights-dir FOLDER] [--sizes 256,512,1024] [--repeats 5]

Each model and size runs in its own process, so that peak memory is measured separately. Each process also measures the
rate of a 2048x2048 float32 matrix product right before and right after; the better one counts, and rates are what to
compare. The ratio in the last column is that of `stylize()`, from picture to picture, to the networks inside it, both
the medians of runs taken in turn. A model whose weights are missing is timed with random ones, and the table says so;
time does not depend on the values.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from adain_core import images, stylize, weights
from adain_core.contracts import Style
from adain_core.feature_space.transfer import TransferParams
from adain_core.methods import adain
from adain_core.networks.cache import Encoding
from adain_core.networks.model import Networks
from adain_core.system import console

STAGES = ("encode content", "encode style", "AdaIN", "decode")


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def best(work: Callable[[], object], repeats: int) -> float:
    """Return the shortest time in seconds, after one warm-up run."""
    work()
    return min(seconds(work) for _ in range(repeats))


def product_rate(repeats: int) -> float:
    """Return the FLOP/s of a 2048x2048 float32 matrix product."""
    matrix = torch.rand(2048, 2048)
    return 2 * 2048**3 / best(lambda: matrix @ matrix, repeats)


def overhead(networks: Networks, size: int, repeats: int) -> float:
    """Return the time of `stylize()` with a style that it knows, as a multiple of its networks' time."""
    noise = np.random.default_rng(0).integers(0, 256, (2, size, size, 3), np.uint8)
    photo, painting = (Image.fromarray(each) for each in noise)
    content, style = (images.to_tensor(each) for each in (photo, painting))

    def alone() -> None:
        with torch.inference_mode():
            encoded = Encoding(networks.features(content))
            stylized = networks.restyle(encoded.features, encoded.statistics, networks.statistics(style))
            networks.decode(stylized, (size, size))

    def whole() -> None:
        stylize(photo, painting, networks=networks, style_size=size, strokes="native")

    turns = []
    for number in range(repeats + 1):
        photo.putpixel((0, 0), (number, 0, 0))  # a picture that isn't in the cache
        turns.append((seconds(whole), seconds(alone)))
    each = [statistics.median(times) for times in zip(*turns[1:], strict=True)]  # without the warm-up
    return each[0] / each[1]


def measure(name: str, size: int, repeats: int, folder: Path | None) -> dict[str, object]:
    """Measure one model on square pictures of one size, in this process."""
    rate = product_rate(repeats)
    try:
        networks, trained = weights.load(name, folder=folder, download=False), True
    except weights.WeightsError:
        networks, trained = Networks(name, weights.get(name).build()), False
    content, style = torch.rand(1, 3, size, size), torch.rand(1, 3, size, size)
    at_rest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def run() -> dict[str, float]:
        networks.memory.clear()
        return dict(next(adain.run(content, [Style(style)], TransferParams(), networks)).seconds)

    with FlopCounterMode(display=False) as counter:
        run()
    runs = [run() for _ in range(repeats)]
    stages = {stage: min(each[stage] for each in runs) for stage in STAGES}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at_rest
    rate = max(rate, product_rate(repeats))
    return {
        "model": name,
        "size": size,
        "trained": trained,
        "stages": stages,
        "peak_mib": peak / 1024,
        "matrix_gflops": rate / 1e9,
        "share": counter.get_total_flops() / sum(stages.values()) / rate,
        "overhead": overhead(networks, size, repeats),
        "threads": torch.get_num_threads(),
    }


def main(
    sizes: Annotated[str, typer.Option(help="Sides in pixels, separated by commas.")] = "256,512,1024",
    repeats: Annotated[int, typer.Option(help="Runs of each; the best counts.")] = 5,
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of weights.")] = None,
    one: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Measure every model at every size and print a table."""
    if one:
        print(json.dumps(measure(one, int(sizes), repeats, weights_dir)))
        return
    folder = ["--weights-dir", str(weights_dir)] if weights_dir else []
    print(
        "| model | px | " + " | ".join(STAGES) + " | all, ms | style cached, ms | peak MiB | GFLOP/s | share | ratio |"
    )
    print("|---|---|" + "---|" * (len(STAGES) + 6))
    threads = 0
    for size in sizes.split(","):
        for name in [name for name, model in weights.MODELS.items() if model.file("decoder")]:
            command = [sys.executable, "-m", "benchmarks.speed", "--one", name, "--sizes", size]
            command += ["--repeats", str(repeats), *folder]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            stages = [row["stages"][stage] * 1000 for stage in STAGES]
            cells = [name if row["trained"] else f"{name} (random weights)", size, *(f"{ms:.0f}" for ms in stages)]
            cells += [f"{sum(stages):.0f}", f"{sum(stages) - stages[1]:.0f}", f"{row['peak_mib']:.0f}"]
            cells += [f"{row['matrix_gflops']:.0f}", f"{row['share']:.0%}", f"{row['overhead']:.2f}"]
            print("| " + " | ".join(cells) + " |", flush=True)
            threads = row["threads"]
    print(
        f"\n{threads} threads, torch {torch.__version__}; GFLOP/s is this machine's 2048x2048 float32 matrix product."
    )


if __name__ == "__main__":
    console.script(main, "benchmarks.speed")
