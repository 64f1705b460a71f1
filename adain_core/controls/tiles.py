"""Pictures of any size: tiles that see beyond their edges, with statistics of the whole.

AdaIN needs the mean and standard deviation of the whole picture's features, so there are two passes: one encodes every
tile and merges their statistics, the other stylizes each with these. A tile is padded by as much of the picture as its
result depends on, and begins at a multiple of 8, where the features' pixels begin, too: the result is the whole's.
Where memory allows, the first pass lays the features together; in the second a tile needs only what the decoder sees.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

from pydantic import Field

from adain_core.contracts import Params

STEP = 8  # pixels of the picture for one of relu4_1
KEEP = 768 * 2**20  # bytes of features that are kept from the first pass for the second

Place = tuple[slice, slice]  # rows and columns


class TileParams(Params):
    """Whether to take a picture in tiles."""

    tile: Literal["auto", "on", "off"] = Field(
        "auto", title="Tiles", description="Processes large pictures in tiles to save memory; the result is the same."
    )


class Tile(NamedTuple):
    """A rectangle of the picture and what lies around it, rows and columns each.

    Attributes:
        core: what the tile gives.
        padded: what it must see.
    """

    core: Place
    padded: Place

    @property
    def area(self) -> int:
        """Pixels that it must see."""
        return math.prod(self.size)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width that it must see."""
        return measure(self.padded)

    def inner(self, step: int = 1) -> Place:
        """Return where the core lies within the padded rectangle, at a resolution `step` times lower."""
        rows, columns = (
            slice((core.start - padded.start) // step, -(-(core.stop - padded.start) // step))
            for core, padded in zip(self.core, self.padded, strict=True)
        )
        return rows, columns


def kept(count: int, needed: float) -> int:
    """Return the bytes of features that stay from the first pass to the second: what all need, or nothing.

    Args:
        count: of tiles; one needs no second pass.
        needed: bytes that the whole picture's features take.
    """
    return int(needed) if count > 1 and needed <= KEEP else 0


def measure(place: Place) -> tuple[int, int]:
    """Return a place's height and width."""
    rows, columns = place
    return rows.stop - rows.start, columns.stop - columns.start


def scale(place: Place, step: int) -> Place:
    """Return where a place lies at a resolution `step` times lower."""
    rows, columns = (slice(each.start // step, -(-each.stop // step)) for each in place)
    return rows, columns


def plan(height: int, width: int, side: int | None, margin: int) -> list[Tile]:
    """Cut a picture into tiles, row by row.

    Args:
        height: pixels.
        width: pixels.
        side: of a tile's core, in pixels; None for one tile.
        margin: pixels that a tile must see beyond its core.
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
