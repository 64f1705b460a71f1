"""CORAL: the distance between covariances at one layer (Sun & Saenko 2016; for styles, Peng & Saenko 2017)."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Cost, StyleLoss


def covariance(x: Tensor) -> Tensor:
    """Return the covariance of the channels over the pixels (1/HW), [1,C,H,W] -> [C,C]."""
    rows = x[0].flatten(1)  # [C,HW]
    rows = rows - rows.mean(1, keepdim=True)
    return rows @ rows.T / rows.shape[1]


def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Return the loss |Cov(x) - Cov(s)|^2 / 4 C^2, without C^2 for "sum"; see StyleLoss."""
    del generator
    target = covariance(style)
    return lambda x: F.mse_loss(covariance(x), target, reduction=reduction) / 4


LOSS = StyleLoss(
    name="coral",
    title="CORAL",
    paper="Sun & Saenko 2016; Peng & Saenko 2017",
    summary="Covariance between channels, without their means.",
    make=make,
    cost=Cost(passes=9.5),
)
