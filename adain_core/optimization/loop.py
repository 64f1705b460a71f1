"""The one loop that optimizes a picture, coarse to fine (Gatys et al. 2016, 2017).

What it minimizes is in objective.py. Departs from the papers in what Adam moves: by default not pixels but
the levels of a pyramid that add up to the picture (as Kolkin et al. 2019 do), so that shapes change as fast as grain.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
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
from adain_core.optimization.pyramid import Moments, Pyramid, resize

LEAST = 64  # pixels of the shorter side at the coarsest scale
WINDOW = 8  # steps, one at each shift of the grid, over which losses are averaged
NOISE, FAINT = 1.6, 0.1  # total variation, over that of the pictures given, and of all; uniform noise has 0.67


def optimize(
    content: Tensor,
    styles: Sequence[Style],
    losses: Mapping[StyleLoss, float],
    params: OptimizationParams,
    networks: Networks,
    target: ContentTarget = OWN_CONTENT,
    start: Tensor | None = None,
) -> Steps:
    """Optimize a picture and yield it with its losses at every step.

    Args:
        content: [1,3,H,W], RGB in [0,1].
        styles: their weights sum to 1.
        losses: style losses with their shares.
        params: how.
        networks: in whose features pictures are compared.
        target: what the content loss compares with, the content by default.
        start: a picture to begin with, of the content's shape, in place of the parameters' `start`.

    Yields:
        Steps; the losses by name, with `total`. Where it stops early the last one has a note.

    Raises:
        ValueError: there is more than one picture, the networks lack the layers, or a picture is too small for a loss.
    """
    if len(content) != 1:
        raise ValueError(f"An optimization takes one picture at a time, not {len(content)}.")
    began, size = time.perf_counter(), content.shape[2:]
    generator = torch.Generator().manual_seed(params.seed)
    content = content.to(networks.device)
    if params.optimizer == "lbfgs":  # it takes differences of slopes for curvature
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
        loss = objective(small, small_styles, losses, params, networks, generator, target)
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
    content: Tensor, styles: Sequence[Style], params: OptimizationParams, networks: Networks, generator: torch.Generator
) -> Tensor:
    """Return the picture to begin with, [1,3,H,W]."""
    if params.start == "noise":
        return torch.rand(content.shape, generator=generator).to(content.device)
    if params.start == "colors":
        return restyle(content, statistics(content), statistics(styles[0].image)).clamp(0, 1)
    if params.start == "adain":
        with torch.inference_mode():
            seen, target = networks.encode(content), transfer.style_statistics(styles, networks)
            stylized = networks.restyle(seen.features, seen.statistics, target)
            picture = networks.decode(stylized, content.shape[2:])
        return picture.clone()  # no inference tensor
    return content


def scale_factors(size: Sequence[int], scales: int) -> list[float]:
    """Return by how much a picture is scaled down for each scale, from coarse to 1; those too coarse are left out."""
    factors = [2 ** (-0.5 * (scales - 1 - number)) for number in range(scales)]
    return [each for each in factors if each == 1 or each * min(size) >= LEAST]


def _share(steps: int, scales: int, number: int) -> int:
    return (number + 1) * steps // scales - number * steps // scales


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
    return abs(value) < float("inf")  # false for what is no number, too


def _seconds(start: float) -> dict[str, float]:
    return {"optimize": time.perf_counter() - start}
