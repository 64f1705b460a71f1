"""Pictures with 16 bits per channel, for which Pillow has no mode: arrays kept beside the 8-bit picture, and files."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2
from torch import Tensor

Levels = NDArray[np.uint16]  # [H,W,3], or [H,W,4] with alpha; 65535 is white and opaque

EXACT = "exact"  # key of the Levels in a picture's info
ROWS = 128  # converted at a time, to bound memory
CAMERA = 0x8769  # EXIF tag that points to the Exif IFD
MARK = b"Exif\0\0"  # prefix of EXIF data in a JPEG


def to_levels(image: Tensor) -> Levels:
    """Convert floats [1,3,H,W] to [H,W,3]; values outside [0,1] are clipped."""
    pixels = image[0].detach().cpu().permute(1, 2, 0)  # [H,W,3]
    found = np.empty(tuple(pixels.shape), np.uint16)
    for top in range(0, len(found), ROWS):
        found[top : top + ROWS] = pixels[top : top + ROWS].double().clamp(0, 1).mul(65535).round().numpy()
    return found


def keep(levels: Levels, photograph: Image.Image, mask: Image.Image) -> None:
    """Restore a photograph's pixels (mode RGB) in [H,W,3] through a mask (mode L; 255 restores them completely)."""
    own, shares = np.asarray(photograph), np.asarray(mask)
    for rows in (slice(top, top + ROWS) for top in range(0, len(levels), ROWS)):
        share = shares[rows, :, None] / 255.0
        levels[rows] = np.rint(share * 257.0 * own[rows] + (1 - share) * levels[rows])


def to_picture(levels: Levels, alpha: Image.Image | None = None) -> Image.Image:
    """Return the 8-bit picture, RGB or, with an alpha channel (mode L), RGBA; its info holds all 16 bits."""
    if alpha is not None:
        levels = np.dstack([levels, np.asarray(alpha, np.uint16) * 257])
    eight = np.empty(levels.shape, np.uint8)
    for top in range(0, len(levels), ROWS):
        eight[top : top + ROWS] = np.rint(levels[top : top + ROWS] / 257)
    image = Image.fromarray(eight)
    image.info[EXACT] = levels
    return image


def levels_of(image: Image.Image) -> Levels:
    """Return the levels that `to_picture` stored.

    Raises:
        ValueError: the picture has no 16-bit levels, or has been resized or converted since.
    """
    levels = image.info.get(EXACT)
    if levels is None:
        raise ValueError("This picture has 8 bits per channel; stylize with bits=16 to save 16.")
    if levels.shape != (image.height, image.width, len(image.getbands())):
        raise ValueError("This picture was changed after stylizing and now has 8 bits per channel; save it with 8.")
    return levels


def to_png(levels: Levels, texts: dict[str, str], exif: bytes = b"") -> bytes:
    """Return a PNG with 16 bits per channel, UTF-8 texts by keyword, and EXIF."""
    order = cv2.COLOR_RGB2BGR if levels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    done, data = cv2.imencode(".png", cv2.cvtColor(levels, order), [cv2.IMWRITE_PNG_COMPRESSION, 3])
    assert done
    png = data.tobytes()
    chunks = [_chunk(b"iTXt", word.encode() + bytes(5) + text.encode()) for word, text in texts.items()]
    if exif:
        chunks.append(_chunk(b"eXIf", exif.removeprefix(MARK)))
    head = 8 + 25  # the signature and the IHDR chunk
    return b"".join([png[:head], *chunks, png[head:]])


def to_tiff(levels: Levels, exif: bytes = b"") -> bytes:
    """Return an uncompressed TIFF with 16 bits per channel and EXIF."""
    height, width, channels = levels.shape
    head = ImageFileDirectory_v2()
    if exif:
        own = Image.Exif()
        own.load(exif)
        for tag, value in own.items():
            head[tag] = value
        if camera := own.get_ifd(CAMERA):
            head[CAMERA] = camera
    head[256], head[257] = width, height
    head[258] = (16,) * channels
    head[259], head[262], head[277], head[284] = 1, 2, channels, 1  # uncompressed, RGB, chunky
    head[273], head[278], head[279] = 0, height, levels.nbytes  # one strip, right after the header
    if channels == 4:
        head[338] = 2  # unassociated alpha
    stream = io.BytesIO()
    head.save(stream)
    stream.write(levels.astype("<u2", copy=False).tobytes())
    return stream.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
