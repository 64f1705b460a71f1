"""What is painted, as a label map, and back: each region has a color of the brush."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

SIDE = 512  # pixels of the square that is painted on; the photograph lies in its middle
BRUSHES = {1: ("blue", "#1f5fd6"), 2: ("gold", "#f2b20d"), 3: ("red", "#d42a1e"), 4: ("green", "#149a4c")}
OPACITY = 0.7  # of the brush: the photograph stays in sight, and the last color wins
_RGB = np.array([ImageColor.getrgb(value) for _, value in BRUSHES.values()], np.int32)


def easel(photograph: Image.Image) -> Image.Image:
    """Lay a photograph, of at most 512 pixels on a side, in the middle of the square; what is around is transparent."""
    square = Image.new("RGBA", (SIDE, SIDE))
    square.paste(photograph, _place(photograph.size))
    return square


def to_labels(layers: Sequence[Image.Image], size: tuple[int, int]) -> Image.Image:
    """Read painted layers as a label map: the nearest brush where something is painted, else 0.

    Args:
        layers: RGBA, 512x512; later ones lie on top.
        size: of the photograph in their middle.

    Returns:
        Mode L, of that size.
    """
    found = np.zeros(size[::-1], np.uint8)
    for layer in layers:
        pixels = np.asarray(layer.convert("RGBA").crop(_place(size)), np.int32)  # [H,W,4]
        distances = np.square(pixels[..., None, :3] - _RGB).sum(-1)  # [H,W,4], one a brush
        painted = pixels[..., 3] > 127
        found[painted] = (distances.argmin(-1) + 1)[painted]
    return Image.fromarray(found)


def to_layer(labels: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Paint a label map over a photograph of a size: RGBA, 512x512, a brush's color where its label is.

    Raises:
        ValueError: a color picture, or a label above 4.
    """
    values = _values(labels.resize(size, Image.Resampling.NEAREST))
    palette = np.zeros((len(BRUSHES) + 1, 4), np.uint8)
    palette[1:, :3], palette[1:, 3] = _RGB, round(255 * OPACITY)
    layer = Image.new("RGBA", (SIDE, SIDE))
    layer.paste(Image.fromarray(palette[values]), _place(size))
    return layer


def _place(size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top = ((SIDE - side) // 2 for side in size)
    return left, top, left + size[0], top + size[1]


def _values(labels: Image.Image) -> NDArray[np.uint8]:
    if labels.mode not in ("1", "L", "P"):
        raise ValueError("A label map has one channel or a palette, in which 0 is the rest and 1 to 4 are the regions.")
    values = np.asarray(labels.convert("L") if labels.mode == "1" else labels, np.uint8)
    values = values // 255 if labels.mode == "1" else values
    if values.max() > len(BRUSHES):
        raise ValueError(
            f"This label map has a region {values.max()}, but the page takes 0, the rest, and 1 to {len(BRUSHES)}."
        )
    return values
