"""The paper's style loss at one layer (Huang & Belongie 2017, Eq. 13), with squared errors as in the released code.

The paper writes norms, ‖mu - mu_s‖ + ‖sigma - sigma_s‖; squared and averaged over the channels it is also the loss of
Li, Wang, Liu & Hou 2017 ("BN statistics").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from adain_core.contracts import Cost, StyleLoss
from adain_core.normalization import Statistics, statistics


def mean_std(own: Statistics, style: Statistics) -> Tensor:
    """Return the squared errors of mean and standard deviation, averaged over the channels.

    Args:
        own: statistics of the image's features, [N,C,1,1] each.
        style: statistics of the style's features, [N,C,1,1] or [1,C,1,1] each.

    Returns:
        [N].
    """
    return ((own.mean - style.mean).square() + (own.std - style.std).square()).mean((1, 2, 3))


def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Return the loss, which keeps the style's mean and standard deviation; see StyleLoss."""
    del generator
    target = statistics(style)
    count = target.mean.numel() if reduction == "sum" else 1
    return lambda x: count * mean_std(statistics(x), target).sum()


LOSS = StyleLoss(
    name="mean_std",
    title="Mean and standard deviation",
    paper="Li, Wang, Liu & Hou 2017; Huang & Belongie 2017",
    summary="Mean and standard deviation of each channel: what AdaIN matches.",
    make=make,
    cost=Cost(passes=1.4),
)
