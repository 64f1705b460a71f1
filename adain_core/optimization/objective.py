"""What an optimization of a picture minimizes: content, style losses, smoothness (Gatys, Ecker & Bethge 2016, Eq. 7).

    L = w_c L_content + w_s sum_k share_k sum_l share_l L_k,l + w_tv TV

Departs from the papers in its units, where they are `relative`: each style loss is divided, at each layer, by what the
content itself has, and the content loss by the variance of what it holds on to. So weights mean the same for every
loss, layer, network and size: 1 is "as far from the style as the photograph is". In `absolute` units losses are as
their papers write them, L_content = 1/2 sum (F - P)^2 where errors are summed.

A network with strides sees a picture by a grid, and an optimization finds what falls between. So, unlike in the papers,
the picture is moved by some pixels at each step, to the next of eight places on the grid, as is usual where a picture
is made to please a network (Mordvintsev et al. 2015); what it holds on to is moved along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Features, Style, StyleLoss
from adain_core.losses.total_variation import total_variation
from adain_core.networks.model import Networks
from adain_core.normalization import spread
from adain_core.optimization.params import ObjectiveParams
from adain_core.optimization.pyramid import Loss

CONTENT = ("relu4_2", "relu4_1")  # the first that the networks have
CONTENT_WEIGHT = {"mrf": 10.0, "adversarial": 20.0}  # times the weight given, by style loss, so that each loss makes a
TV_WEIGHT = {"adversarial": 3.3}  # fair picture at the same weights; 1 for the others
TINY = 1e-12
ALIKE, NONE = 1e-8, 0.01  # losses below which a unit is made otherwise, and of what share of an empty picture's
GRID = [(5 * n % 8, 3 * n % 8) for n in range(8)]  # no row and no column of the 8x8 pixels of a feature comes twice
Term = tuple[float, Callable[[Features], Tensor]]  # of a weighted sum


class ContentTarget(NamedTuple):
    """What the content loss compares with.

    Attributes:
        layers: where; of the first group of which the networks have every layer.
        make: of the content's features and each style's, by layer, to those that the picture is to have.
    """

    layers: Sequence[tuple[str, ...]]
    make: Callable[[Features, Sequence[Features]], Features]


OWN_CONTENT = ContentTarget([(layer,) for layer in CONTENT], lambda own, _: own)


class Plan(NamedTuple):
    """Layers of a run: those of the content loss, those of each style loss with their shares, and these in words."""

    content: tuple[str, ...]
    styles: Mapping[StyleLoss, Mapping[str, float]]
    pooling: str
    words: str


def shares(text: str, what: str) -> dict[str, float]:
    """Read names with shares from text such as `relu3_1=2, relu4_1`; one without a share has 1.

    Raises:
        ValueError: a share isn't a number of at least 0.
    """
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, share = part.partition("=")
        try:
            found[name.strip()] = float(share or 1)
        except ValueError:
            found[name.strip()] = -1.0
        if not 0 <= found[name.strip()] < float("inf"):
            raise ValueError(f"In {what}, the share of {name.strip()} is {share}; give a number of at least 0.")
    return found


def plan(losses: Mapping[StyleLoss, float], params: ObjectiveParams, networks: Networks, target: ContentTarget) -> Plan:
    """Choose layers that the networks have.

    Raises:
        ValueError: they have none of those wanted.
    """
    known = networks.layers
    groups = [group for group in target.layers if all(layer in known for layer in group)]
    given = shares(params.layers, "layers")
    wanted = {loss: given or dict.fromkeys(loss.layers, 1.0) for loss in losses}
    found = {loss: {layer: share for layer, share in each.items() if layer in known} for loss, each in wanted.items()}
    empty = [list(wanted[loss]) for loss in losses if not sum(found[loss].values())]
    if not groups:
        empty.append(["+".join(group) for group in target.layers])
    name = networks.loss_name
    if empty:
        raise ValueError(f"{name} has none of the layers {', '.join(empty[0])}; it has {', '.join(known)}.")
    used = sorted({layer for each in found.values() for layer in each})
    lacking = sorted({layer for each in wanted.values() for layer in each} - set(used))
    pooling = params.pooling if params.pooling in networks.poolings else "own"
    words = [f"Optimizes through {name}", f"compares content at {', '.join(groups[0])}"]
    words += [f"compares styles at {', '.join(used)}"] if used else []
    words += [f"{name} has no {', '.join(lacking)}"] if lacking else []
    words += [f"{name} uses strides, so its pooling can't be changed"] if pooling != params.pooling else []
    return Plan(groups[0], found, pooling, f"{'; '.join(words)}.")


def objective(
    content: Tensor,
    styles: Sequence[Style],
    losses: Mapping[StyleLoss, float],
    params: ObjectiveParams,
    networks: Networks,
    generator: torch.Generator,
    target: ContentTarget = OWN_CONTENT,
) -> Loss:
    """Make the function to minimize; see the equation above.

    Args:
        content: [1,3,H,W], RGB in [0,1].
        styles: their weights sum to 1.
        losses: style losses with their shares.
        params: weights, layers, units.
        networks: in whose features pictures are compared.
        generator: of the losses' random choices.
        target: what the content loss compares with.

    Returns:
        Of an image [1,3,H,W] to the total and its terms, `style`, `content`, `smoothness`, `total`.

    Raises:
        ValueError: as `plan`; a style is too small for a loss.
    """
    chosen = plan(losses, params, networks, target)
    every = sorted({*chosen.content, *(layer for each in chosen.styles.values() for layer in each)})

    def features(image: Tensor) -> Features:
        return networks.perceptual(image, every, chosen.pooling)

    def content_target(own: Features) -> Features:
        made = target.make(own, of_styles)
        return {layer: made[layer] for layer in chosen.content}

    shifts = GRID[: params.shifts]
    with torch.no_grad():
        own, of_styles = features(content), [features(style.image) for style in styles]
        targets, turns = {shifts[0]: content_target(own)}, cycle(shifts)
    weights = [style.weight for style in styles]
    terms = [
        term
        for loss, share in losses.items()
        for term in style_terms(loss, share, chosen.styles[loss], own, of_styles, weights, generator, params)
    ]
    content_scale, tv_scale = (_mean(losses, each) for each in (CONTENT_WEIGHT, TV_WEIGHT))
    if params.units == "absolute":
        content_scale = tv_scale = 1.0
    scales = (params.style_weight, params.content_weight * content_scale, params.tv_weight * tv_scale)

    def total(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        shift = next(turns)
        if shift not in targets:
            with torch.no_grad():
                targets[shift] = content_target(features(_move(content, shift)))
        seen, wanted, zero = features(_move(image, shift)), targets[shift], image.new_zeros(())
        found = {
            "style": sum((weight * term(seen) for weight, term in terms), zero),
            "content": sum((_distance(seen[layer], x, params) for layer, x in wanted.items()), zero),
            "smoothness": total_variation(image).sum(),
        }
        found["total"] = sum((scale * term for scale, term in zip(scales, found.values(), strict=True)), zero)
        return found["total"], found

    return total


def style_terms(
    loss: StyleLoss,
    share: float,
    layers: Mapping[str, float],
    content: Features,
    styles: Sequence[Features],
    weights: Sequence[float],
    generator: torch.Generator,
    params: ObjectiveParams,
) -> list[Term]:
    """Return a style loss as weighted functions of an image's features, in its units.

    Args:
        loss: at each layer by itself, or across them.
        share: of this loss.
        layers: where it compares, with their shares.
        content: features of the content.
        styles: features of each style.
        weights: of the styles.
        generator: of the loss's random choices.
        params: units and reduction.
    """
    terms: list[Term] = []
    whole = sum(layers.values())
    for layer, part in layers.items() if loss.make_across is None else [(None, whole)]:
        each = [
            (weight, _make(loss, layer, style, content, generator, params.reduction))
            for weight, style in zip(weights, styles, strict=True)
        ]
        scale = share * part / (whole * max(_unit(each, content, params), TINY))
        terms += [(scale * weight, one) for weight, one in each]
    return terms


def _make(
    loss: StyleLoss, layer: str | None, style: Features, content: Features, generator: torch.Generator, reduction: str
) -> Callable[[Features], Tensor]:
    """Make a loss for a style at one layer, or across all where none is named."""
    if layer is None:
        assert loss.make_across is not None
        return loss.make_across(style, content, generator, reduction)
    assert loss.make is not None
    one = loss.make(style[layer], generator, reduction)
    return lambda features: one(features[layer])


@torch.no_grad()
def _unit(each: Sequence[Term], content: Features, params: ObjectiveParams) -> float:
    """Return what the content has of a loss, or, where that is nothing, a hundredth of what an empty picture has."""
    if params.units == "absolute":
        return 1.0
    unit: Any = sum(abs(weight) * one(content) for weight, one in each)
    if unit < ALIKE:
        empty = {layer: torch.zeros_like(x) for layer, x in content.items()}
        unit = max(unit, NONE * sum(abs(weight) * one(empty) for weight, one in each))
    return float(unit)


def _move(image: Tensor, shift: tuple[int, int]) -> Tensor:
    """Move an image down and to the right by some pixels; what comes in there is its mirror image."""
    return F.pad(image, (shift[1], 0, shift[0], 0), "reflect") if any(shift) else image


def _mean(losses: Mapping[StyleLoss, float], weights: Mapping[str, float]) -> float:
    """Average the losses' weights by their shares; 1 without any."""
    if not losses:
        return 1.0
    return sum(share * weights.get(loss.name, 1.0) for loss, share in losses.items()) / sum(losses.values())


def _distance(x: Tensor, target: Tensor, params: ObjectiveParams) -> Tensor:
    if params.units == "absolute":
        return F.mse_loss(x, target, reduction=params.reduction) / (2 if params.reduction == "sum" else 1)
    return F.mse_loss(x, target) / spread(target).clamp_min(TINY)
