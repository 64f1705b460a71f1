"""Strokes in proportion: a large picture is the small one with detail added, coarse to fine.

A network's strokes have a size in pixels, so in a picture of four times the size they are a quarter as large. In
proportion, the picture is first made at 512 pixels, x_0 = T(c_0), and every larger one follows it, as in a Laplacian
pyramid (Burt & Adelson 1983):

    x_k = follow(T(follow(c_k, x_{k-1})), x_{k-1}),    follow(image, small) = image + U(small - D(image))

where c_k is the photograph at the k-th size, T stylizes, D reduces a picture to the size of the small one, and U
enlarges. The inner step gives the small picture the photograph's detail, and T paints that. The outer step keeps of T's
work what the small picture has no pixels for, so that the large picture, reduced, is the small one.

Above the first size, T sees the painting somewhat enlarged: with the painting as it was, detail becomes grain, and with
one that grew as much as the picture, edges are soft.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Params, Spatial, Steps, Style

BASE = 512  # pixels of the longer side up to which strokes are native
LEAST = 16  # pixels of the shorter side of the small picture
GROWTH = 1.25  # factor by which the painting is enlarged above the first size
STEP = 6.0  # factor from one size to the next, at most

Size = tuple[int, int]  # width and height in pixels


class StrokeParams(Params):
    """How large strokes are in pictures larger than 512 pixels."""

    strokes: Literal["auto", "proportional", "native"] = Field(
        "auto",
        title="Strokes",
        description="Above 512 pixels, proportional strokes grow with the picture, and native ones keep their size in"
        " pixels. auto is proportional, except for methods that cannot do that.",
    )


def sizes(size: Size) -> list[Size]:
    """Return the sizes at which a picture is made, the smallest first and `size` last."""
    growth = max(1.0, max(size) / BASE)
    steps = math.ceil(round(math.log(growth, STEP), 6))
    smaller = [growth ** (number / steps - 1) for number in range(steps)]
    found = [(round(size[0] * each), round(size[1] * each)) for each in smaller]
    return [each for each in found if min(each) >= LEAST] + [size]


def coarse_to_fine(contents: Iterable[Tensor], areas: Sequence[int], stylize: Callable[[Tensor, int], Steps]) -> Steps:
    """Make a picture at several sizes, each following the one before.

    Args:
        contents: the photograph at each size, [1,3,H,W], the smallest first.
        areas: pixels of each.
        stylize: `stylize(content, number)` makes the picture at the size with this number, counted from 0.

    Yields:
        A Step without a picture for each but the last; the seconds of all sizes are summed by stage.
    """
    small: Tensor | None = None
    spent: dict[str, float] = {}
    for number, content in enumerate(contents):
        before, last = sum(areas[:number]), number == len(areas) - 1
        seconds, image = spent, None
        if small is not None:
            content = follow(content, small)
        for step in stylize(content, number):
            seconds = {name: spent.get(name, 0.0) + step.seconds.get(name, 0.0) for name in {**spent, **step.seconds}}
            image = step.image
            progress = (before + step.done * areas[number]) / sum(areas)
            if image is None:
                yield replace(step, iteration=max(1, number), iterations=len(areas), seconds=seconds, progress=progress)
        assert image is not None  # a method's last step has one
        small, spent = image if small is None else follow(image, small), seconds
        made = small if last else None
        yield replace(step, image=made, iteration=number + 1, iterations=len(areas), seconds=spent, progress=progress)


def follow(image: Tensor, small: Tensor) -> Tensor:
    """Return `image` + U(`small` - D(`image`)): a picture whose coarse part is the small one's.

    Args:
        image: [1,3,H,W], RGB, floats in [0,1] or uint8 in [0,255].
        small: [1,3,h,w], likewise, no larger.

    Returns:
        As `image`, on the CPU.
    """
    pixels, goal = _pixels(image), _pixels(small)
    coarse = _floats(goal) - _floats(_pixels(reduce(image, (goal.shape[1], goal.shape[0]))))
    made, depth = np.empty(pixels.shape, pixels.dtype), cv2.CV_8U if pixels.dtype == np.uint8 else cv2.CV_32F
    for channel in range(pixels.shape[2]):  # one at a time takes less memory
        shift = cv2.resize(coarse[..., channel], (pixels.shape[1], pixels.shape[0]), interpolation=cv2.INTER_CUBIC)
        shift *= 255 if depth == cv2.CV_8U else 1
        cv2.insertChannel(cv2.add(cv2.extractChannel(pixels, channel), shift, dtype=depth), made, channel)
    return _tensor(made) if depth == cv2.CV_8U else _tensor(made).clamp_(0, 1)  # bytes are rounded and clipped


def reduce(image: Tensor, size: Size) -> Tensor:
    """Reduce a picture or a mask by area averaging, [1,C,H,W] -> [1,C,h,w]; uint8 stays uint8."""
    if image.shape[2:] == size[::-1]:
        return image
    return _tensor(cv2.resize(_pixels(image), size, interpolation=cv2.INTER_AREA))


def enlarge_style(style: Style, factor: float) -> Style:
    """Enlarge a style's picture and its mask by a factor."""
    if factor == 1:
        return style
    size = [round(side * factor) for side in style.image.shape[:1:-1]]

    def enlarge(image: Tensor) -> Tensor:
        return _tensor(cv2.resize(_pixels(image), size, interpolation=cv2.INTER_CUBIC))

    mask = None if style.mask is None else enlarge(style.mask)
    return replace(style, image=enlarge(style.image).clamp_(0, 1), mask=mask)


def reduce_spatial(spatial: Spatial, size: Size, factor: float) -> Spatial:
    """Reduce regions and the strength map to a size, and enlarge the regions' styles by a factor."""
    regions = [
        replace(each, mask=reduce(each.mask, size), styles=[enlarge_style(style, factor) for style in each.styles])
        for each in spatial.regions
    ]
    strength = None if spatial.strength is None else reduce(spatial.strength, size)
    return replace(spatial, regions=regions, strength=strength)


def _pixels(image: Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).cpu().numpy()  # [H,W,C]


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)[None]


def _floats(pixels: np.ndarray) -> np.ndarray:
    return pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels
