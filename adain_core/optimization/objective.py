"""The objective of optimizing a picture: content, style losses, and smoothness (Gatys, Ecker & Bethge 2016, Eq. 7).

    L = w_c L_content + w_s sum_k share_k sum_l share_l L_k,l + w_tv TV

Departures from the papers:
- In `relative` units, each style loss is divided, at each layer, by its value for the unmodified content, and the
  content loss by the variance of its target. A loss of 1 then means "as far from the style as the photograph is", and
  weights have the same meaning for every loss, layer, network, and size. In `absolute` units, losses are as in their
  papers, with L_content = 1/2 sum (F - P)^2 if errors are summed.
- The picture is shifted by a few pixels at every step, cycling through eight positions, as is usual when optimizing the
  input of a network (Mordvintsev et al. 2015). A network with strides samples the picture on a grid, and without shifts
  the optimization exploits what falls between. The content target is shifted in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
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

CONTENT = ("relu4_2", "relu4_1")  # the first one that the networks have is used
CONTENT_WEIGHT = {"mrf": 10.0, "adversarial": 20.0}  # factors by style loss, tuned so that each loss makes a decent
TV_WEIGHT = {"adversarial": 3.3}  # picture with the default weights; 1 for the other losses
TINY = 1e-12
ALIKE, EMPTY_SHARE = 1e-8, 0.01  # below ALIKE, a unit is this share of the loss of zero features
GRID = [(5 * n % 8, 3 * n % 8) for n in range(8)]  # shifts within 8x8 pixels that repeat no row and no column
Term = tuple[float, Callable[[Features], Tensor]]  # a weight and a term of the objective


class ContentTarget(NamedTuple):
    """The target of the content loss.

    Attributes:
        layers: groups of layers to compare; the first group of which the networks have every layer is used.
        make: maps the features of the content and those of each style, by layer, to the target features.
    """

    layers: Sequence[tuple[str, ...]]
    make: Callable[[Features, Sequence[Features]], Features]


OWN_CONTENT = ContentTarget([(layer,) for layer in CONTENT], lambda own, _: own)


class SeenStyle(NamedTuple):
    """A style with its features by layer.

    Attributes:
        style: the image and its weight.
        features: the image's features.
        see: function that maps an image to its features.
    """

    style: Style
    features: Features
    see: Callable[[Tensor, Collection[str]], Features]


class Plan(NamedTuple):
    """The layers of a run: those of the content loss, those of each style loss with their shares, and a description."""

    content: tuple[str, ...]
    styles: Mapping[StyleLoss, Mapping[str, float]]
    pooling: str
    words: str


def shares(text: str, what: str) -> dict[str, float]:
    """Parse names with shares from text such as `relu3_1=2, relu4_1`; the default share is 1.

    Raises:
        ValueError: a share is not a nonnegative number.
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
    """Choose the layers of each loss among those that the networks have.

    Raises:
        ValueError: the networks have none of the requested layers.
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
        styles: styles whose weights sum to 1.
        losses: style losses with their shares.
        params: weights, layers, and units.
        networks: networks whose features are compared.
        generator: source of the losses' random choices.
        target: target of the content loss.

    Returns:
        A function that maps an image, [1,3,H,W], to the total and the terms `style`, `content`, `smoothness`, `total`.

    Raises:
        ValueError: see `plan`; or a style is too small for a loss.
    """
    chosen = plan(losses, params, networks, target)
    every = sorted({*chosen.content, *(layer for each in chosen.styles.values() for layer in each)})

    def features(image: Tensor, layers: Collection[str] = every) -> Features:
        return networks.perceptual(image, layers, chosen.pooling)

    def content_target(own: Features) -> Features:
        made = target.make(own, of_styles)
        return {layer: made[layer] for layer in chosen.content}

    shifts = GRID[: params.shifts]
    with torch.no_grad():
        own, of_styles = features(content), [features(style.image) for style in styles]
        targets, turns = {shifts[0]: content_target(own)}, cycle(shifts)
    seen_styles = [SeenStyle(style, each, features) for style, each in zip(styles, of_styles, strict=True)]
    terms = [
        term
        for loss, share in losses.items()
        for term in style_terms(loss, share, chosen.styles[loss], own, seen_styles, generator, params)
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
    styles: Sequence[SeenStyle],
    generator: torch.Generator,
    params: ObjectiveParams,
) -> list[Term]:
    """Return the terms of a style loss: weighted functions of an image's features, in the units of `params`.

    Args:
        loss: a loss at single layers or across layers.
        share: share of this loss.
        layers: the layers that it compares, with their shares.
        content: features of the content.
        styles: the styles with their features.
        generator: source of the loss's random choices.
        params: units and reduction.
    """
    terms: list[Term] = []
    whole = sum(layers.values())
    for layer, part in layers.items() if loss.make_across is None else [(None, whole)]:
        each = [(one.style.weight, _make(loss, layer, one, content, generator, params.reduction)) for one in styles]
        scale = share * part / (whole * max(_unit(each, content, params), TINY))
        terms += [(scale * weight, one) for weight, one in each]
    return terms


@torch.no_grad()
def _make(
    loss: StyleLoss, layer: str | None, seen: SeenStyle, content: Features, generator: torch.Generator, reduction: str
) -> Callable[[Features], Tensor]:
    """Make the loss for a style at one layer, or across layers if `layer` is None."""
    if layer is None:
        assert loss.make_across is not None
        return loss.make_across(seen.features, content, generator, reduction)
    assert loss.make is not None
    given = [(seen.see(view, [layer])[layer] for view in loss.views(seen.style.image))] if loss.views else []
    one = loss.make(seen.features[layer], generator, reduction, *given)
    return lambda features: one(features[layer])


@torch.no_grad()
def _unit(each: Sequence[Term], content: Features, params: ObjectiveParams) -> float:
    """Return the content's value of a loss, or, if that vanishes, EMPTY_SHARE of the loss of zero features."""
    if params.units == "absolute":
        return 1.0
    unit: Any = sum(abs(weight) * one(content) for weight, one in each)
    if unit < ALIKE:
        empty = {layer: torch.zeros_like(x) for layer, x in content.items()}
        unit = max(unit, EMPTY_SHARE * sum(abs(weight) * one(empty) for weight, one in each))
    return float(unit)


def _move(image: Tensor, shift: tuple[int, int]) -> Tensor:
    """Shift an image down and to the right by some pixels, with reflection padding."""
    return F.pad(image, (shift[1], 0, shift[0], 0), "reflect") if any(shift) else image


def _mean(losses: Mapping[StyleLoss, float], weights: Mapping[str, float]) -> float:
    """Average the factors of the losses, weighted by their shares; 1 without losses."""
    if not losses:
        return 1.0
    return sum(share * weights.get(loss.name, 1.0) for loss, share in losses.items()) / sum(losses.values())


def _distance(x: Tensor, target: Tensor, params: ObjectiveParams) -> Tensor:
    if params.units == "absolute":
        return F.mse_loss(x, target, reduction=params.reduction) / (2 if params.reduction == "sum" else 1)
    return F.mse_loss(x, target) / spread(target).clamp_min(TINY)
