"""Style swap: each patch of the photograph's features becomes the painting's most similar one (Chen & Schmidt 2016).

Departs from the paper: it swaps at relu3_1 and makes the picture by optimization or by an inverse network of its own;
here AdaIN's decoder is the inverse network, so the swap is where that begins, at relu4_1, and with `compact` at relu3_1
as well; its shallowest level gets AdaIN. Patches are found by matrix products in chunks, not by one convolution, which
gives the same and bounds memory.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core import feature_space
from adain_core.contracts import Method, Step, Style
from adain_core.losses.mrf import nearest, patches
from adain_core.networks import Networks
from adain_core.normalization import adain

LAYERS = ("relu4_1", "relu3_1")


class Params(feature_space.Params):
    """How strongly to stylize, and by which patches."""

    patch: int = Field(3, ge=1, le=7, title="Patch size", description="Side of a patch, in pixels of the features.")
    stride: int = Field(1, ge=1, le=7, title="Stride", description="From one patch to the next; more is faster.")


def swap(x: Tensor, style: Tensor, size: int = 3, stride: int = 1) -> Tensor:
    """Replace each patch by the style's of highest normalized cross-correlation; overlaps are averaged.

    Args:
        x: features, [N,C,H,W].
        style: features, [1,C,h,w].
        size: of a patch, in pixels, or less where features have fewer; the stride is at most that.
        stride: from one of the content's patches to the next; all of the style's are looked at.

    Returns:
        [N,C,H,W]; pixels at the border that no patch reaches keep their features.
    """
    size = min(size, *x.shape[2:], *style.shape[2:])
    stride, target = min(stride, size), patches(style, size)
    covered = F.fold(torch.ones_like(patches(x[:1], size, stride)).T[None], x.shape[2:], size, stride=stride)
    found = []
    for each in x.split(1):  # type: ignore[no-untyped-call]
        chosen = target[nearest(patches(each, size, stride), target)]
        found.append(F.fold(chosen.T[None], x.shape[2:], size, stride=stride) / covered.clamp_min(1))
    return torch.where(covered > 0, torch.cat(found), x)


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Stylize in one pass; yields one Step."""

    def transform(x: Tensor, style: Tensor, layer: str) -> Tensor:
        return swap(x, style, params.patch, params.stride) if layer in LAYERS else adain(x, style)

    return feature_space.transfer(content, styles, params, networks, transform)


METHOD = Method(
    name="style_swap",
    title="Style swap",
    paper="Chen & Schmidt 2016",
    summary="Puts the painting's most similar patch in the place of each patch of the photograph's features.",
    params=Params,
    run=run,
)
