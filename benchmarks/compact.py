"""The compact model against the full-size pair, on 40 photographs and 40 artworks that training never saw.

    python -m benchmarks.compact --pictures FOLDER --weights-dir FOLDER [--sizes 256,512,1024] [--candidate FILE]

`--pictures` holds the folders photos and art; adain_core/training/held_out.txt lists the 40 pairs in it. Each picture
is center-cropped to a square and scaled to the size. The full-size VGG-19 in `--weights-dir` measures every output, in
float32:

- style: mean and standard deviation at relu1_1, 2_1, 3_1, and 4_1 (Eq. 13, squared errors, mean over channels, summed
  over layers); content: mean squared error at relu4_1 to the content's own features. Averages over the pairs, and their
  ratio.
- reconstruction: peak signal-to-noise ratio in dB with the photograph as its own style.
- lattice: energy of the luminance at the frequencies of a 2x2, 4x4, and 8x8 lattice over that around them, median and
  worst of the pairs; photographs have 1 to 4.
- unusual styles: the style ratio for seven kinds (drawings, posters, gray, dark, bright, inverted, recolored),
  made from the first 6 artworks, each kind on 6 photographs.
- explained variance: of the teacher's features by a 1x1 regression on the compact features, fitted on the first 20
  photographs and measured on the others.
- Gram: an optimization as visitors run it (120 steps from the content, 224 px, first 10 pairs, the Gram loss alone at
  the four layers), scored by the full-size network's Gram loss relative to the content's own.
- speed: 512 px with the style cached, alternating with `vgg19` and a 2048x2048 float32 matrix product.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from statistics import fmean, median
from typing import Annotated

import torch
import typer
from PIL import Image, ImageOps
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from adain_core import images, weights
from adain_core.contracts import Style
from adain_core.evaluation.metrics import lattice
from adain_core.feature_space.transfer import TransferParams
from adain_core.losses import gram
from adain_core.losses.lattice import PERIODS
from adain_core.losses.mean_std import mean_std
from adain_core.methods import adain
from adain_core.networks.model import Networks
from adain_core.optimization.loop import optimize
from adain_core.optimization.params import OptimizationParams
from adain_core.system import console, files
from adain_core.training.distill import regress, rows
from adain_core.training.pictures import KINDS, held_out, vary
from adain_core.training.teacher import DEEPEST, LAYERS, Teacher, all_statistics, content_loss, style_loss

FEW = 6  # photographs and artworks
SUMMARIES = {"": median, " worst": max}
GRAM_SIZE, GRAM_PAIRS = 224, 10
GRAM = {replace(gram.LOSS, layers=LAYERS): 1.0}
GRAM_ALONE = OptimizationParams(steps=120, content_weight=0.0, tv_weight=0.0)


def compact_model(candidate: Path | None) -> Networks:
    """Load the compact model with the weights that ship, or with those of another file."""
    if candidate is None:
        return weights.load("compact")
    parts = {role: part for role, part in weights.get("compact").build().items() if role in ("encoder", "decoder")}
    torch.nn.ModuleDict(parts).load_state_dict(load_file(candidate))
    dtype = torch.bfloat16 if weights.has_bfloat16() else torch.float32
    return Networks("candidate", parts, dtype=dtype)


def squares(folder: Path, names: list[str], size: int) -> list[Tensor]:
    """Load center crops, [1,3,size,size] each."""
    pictures = (images.load(folder / name).rgb for name in names)
    return [images.to_tensor(ImageOps.fit(each, (size, size), Image.Resampling.BICUBIC)) for each in pictures]


def transfer(networks: Networks, content: Tensor, style: Tensor) -> Tensor:
    """Stylize with AdaIN at its defaults."""
    return next(iter(adain.run(content, [Style(style)], TransferParams(), networks))).image


@torch.inference_mode()
def quality(
    compact: Networks, full: Networks, folder: Path, size: int, sheet: Path | None, count: int
) -> dict[str, float]:
    """Measure both models on every held-out pair at one size."""
    teacher = Teacher(full, torch.device("cpu"))
    names = {kind: each[:count] for kind, each in held_out().items()}
    found: dict[str, list[float]] = {}
    lattices: dict[str, list[float]] = {}
    shown: list[Image.Image] = []
    pairs = zip(squares(folder, names["photos"], size), squares(folder, names["art"], size), strict=True)
    for content, style in tqdm(pairs, f"{size} px", len(names["photos"]), disable=None):
        own = teacher.features(content)[DEEPEST]
        goal = all_statistics(teacher.features(style))
        outputs = {"compact": transfer(compact, content, style), "vgg19": transfer(full, content, style)}
        for name, output in outputs.items():
            features = teacher.features(output)
            statistics = all_statistics(features)
            for period, value in lattice(output.float()).items():
                lattices.setdefault(f"{name} lattice {period}", []).append(float(value))
            found.setdefault(f"{name} style", []).append(float(style_loss(statistics, goal)))
            found.setdefault(f"{name} content", []).append(float(content_loss(features, own)))
            for layer in LAYERS:
                gap = mean_std(statistics[layer], goal[layer])
                found.setdefault(f"{name} {layer}", []).append(float(gap))
        again = (transfer(compact, content, content) - content).square().mean()
        found.setdefault("reconstruction", []).append(-10 * math.log10(float(again)))
        shown += [images.to_image(each) for each in (content, style, *outputs.values())]
        compact.memory.clear()
        full.memory.clear()
    if sheet is not None:
        sheet.mkdir(parents=True, exist_ok=True)
        images.sheet(shown, columns=8, side=min(size, 320)).save(sheet / f"pairs_{size}.jpg", quality=90)
    return {
        **{name: fmean(values) for name, values in found.items()},
        **{f"{name}{word}": each(values) for name, values in lattices.items() for word, each in SUMMARIES.items()},
    }


@torch.inference_mode()
def unusual(compact: Networks, full: Networks, folder: Path, sheet: Path | None, size: int = 512) -> dict[str, float]:
    """Return the ratio of the style losses for each kind of unusual style; the sheet has a row for each."""
    teacher, ratios, shown = Teacher(full, torch.device("cpu")), dict[str, float](), list[Image.Image]()
    photos, art = (squares(folder, each[:FEW], size) for each in held_out().values())
    for kind in tqdm(KINDS, "unusual styles", disable=None):
        made = [images.to_tensor(vary(images.to_image(each), random.Random(n), kind)) for n, each in enumerate(art)]
        losses = []
        for content, style in zip(photos, made, strict=True):
            goal = all_statistics(teacher.features(style))
            outputs = [transfer(networks, content, style) for networks in (compact, full)]
            losses.append([float(style_loss(all_statistics(teacher.features(each)), goal)) for each in outputs])
            shown += [images.to_image(each) for each in (style, outputs[0])]
        ratios[kind] = sum(one for one, _ in losses) / sum(other for _, other in losses)
    if sheet is not None:
        sheet.mkdir(parents=True, exist_ok=True)
        images.sheet(shown, columns=2 * FEW, side=200).save(sheet / "unusual.jpg", quality=90)
    return ratios


@torch.inference_mode()
def explained(compact: Networks, full: Networks, folder: Path) -> dict[str, float]:
    """Regress the teacher's features linearly on the compact ones and measure the fit on other pictures."""
    photos = squares(folder, held_out()["photos"], 256)
    shares = {}
    for layer in LAYERS:
        step = {"relu1_1": 8, "relu2_1": 4, "relu3_1": 2, "relu4_1": 1}[layer]
        x, y = [], []
        for photo in photos:
            own, truth = (each.encoder(photo.to(each.dtype), [layer])[layer].float() for each in (compact, full))
            x.append(rows(own[..., ::step, ::step]))
            y.append(rows(truth[..., ::step, ::step]))
        half = len(x) // 2
        weight, bias = regress(torch.cat(x[:half]), torch.cat(y[:half]))
        seen, truth = torch.cat(x[half:]).double(), torch.cat(y[half:]).double()
        error = seen @ weight.T + bias - truth
        shares[layer] = 1 - float(error.square().sum() / (truth - truth.mean(0)).square().sum())
    return shares


def gram_optimization(compact: Networks, full: Networks, folder: Path) -> float:
    """Return the full-size network's Gram loss after an optimization on compact features, relative to the content's."""
    names = held_out()
    ratios = []
    pairs = list(
        zip(squares(folder, names["photos"], GRAM_SIZE), squares(folder, names["art"], GRAM_SIZE), strict=True)
    )
    alone = Networks(compact.name, {"encoder": compact.encoder}, dtype=compact.dtype)  # without its loss network
    for content, style in tqdm(pairs[:GRAM_PAIRS], "Gram", disable=None):
        image = content
        for step in optimize(content, [Style(style)], GRAM, GRAM_ALONE, alone):
            image = step.image
        with torch.inference_mode():
            truth = _grams(full, style)
            after, before = (_gram_loss(_grams(full, each), truth) for each in (image, content))
        ratios.append(float(after / before))
    return sum(ratios) / len(ratios)


def speed(compact: Networks, full: Networks, repeats: int = 9) -> dict[str, float]:
    """Time 512 px with the style cached, alternating with a matrix product; the best of each counts."""
    matrix, content, style = torch.rand(2048, 2048), torch.rand(1, 3, 512, 512), torch.rand(1, 3, 512, 512)
    best = {"matrix": math.inf, "compact": math.inf, "vgg19": math.inf}

    def clock(name: str, start: float) -> None:
        best[name] = min(best[name], time.perf_counter() - start)

    for number in range(repeats):
        start = time.perf_counter()
        matrix @ matrix
        clock("matrix", start)
        for name, networks in (("compact", compact), ("vgg19", full)):
            if name == "vgg19" and number > 3:
                continue
            networks.memory.clear()
            networks.statistics(style)
            start = time.perf_counter()
            transfer(networks, content, style)
            clock(name, start)
    return {
        "matrix GFLOP/s": 2 * 2048**3 / best["matrix"] / 1e9,
        "compact pictures/s": 1 / best["compact"],
        "vgg19 pictures/s": 1 / best["vgg19"],
        "times faster": best["vgg19"] / best["compact"],
    }


def _grams(networks: Networks, image: Tensor) -> dict[str, Tensor]:
    return {layer: gram.gram_matrix(x) for layer, x in networks.perceptual(image, LAYERS).items()}


def _gram_loss(own: Mapping[str, Tensor], goal: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([gram.gram(own[layer], goal[layer]) for layer in LAYERS]).sum()


def main(
    pictures: Annotated[Path, typer.Option(help="Folder with photos and art.")],
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of the full-size weights.")] = None,
    sizes: Annotated[str, typer.Option(help="Sides in pixels, separated by commas.")] = "256,512,1024",
    candidate: Annotated[Path | None, typer.Option(help="Other weights of the compact model to measure.")] = None,
    pairs: Annotated[int, typer.Option(help="How many of the 40 pairs; fewer are faster.")] = 40,
    only_quality: Annotated[bool, typer.Option(help="Skip unusual styles, regression, Gram, and speed.")] = False,
    output: Annotated[Path | None, typer.Option("-o", help="Folder for sheets and results.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Measure everything and print it."""
    if output is not None:
        names = [*(f"pairs_{each}.jpg" for each in sizes.split(",")), *([] if only_quality else ["unusual.jpg"])]
        files.check_new(output, [*names, "results.json"], overwrite)
    torch.manual_seed(0)
    full = weights.load("vgg19", folder=weights_dir, download=False)
    compact = compact_model(candidate)
    results: dict[str, object] = {}
    for size in [int(each) for each in sizes.split(",")]:
        found = quality(compact, full, pictures, size, output, pairs)
        results[f"{size} px"] = found
        ratios = {what: found[f"compact {what}"] / found[f"vgg19 {what}"] for what in ("style", "content", *LAYERS)}
        print(f"{size} px: " + ", ".join(f"{what} {ratio:.2f}" for what, ratio in ratios.items()), end="")
        print(f"; reconstruction {found['reconstruction']:.1f} dB", flush=True)
        print("   full-size pair: " + ", ".join(f"{what} {found[f'vgg19 {what}']:.3f}" for what in ratios))
        for name in ("compact", "vgg19"):
            shares = (f"{period} px {found[f'{name} lattice {period}']:.1f}" for period in PERIODS)
            worst = (f"{found[f'{name} lattice {period} worst']:.1f}" for period in PERIODS)
            print(f"   lattice of {name}: {', '.join(shares)}; worst {', '.join(worst)}", flush=True)
    if not only_quality:
        results["unusual styles"] = rare = unusual(compact, full, pictures, output)
        print("unusual styles: " + ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in rare.items()), flush=True)
        results["explained variance"] = shares = explained(compact, full, pictures)
        print("explained variance: " + ", ".join(f"{layer} {share:.0%}" for layer, share in shares.items()))
        results["Gram"] = ratio = gram_optimization(compact, full, pictures)
        print(f"Gram loss after the optimization: {ratio:.3f} of the content's", flush=True)
        results["speed"] = rates = speed(compact, full)
        print(", ".join(f"{name} {rate:.1f}" for name, rate in rates.items()))
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        files.write(output / "results.json", json.dumps(results, indent=1).encode())


if __name__ == "__main__":
    console.script(main, "benchmarks.compact")
