"""Pictures of any size: padded tiles that share the statistics of the whole picture.

AdaIN needs the mean and standard deviation of the whole picture's features, so there are two passes: the first encodes
every tile and merges their statistics, and the second stylizes each tile with them. A tile is padded by all the pixels
its result depends on and starts at a multiple of 8, aligned with the pixels of the features, so the result equals the
untiled one. If memory allows, the first pass keeps the features; a tile of the second then needs only the decoder's
receptive field.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from adain_core.contracts import Params

STEP = 8  # pixels of the picture per pixel of relu4_1
KEEP = 768 * 2**20  # largest size in bytes of features kept for the second pass

Box = tuple[slice, slice]  # rows and columns


class TileParams(Params):
    """Whether to process a picture in tiles."""

    tile: Literal["auto", "on", "off"] = Field(
        "auto", title="Tiles", description="Processes large pictures in tiles to save memory; the result is the same."
    )


class Tile(NamedTuple):
    """A rectangle of the picture and its surroundings, as rows and columns.

    Attributes:
        core: the part of the result that the tile computes.
        padded: the part of the picture that it reads.
    """

    core: Box
    padded: Box

    @property
    def area(self) -> int:
        """Number of pixels that it reads."""
        return math.prod(self.size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the part that it reads."""
        return measure(self.padded)

    def inner(self, step: int = 1) -> Box:
        """Return the core within the padded rectangle, at a resolution `step` times lower."""
        rows, columns = (
            slice((core.start - padded.start) // step, -(-(core.stop - padded.start) // step))
            for core, padded in zip(self.core, self.padded, strict=True)
        )
        return rows, columns


def kept(count: int, needed: float) -> int:
    """Return how many bytes of features are kept for the second pass: all or none.

    Args:
        count: number of tiles; a single one needs no second pass.
        needed: size of the whole picture's features in bytes.
    """
    return int(needed) if count > 1 and needed <= KEEP else 0


def measure(box: Box) -> tuple[int, int]:
    """Return the height and width of a rectangle."""
    rows, columns = box
    return rows.stop - rows.start, columns.stop - columns.start


def scale(box: Box, step: int) -> Box:
    """Return a rectangle at a resolution `step` times lower."""
    rows, columns = (slice(each.start // step, -(-each.stop // step)) for each in box)
    return rows, columns


def plan(height: int, width: int, side: int | None, margin: int) -> list[Tile]:
    """Cut a picture into tiles, row by row.

    Args:
        height: pixels.
        width: pixels.
        side: side of a tile's core in pixels; None for a single tile.
        margin: pixels that a tile reads beyond its core.
    """
    if side is None:
        whole = (slice(0, height), slice(0, width))
        return [Tile(whole, whole)]
    margin = -(-margin // STEP) * STEP + STEP
    return [
        Tile((rows, columns), (rows_seen, columns_seen))
        for rows, rows_seen in _cut(height, side, margin)
        for columns, columns_seen in _cut(width, side, margin)
    ]


def _cut(length: int, side: int, margin: int) -> Iterator[tuple[slice, slice]]:
    count = -(-length // side)
    size = -(-length // count // STEP) * STEP  # equal tiles, no slivers
    for start in range(0, length, size):
        stop = min(start + size, length)
        yield slice(start, stop), slice(max(0, start - margin), min(length, stop + margin))
