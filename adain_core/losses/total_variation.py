"""Anisotropic total variation, a regularizer against noise (Rudin, Osher & Fatemi 1992)."""

from __future__ import annotations

from torch import Tensor


def total_variation(image: Tensor) -> Tensor:
    """Return the mean absolute difference of horizontal neighbors plus that of vertical neighbors.

    Args:
        image: [N,C,H,W], at least 2 pixels on a side.

    Returns:
        [N]; 2 for a checkerboard of 0 and 1.
    """
    across = (image[..., 1:] - image[..., :-1]).abs().mean((1, 2, 3))
    down = (image[..., 1:, :] - image[..., :-1, :]).abs().mean((1, 2, 3))
    return across + down
