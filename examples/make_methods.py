"""Make the images of the methods and losses with the compact model, and print the tables that list them.

    python -m examples.make_methods

Each method runs at its default settings on one pair at 256 pixels, one after another, in one process. The time is the
CPU time on one core of a run that encodes both pictures from scratch; for runs of less than a second, it is the best of
two.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from PIL import Image

from adain_core import images, load, losses, methods, run
from ui import examples

SIZE = 256
FOLDER = examples.FOLDER / "methods"
PAIR = "photos/tiger.jpg", "styles/night_river.jpg"


def make(**options: Any) -> tuple[Image.Image, float]:
    """Run a method and return its last picture and its seconds."""
    networks = load()
    content, style = (images.load(examples.FOLDER / name).rgb for name in PAIR)
    best = float("inf")
    for _ in range(2):
        networks.memory.clear()
        start = time.process_time()
        *_, last = run(content, [style], networks=networks, size=SIZE, interval=3600, **options)
        best = min(best, time.process_time() - start)
        if best > 1:
            break
    assert last.image is not None  # the last step has one
    return last.image, best


def row(name: str, paper: str, summary: str, folder: str = "examples", **options: Any) -> str:
    """Make a picture and return its row of the table; `folder` is examples/ as seen from the page."""
    picture, seconds = make(**options)
    picture.save(FOLDER / f"{name}.jpg", quality=88)
    link = f'<img src="{folder}/methods/{name}.jpg" width="140" alt="The tiger by {name}">'
    return f"| `{name}` | {paper} | {summary} | {seconds:.2g} | {link} |"


def main() -> None:
    """Make every picture."""
    FOLDER.mkdir(exist_ok=True)
    torch.set_num_threads(1)  # so that other work on the machine costs no time
    head = "| name | paper | what it does | s | |\n|---|---|---|---|---|"
    print(head)
    for name, method in methods.find().items():
        if name != "optimize":
            print(row(name, method.paper, method.summary, method=name), flush=True)
    print(f"\n{head}")
    for name, loss in losses.find().items():
        print(row(f"loss-{name}", loss.paper, loss.summary, "../examples", method="optimize", loss=name), flush=True)


if __name__ == "__main__":
    main()
