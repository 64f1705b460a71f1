"""The one loop that optimizes a picture: content, style losses, smoothness; coarse to fine (Gatys et al. 2016, 2017).

    L = w_c |F - P|^2 / |P - mean P|^2 + w_s sum_k share_k mean_l L_k,l / L_k,l(content) + w_tv TV

Departs from the papers in its units: each style loss is divided, at each layer, by what the content itself has, and the
content loss by the variance of the content's features, both averaged. So weights mean the same for every loss, layer,
network and size: 1 is "as far from the style as the photograph is".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core.contracts import MethodParams, Step, Style, StyleLoss
from adain_core.losses.total_variation import total_variation
from adain_core.networks import Networks
from adain_core.normalization import restyle, statistics

CONTENT = ("relu4_2", "relu4_1")  # the first that the networks have
LEAST = 64  # pixels of the shorter side at the coarsest scale
TINY = 1e-12
Loss = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


class Params(MethodParams):
    """How to optimize."""

    steps: int = Field(150, ge=1, le=2000, title="Steps", description="How often the picture is improved, in all.")
    optimizer: Literal["adam", "lbfgs"] = Field(
        "adam", title="Optimizer", description="Adam is steady; L-BFGS gains more by a step, and a step takes longer."
    )
    rate: float = Field(
        0.03, gt=0, le=1, title="Step size", description="Of Adam's steps, in brightness; L-BFGS finds its own."
    )
    start: Literal["content", "noise", "colors"] = Field(
        "content",
        title="Start",
        description="Where to begin: the photograph, noise, or the photograph in the painting's colors.",
    )
    scales: int = Field(
        1,
        ge=1,
        le=6,
        title="Scales",
        description="From coarse to fine, each 1.4 times larger; more give larger shapes.",
    )
    content_weight: float = Field(
        0.1, ge=0, le=1000, title="Content weight", description="How firmly to hold on to the photograph."
    )
    style_weight: float = Field(1.0, ge=0, le=1000, title="Style weight", description="How much the painting counts.")
    tv_weight: float = Field(0.05, ge=0, le=1000, title="Smoothness", description="Weight of total variation.")
    average: float = Field(
        0.9,
        ge=0,
        lt=1,
        title="Averaging",
        description="Share of the former pictures in each that is shown; 0 for none.",
    )
    seconds: float = Field(
        300.0, gt=0, le=3600, title="Time limit", description="Seconds after which the last picture is final."
    )
    patience: int = Field(
        0, ge=0, le=2000, title="Patience", description="Steps without a gain after which to stop; 0 for never."
    )


def optimize(
    content: Tensor,
    styles: Sequence[Style],
    params: Params,
    networks: Networks,
    losses: Mapping[StyleLoss, float],
    layers: Sequence[str] | None = None,
) -> Generator[Step, None, None]:
    """Optimize a picture and yield it with its losses at every step.

    Args:
        content: [N,3,H,W], RGB in [0,1]; several are optimized side by side, each by itself.
        styles: their weights sum to 1.
        params: how.
        networks: in whose features pictures are compared.
        losses: style losses with their shares.
        layers: where to compare styles; each loss's own by default. Those that the networks lack are left out.

    Yields:
        Steps; the losses by name, with `total`. Where it stops early the last one has a note.

    Raises:
        ValueError: the networks have none of the layers, or a style is too small for a loss.
    """
    if len(content) > 1:
        each = [optimize(one[None], styles, params, networks, losses, layers) for one in content]
        for steps in zip(*each, strict=True):
            yield Step(
                torch.cat([step.image for step in steps]), steps[0].iteration, steps[0].iterations,
                {name: sum(step.losses[name] for step in steps) / len(steps) for name in steps[0].losses},
                {name: sum(step.seconds[name] for step in steps) for name in steps[0].seconds}, steps[0].note,
            )  # fmt: skip
        return
    start, size = time.perf_counter(), content.shape[2:]
    generator = torch.Generator().manual_seed(params.seed)
    content = content.to(networks.device)
    picture, moments, good = None, None, content
    done, best, since = 0, float("inf"), 0
    plan = [factor for factor in _factors(size, params.scales)]
    for number, factor in enumerate(plan):
        small = _resize(content, factor)
        looks = [Style(_resize(style.image.to(networks.device), factor), style.weight) for style in styles]
        loss = objective(small, looks, params, networks, losses, layers, generator)
        if picture is None:
            picture = begin(small, looks, params, generator)
        else:
            picture = F.interpolate(picture, small.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)
        picture = picture.detach().clone(memory_format=torch.contiguous_format).requires_grad_()  # L-BFGS flattens
        optimizer = _optimizer(picture, params, moments)
        averaged, weight = torch.zeros_like(picture), 0.0
        for _ in range(_steps(params.steps, len(plan), number)):
            values = _improve(picture, optimizer, loss)
            done += 1
            note = ""
            if not (picture.isfinite().all() and all(map(_finite, values.values()))):
                note = "The optimization diverged; the last good picture is kept. Try a smaller step size."
                yield Step(_resize_to(good, size), done, params.steps, {}, _seconds(start), note)
                return
            with torch.no_grad():
                picture.clamp_(0, 1)
                averaged.lerp_(picture, 1 - params.average)
                weight = weight * params.average + (1 - params.average)
                good = averaged / weight
            since = 0 if values["total"] < best else since + 1
            best = min(best, values["total"])
            if params.patience and since >= params.patience:
                note = f"No gain in {since} steps, so it stopped."
            elif time.perf_counter() - start > params.seconds:
                note = f"The time limit of {params.seconds:g} s was reached after {done} steps."
            yield Step(_resize_to(good, size), done, params.steps, values, _seconds(start), note)
            if note:
                return
        moments = _moments(optimizer, picture)


def objective(
    content: Tensor,
    styles: Sequence[Style],
    params: Params,
    networks: Networks,
    losses: Mapping[StyleLoss, float],
    layers: Sequence[str] | None,
    generator: torch.Generator,
) -> Loss:
    """Make the function to minimize from the content, [1,3,H,W], and the styles; see the equation above."""
    wanted = {loss: [layer for layer in layers or loss.layers if layer in networks.layers] for loss in losses}
    for loss, found in wanted.items():
        if not found:
            raise ValueError(
                f"{networks.name} has none of the layers {', '.join(layers or loss.layers)}; it has"
                f" {', '.join(networks.layers)}."
            )
    subject = next(layer for layer in CONTENT if layer in networks.layers)
    every = sorted({subject, *(layer for found in wanted.values() for layer in found)})
    with torch.no_grad():
        own = networks.perceptual(content, every)
        targets = [networks.perceptual(style.image, every) for style in styles]
        spread = (own[subject] - own[subject].mean((2, 3), keepdim=True)).square().mean().clamp_min(TINY)
    terms = []
    for loss, share in losses.items():
        for layer in wanted[loss]:
            parts = [
                (style.weight, loss.make(target[layer], generator))
                for style, target in zip(styles, targets, strict=True)
            ]
            with torch.no_grad():
                unit = sum(weight * part(own[layer]) for weight, part in parts)
            scale = share / (len(wanted[loss]) * max(float(unit), TINY))
            terms.append((layer, scale, parts))

    def total(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        features = networks.perceptual(image, every)
        style = torch.stack([
            scale * weight * part(features[layer]) for layer, scale, parts in terms for weight, part in parts
        ]).sum()  # fmt: skip
        found = {"style": style, "content": (features[subject] - own[subject]).square().mean() / spread}
        found["smoothness"] = total_variation(image).sum()
        weighted = params.style_weight * style + params.content_weight * found["content"]
        found["total"] = weighted + params.tv_weight * found["smoothness"]
        return found["total"], found

    return total


def begin(content: Tensor, styles: Sequence[Style], params: Params, generator: torch.Generator) -> Tensor:
    """Return the picture to begin with."""
    if params.start == "noise":
        return torch.rand(content.shape, generator=generator).to(content.device)
    if params.start == "colors":
        colors = statistics(styles[0].image)
        return restyle(content, statistics(content), colors).clamp(0, 1)
    return content


def _factors(size: Sequence[int], scales: int) -> list[float]:
    factors = [2 ** (-0.5 * (scales - 1 - number)) for number in range(scales)]
    return [each for each in factors if each == 1 or each * min(size) >= LEAST]


def _steps(steps: int, scales: int, number: int) -> int:
    return (number + 1) * steps // scales - number * steps // scales


def _resize(image: Tensor, factor: float) -> Tensor:
    if factor == 1:
        return image
    size = [max(16, round(side * factor)) for side in image.shape[2:]]
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def _resize_to(image: Tensor, size: Sequence[int]) -> Tensor:
    image = image.detach()
    if image.shape[2:] != torch.Size(size):
        image = F.interpolate(image, tuple(size), mode="bicubic", align_corners=False)
    return image.clamp(0, 1).clone()


def _optimizer(picture: Tensor, params: Params, moments: tuple[float, Tensor, Tensor] | None) -> torch.optim.Optimizer:
    if params.optimizer == "lbfgs":
        return torch.optim.LBFGS([picture], max_iter=1, history_size=10, line_search_fn=None)
    optimizer = torch.optim.Adam([picture], params.rate, betas=(0.9, 0.99))
    if moments is not None:  # carried over from the coarser scale
        step, *each = moments
        first, second = (F.interpolate(x, picture.shape[2:], mode="bilinear", align_corners=False) for x in each)
        optimizer.state[picture] = {"step": torch.tensor(step), "exp_avg": first, "exp_avg_sq": second}
    return optimizer


def _moments(optimizer: torch.optim.Optimizer, picture: Tensor) -> tuple[float, Tensor, Tensor] | None:
    state = optimizer.state[picture]
    return (float(state["step"]), state["exp_avg"], state["exp_avg_sq"]) if "exp_avg" in state else None


def _improve(picture: Tensor, optimizer: torch.optim.Optimizer, loss: Loss) -> dict[str, float]:
    found: dict[str, float] = {}

    def closure() -> float:
        optimizer.zero_grad()
        total, terms = loss(picture)
        total.backward()  # type: ignore[no-untyped-call]
        if not found:  # those of the picture before the step
            found.update({name: float(value.detach()) for name, value in terms.items()})
        return float(total.detach())

    optimizer.step(closure)
    return found


def _finite(value: float) -> bool:
    return abs(value) < float("inf")  # false for what is no number, too


def _seconds(start: float) -> dict[str, float]:
    return {"optimize": time.perf_counter() - start}
