"""Regions: each part of the content takes a style of its own (Huang & Belongie 2017, section 7.3).

The paper does AdaIN on each region of the features by itself. Here masks are soft: a region's statistics are weighted
by its mask (Eqs. 5, 6 with weights), and where regions meet, their features are mixed by the masks: there is no seam.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import Field
from torch import Tensor

from adain_core import contracts
from adain_core.normalization import Statistics, statistics, weighted_statistics

MOST = 16  # regions of a run


class Params(contracts.Params):
    """How regions meet."""

    feather: float = Field(
        4.0,
        ge=0,
        le=256,
        title="Feather",
        description="How softly regions meet: standard deviation of the blur of their masks, in pixels of the result.",
    )


def split(labels: Image.Image) -> dict[int, Image.Image]:
    """Split a label map into masks: each value, of a picture with a palette or in grey, is a region.

    Raises:
        ValueError: there are more than 16 regions, or the picture has neither a palette nor one channel.
    """
    if labels.mode not in ("1", "L", "P"):
        raise ValueError(
            f"A label map must be grey or have a palette, but this picture's colors are {labels.mode}; save it with"
            " one channel, where each value is a region."
        )
    values = np.asarray(labels)
    found = [int(value) for value in np.unique(values)]
    if len(found) > MOST:
        raise ValueError(f"This label map has {len(found)} regions; at most {MOST} are taken.")
    return {value: Image.fromarray((values == value).astype(np.uint8) * 255) for value in found}


def fit(mask: Image.Image, size: tuple[int, int], feather: float = 0) -> Tensor:
    """Bring a grey mask to a size, soften it, and return it as [1,1,H,W] in [0,1]."""
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.BILINEAR)
    values = np.array(mask, np.float32) / 255
    softened = cv2.GaussianBlur(values, (0, 0), feather) if feather else values
    return torch.from_numpy(softened)[None, None]


def cover(masks: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Share out every pixel: masks that sum to more than 1 are divided by their sum.

    Args:
        masks: [1,1,H,W] in [0,1] each; there may be none.
        size: H and W.

    Returns:
        [R+1,1,H,W] that sum to 1; the last is what the masks leave.
    """
    each = torch.cat([*masks, torch.zeros(0, 1, *size)])
    total = each.sum(0, keepdim=True)
    return torch.cat([each / total.clamp_min(1), (1 - total).clamp_min(0)])


def step(layer: str) -> int:
    """Return how many pixels of the picture, along a side, one of a layer's stands for."""
    return 2 ** (int(layer[4]) - 1)


def pool(masks: Tensor, layer: str) -> Tensor:
    """Bring masks to the resolution of a layer's features by area averaging, [R,1,H,W] -> [R,1,h,w]."""
    return F.avg_pool2d(masks, step(layer), ceil_mode=True)


def measure(x: Tensor, shares: Tensor | None) -> tuple[Tensor, Statistics]:
    """Return the weight and the statistics of each region, or of all pixels where there are no shares.

    Args:
        x: features, [1,C,h,w].
        shares: [R,1,h,w].
    """
    if shares is None:
        return torch.tensor(float(x[0, 0].numel()), device=x.device), statistics(x)
    return shares.sum((2, 3), keepdim=True), weighted_statistics(x, shares)


def restyle(x: Tensor, own: Statistics, target: Statistics, shares: Tensor) -> Tensor:
    """AdaIN of each region with its own statistics, mixed by the regions' shares (Eq. 8); Eq. 14 where shares lack.

    Args:
        x: features, [1,C,h,w].
        own: statistics of each region, [R,C,1,1].
        target: each region's style's, [R,C,1,1].
        shares: [R,1,h,w]; what they lack from 1 keeps the features as they are.

    Returns:
        [1,C,h,w].
    """
    scale = (target.std / own.std).flatten(1)  # [R,C]
    shift = target.mean.flatten(1) - own.mean.flatten(1) * scale
    rows = shares.flatten(1).T.to(x.dtype)  # [hw,R]
    gain, offset = (
        torch.mm(rows, each.to(x.dtype)).view(*x.shape[2:], -1).permute(2, 0, 1)[None] for each in (scale - 1, shift)
    )  # [1,C,h,w], channels last
    return torch.addcmul(x + offset, x, gain)


def stack(each: Sequence[Mapping[str, Statistics]], layer: str) -> Statistics:
    """Lay several pictures' statistics of a layer over one another, [R,C,1,1]."""
    return Statistics(torch.cat([one[layer].mean for one in each]), torch.cat([one[layer].std for one in each]))
