"""The Gram loss at one layer (Gatys, Ecker & Bethge, CVPR 2016), as a mean over the matrix's entries.

The paper writes G_ij = sum_k F_ik F_jk over the M pixels and E = sum (G - A)^2 / (4 N^2 M^2) for N channels. Here G is
divided by M, so that pictures of different sizes are comparable, and the loss is the mean of (G - A)^2, or for "sum" E
itself, a quarter of that mean.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from adain_core.contracts import Cost, StyleLoss


def gram_matrix(x: Tensor) -> Tensor:
    """Return products of channels averaged over the pixels, [N,C,H,W] -> [N,C,C]."""
    return _Gram.apply(x)  # type: ignore[no-untyped-call]


class _Gram(torch.autograd.Function):
    """Needs one matrix product in the backward pass, dL/dx = (g + g') x / M, where autograd would add two."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        rows = x.flatten(2)  # [N,C,HW]
        return rows @ rows.mT / rows.shape[2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        rows = x.permute(0, 2, 3, 1).flatten(1, 2)  # [N,HW,C], the channels_last layout
        slope = rows @ ((grad + grad.mT) / rows.shape[1])
        return slope.unflatten(1, x.shape[2:]).permute(0, 3, 1, 2)  # [N,C,H,W]


def gram(own: Tensor, style: Tensor) -> Tensor:
    """Return the mean squared difference of Gram matrices.

    Args:
        own: [N,C,C].
        style: [N,C,C] or [1,C,C].

    Returns:
        [N].
    """
    return (own - style).square().mean((1, 2))


def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Return the loss, which keeps the style's Gram matrix; see StyleLoss."""
    del generator
    target = gram_matrix(style)
    unit = 1.0 if reduction == "mean" else 0.25
    return lambda x: unit * F.mse_loss(gram_matrix(x), target)


LOSS = StyleLoss(
    name="gram",
    title="Gram matrices",
    paper="Gatys, Ecker & Bethge 2016",
    summary="Correlations between channels (Gram matrices), over the whole picture.",
    make=make,
    cost=Cost(passes=3.3),
)
