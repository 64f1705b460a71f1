"""The Gram loss at one layer (Gatys, Ecker & Bethge, CVPR 2016), as a mean over the matrix's entries.

The paper writes G_ij = sum_k F_ik F_jk over the M pixels and E = sum (G - A)^2 / (4 N^2 M^2) for N channels. Here G is
divided by M, so that pictures of different sizes compare, and the loss is the mean of (G - A)^2: 4 E for equal sizes.
"""

from __future__ import annotations

from torch import Tensor


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
