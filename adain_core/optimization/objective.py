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
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core.contracts import MethodParams, Style, StyleLoss
from adain_core.losses.total_variation import total_variation
from adain_core.networks.model import Networks
from adain_core.normalization import spread

CONTENT = ("relu4_2", "relu4_1")  # the first that the networks have
TINY = 1e-12
ALIKE, NONE = 1e-8, 0.01  # losses below which a unit is made otherwise, and of what share of an empty picture's
GRID = [(5 * n % 8, 3 * n % 8) for n in range(8)]  # no row and no column of the 8x8 pixels of a feature comes twice
Features = Mapping[str, Tensor]
Loss = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


class Params(MethodParams):
    """What counts how much."""

    content_weight: float = Field(
        0.03, ge=0, le=1e6, title="Content weight", description="Higher keeps more of the photograph's content."
    )
    style_weight: float = Field(
        1.0, ge=0, le=1e6, title="Style weight", description="Higher brings in more of the painting's style."
    )
    tv_weight: float = Field(
        0.4, ge=0, le=1e6, title="Smoothness", description="Higher removes more fine noise (total variation loss)."
    )
    layers: str = Field(
        "",
        max_length=200,
        title="Layers",
        description="Network layers to compare, with weights, such as relu3_1=2, relu4_1. Empty uses the defaults.",
    )
    pooling: Literal["own", "average"] = Field(
        "own",
        title="Pooling",
        description="Average pooling gives smoother pictures (Gatys et al.); compact has no pooling.",
    )
    units: Literal["relative", "absolute"] = Field(
        "relative",
        title="Units of losses",
        description="Relative makes a weight of 1 mean the same for every loss; absolute is as the papers write it.",
    )
    reduction: Literal["mean", "sum"] = Field(
        "mean", title="Reduction", description="With absolute units: average the squared errors, or sum them."
    )
    places: int = Field(
        8,
        ge=1,
        le=8,
        title="Grid shifts",
        description="Shifts the picture a little at each step to avoid a grid pattern; 1 turns this off. Adam only.",
    )


class Anchor(NamedTuple):
    """What the picture holds on to.

    Attributes:
        layers: where; of the first group of which the networks have every layer.
        make: of the content's features and each style's, by layer, to those that the picture is to have.
    """

    layers: Sequence[tuple[str, ...]]
    make: Callable[[Features, Sequence[Features]], Features]


PHOTOGRAPH = Anchor([(layer,) for layer in CONTENT], lambda own, _: own)


class Plan(NamedTuple):
    """Layers of a run: where it holds on, where each loss compares with what share, and these in words."""

    anchor: tuple[str, ...]
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


def plan(losses: Mapping[StyleLoss, float], params: Params, networks: Networks, anchor: Anchor) -> Plan:
    """Choose layers that the networks have.

    Raises:
        ValueError: they have none of those wanted.
    """
    known = networks.layers
    groups = [group for group in anchor.layers if all(layer in known for layer in group)]
    given = shares(params.layers, "layers")
    wanted = {loss: given or dict.fromkeys(loss.layers, 1.0) for loss in losses}
    found = {loss: {layer: share for layer, share in each.items() if layer in known} for loss, each in wanted.items()}
    empty = [list(wanted[loss]) for loss in losses if not sum(found[loss].values())]
    if not groups:
        empty.append(["+".join(group) for group in anchor.layers])
    if empty:
        raise ValueError(f"{networks.name} has none of the layers {', '.join(empty[0])}; it has {', '.join(known)}.")
    used = sorted({layer for each in found.values() for layer in each})
    lacking = sorted({layer for each in wanted.values() for layer in each} - set(used))
    pooling = params.pooling if params.pooling in networks.poolings else "own"
    words = [f"Holds on to {', '.join(groups[0])}"]
    words += [f"compares styles at {', '.join(used)}"] if used else []
    words += [f"{networks.name} has no {', '.join(lacking)}"] if lacking else []
    words += [f"{networks.name} has strides, no pooling to change"] if pooling != params.pooling else []
    return Plan(groups[0], found, pooling, f"{'; '.join(words)}.")


def objective(
    content: Tensor,
    styles: Sequence[Style],
    losses: Mapping[StyleLoss, float],
    params: Params,
    networks: Networks,
    generator: torch.Generator,
    anchor: Anchor = PHOTOGRAPH,
) -> Loss:
    """Make the function to minimize; see the equation above.

    Args:
        content: [1,3,H,W], RGB in [0,1].
        styles: their weights sum to 1.
        losses: style losses with their shares.
        params: weights, layers, units.
        networks: in whose features pictures are compared.
        generator: of the losses' random choices.
        anchor: what to hold on to.

    Returns:
        Of an image [1,3,H,W] to the total and its terms, `style`, `content`, `smoothness`, `total`.

    Raises:
        ValueError: as `plan`; a style is too small for a loss.
    """
    chosen = plan(losses, params, networks, anchor)
    every = sorted({*chosen.anchor, *(layer for each in chosen.styles.values() for layer in each)})
    relative = params.units == "relative"

    def look(image: Tensor) -> Features:
        return networks.perceptual(image, every, chosen.pooling)

    def hold(own: Features) -> Features:
        made = anchor.make(own, targets)
        return {layer: made[layer] for layer in chosen.anchor}

    grid = GRID[: params.places]
    with torch.no_grad():
        own, targets = look(content), [look(style.image) for style in styles]
        held, turns = {grid[0]: hold(own)}, cycle(grid)
    terms = []
    for loss, share in losses.items():
        whole = sum(chosen.styles[loss].values())
        for layer, part in chosen.styles[loss].items():
            made = [loss.make(target[layer], generator, params.reduction) for target in targets]
            each = list(zip((style.weight for style in styles), made, strict=True))
            with torch.no_grad():
                unit = sum(abs(weight) * one(own[layer]) for weight, one in each) if relative else 1.0
                if relative and unit < ALIKE:  # the photograph has the style; an empty picture has not
                    empty = torch.zeros_like(own[layer])
                    unit = max(unit, NONE * sum(abs(weight) * one(empty) for weight, one in each))
            scale = share * part / (whole * max(float(unit), TINY))
            terms += [(layer, scale * weight, one) for weight, one in each]

    firmness, calm = (_mean(losses, each) if relative else 1.0 for each in ("hold", "smooth"))
    weights = (params.style_weight, params.content_weight * firmness, params.tv_weight * calm)

    def total(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        place = next(turns)
        if place not in held:
            with torch.no_grad():
                held[place] = hold(look(_move(content, place)))
        features, fixed = look(_move(image, place)), held[place]
        found = {
            "style": sum((scale * one(features[layer]) for layer, scale, one in terms), image.new_zeros(())),
            "content": sum((_distance(features[layer], x, params) for layer, x in fixed.items()), image.new_zeros(())),
            "smoothness": total_variation(image).sum(),
        }
        found["total"] = sum((weight * term for weight, term in zip(weights, found.values(), strict=True)),
                             image.new_zeros(()))  # fmt: skip
        return found["total"], found

    return total


def _move(image: Tensor, place: tuple[int, int]) -> Tensor:
    """Move an image down and to the right by some pixels; what comes in there is its mirror image."""
    return F.pad(image, (place[1], 0, place[0], 0), "reflect") if any(place) else image


def _mean(losses: Mapping[StyleLoss, float], name: str) -> float:
    """Average a number of the losses by their shares; 1 without any."""
    if not losses:
        return 1.0
    return sum(share * getattr(loss, name) for loss, share in losses.items()) / sum(losses.values())


def _distance(x: Tensor, held: Tensor, params: Params) -> Tensor:
    if params.units == "absolute":
        return F.mse_loss(x, held, reduction=params.reduction) / (2 if params.reduction == "sum" else 1)
    return F.mse_loss(x, held) / spread(held).clamp_min(TINY)
