"""The Gram loss at one layer (Gatys, Ecker & Bethge, CVPR 2016), as a mean over the matrix's entries.

The paper writes G_ij = sum_k F_ik F_jk over the M pixels and E = sum (G - A)^2 / (4 N^2 M^2) for N channels. Here G is
divided by M, so that pictures of different sizes compare, and the loss is the mean of (G - A)^2: 4 E for equal sizes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from adain_core.contracts import StyleLoss


def gram_matrix(x: Tensor) -> Tensor:
    """Return the channels' products averaged over the pixels, [N,C,H,W] -> [N,C,C]."""
    rows = x.flatten(2)  # [N,C,HW]
    return rows @ rows.mT / rows.shape[2]


def gram(own: Tensor, style: Tensor) -> Tensor:
    """Mean squared difference of Gram matrices.

    Args:
        own: [N,C,C].
        style: [N,C,C] or [1,C,C].

    Returns:
        [N].
    """
    return (own - style).square().mean((1, 2))


def make(style: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Keep a style's Gram matrix and return the loss; see StyleLoss."""
    del generator
    target = gram_matrix(style)
    return lambda x: gram(gram_matrix(x), target).sum()


LOSS = StyleLoss(
    name="gram",
    title="Gram matrices",
    paper="Gatys, Ecker & Bethge 2016",
    summary="Which channels are active together, over the whole picture.",
    make=make,
)
