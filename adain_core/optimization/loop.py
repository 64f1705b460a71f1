"""The one loop that optimizes a picture, coarse to fine (Gatys et al. 2016, 2017).

What it minimizes is in objective.py. Departs from the papers in what Adam moves: by default not pixels but
the levels of a pyramid that add up to the picture (as Kolkin et al. 2019 do), so that shapes change as fast as grain.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core.contracts import SizeError, Step, Style, StyleLoss, count
from adain_core.feature_space import transfer
from adain_core.losses.total_variation import total_variation
from adain_core.networks.model import Networks
from adain_core.normalization import restyle, statistics
from adain_core.optimization import objective
from adain_core.system import machine

LEAST = 64  # pixels of the shorter side at the coarsest scale
BYTES = 1000  # for a pixel of photograph or painting, beside the networks' own: features, slopes, what is held
WINDOW = 8  # steps, one at each place of the grid, over which losses are averaged
NOISE, FAINT = 1.6, 0.1  # total variation, over that of the pictures given, and of all; uniform noise has 0.67
Moments = list[tuple[float, Tensor, Tensor]]


class Params(objective.Params):
    """How to optimize."""

    steps: int = Field(
        120, ge=1, le=2000, title="Steps", description="How many times the picture is improved. More steps take longer."
    )
    optimizer: Literal["adam", "lbfgs"] = Field(
        "adam", title="Optimizer", description="Adam is robust; L-BFGS gains more per step, but its steps take longer."
    )
    rate: float = Field(
        0.04,
        gt=0,
        le=1,
        title="Step size",
        description="How much each step may change the picture. Adam only; too high is unstable.",
    )
    pyramid: int = Field(
        5,
        ge=1,
        le=8,
        title="Pyramid",
        description="How many resolutions are optimized together; 1 optimizes the pixels alone.",
    )
    start: Literal["content", "noise", "colors", "adain"] = Field(
        "content",
        title="Start",
        description="Picture to begin with: photograph, noise, photograph in the painting's colors, or AdaIN's result.",
    )
    scales: int = Field(
        1,
        ge=1,
        le=6,
        title="Scales",
        description="Sizes to work through, from coarse to fine. More scales give larger brush strokes.",
    )
    average: float = Field(
        0.9,
        ge=0,
        lt=1,
        title="Averaging",
        description="Averages recent steps to reduce noise; 0 shows each step as it is.",
    )
    seconds: float = Field(
        300.0, gt=0, le=3600, title="Time limit", description="Seconds after which the optimization stops."
    )
    patience: int = Field(
        0,
        ge=0,
        le=2000,
        title="Patience",
        description="Ends a scale after this many steps without improvement, and at the last one stops; 0 never does.",
    )


def optimize(
    content: Tensor,
    styles: Sequence[Style],
    losses: Mapping[StyleLoss, float],
    params: Params,
    networks: Networks,
    anchor: objective.Anchor = objective.PHOTOGRAPH,
    start: Tensor | None = None,
) -> Generator[Step, None, None]:
    """Optimize a picture and yield it with its losses at every step.

    Args:
        content: [1,3,H,W], RGB in [0,1].
        styles: their weights sum to 1.
        losses: style losses with their shares.
        params: how.
        networks: in whose features pictures are compared.
        anchor: what to hold on to, the content by default.
        start: a picture to begin with, of the content's shape, in place of the parameters' `start`.

    Yields:
        Steps; the losses by name, with `total`. Where it stops early the last one has a note.

    Raises:
        ValueError: there is more than one picture, the networks lack the layers, a picture is too small for a loss, or
            memory is too small.
    """
    if len(content) != 1:
        raise ValueError(f"An optimization takes one picture at a time, not {len(content)}.")
    began, size = time.perf_counter(), content.shape[2:]
    generator = torch.Generator().manual_seed(params.seed)
    content = content.to(networks.device)
    if params.optimizer == "lbfgs":  # it takes differences of slopes for curvature
        params = params.model_copy(update={"places": 1})
    chosen = objective.plan(losses, params, networks, anchor)
    needed, free = memory(content, styles, losses, networks), machine.free_memory()
    if networks.device.type == "cpu" and needed > free:
        raise SizeError(
            f"Optimizing a picture of {size[1]}x{size[0]} pixels takes about {needed / 1e9:.2g} GB of memory, but"
            f" {free / 1e9:.2g} GB are free; choose a smaller size."
        )
    picture, moments, averaged = start, None, content
    done = 0
    factors = _factors(size, params.scales)
    for number, factor in enumerate(factors):
        small = _resize(content, factor)
        looks = [Style(_resize(style.image.to(networks.device), factor), style.weight) for style in styles]
        loss = objective.objective(small, looks, losses, params, networks, generator, anchor)
        picture = begin(small, looks, params, networks, generator) if picture is None else _fit(picture, small)
        moving, totals = Moving(picture, params, moments), list[float]()
        average, grain = Average(params.average), _grain([small, *(style.image for style in looks)])
        comparable = not any(each.learns for each in losses)
        best, since = float("inf"), 0  # losses of two scales can't be compared
        for _ in range(_share(params.steps, len(factors), number)):
            values, done, note = moving.improve(loss), done + 1, ""
            if not (moving.finite() and all(map(_finite, values.values()))):
                note = "The optimization diverged; the last good picture is kept. Try a smaller step size."
                yield Step(_fit(averaged, content), done, params.steps, {}, _seconds(began), note, chosen.words)
                return
            averaged = average(moving.picture)
            totals.append(values["total"])
            since = 0 if values["total"] < best else since + 1
            best = min(best, values["total"])
            stuck = 0 < params.patience <= since
            if stuck and factor == 1:
                note = f"No gain in {count(since, 'step')}, so it stopped."
            elif time.perf_counter() - began > params.seconds:
                note = f"The time limit of {params.seconds:g} s was reached after {count(done, 'step')}."
            doubt = _doubt(totals if comparable else (), averaged, grain)
            yield Step(_fit(averaged, content), done, params.steps, values, _seconds(began), note, chosen.words, doubt)
            if note:
                return
            if stuck:
                break
        done = (number + 1) * params.steps // len(factors)
        picture, moments = moving.picture, moving.moments()


def memory(content: Tensor, styles: Sequence[Style], losses: Mapping[StyleLoss, float], networks: Networks) -> float:
    """Return the bytes that an optimization takes, by what was measured (benchmarks/methods.py), not too few."""
    pixels = sum(image[0, 0].numel() for image in (content, *(style.image for style in styles)))
    return pixels * (BYTES + 2 * networks.bytes_per_pixel + sum(loss.bytes_per_pixel for loss in losses))


class Moving:
    """A picture that an optimizer moves, as levels of a pyramid that add up to it.

    Args:
        picture: [1,3,H,W], where it begins, within [0,1].
        params: levels, optimizer, rate.
        moments: Adam's at a coarser scale, to go on with.
    """

    def __init__(self, picture: Tensor, params: Params, moments: Moments | None) -> None:
        coarse = [picture.detach().clone(memory_format=torch.contiguous_format)]  # L-BFGS flattens
        while len(coarse) < params.pyramid and min(coarse[-1].shape[2:]) >= 8:
            coarse.append(_resize(coarse[-1], 0.5, least=1))
        rest = [fine - _enlarge(small, fine) for fine, small in zip(coarse, coarse[1:], strict=False)]
        self.levels = [each.requires_grad_() for each in (*rest, coarse[-1])]
        self.picture = picture.detach()
        self.sum = self.assemble()
        self.optimizer: torch.optim.Optimizer
        if params.optimizer == "lbfgs":
            self.optimizer = torch.optim.LBFGS(self.levels, max_iter=1, history_size=10)
        else:
            self.optimizer = torch.optim.Adam(self.levels, params.rate, betas=(0.9, 0.99), fused=True)
            for level, (step, *each) in zip(self.levels, moments or [], strict=False):
                first, second = (_enlarge(x, level) for x in each)
                self.optimizer.state[level] = {
                    "step": torch.tensor(step, device=level.device),
                    "exp_avg": first,
                    "exp_avg_sq": second,
                }

    def assemble(self) -> Tensor:
        """Add the levels up, [1,3,H,W]; gradients reach them."""
        image = self.levels[-1]
        for level in reversed(self.levels[:-1]):
            image = _enlarge(image, level) + level
        return image

    def improve(self, loss: objective.Loss) -> dict[str, float]:
        """Take a step and return the losses of the picture before it; what leaves [0,1] is brought back."""
        found: dict[str, float] = {}

        def closure() -> float:
            self.optimizer.zero_grad()
            total, terms = loss(image := self.picture.detach().requires_grad_())
            (slope,) = torch.autograd.grad(total, image)
            torch.autograd.backward(self.sum, slope, retain_graph=True)  # linear, so the same graph at every step
            if not found:
                found.update({name: float(value.detach()) for name, value in terms.items()})
            return float(total.detach())

        self.optimizer.step(closure)
        with torch.no_grad():
            image = self.assemble()
            self.picture = image.clamp(0, 1)
            self.levels[0] += self.picture - image
        return found

    def finite(self) -> bool:
        """Tell whether the picture has numbers only; what else any level had has come into the finest."""
        return bool(self.levels[0].sum().isfinite())

    def moments(self) -> Moments:
        """Return Adam's moments of each level; none of L-BFGS."""
        states = [self.optimizer.state[level] for level in self.levels]
        return [(float(state["step"]), state["exp_avg"], state["exp_avg_sq"]) for state in states if "exp_avg" in state]


class Average:
    """The exponentially weighted mean of pictures, `share` of the former in each."""

    def __init__(self, share: float) -> None:
        self.share, self.sum, self.weight = share, torch.zeros(()), 0.0

    def __call__(self, picture: Tensor) -> Tensor:
        """Take a picture in and return the mean, [1,3,H,W]."""
        self.sum = torch.lerp(self.sum.to(picture.device), picture, 1 - self.share)
        self.weight = self.weight * self.share + (1 - self.share)
        return self.sum / self.weight


def begin(
    content: Tensor, styles: Sequence[Style], params: Params, networks: Networks, generator: torch.Generator
) -> Tensor:
    """Return the picture to begin with, [1,3,H,W]."""
    if params.start == "noise":
        return torch.rand(content.shape, generator=generator).to(content.device)
    if params.start == "colors":
        return restyle(content, statistics(content), statistics(styles[0].image)).clamp(0, 1)
    if params.start == "adain":
        with torch.inference_mode():
            seen, goal = networks.encode(content), transfer.style_statistics(styles, networks)
            stylized = networks.restyle(seen.features, seen.statistics, goal)
            picture = networks.decode(stylized, content.shape[2:])
        return picture.clone()  # no inference tensor
    return content


def _factors(size: Sequence[int], scales: int) -> list[float]:
    factors = [2 ** (-0.5 * (scales - 1 - number)) for number in range(scales)]
    return [each for each in factors if each == 1 or each * min(size) >= LEAST]


def _share(steps: int, scales: int, number: int) -> int:
    return (number + 1) * steps // scales - number * steps // scales


def _resize(image: Tensor, factor: float, least: int = 16) -> Tensor:
    if factor == 1:
        return image
    size = [max(least, round(side * factor)) for side in image.shape[2:]]
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def _enlarge(image: Tensor, to: Tensor) -> Tensor:
    return F.interpolate(image, to.shape[2:], mode="bilinear", align_corners=False)


def _fit(image: Tensor, to: Tensor) -> Tensor:
    if image.shape[2:] != to.shape[2:]:
        image = F.interpolate(image, to.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)
    return image.detach()


def _grain(images: Sequence[Tensor]) -> float:
    """Return the total variation of the picture that has most."""
    return max(float(total_variation(each).mean()) for each in images)


def _doubt(totals: Sequence[float], picture: Tensor, given: float) -> str:
    """Say if the loss is above the one it began with, or the picture is noise that neither picture has; else nothing.

    Args:
        totals: the losses, one a step; none where they can't be compared.
        picture: what came out.
        given: the grain of photograph and paintings.
    """
    steps = min(WINDOW, len(totals) // 2)
    if steps >= 4 and (end := sum(totals[-steps:])) > (begin := sum(totals[:steps])):
        return (
            f"The loss ended at {end / steps:.3g}, above the {begin / steps:.3g} it began with, so this is no result to"
            " go by; try a smaller step size or another loss."
        )
    if _grain([picture]) > max(NOISE * given, FAINT):
        return (
            "The picture has much more grain than photograph and painting, so it is mostly noise; try more steps or"
            " another loss."
        )
    return ""


def _finite(value: float) -> bool:
    return abs(value) < float("inf")  # false for what is no number, too


def _seconds(start: float) -> dict[str, float]:
    return {"optimize": time.perf_counter() - start}
