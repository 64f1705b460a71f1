"""The cost of controls: colors and regions at 1024 px, tiles at 4096, and memory at 8192x8192 pixels.

    python -m benchmarks.controls [--size 1024] [--repeats 7] [--larger 4096,8192] [--threads 1]

Every run goes the full way from one PIL image to another with the compact model, including the style. Plain runs and
runs with a control alternate, and the best of each counts, in wall-clock time and in CPU time; CPU time is fairer
when other programs are running, and with `--threads 1` it includes no waiting. Regions in two styles are also compared
with a plain mix of the two, since both encode a second painting. Each large picture runs in its own process, and its
memory is the process's peak above its resting level after a small run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import cv2
import psutil
import torch
import typer
from PIL import Image

from adain_core import load, run
from adain_core.system import console
from ui import examples

PHOTO, STYLE, OTHER = (
    Path(examples.FOLDER) / name for name in ("photos/tiger.jpg", "styles/night_river.jpg", "styles/mosaic.jpg")
)


def square(size: int) -> Image.Image:
    """Return the photograph at a size."""
    return Image.open(PHOTO).convert("RGB").resize((size, size))


def stripes(size: int, count: int) -> Image.Image:
    """Return a label map of vertical stripes, with labels from 1."""
    row = Image.frombytes("L", (count, 1), bytes(range(1, count + 1)))
    return row.resize((size, size), Image.Resampling.NEAREST)


def clocks() -> tuple[float, float]:
    """Return the wall-clock time and the CPU time in seconds."""
    return time.perf_counter(), time.process_time()


def compare(size: int, repeats: int) -> dict[str, tuple[float, float]]:
    """Time plain runs and controls alternately; return wall-clock and CPU seconds by name."""
    networks = load("compact")
    content, style, other = square(size), Image.open(STYLE).convert("RGB"), Image.open(OTHER).convert("RGB")
    labels = stripes(size, 3)

    def one(**options: Any) -> Callable[[], object]:
        return lambda: list(run(content, [style], networks=networks, **options))

    ways = {
        "plain": one(),
        "plain, 2 styles": lambda: list(run(content, [style, other], networks=networks)),
        **{f"color {mode}": one(color=mode) for mode in ("match", "match-cholesky", "histogram", "luminance")},
        "2 regions": one(regions=stripes(size, 2), style_for={1: style}, feather=4),
        "3 regions, 2 styles": one(regions=labels, style_for={1: style, 2: other}, feather=4),
        "strength map": one(strength_map=labels.point(lambda label: 80 * label)),
    }
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for _ in range(repeats):
        for name, way in ways.items():
            networks.memory.clear()
            start = clocks()
            way()
            wall, work = (stop - begun for stop, begun in zip(clocks(), start, strict=True))
            best[name] = min(best[name][0], wall), min(best[name][1], work)
    return best


def large(size: int) -> dict[str, Any]:
    """Stylize one square picture in this process and track its memory."""
    networks, style = load("compact"), Image.open(STYLE).convert("RGB")
    content = square(size)
    for _ in range(3):
        networks.memory.clear()
        list(run(square(1024), [style], networks=networks, strokes="native"))
    process, done, most = psutil.Process(), threading.Event(), [0]
    rest = process.memory_info().rss

    def watch() -> None:
        while not done.wait(0.01):
            most[0] = max(most[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = clocks()
    *_, last = run(content, [style], networks=networks, strokes="native")
    seconds, work = (stop - begun for stop, begun in zip(clocks(), start, strict=True))
    done.set()
    watcher.join()
    small = square(1024)
    whole = []
    for _ in range(4):
        networks.memory.clear()
        start = clocks()
        list(run(small, [style], networks=networks, strokes="native"))
        whole.append([stop - begun for stop, begun in zip(clocks(), start, strict=True)])
    share = (1024 / size) ** 2  # of the pixels
    return {
        "size": size,
        "steps": last.iterations,
        "seconds": seconds,
        "MiB": (most[0] - rest) / 2**20,
        "per pixel, over 1024 px": seconds * share / min(wall for wall, _ in whole),
        "the same in CPU time": work * share / min(work for _, work in whole),
    }


def main(
    size: Annotated[int, typer.Option(help="Side in pixels for colors and regions.")] = 1024,
    repeats: Annotated[int, typer.Option(help="Runs of each; the best counts.")] = 7,
    larger: Annotated[str, typer.Option(help="Sizes to tile, separated by commas.")] = "4096,8192",
    threads: Annotated[int, typer.Option(help="Number of threads; 0 for one per core.")] = 0,
    one: Annotated[int, typer.Option(hidden=True)] = 0,
) -> None:
    """Print the cost of each control."""
    if threads:
        torch.set_num_threads(threads)
        cv2.setNumThreads(threads)
    if one:
        print(json.dumps(large(one)))
        return
    best = compare(size, repeats)
    for name, (wall, work) in best.items():
        print(f"{size} px, {name}: {1000 * wall:.0f} ms", end="")
        for base in ("plain", "plain, 2 styles")[: 2 if "2 styles" in name else 1]:
            ratios = wall / best[base][0], work / best[base][1]
            print(f"; {ratios[0]:.2f} times {base}, {ratios[1]:.2f} in CPU time", end="")
        print(flush=True)
    for each in filter(None, larger.split(",")):
        command = [sys.executable, "-m", "benchmarks.controls", "--one", each, "--threads", str(threads)]
        print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip())


if __name__ == "__main__":
    console.script(main, "benchmarks.controls")
