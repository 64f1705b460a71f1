"""The histogram loss (Wilmot, Risser & Barnes 2017): each channel moves to the style's histogram.

    sum |x - R(x)|^2, where R maps x to the style's values by rank and is constant for the gradient

Departures from the paper, which adds it to a Gram loss at relu1_1 and relu4_1: here it is used on its own, and if sizes
differ, the style's sorted values are interpolated to the content's count instead of binned into 256 bins.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Cost, StyleLoss


def remap(x: Tensor, style: Tensor) -> Tensor:
    """Replace each channel's values by the style's of the same rank.

    Args:
        x: features, [N,C,H,W].
        style: features, [1,C,h,w].

    Returns:
        [N,C,H,W]: the smallest value of a channel becomes the style's smallest, and so on.
    """
    return _by_rank(x, _values(style, x[0, 0].numel()))


def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Return the loss, which keeps the style's sorted values; see StyleLoss."""
    del generator
    cached: dict[int, Tensor] = {}

    def loss(x: Tensor) -> Tensor:
        count = x[0, 0].numel()
        if count not in cached:
            cached[count] = _values(style, count)
        return F.mse_loss(x, _by_rank(x.detach(), cached[count]), reduction=reduction)

    return loss


def _values(style: Tensor, count: int) -> Tensor:
    values = style.flatten(2).sort().values  # [1,C,hw]
    if values.shape[2] == count:
        return values
    return F.interpolate(values, count, mode="linear", align_corners=True)


def _by_rank(x: Tensor, values: Tensor) -> Tensor:
    rows = x.flatten(2)  # [N,C,HW]
    return torch.empty_like(rows).scatter_(2, rows.argsort(stable=True), values.expand_as(rows)).view(x.shape)


LOSS = StyleLoss(
    name="histogram",
    title="Histograms",
    paper="Wilmot, Risser & Barnes 2017",
    summary="The whole histogram of each channel.",
    make=make,
    cost=Cost(passes=60.0),
)
