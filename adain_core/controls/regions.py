"""Regions: parts of the content with styles of their own (Huang & Belongie 2017, section 7.3).

The paper applies AdaIN to each region of the features separately. Here masks are soft: a region's statistics are
weighted by its mask (Eqs. 5 and 6 with weights), and features are blended by the masks where regions meet, so there is
no seam.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Params
from adain_core.normalization import NUMBERS, Statistics, statistics, weighted_statistics


class RegionParams(Params):
    """Parameters of regions."""

    feather: float = Field(
        4.0,
        ge=0,
        le=256,
        title="Feather",
        description="Softness of the edges between regions, in pixels of the result.",
    )


def split(labels: NDArray[Any]) -> dict[int, Callable[[], Image.Image]]:
    """Split a label map, [H,W], into masks by number; each is made when called, because large ones take memory."""
    return {int(value): functools.partial(_mask_of, labels, int(value)) for value in np.unique(labels)}


def _mask_of(labels: NDArray[Any], value: int) -> Image.Image:
    return Image.fromarray(cv2.inRange(labels, value, value))


def fit(mask: Image.Image, size: tuple[int, int], feather: float = 0) -> Tensor:
    """Resize a grayscale mask, feather it, and return it as [1,1,H,W], uint8 in [0,255]."""
    if mask.size != size:
        mask = mask.resize(size, Image.Resampling.BILINEAR)
    values = np.array(mask)
    softened = cv2.GaussianBlur(values, (0, 0), feather) if feather else values
    return torch.from_numpy(softened)[None, None]


def cut(mask: Tensor, by: Tensor) -> Tensor:
    """Multiply two masks made by `fit`."""
    product = cv2.multiply(mask[0, 0].numpy(), by[0, 0].numpy(), scale=1 / 255)
    return torch.from_numpy(product)[None, None]


def halve(mask: Tensor) -> Tensor:
    """Halve a mask's resolution by area averaging.

    Shares are computed at half resolution, in a quarter of the time; no decoder uses features at a higher one.

    Args:
        mask: [1,1,H,W], in [0,1], or uint8 in [0,255].

    Returns:
        [1,1,h,w], floats in [0,1]; h and w are rounded up, and an odd last row or column counts twice.
    """
    values = levels(mask)[0, 0].numpy()
    height, width = values.shape
    even = cv2.copyMakeBorder(values, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    size = (even.shape[1] // 2, even.shape[0] // 2)
    return torch.from_numpy(cv2.resize(even, size, interpolation=cv2.INTER_AREA))[None, None]


def levels(mask: Tensor) -> Tensor:
    """Return a mask as floats in [0,1]; it may already be that, or uint8 in [0,255]."""
    return mask.float().div_(255) if mask.dtype == torch.uint8 else mask


def cover(masks: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Compute each mask's share of every pixel: masks that sum to more than 1 are divided by their sum.

    Args:
        masks: [1,1,H,W] each, in [0,1], or uint8 in [0,255]; there may be none.
        size: H and W.

    Returns:
        [R+1,1,H,W], summing to 1; the last is the remainder.
    """
    each = torch.cat([*map(levels, masks), torch.zeros(0, 1, *size)])
    total = each.sum(0, keepdim=True)
    return torch.cat([each / total.clamp_min(1), (1 - total).clamp_min(0)])


def step(layer: str) -> int:
    """Return how many pixels of the picture one pixel of a layer spans along a side."""
    return 2 ** (int(layer[4]) - 1)


def pool(halved: Tensor, layer: str) -> Tensor:
    """Average masks at half resolution down to a layer's features by area, [R,1,H,W] -> [R,1,h,w]."""
    size = step(layer) // 2
    return halved if size == 1 else F.avg_pool2d(halved, size, ceil_mode=True)


def measure(x: Tensor, halved: Tensor | None, layer: str) -> tuple[Tensor, Statistics]:
    """Return the weight and statistics of each region, or of all pixels if there are no shares.

    Args:
        x: features, [1,C,h,w].
        halved: the regions' shares at half the picture's resolution, [R,1,H/2,W/2].
        layer: of the features.
    """
    if halved is None:
        return torch.tensor(float(x[0, 0].numel()), device=x.device), statistics(x)
    shares = pool(halved, layer)
    return shares.sum((2, 3), keepdim=True), weighted_statistics(x, shares)


def restyle(x: Tensor, own: Statistics, target: Statistics, shares: Tensor) -> Tensor:
    """Apply AdaIN with each region's statistics, blended by the shares (Eq. 8; Eq. 14 where shares sum to less than 1).

    Args:
        x: features, [1,C,h,w].
        own: statistics of each region of the content, [R,C,1,1].
        target: statistics of each region's style, [R,C,1,1].
        shares: [R,1,h,w]; the remainder to 1 keeps the features unchanged.

    Returns:
        [1,C,h,w].
    """
    scale = (target.std / own.std).flatten(1)  # [R,C]
    shift = target.mean.flatten(1) - own.mean.flatten(1) * scale
    both = torch.cat([scale - 1, shift], 1)  # [R,2C]
    pixels = x[0].permute(1, 2, 0).flatten(0, 1)  # [hw,C], as channels_last has it
    found = torch.empty_like(pixels)
    split = (torch.split(each, max(1, NUMBERS // x.shape[1])) for each in (pixels, shares.flatten(1).T, found))
    for part, share, room in zip(*split, strict=True):
        gain, offset = (share @ both).chunk(2, 1)
        wide = part.to(both.dtype)
        room.copy_(offset.addcmul_(wide, gain).add_(wide))
    return found.view(*x.shape[2:], -1).permute(2, 0, 1)[None]  # [1,C,h,w]


def stack(each: Sequence[Mapping[str, Statistics]], layer: str) -> Statistics:
    """Stack the statistics of several pictures at a layer, [R,C,1,1]."""
    return Statistics(torch.cat([one[layer].mean for one in each]), torch.cat([one[layer].std for one in each]))
