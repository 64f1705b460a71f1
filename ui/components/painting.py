"""Conversion between paint and masks: painted layers to labels or gray levels, and labels to a painted layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

SIDE = 512  # side of the square canvas, in pixels; the picture is centered on it
BRUSHES = {
    1: ("blue", "#1f5fd6"),
    2: ("gold", "#f2b20d"),
    3: ("red", "#d42a1e"),
    4: ("green", "#149a4c"),
    5: ("violet", "#8a2be2"),
    6: ("cyan", "#21d0e0"),
    7: ("pink", "#ff8fd0"),
    8: ("brown", "#6b3d10"),
}
GRAYS = ("#ffffff", "#808080", "#000000")
OPACITY = 0.8  # of the brush: the picture stays visible, and the last color painted is always the nearest one


def easel(picture: Image.Image) -> Image.Image:
    """Center a picture, of at most 512 pixels on a side, on the transparent canvas."""
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(picture, _place(picture.size))
    return square


def to_labels(layers: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Convert painted layers to a label map: the nearest brush's label where there is paint, else 0.

    Args:
        layers: RGBA, 512x512; later ones are on top.
        size: the size of the picture at their center.

    Returns:
        Mode L, of that size.
    """
    nearest, painted = _read(layers, size, [color for _, color in BRUSHES.values()])
    return Image.fromarray(np.where(painted, nearest + 1, 0).astype(np.uint8))


def to_gray(layers: Sequence[Image.Image], size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    """Convert painted layers to gray levels: the nearest of white, gray, and black.

    Args:
        layers: as for `to_labels`.
        size: as for `to_labels`.

    Returns:
        The gray levels, and a mask that is 255 where there is paint; mode L, of that size.
    """
    nearest, painted = _read(layers, size, GRAYS)
    grays = np.array([ImageColor.getrgb(gray)[0] for gray in GRAYS], np.uint8)
    return Image.fromarray(grays[nearest]), Image.fromarray(np.where(painted, 255, 0).astype(np.uint8))


def to_layer(labels: Image.Image) -> Image.Image:
    """Paint a label map, of at most 512 pixels on a side, in the brushes' colors: RGBA, 512x512."""
    palette = np.zeros((len(BRUSHES) + 1, 4), np.uint8)
    palette[1:, :3], palette[1:, 3] = _colors([color for _, color in BRUSHES.values()]), round(255 * OPACITY)
    layer = Image.new("RGBA", (SIDE, SIDE))
    layer.paste(Image.fromarray(palette[np.asarray(labels)]), _place(labels.size))
    return layer


def _read(
    layers: Sequence[Image.Image], size: tuple[int, int], colors: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the index of the color nearest to the paint, [H,W], and where there is paint, [H,W]."""
    nearest, painted = np.zeros(size[::-1], np.int64), np.zeros(size[::-1], bool)
    for layer in layers:
        pixels = np.asarray(layer.convert("RGBA").crop(_place(size)), np.int32)  # [H,W,4]
        distances = np.square(pixels[..., None, :3] - _colors(colors)).sum(-1)  # [H,W,colors]
        covered = pixels[..., 3] > 127
        nearest[covered] = distances.argmin(-1)[covered]
        painted |= covered
    return nearest, painted


def _colors(colors: Sequence[str]) -> NDArray[np.int32]:
    return np.array([ImageColor.getrgb(color) for color in colors], np.int32)


def _place(size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = ((SIDE - side) // 2 for side in size)
    return left, top, left + size[0], top + size[1]
