"""How faithful the perceptual network is to VGG-19, compared with `compact`, on pairs that training never saw.

    python -m benchmarks.perceptual --pictures FOLDER --weights-dir FOLDER [--optimized 40] [--candidate FILE]

`--pictures` holds the folders photos and art; adain_core/training/held_out.txt names the 40 pairs. Each picture's
central square is scaled to `--size`. The full-size VGG-19 in `--weights-dir` is the ground truth:

- explained variance: of VGG-19's features at the four layers, by the network's predictions, over all pictures.
- cosine: between the Gram loss's gradient with respect to the photograph's pixels and VGG-19's own; at
  every layer the squared error of the Gram matrix is divided by the style's own energy, so all layers count equally.
- Gatys: that loss by VGG-19 after an optimization with the defaults, relative to the photograph's own, on the first
  `--optimized` pairs: the median for each loss network, and the mean and median of its ratio to VGG-19's. All of them
  compute as `compact` does, in bfloat16 where the CPU has it.
- seconds: the median time of a step at 256 px, relative to VGG-19's; the networks take turns.
"""

from __future__ import annotations

import copy
import json
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import torch
import typer
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from adain_core import images, weights
from adain_core.contracts import Style
from adain_core.losses.gram import gram_matrix
from adain_core.methods import gatys
from adain_core.networks.model import Networks
from adain_core.system import console, files
from adain_core.training.distill import rows
from adain_core.training.pictures import held_out
from adain_core.training.teacher import LAYERS
from benchmarks.compact import squares

TIMED = 256
GATYS = gatys.METHOD
PARAMS = GATYS.params(seconds=3600)  # on a busy machine the default would end runs early
Grams = Mapping[str, Tensor]


def grams(networks: Networks, image: Tensor) -> Grams:
    """Return the Gram matrices at LAYERS, [1,C,C] each; gradients reach the image."""
    return {layer: gram_matrix(x) for layer, x in networks.perceptual(image, LAYERS).items()}


def distance(own: Grams, goal: Grams) -> Tensor:
    """Sum the Gram matrices' squared errors, each over the goal's energy; a scalar."""
    return sum(((own[x] - goal[x]).square().sum() / goal[x].square().sum() for x in LAYERS), torch.zeros(()))


def gradient(networks: Networks, content: Tensor, style: Tensor) -> Tensor:
    """Return the gradient of `distance` with respect to the photograph's pixels, [1,3,H,W]."""
    image = content.clone().requires_grad_()
    (slope,) = torch.autograd.grad(distance(grams(networks, image), grams(networks, style)), image)
    return slope


class Explained:
    """Sums up errors and variances over pictures."""

    def __init__(self) -> None:
        self.error = dict.fromkeys(LAYERS, 0.0)
        self.moments = dict.fromkeys(LAYERS, (0, torch.zeros(()), torch.zeros(())))

    @torch.inference_mode()
    def add(self, networks: Networks, full: Networks, image: Tensor) -> None:
        """Add a picture."""
        predicted = networks.perceptual(image, LAYERS)
        for layer, truth in full.perceptual(image, LAYERS).items():
            self.error[layer] += float((predicted[layer] - truth).square().sum())
            x, (count, first, second) = rows(truth).double(), self.moments[layer]
            self.moments[layer] = count + len(x), first + x.sum(0), second + x.square().sum(0)

    def shares(self) -> dict[str, float]:
        """Return the explained share of the variance by layer."""
        parts = {layer: second - first.square() / count for layer, (count, first, second) in self.moments.items()}
        return {layer: 1 - self.error[layer] / float(parts[layer].sum()) for layer in LAYERS}


def optimize(networks: Networks, content: Tensor, style: Tensor) -> Tensor:
    """Optimize a photograph as Gatys does by default."""
    *_, last = GATYS.run(content, [Style(style)], PARAMS, networks)
    return last.image


def step_times(models: Mapping[str, Networks], steps: int = 8) -> dict[str, float]:
    """Return the median seconds of a step of Gatys at TIMED px; networks take turns."""
    pair = torch.rand(2, 1, 3, TIMED, TIMED, generator=torch.Generator().manual_seed(0))
    runs = {name: GATYS.run(pair[0], [Style(pair[1])], PARAMS, each) for name, each in models.items()}
    found: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(steps + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            next(run)
            found[name].append(time.perf_counter() - start)
    return {name: statistics.median(each[2:]) for name, each in found.items()}  # the first ones allocate memory


def main(
    pictures: Annotated[Path, typer.Option(help="Folder with photos and art.")],
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of the full-size weights.")] = None,
    size: Annotated[int, typer.Option(help="Side in pixels.", min=32)] = 224,
    pairs: Annotated[int, typer.Option(help="How many of the 40 pairs; fewer are faster.", min=1, max=40)] = 40,
    optimized: Annotated[int, typer.Option(help="How many of them to optimize.", min=1, max=40)] = 40,
    candidate: Annotated[Path | None, typer.Option(help="Other weights of the perceptual network to measure.")] = None,
    output: Annotated[Path | None, typer.Option("-o", help="Folder for the sheet and results.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files.")] = False,
) -> None:
    """Measure everything and print it."""
    if output is not None:
        files.check_new(output, ["gatys.jpg", "results.json"], overwrite)
    full = weights.load("vgg19", folder=weights_dir, download=False)
    compact = weights.load("compact")
    alone = Networks("compact", {"encoder": compact.encoder}, dtype=compact.dtype)  # whose heads predict features, too
    models = {"perceptual": weights.load("perceptual"), "compact": alone, "vgg19": full}
    half = Networks("vgg19", {"encoder": copy.deepcopy(full.encoder)}, dtype=compact.dtype)
    if candidate is not None:
        kept = {name.removeprefix("perceptual."): each for name, each in load_file(candidate).items()}
        models["perceptual"].loss_network.load_state_dict(kept)
    explained = {name: Explained() for name in models if name != "vgg19"}
    cosines: dict[str, list[float]] = {name: [] for name in explained}
    after: dict[str, list[float]] = {name: [] for name in models}
    names, shown = held_out(), []
    chosen = (squares(pictures, names[kind][:pairs], size) for kind in ("photos", "art"))
    for content, style in tqdm(list(zip(*chosen, strict=True)), "pairs", disable=None):
        slope = gradient(full, content, style).flatten()
        for name, each in explained.items():
            for image in (content, style):
                each.add(models[name], full, image)
            own = gradient(models[name], content, style).flatten()
            cosines[name].append(float(torch.cosine_similarity(own, slope, 0)))
        if len(after["vgg19"]) >= optimized:
            continue
        made = {name: optimize(each, content, style) for name, each in {**models, "vgg19": half}.items()}
        with torch.inference_mode():
            goal = grams(full, style)
            before = distance(grams(full, content), goal)
            for name, image in made.items():
                after[name].append(float(distance(grams(full, image), goal) / before))
        shown += [images.to_image(each) for each in (content, style, *made.values())]
    seconds = step_times(models)
    results: dict[str, dict[str, object]] = {
        name: {
            "explained variance": explained[name].shares(),
            "cosine": statistics.fmean(cosines[name]),
            "Gram loss": statistics.median(after[name]),
            "over VGG-19's, mean": statistics.fmean(after[name]) / statistics.fmean(after["vgg19"]),
            "over VGG-19's, median": statistics.median(
                own / other for own, other in zip(after[name], after["vgg19"], strict=True)
            ),
            "step": seconds[name] / seconds["vgg19"],
        }
        for name in explained
    }
    results["vgg19"] = {"Gram loss": statistics.median(after["vgg19"])}
    print(json.dumps(results, indent=1))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        images.sheet(shown, columns=10, side=size).save(output / "gatys.jpg", quality=90)
        files.write(output / "results.json", json.dumps(results, indent=1).encode())


if __name__ == "__main__":
    console.script(main, "benchmarks.perceptual")
