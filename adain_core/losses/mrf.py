"""The Markov random field loss (Li & Wand, CVPR 2016): every patch of the features to the style's most similar one.

Patches are 3x3, similarity is normalized cross-correlation, and the loss the mean squared distance to the chosen patch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import StyleLoss

SIZE = 3
CHUNK = 2**24  # similarities computed at once, which bounds memory: 64 MiB


def patches(x: Tensor, size: int = SIZE, stride: int = 1) -> Tensor:
    """Lay out every patch, [1,C,H,W] -> [P,C size size].

    Raises:
        ValueError: the features are smaller than a patch.
    """
    if min(x.shape[2:]) < size:
        raise ValueError(
            f"A picture's features have {x.shape[3]}x{x.shape[2]} pixels here, fewer than a patch of {size}x{size};"
            " choose a larger picture or a shallower layer."
        )
    return F.unfold(x, size, stride=stride)[0].T


def nearest(x: Tensor, style: Tensor) -> Tensor:
    """Return for each patch of `x` [P,D] the place of the patch of `style` [S,D] of highest cosine."""
    normal = F.normalize(style, dim=1)  # x's own length doesn't change the order
    rows = max(1, CHUNK // len(style))
    return torch.cat([(part @ normal.T).argmax(1) for part in torch.split(x, rows)])


def make(style: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Keep a style's patches and return the loss; see StyleLoss."""
    del generator
    target = patches(style)

    def loss(x: Tensor) -> Tensor:
        own = patches(x)
        with torch.no_grad():
            chosen = nearest(own, target)
        return (own - target[chosen]).square().mean()

    return loss


LOSS = StyleLoss(
    name="mrf",
    title="Patches (MRF)",
    paper="Li & Wand 2016 (CNNMRF)",
    summary="Every small patch, to the painting's most similar one.",
    make=make,
    layers=("relu3_1", "relu4_1"),
)
