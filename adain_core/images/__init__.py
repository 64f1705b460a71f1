"""Picture files to tensors and back: any mode, upright, in sRGB, checked before they are decoded.

Unsupported files raise a ValueError with one sentence that names no path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from adain_core.images import colors, kinds, pngs, salvage
from adain_core.images.exact import EXACT as EXACT
from adain_core.images.exact import keep as keep
from adain_core.images.exact import to_levels as to_levels
from adain_core.images.exact import to_picture as to_picture
from adain_core.images.kinds import FORMATS as FORMATS
from adain_core.images.labels import Labels as Labels
from adain_core.images.labels import check_shape as check_shape
from adain_core.images.labels import load_labels as load_labels
from adain_core.images.labels import load_mask as load_mask
from adain_core.images.opening import DAMAGED, opened
from adain_core.images.opening import MAX_PIXELS as MAX_PIXELS
from adain_core.images.opening import MAX_SIDE as MAX_SIDE
from adain_core.images.opening import MIN_SIDE as MIN_SIDE
from adain_core.images.opening import Source as Source
from adain_core.images.saving import FLAT as FLAT
from adain_core.images.saving import OUTPUTS as OUTPUTS
from adain_core.images.saving import RECORD as RECORD
from adain_core.images.saving import check_bits as check_bits
from adain_core.images.saving import details as details
from adain_core.images.saving import encode as encode
from adain_core.images.saving import is_result as is_result
from adain_core.images.saving import output_format as output_format
from adain_core.images.saving import read_record as read_record
from adain_core.images.saving import save as save

EXAMINED = 12_000_000  # pixels
ONE_COLOR = "This picture is one flat color, so it has no texture."
MAX_SIZE = 8192  # pixels of the longer side that a picture can be resized to
SUFFIXES = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".gif", ".bmp", ".dib", ".tif", ".tiff", ".ppm", ".pgm",
    ".pbm", ".pnm", ".avif", ".heic", ".heif",
)  # fmt: skip


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: mode RGB, 8 bits, sRGB, upright.
        alpha: mode L, of the same size, or None if the picture is opaque.
        notes: sentences for the user about what was lost.
    """

    rgb: Image.Image
    alpha: Image.Image | None = None
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.rgb.size


def load(source: Source, longest: int | None = None) -> Picture:
    """Decode a picture.

    Supports any mode of PNG, JPEG, WebP, GIF, BMP, TIFF, PPM, AVIF, and HEIC. EXIF orientation is applied, an embedded
    ICC profile is converted to sRGB, transparency is returned separately, deeper channels become 8 bits, and an
    animation gives its first frame. A truncated PNG, JPEG, GIF, BMP, TIFF, or PPM gives what can be read, and a note
    says how much is missing.

    Args:
        source: a path or a PIL image.
        longest: size of the longer side in pixels to resize to; None keeps the size.

    Raises:
        ValueError: the file is missing, empty, damaged, not supported, smaller than 16 pixels on a side, or larger
            than 80 megapixels or 16,384 pixels on a side.
    """
    with opened(source) as found:
        size = fit(found.size, longest)
        twice = None
        if longest is not None and not isinstance(source, Image.Image):
            twice = (2 * size[found.turn >= 5], 2 * size[found.turn < 5])
        image, alpha, profile, notes = found.decode(twice)
        rgb = found.upright(colors.to_srgb(image, profile, notes))
        alpha = colors.hide(rgb, alpha and found.upright(alpha))
    if rgb.getcolors(1):
        notes.append(ONE_COLOR)
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
        alpha = alpha and alpha.resize(size, Image.Resampling.LANCZOS)
    return Picture(rgb, alpha, tuple(notes))


def examine(path: str, longest: int) -> tuple[str, ...]:
    """Check a file as `load` would and return its notes, within 200 MB of memory for most formats.

    JPEGs are decoded at about `longest` pixels, and so is anything up to 12 megapixels. Of larger pictures, only the
    header is read, and the data of a PNG is counted; `load` finds the rest.

    Raises:
        ValueError: as for `load`, for what was checked.
    """
    size = measure(path)
    with open(path, "rb") as stream:
        kind = kinds.kind(stream.read(1024))
        if kind == "JPEG" or size[0] * size[1] <= EXAMINED:
            enough = max(longest, least_side(size))
            return load(path, None if max(size) <= enough else enough).notes
        missing = pngs.missing(stream) if kind == "PNG" else 0.0
    if missing > 0.999:
        raise ValueError(DAMAGED)
    return (salvage.note(missing),) if missing else ()


def measure(source: Source, longest: int | None = None) -> tuple[int, int]:
    """Return the width and height that `load` would give, without decoding.

    Raises:
        ValueError: as for `load`, for what the file's header tells.
    """
    with opened(source) as found:
        return fit(found.size, longest)


def fit(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return width and height with the longer side at `longest` pixels, keeping the aspect ratio.

    Raises:
        ValueError: the shorter side would have fewer than 16 pixels.
    """
    if longest is None:
        return size
    width, height = (max(1, round(side * longest / max(size))) for side in size)
    if min(width, height) < MIN_SIDE:
        least = least_side(size)
        advice = f"choose a size of at least {least}, or crop it" if least <= MAX_SIZE else "crop it"
        raise ValueError(
            f"This picture of {size[0]}x{size[1]} pixels would be {width}x{height} at size {longest}, too narrow to"
            f" stylize; {advice}."
        )
    return width, height


def least_side(size: tuple[int, int]) -> int:
    """Return the smallest longer side, in pixels, at which the shorter side still has 16."""
    return -(-MIN_SIDE * max(size) // min(size))


def to_tensor(image: Image.Image, exact: bool = False) -> Tensor:
    """Convert an RGB or L image to [1,3,H,W] or [1,1,H,W] floats in [0,1], channels last in memory.

    With `exact` the bytes stay uint8 in [0,255], which takes a quarter of the memory.
    """
    pixels = np.array(image) if exact else np.divide(np.asarray(image), 255, dtype=np.float32)
    return torch.from_numpy(pixels.reshape(1, image.height, image.width, -1)).permute(0, 3, 1, 2)  # [1,C,H,W]


def to_image(image: Tensor) -> Image.Image:
    """Convert [1,3,H,W] to an RGB image, from floats in [0,1], clipping, or from uint8 in [0,255]."""
    pixels = image[0].detach()
    if pixels.is_floating_point():
        pixels = pixels.mul(255).round_().clamp_(0, 255).to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())  # [H,W,3]


def sheet(pictures: Sequence[Image.Image], columns: int, side: int = 256, gap: int = 4) -> Image.Image:
    """Arrange pictures in a grid of squares of `side` pixels, each center-cropped, on white."""
    from adain_core.images.vision import make_grid  # torchvision takes over a second to import, and only sheets need it

    squares = [to_tensor(ImageOps.fit(picture.convert("RGB"), (side, side))) for picture in pictures]
    return to_image(make_grid(torch.cat(squares), nrow=columns, padding=gap, pad_value=1)[None])
