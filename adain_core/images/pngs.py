"""How much of a PNG's pixel data is present, counted a megabyte at a time without decoding the picture."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

PIECE = 2**20  # bytes decompressed at a time
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by color type
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7


def missing(stream: BinaryIO) -> float:
    """Return the share of a PNG's pixels, 0 to 1, that is missing from its data; the header must be complete.

    A truncated interlaced PNG can't be read at all, so all of it is missing.
    """
    stream.seek(16)
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", stream.read(13))
    stream.seek(4, 1)
    passes = PASSES if interlaced else ((0, 0, 1, 1),)  # left, top, and the steps across and down
    bits = depth * CHANNELS[color]
    sides = [(-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in passes]
    whole = sum(tall * (1 + -(-wide * bits // 8)) for wide, tall in sides if wide > 0 and tall > 0)
    share = 1 - min(_inflated(stream, whole) / whole, 1)
    return float(share > 0) if interlaced else share


def _inflated(stream: BinaryIO, most: int) -> int:
    """Return how many bytes the IDAT chunks decompress to, stopping at `most`."""
    inflater, count = zlib.decompressobj(), 0
    while len(head := stream.read(8)) == 8 and head[4:] != b"IEND":
        left = int.from_bytes(head[:4], "big")
        if head[4:] != b"IDAT":
            stream.seek(left + 4, 1)
            continue
        while left > 0 and (data := stream.read(min(left, PIECE))):
            left -= len(data)
            while data and count < most:
                try:
                    count += len(inflater.decompress(data, PIECE))
                except zlib.error:
                    return count
                data = inflater.unconsumed_tail
        if count >= most:
            break
        stream.seek(4, 1)
    return count
