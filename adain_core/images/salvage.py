"""What can still be read of a damaged or truncated picture, and the note about the rest."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

LACKS = "This picture is damaged or truncated: about {:.0%} of it is missing."
CUT = "This picture's file is damaged or truncated; the part that could be read is used."
GRAY = (127, 128, 129)  # undecoded pixels of a JPEG
END = b"\xff\xd9"  # a JPEG's end marker
LEAST = 16  # bytes of pixel data in a JPEG; from fewer, the decoder only makes up pixels


def truncated_jpeg(data: bytes, least: tuple[int, int] | None) -> tuple[Image.Image, float]:
    """Decode a truncated JPEG, reduced to a size that is at least `least`; return it and its missing share.

    Missing pixels are gray.

    Raises:
        ValueError: none of it is left.
    """
    if len(data) - _scan(data) < LEAST:
        raise ValueError
    image = Image.open(io.BytesIO(data + END), formats=("JPEG",))
    if least is not None:
        image.draft(None, least)
    image.load()
    return image, _missing(_blank(image, GRAY))


def partly_decoded(failed: Image.Image) -> tuple[Image.Image, float]:
    """Return what Pillow had decoded of a picture when it failed, and the share that is missing.

    Missing pixels are black or transparent.

    Raises:
        ValueError: nothing was decoded, or the picture is interlaced.
    """
    if failed.info.get("interlace"):
        raise ValueError
    image = Image.Image()._new(failed.im)
    image.info, image.palette = dict(failed.info), failed.palette
    missing = _blank(image, (0,))
    if failed.format == "GIF":  # its rows may be interlaced
        missing = _fill_rows(image)
    return image, _missing(missing)


def note(missing: float) -> str:
    """Return the note about a picture of which this share is missing; of 0, the amount is unknown."""
    return LACKS.format(missing) if missing else CUT


def _missing(share: float) -> float:
    if share > 0.999:
        raise ValueError
    return share


def _scan(data: bytes) -> int:
    """Return the offset of a JPEG's pixel data."""
    offset = 2
    while data[offset : offset + 2] != b"\xff\xda" and offset < len(data):
        offset += 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")
    return offset + 2 + int.from_bytes(data[offset + 2 : offset + 4], "big")


def _blank(image: Image.Image, values: tuple[int, ...]) -> float:
    """Return the share of rows at the top or bottom whose pixels all have one color of `values`."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    shares = []
    for rows in (pixels, pixels[::-1]):
        last = rows[-1, -1]
        if not np.isin(last, values).all():
            continue
        same = (rows == last).all((1, 2))
        shares.append(1.0 if same.all() else float(np.argmin(same[::-1])) / len(same))
    return max(shares, default=0.0)


def _fill_rows(image: Image.Image) -> float:
    """Fill rows of zeros with the nearest row above, and return their share."""
    pixels = np.asarray(image)
    there = pixels.reshape(len(pixels), -1).any(1)
    above = np.maximum.accumulate(np.where(there, np.arange(len(pixels)), 0))
    image.frombytes(np.ascontiguousarray(pixels[above]).tobytes())
    return 1 - float(there.mean())
