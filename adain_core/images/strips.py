"""Decompressing and unpacking the strips and tiles of a TIFF."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from adain_core.images.levels import Numbers

DEFLATE = (8, 32946)
LIBTIFF = {5: "LZW", 32773: "PackBits", 34925: "LZMA", 50000: "ZSTD"}


def inflate(data: bytes, compression: int, size: int) -> bytes:
    """Decompress a strip or tile to at most `size` bytes; damaged data gives fewer."""
    if compression == 1:
        return data[:size]
    if compression in DEFLATE:
        try:
            return zlib.decompressobj().decompress(data, size)
        except zlib.error:
            return b""
    # libtiff handles the others: the strip is wrapped as a TIFF of its own, of plain bytes.
    samples = next(each for each in (4, 3, 1) if size % each == 0)
    entries = [(256, 4, size // samples), (257, 4, 1), (259, 3, compression), (262, 3, 2 if samples > 1 else 1)]
    entries += [(273, 4, 0), (277, 3, samples), (278, 4, 1), (279, 4, len(data))]
    wide = 14 + 12 * (len(entries) + 1)
    entries[4] = (273, 4, wide + 8)
    bits = (258, 3, samples, 8 if samples == 1 else wide)
    every = sorted([*((tag, form, 1, value) for tag, form, value in entries), bits])
    file = b"II*\0" + struct.pack("<IH", 8, len(every))
    file += b"".join(struct.pack("<HHII", *each) for each in every) + bytes(4) + struct.pack("<4H", 8, 8, 8, 8)
    try:
        with Image.open(io.BytesIO(file + data), formats=("TIFF",)) as image:
            return image.tobytes()
    except Exception:  # as in opening.py: Pillow's decoders can raise anything on damaged data
        return b""


def join(planes: NDArray[np.uint8], kind: np.dtype[Any]) -> Numbers:
    """Return floats whose bytes are stored in planes, most significant first, [h,bytes,n] -> [h,n]."""
    whole = np.ascontiguousarray(planes.transpose(0, 2, 1))
    return whole.view(kind.newbyteorder(">"))[..., 0].astype(kind)


def unpack(raw: NDArray[np.uint8], number: int, bits: int, kind: np.dtype[Any]) -> Numbers:
    """Unpack numbers of fewer than 16 bits from rows of bytes, [h,bytes] -> [h,n]."""
    found = np.empty((len(raw), number), kind)
    powers = (1 << np.arange(bits)[::-1]).astype(np.uint16)
    step = max(1, 2**22 // (raw.shape[1] * 8))
    for top in range(0, len(raw), step):
        single = np.unpackbits(raw[top : top + step], axis=1)[:, : number * bits]
        found[top : top + step] = single.reshape(len(single), number, bits) @ powers
    return found


def spread(raw: NDArray[np.uint8], wide: int, rows: int, across: int, down: int) -> Numbers:
    """Expand blocks of subsampled YCbCr to [h,w,3]."""
    blocks = raw.reshape(-(-rows // down), -(-wide // across), across * down + 2)
    apart = blocks[..., :-2].reshape(*blocks.shape[:2], down, across).swapaxes(1, 2)
    luma = apart.reshape(blocks.shape[0] * down, blocks.shape[1] * across, 1)
    color = blocks[..., -2:].repeat(down, 0).repeat(across, 1)
    return np.concatenate([luma, color], -1)[:rows, :wide]
