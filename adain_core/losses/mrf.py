"""The Markov random field loss (Li & Wand, CVPR 2016): every patch of the features to the style's most similar one.

Patches are 3x3, similarity is normalized cross-correlation, and the loss the mean squared distance to the chosen patch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Cost, SizeError, StyleLoss

SIZE = 3
CHUNK = 2**23  # products computed at once, which bounds memory: 32 MiB
TINY = 1e-12


def check(x: Tensor, size: int) -> None:
    """Refuse features [N,C,H,W] that are smaller than a patch, by a ValueError."""
    if min(x.shape[2:]) < size:
        raise SizeError(
            f"A picture's features have {x.shape[3]}x{x.shape[2]} pixels here, fewer than a patch of {size}x{size};"
            " choose a larger picture or a shallower layer."
        )


def patches(x: Tensor, size: int = SIZE, stride: int = 1) -> Tensor:
    """Lay out every patch, [1,C,H,W] -> [P,C size size].

    Raises:
        ValueError: the features are smaller than a patch.
    """
    check(x, size)
    return F.unfold(x, size, stride=stride)[0].T


def nearest(x: Tensor, style: Tensor, size: int = SIZE, stride: int = 1) -> Tensor:
    """Find for each patch the style's of highest normalized cross-correlation.

    A patch's correlation is the sum of its pixels', so these are multiplied once and added up along diagonals: as many
    times fewer products as a patch has pixels. Rows are taken in chunks, which bounds memory.

    Args:
        x: features, [1,C,H,W].
        style: features, [1,C,h,w].
        size: of a patch, in pixels.
        stride: from one patch of `x` to the next.

    Returns:
        [P] for the patches of `x`, as `patches` has them with that stride: places among those of `style` with stride 1.

    Raises:
        ValueError: the features of either are smaller than a patch.
    """
    check(x, size)
    check(style, size)
    height, width = style.shape[2:]
    pixels = style[0].flatten(1)  # [C,hw]
    energy = pixels.square().sum(0).view(1, 1, height, width)
    lengths = F.avg_pool2d(energy, size, 1).flatten().clamp_min(TINY).sqrt()  # of x's patches, the order isn't changed
    tops = range(0, x.shape[2] - size + 1, stride)
    rows = max(1, CHUNK // (x.shape[3] * pixels.shape[1]) // stride)
    found = []
    for first in range(0, len(tops), rows):
        part = tops[first : first + rows]
        seen = x[0, :, part[0] : part[-1] + size]  # [C,r,W]
        products = (seen.flatten(1).T @ pixels).view(*seen.shape[1:], height, width)
        for axis in (0, 1):  # rows of both pictures, then columns of both
            own, other = seen.shape[1 + axis] - size + 1, style.shape[2 + axis] - size + 1
            products = sum(
                products.narrow(axis, shift, own).narrow(axis + 2, shift, other) for shift in range(1, size)
            ) + products.narrow(axis, 0, own).narrow(axis + 2, 0, other)
        chosen = products[::stride, ::stride].flatten(2).flatten(0, 1) / lengths  # [patches,patches of style]
        found.append(chosen.argmax(1))
    return torch.cat(found)


def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Keep a style's patches and return the loss; see StyleLoss.

    At each pixel the squared distances to the patches that cover it are their number times that to their mean, and a
    rest that doesn't move with the features: so the features' own patches are never laid out.
    """
    del generator
    target = patches(style).T  # [9C,S], as it lies in memory
    energies = torch.linalg.vector_norm(target, dim=0).square()  # [S]

    def loss(x: Tensor) -> Tensor:
        with torch.no_grad():
            places = nearest(x, style)  # [P]
            ones = torch.ones(1, SIZE * SIZE, len(places), device=x.device, dtype=x.dtype)
            covered = F.fold(ones, x.shape[2:], SIZE)  # [1,1,H,W]
            mean = F.fold(target[:, places][None], x.shape[2:], SIZE) / covered
            rest = energies[places].sum() - (covered * mean.square()).sum()
        found = (covered * (x - mean).square()).sum() + rest
        return found / (len(target) * len(places)) if reduction == "mean" else found

    return loss


LOSS = StyleLoss(
    name="mrf",
    title="Patches (MRF)",
    paper="Li & Wand 2016 (CNNMRF)",
    summary="Each small patch, compared with the most similar patch of the painting.",
    make=make,
    layers=("relu3_1", "relu4_1"),
    cost=Cost(passes=6.0, pairs=1.5e-4, bytes=1600.0),
)
