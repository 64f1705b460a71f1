"""The Markov random field loss (Li & Wand, CVPR 2016): each patch of the features against the style's most similar one.

Patches are 3x3, two pixels apart as in the released code, similarity is normalized cross-correlation, and the loss is
the mean squared distance to the match. The style's patches come from its image at seven scales and three angles.

Departs from the paper, to bound time and memory: of all these patches, MOST are kept, evenly spaced in each image, and
up to half of them are those of the image as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Cost, SizeError, StyleLoss

SIZE = 3
STRIDE = 2
SCALES = [1.05**power for power in range(-3, 4)]  # 0.86 to 1.16
ANGLES = (-math.pi / 24, 0.0, math.pi / 24)
TRANSFORMS = [(scale, angle) for scale in SCALES for angle in ANGLES if (scale, angle) != (1.0, 0.0)]
MOST = 4096  # patches of a style that are kept
CHUNK = 1024  # patches matched at once, to bound memory at 16 MiB
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


def views(image: Tensor) -> Iterator[Tensor]:
    """Yield a style's image [1,3,h,w] in each of TRANSFORMS."""
    return (view(image, *each) for each in TRANSFORMS)


def view(image: Tensor, scale: float, angle: float) -> Tensor:
    """Scale and rotate an image [1,3,h,w] in [0,1]; what remains is the largest part of its shape within it."""
    height, width = image.shape[2:]
    inside = 1 / (math.cos(angle) + max(height / width, width / height) * abs(math.sin(angle)))
    across, along = inside * math.cos(angle), inside * math.sin(angle)
    theta = image.new_tensor([[[across, -along * height / width, 0], [along * width / height, across, 0]]])
    size = [max(1, round(scale * inside * side)) for side in (height, width)]
    grid = F.affine_grid(theta, [1, 3, *size], align_corners=False)
    return F.grid_sample(image, grid, mode="bicubic", padding_mode="border", align_corners=False).clamp(0, 1)


def make(
    style: Tensor, generator: torch.Generator, reduction: str = "mean", of_views: Iterable[Tensor] = ()
) -> Callable[[Tensor], Tensor]:
    """Return the loss, which keeps the style's patches; see StyleLoss.

    At each pixel, the squared distances to the patches that cover it sum to their number times the squared distance to
    their mean, plus a constant, so the distances themselves never need to be computed.
    """
    del generator
    target = pool(style, of_views).T  # [9C,S], the memory layout
    lengths = torch.linalg.vector_norm(target, dim=0)  # [S]

    def loss(x: Tensor) -> Tensor:
        x = _pad(x)
        with torch.no_grad():
            own = patches(x, stride=STRIDE).split(CHUNK)  # type: ignore[no-untyped-call]
            unit = lengths.clamp_min(TINY)  # x's norms don't affect the ranking
            matches = torch.cat([(each @ target / unit).argmax(1) for each in own])  # [P]
            ones = torch.ones(1, SIZE * SIZE, len(matches), device=x.device, dtype=x.dtype)
            covered = F.fold(ones, x.shape[2:], SIZE, stride=STRIDE)  # [1,1,H,W]
            mean = F.fold(target[:, matches][None], x.shape[2:], SIZE, stride=STRIDE) / covered
            rest = lengths[matches].square().sum() - (covered * mean.square()).sum()
        found = (covered * (x - mean).square()).sum() + rest
        return found / (len(target) * len(matches)) if reduction == "mean" else found

    return loss


def pool(style: Tensor, of_views: Iterable[Tensor] = ()) -> Tensor:
    """Collect a style's patches, [S,9C], at most MOST.

    Args:
        style: features of its image, [1,C,h,w].
        of_views: features of its views, [1,C,h,w] each; those smaller than a patch are left out.

    Raises:
        ValueError: the style's features are smaller than a patch.
    """
    found = [_spaced(style, MOST // 2)]
    share = (MOST - len(found[0])) // len(TRANSFORMS)
    return torch.cat(found + [_spaced(x, share) for x in of_views if min(x.shape[2:]) >= SIZE])


def _spaced(x: Tensor, most: int) -> Tensor:
    """Extract patches and keep evenly spaced ones, at most `most`, [1,C,H,W] -> [P,9C]."""
    found = patches(_pad(x), stride=STRIDE)
    return found[:: math.ceil(len(found) / most)].clone()  # without the others' memory


def _pad(x: Tensor) -> Tensor:
    """Repeat the last row and column where no patch would reach them."""
    check(x, SIZE)
    height, width = x.shape[2:]
    return F.pad(x, (0, (width - SIZE) % STRIDE, 0, (height - SIZE) % STRIDE), "replicate")


LOSS = StyleLoss(
    name="mrf",
    title="Patches (MRF)",
    paper="Li & Wand 2016 (CNNMRF)",
    summary="Each small patch, compared with the most similar patch of the painting.",
    make=make,
    views=views,
    layers=("relu3_1", "relu4_1"),
    cost=Cost(passes=12.0, bytes=2000.0),
)
