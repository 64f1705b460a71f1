"""Time of each method relative to AdaIN, with the ratios of the paper's Table 1 (Huang & Belongie 2017).

    python -m benchmarks.methods [--weights-dir FOLDER] [--sizes 256,512] [--steps 6] [--repeats 3] [--threads 1]

Everything runs in one process through adain_core.compare, on one photograph and one painting, both square; methods
alternate, and the best of each counts. Style encoding is included. Optimizations are timed over a few steps, without
the first, and scaled to 500 iterations, except the slowest step, in which a second scale begins; the column says so.
With `--threads`, times are CPU time on that many threads, which other programs hardly disturb. The paper's ratios are
for VGG-19 on a Pascal Titan X GPU. There, style swap has an inverse network, which `vgg19` lacks here, so that row
swaps at relu4_1 and uses AdaIN's decoder. Also printed: how the CPU time of a step of Gatys divides into the
network's forward and backward passes, the loss, and the loop; and the memory that patches and MMD take.
"""

from __future__ import annotations

import statistics
import time
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any
from unittest import mock

import torch
import typer
from PIL import Image

from adain_core import compare, images, losses, methods, weights
from adain_core.contracts import Limited, Style, marked
from adain_core.evaluation.meter import Meter
from adain_core.methods.gatys import GRAM
from adain_core.networks.model import Networks
from adain_core.optimization import loop as optimization
from adain_core.optimization.loop import optimize
from adain_core.optimization.params import OptimizationParams
from adain_core.optimization.pyramid import Loss
from adain_core.system import console
from ui import examples

ITERATIONS = 500
ROWS = ("adain", "wct", "histogram_match", "style_swap", "gatys", "mrf", "adversarial")
PAPER = {"gatys": {256: 14.19 / 0.027, 512: 46.79 / 0.098}, "style_swap": {256: 0.407 / 0.027, 512: 4.144 / 0.098}}
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
PAIR = ("photos/tiger.jpg", "styles/night_river.jpg")


def square(name: str, size: int) -> torch.Tensor:
    """Load an example as [1,3,size,size]."""
    picture = images.load(Path(examples.FOLDER) / name).rgb
    return images.to_tensor(picture.resize((size, size), Image.Resampling.LANCZOS))


def timed(networks: Networks, size: int, steps: int) -> dict[str, tuple[float, str]]:
    """Run every row through adain_core.compare; return seconds, scaled to ITERATIONS for optimizations, and a note."""
    pair = [images.to_image(square(name, size)) for name in PAIR]
    options: dict[str, dict[str, Any]] = {name: {"style_size": max(64, size)} for name in ROWS}
    for name in ROWS:
        options[name] |= dict.fromkeys(marked(methods.get(name).params, Limited("steps")), steps)
    if networks.inverse is None:
        options["style_swap"] |= {"layer": "relu4_1"}
    *_, last = compare(*pair, ROWS, size=size, seconds=3600, options=options, networks=networks)
    found = {}
    for name, output in last.outputs.items():
        if output.state != "done":
            raise RuntimeError(f"{name}: {output.sentence}")
        if output.optimized:
            ends = [point.seconds for point in output.curve]
            *most, slowest = sorted(end - start for start, end in pairwise(ends))
            found[name] = (statistics.fmean(most) * ITERATIONS + slowest, f"{ITERATIONS} iterations, scaled")
        else:
            stages = output.record["seconds"]
            share = 100 * stages.get("swap", stages.get("transform", 0)) / output.seconds
            found[name] = (output.seconds, f"{share:.0f}% in the swap" if name == "style_swap" else "")
    return found


def divide(networks: Networks, content: torch.Tensor, style: torch.Tensor, steps: int) -> dict[str, float]:
    """Return the CPU seconds of a step's parts: the network's forward and backward passes, the loss, and the loop.

    These are medians over the steps of this process's CPU time. In a run of the loop itself, loss and gradient are
    timed together; the rest of a step is the loop's.
    """
    layers = [layer for layer in LAYERS if layer in networks.layers]
    make, inside, ends, alone = optimization.objective, [], [], []

    def make_timed(*given: Any) -> Loss:
        loss = make(*given)

        def timed(image: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            start = time.process_time()
            leaf = image.detach().requires_grad_()
            total, terms = loss(leaf)
            (slope,) = torch.autograd.grad(total, leaf)
            inside.append(time.process_time() - start)
            return (image * slope).sum(), terms  # with the same gradient

        return timed

    with mock.patch.object(optimization, "objective", make_timed):
        for _ in optimize(content, [Style(style)], {GRAM: 1.0}, OptimizationParams(steps=steps + 1), networks):
            ends.append(time.process_time())
    for _ in range(steps + 1):
        start = time.process_time()
        found = list(networks.perceptual(content.clone().requires_grad_(), layers).values())
        torch.autograd.backward(found, [torch.ones_like(x) for x in found])
        alone.append(time.process_time() - start)
    loop = [end - first - part for first, end, part in zip(ends, ends[1:], inside[1:], strict=False)]
    network, both = (statistics.median(each[1:]) for each in (alone, inside))  # the first step allocates memory
    return {"network": network, "loss": both - network, "loop": statistics.median(loop)}


def memory(name: str, networks: Networks, content: torch.Tensor, style: torch.Tensor) -> float:
    """Return the peak memory of two steps with a loss, in MiB above the resting level."""
    meter = Meter(networks.device)
    with meter():
        list(optimize(content, [Style(style)], {losses.find()[name]: 1.0}, OptimizationParams(steps=2), networks))
    return meter.bytes / 2**20


def table(models: list[Networks], size: int, steps: int, repeats: int) -> None:
    """Print the rows for one size."""
    content, style = (square(name, size) for name in PAIR)
    found: dict[tuple[str, str], tuple[float, str]] = {}
    for _ in range(repeats):
        for networks in models:
            for name, value in timed(networks, size, steps).items():
                found[networks.name, name] = min(value, found.get((networks.name, name), value))
    for (model, name), (seconds, words) in found.items():
        ratio, paper = seconds / found[model, "adain"][0], PAPER.get(name, {}).get(size)
        there = "" if paper is None or model != "vgg19" else f"{paper:.0f}"
        print(f"| {model} | {name} | {size} | {seconds:.3g} | {ratio:.3g} | {there} | {words} |", flush=True)
    if len(models) > 1:
        gap = found["vgg19", "gatys"][0] / found["compact", "adain"][0]
        print(f"Gatys on vgg19 takes {gap:,.0f} times AdaIN on compact at {size} px.\n")
    for networks in models:
        parts = divide(networks, content, style, 3 * steps)
        words = ", ".join(f"{part} {100 * value / sum(parts.values()):.1f}%" for part, value in parts.items())
        print(f"A step of Gatys on {networks.name} at {size} px, {1000 * sum(parts.values()):.0f} ms: {words}")
    for name in ("gram", "mmd", "mrf"):
        print(f"Memory of {name} on compact at {size} px: {memory(name, models[0], content, style):.0f} MiB above rest")


def main(
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of the full-size weights.")] = None,
    sizes: Annotated[str, typer.Option(help="Sides in pixels, separated by commas.")] = "256,512",
    steps: Annotated[int, typer.Option(help="Iterations to time.", min=3, max=20)] = 6,
    repeats: Annotated[int, typer.Option(help="Rounds; the best of each counts.")] = 3,
    threads: Annotated[int, typer.Option(help="Measure CPU time on this many threads; 0: wall-clock time on all.")] = 0,
) -> None:
    """Print a table."""
    if threads:
        torch.set_num_threads(threads)
    models = [weights.load("compact")]
    try:
        models.append(weights.load("vgg19", folder=weights_dir, download=False))
    except weights.WeightsError as error:
        print(error)
    with mock.patch("time.perf_counter", time.process_time) if threads else nullcontext():
        for size in [int(each) for each in sizes.split(",")]:
            print("| model | method | px | seconds | relative to AdaIN | paper | |")
            print("|---|---|---|---|---|---|---|")
            table(models, size, steps, repeats)


if __name__ == "__main__":
    console.script(main, "benchmarks.methods")
