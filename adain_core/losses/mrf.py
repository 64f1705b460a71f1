"""The Markov random field loss (Li & Wand, CVPR 2016): each patch of the features against the style's most similar one.

Patches are 3x3, similarity is normalized cross-correlation, and the loss is the mean squared distance to the match.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Cost, SizeError, StyleLoss

SIZE = 3
CHUNK = 2**23  # products computed at once, to bound memory at 32 MiB
TINY = 1e-12


def check(x: Tensor, size: int) -> None:
    """Raise a SizeError for features [N,C,H,W] that are smaller than a patch."""
    if min(x.shape[2:]) < size:
        raise SizeError(
            f"A picture's features have {x.shape[3]}x{x.shape[2]} pixels here, fewer than a patch of {size}x{size};"
            " choose a larger picture or a shallower layer."
        )


def patches(x: Tensor, size: int = SIZE, stride: int = 1) -> Tensor:
    """Extract every patch, [1,C,H,W] -> [P,C size size].

    Raises:
        ValueError: the features are smaller than a patch.
    """
    check(x, size)
    return F.unfold(x, size, stride=stride)[0].T


def nearest(x: Tensor, style: Tensor, size: int = SIZE, stride: int = 1) -> Tensor:
    """Find the style patch with the highest normalized cross-correlation for each patch.

    A patch's correlation is the sum of its pixels', so pixels are multiplied once and summed along diagonals, which
    saves a factor of the number of pixels in a patch. Rows are processed in chunks to bound memory.

    Args:
        x: features, [1,C,H,W].
        style: features, [1,C,h,w].
        size: side of a patch in pixels.
        stride: step between patches of `x`.

    Returns:
        [P]: for each patch of `x`, as `patches` returns them, the index of its match in `style`, at stride 1.

    Raises:
        ValueError: either set of features is smaller than a patch.
    """
    check(x, size)
    check(style, size)
    height, width = style.shape[2:]
    pixels = style[0].flatten(1)  # [C,hw]
    energy = pixels.square().sum(0).view(1, 1, height, width)
    lengths = F.avg_pool2d(energy, size, 1).flatten().clamp_min(TINY).sqrt()  # x's norms don't affect the ranking
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
    """Return the loss, which keeps the style's patches; see StyleLoss.

    At each pixel, the squared distances to the patches that cover it sum to their number times the squared distance to
    their mean, plus a constant, so the patches of the features themselves never need to be extracted.
    """
    del generator
    target = patches(style).T  # [9C,S], the memory layout
    energies = torch.linalg.vector_norm(target, dim=0).square()  # [S]

    def loss(x: Tensor) -> Tensor:
        with torch.no_grad():
            matches = nearest(x, style)  # [P]
            ones = torch.ones(1, SIZE * SIZE, len(matches), device=x.device, dtype=x.dtype)
            covered = F.fold(ones, x.shape[2:], SIZE)  # [1,1,H,W]
            mean = F.fold(target[:, matches][None], x.shape[2:], SIZE) / covered
            rest = energies[matches].sum() - (covered * mean.square()).sum()
        found = (covered * (x - mean).square()).sum() + rest
        return found / (len(target) * len(matches)) if reduction == "mean" else found

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
