"""The loop that optimizes a picture, from coarse to fine (Gatys et al. 2016, 2017).

The objective is in objective.py. Departure from the papers: by default, Adam doesn't optimize pixels but the levels of
a pyramid whose sum is the picture (as in Kolkin et al. 2019), so that shapes change as fast as grain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Step, Steps, Style, StyleLoss, count
from adain_core.feature_space import transfer
from adain_core.losses.total_variation import total_variation
from adain_core.networks.model import Networks
from adain_core.normalization import restyle, statistics
from adain_core.optimization.objective import OWN_CONTENT, ContentTarget, objective, plan
from adain_core.optimization.params import OptimizationParams
from adain_core.optimization.pyramid import Loss, Moments, Pyramid, resize

Term = Callable[[Tensor], Tensor]  # maps a picture, [1,3,H,W], to a scalar
LEAST = 64  # minimum length of the shorter side at the coarsest scale, in pixels
WINDOW = 8  # steps over which losses are averaged, one at each shift of the grid
NOISE, FAINT = 1.6, 0.1  # noise has a total variation above both NOISE times the inputs' and FAINT


def optimize(
    content: Tensor,
    styles: Sequence[Style],
    losses: Mapping[StyleLoss, float],
    params: OptimizationParams,
    networks: Networks,
    target: ContentTarget = OWN_CONTENT,
    start: Tensor | None = None,
    further: Mapping[str, Term] | None = None,
) -> Steps:
    """Optimize a picture and yield it with its losses at every step.

    Args:
        content: [1,3,H,W], RGB in [0,1].
        styles: styles whose weights sum to 1.
        losses: style losses with their shares.
        params: settings of the objective and the optimizer.
        networks: networks whose features are compared.
        target: target of the content loss, by default the content itself.
        start: initial picture in the shape of the content, instead of `params.start`.
        further: other terms of the objective by name, for pictures in the shape of the content; `params.scales` is 1.

    Yields:
        Steps with their losses by name, including `total`. If the optimization stops early, the last one has a note.

    Raises:
        ValueError: there is more than one picture, the networks lack the layers, or a picture is too small for a loss.
    """
    if len(content) != 1:
        raise ValueError(f"An optimization takes one picture at a time, not {len(content)}.")
    began, size = time.perf_counter(), content.shape[2:]
    generator = torch.Generator().manual_seed(params.seed)
    content = content.to(networks.device)
    if params.optimizer == "lbfgs":  # it estimates curvature from successive gradients
        params = params.model_copy(update={"shifts": 1})
    chosen = plan(losses, params, networks, target)
    picture, averaged = start, content
    moments: Moments | None = None
    done, comparable = 0, not any(each.learns for each in losses)
    factors = scale_factors(size, params.scales)
    counts = [_share(params.steps, len(factors), number) for number in range(len(factors))]
    work = [factor**2 for factor, many in zip(factors, counts, strict=True) for _ in range(many)]
    for number, (factor, many) in enumerate(zip(factors, counts, strict=True), start=1):
        small = resize(content, factor)
        small_styles = [Style(resize(style.image.to(networks.device), factor), style.weight) for style in styles]
        loss = _with(objective(small, small_styles, losses, params, networks, generator, target), further or {})
        picture = begin(small, small_styles, params, networks, generator) if picture is None else _fit(picture, small)
        moving, totals = Pyramid(picture, params, moments), list[float]()
        average, grain = Average(params.average), _grain([small, *(style.image for style in small_styles)])
        best, since = float("inf"), 0  # losses of two scales can't be compared
        for _ in range(many):
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
                note = f"Stopped: no improvement in {count(since, 'step')}."
            elif time.perf_counter() - began > params.seconds:
                note = f"The time limit of {params.seconds:g} s was reached after {count(done, 'step')}."
            doubt = _doubt(totals if comparable else (), averaged, grain)
            step = Step(_fit(averaged, content), done, params.steps, values, _seconds(began), note, chosen.words, doubt)
            yield replace(step, progress=sum(work[:done]) / sum(work))
            if note:
                return
            if stuck:
                break
        done = sum(counts[:number])
        picture, moments = moving.picture, moving.moments()


def _with(loss: Loss, further: Mapping[str, Term]) -> Loss:
    def total(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        whole, found = loss(image)
        others = {name: term(image) for name, term in further.items()}
        whole = sum(others.values(), whole)
        return whole, {**found, **others, "total": whole}

    return total if further else loss


class Average:
    """The exponential moving average of pictures, with decay `share`."""

    def __init__(self, share: float) -> None:
        self.share, self.sum, self.weight = share, torch.zeros(()), 0.0

    def __call__(self, picture: Tensor) -> Tensor:
        """Add a picture and return the average, [1,3,H,W]."""
        self.sum = torch.lerp(self.sum.to(picture.device), picture, 1 - self.share)
        self.weight = self.weight * self.share + (1 - self.share)
        return self.sum / self.weight


def begin(
    content: Tensor, styles: Sequence[Style], params: OptimizationParams, networks: Networks, generator: torch.Generator
) -> Tensor:
    """Return the initial picture, [1,3,H,W]."""
    if params.start == "noise":
        return torch.rand(content.shape, generator=generator).to(content.device)
    if params.start == "colors":
        return restyle(content, statistics(content), statistics(styles[0].image)).clamp(0, 1)
    if params.start == "adain":
        with torch.inference_mode():
            seen, target = networks.encode(content), transfer.style_statistics(styles, networks)
            stylized = networks.restyle(seen.features, seen.statistics, target)
            picture = networks.decode(stylized, content.shape[2:])
        return picture.clone()  # inference tensors don't support gradients
    return content


def scale_factors(size: Sequence[int], scales: int) -> list[float]:
    """Return the scale factors of a picture from coarse to 1, without those that are too coarse."""
    factors = [2 ** (-0.5 * (scales - 1 - number)) for number in range(scales)]
    return [each for each in factors if each == 1 or each * min(size) >= LEAST]


def _share(steps: int, scales: int, number: int) -> int:
    return (number + 1) * steps // scales - number * steps // scales


def _fit(image: Tensor, to: Tensor) -> Tensor:
    if image.shape[2:] != to.shape[2:]:
        image = F.interpolate(image, to.shape[2:], mode="bicubic", align_corners=False).clamp(0, 1)
    return image.detach()


def _grain(images: Sequence[Tensor]) -> float:
    """Return the largest total variation of the pictures."""
    return max(float(total_variation(each).mean()) for each in images)


def _doubt(totals: Sequence[float], picture: Tensor, given: float) -> str:
    """Return a warning if the loss has increased or the picture is mostly noise, or an empty string.

    Args:
        totals: the total loss of each step; empty if losses can't be compared.
        picture: the result.
        given: the grain of the photograph and the paintings.
    """
    steps = min(WINDOW, len(totals) // 2)
    if steps >= 4 and (end := sum(totals[-steps:])) > (begin := sum(totals[:steps])):
        return (
            f"The loss ended at {end / steps:.3g}, above the {begin / steps:.3g} it began with, so the result is not"
            " meaningful; try a smaller step size or another loss."
        )
    if _grain([picture]) > max(NOISE * given, FAINT):
        return (
            "The picture is much grainier than photograph and painting, so it is mostly noise; try more steps or"
            " another loss."
        )
    return ""


def _finite(value: float) -> bool:
    return abs(value) < float("inf")  # also false for NaN


def _seconds(start: float) -> dict[str, float]:
    return {"optimize": time.perf_counter() - start}
