"""Picture files to tensors and back: every mode, oriented, in sRGB, checked before they are decoded.

Refusals are ValueErrors of one sentence that names no path.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps, ImageStat, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from adain_core import files

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".avif")
OUTPUTS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
MAX_SIDE = 16_384  # pixels, before decoding
MAX_PIXELS = 80_000_000  # before decoding: 240 MB as RGB
MIN_SIDE = 16  # pixels; relu4_1 must have 2 to be padded by reflection
ORIENTATION = 0x0112  # EXIF tag
TURNS = {  # what puts upright a picture of each orientation but 1; from 5 on width and height change places
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
RECORD = "adain"  # the PNG text that holds a run's record
DAMAGED = "This picture is damaged or cut short; try to save or download it again."

Source = str | os.PathLike[str] | Image.Image


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        rgb: mode RGB, 8 bits, sRGB, upright.
        alpha: mode L, of the same size, or None where the picture is opaque.
        notes: sentences on what the picture lost on the way, for the user.
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

    Takes any mode of PNG, JPEG, WebP, GIF, BMP, TIFF, PPM and AVIF. EXIF orientation is applied, an embedded ICC
    profile is converted to sRGB, transparency is kept apart, 16 bits become 8, and of an animation the first frame is
    taken.

    Args:
        source: a file's path or a PIL image.
        longest: pixels of the longer side to resize to; None keeps the size.

    Raises:
        ValueError: the file is missing, empty, damaged, of another kind, below 16 pixels on a side or above 80
            megapixels or 16,384 pixels on a side.
    """
    notes: list[str] = []
    image = _open(source)
    try:
        _check_size(image.size)
        size = fit(image.size, longest)
        if longest is not None and image is not source:
            image.draft(None, (2 * size[0], 2 * size[1]))  # JPEG: decodes at a half, a quarter or an eighth
        if _decode(image) > 1:
            notes.append("This picture is animated or has several pages; its first one is used.")
        turn = _orientation(image)
        upright = image.transpose(TURNS[turn]) if turn in TURNS else image.copy()
    finally:
        if image is not source:
            image.close()
    if turn in TURNS and turn >= 5:
        size = (size[1], size[0])
    rgb, alpha = _colors(upright, notes)
    if rgb.getcolors(1):
        notes.append("This picture is one flat color, so it has no texture.")
    if rgb.size != size:
        rgb = rgb.resize(size, Image.Resampling.LANCZOS)
        alpha = alpha and alpha.resize(size, Image.Resampling.LANCZOS)
    return Picture(rgb, alpha, tuple(notes))


def measure(source: Source, longest: int | None = None) -> tuple[int, int]:
    """Return the width and height that `load` would give, without decoding.

    Raises:
        ValueError: as `load`, of what a file's head tells.
    """
    image = _open(source)
    try:
        _check_size(image.size)
        size = image.size[::-1] if _orientation(image) >= 5 else image.size
        return fit(size, longest)
    finally:
        if image is not source:
            image.close()


def load_labels(source: Source) -> Image.Image:
    """Decode a label map upright and leave its values as they are: mode L, P, 1 or, in colors, another.

    Raises:
        ValueError: as `load`.
    """
    image = _open(source)
    try:
        _check_size(image.size)
        _decode(image)
        turn = _orientation(image)
        return image.transpose(TURNS[turn]) if turn in TURNS else image.copy()
    finally:
        if image is not source:
            image.close()


def fit(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """Return width and height with the longer side at `longest` pixels and the shape kept.

    Raises:
        ValueError: the shorter side would have fewer than 16 pixels.
    """
    if longest is None:
        return size
    width, height = (max(1, round(side * longest / max(size))) for side in size)
    if min(width, height) < MIN_SIDE:
        least = -(-MIN_SIDE * max(size) // min(size))
        raise ValueError(
            f"This picture of {size[0]}x{size[1]} pixels would be {width}x{height} at size {longest}, too narrow to"
            f" stylize; choose a size of at least {least}."
        )
    return width, height


def to_tensor(image: Image.Image, exact: bool = False) -> Tensor:
    """Turn an RGB or L image into [1,3,H,W] or [1,1,H,W] floats in [0,1], channels last in memory.

    `exact` leaves the bytes as they are, uint8 in [0,255]: a quarter of the memory.
    """
    pixels = np.array(image) if exact else np.array(image, dtype=np.float32) / 255
    return torch.from_numpy(pixels.reshape(1, image.height, image.width, -1)).permute(0, 3, 1, 2)  # [1,C,H,W]


def to_image(image: Tensor) -> Image.Image:
    """Turn [1,3,H,W] into an RGB image: floats in [0,1], clipped if they lie outside, or uint8 in [0,255]."""
    pixels = image[0].detach()
    if pixels.is_floating_point():
        pixels = pixels.clamp(0, 1).mul(255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())  # [H,W,3]


def save(image: Image.Image, path: str | os.PathLike[str]) -> None:
    """Write a picture whole or not at all; a PNG carries the record of its run, JSON in the text `adain`.

    Raises:
        ValueError: the suffix isn't .png, .jpg, .jpeg or .webp, or JPEG can't hold the picture's transparency.
        OSError: the folder is missing, or can't be written to.
    """
    files.write(path, encode(image, output_format(Path(path))))


def encode(image: Image.Image, kind: str) -> bytes:
    """Return a picture as a file of a format of OUTPUTS holds it; as `save`.

    Raises:
        ValueError: JPEG can't hold the picture's transparency.
    """
    if kind == "JPEG" and image.mode == "RGBA":
        raise ValueError("JPEG can't hold this picture's transparency; save it as .png or .webp.")
    options: dict[str, Any] = {"quality": 95}
    if kind == "PNG":
        text = PngInfo()
        if RECORD in image.info:
            text.add_itxt(RECORD, image.info[RECORD])
        options = {"pnginfo": text, "compress_level": 3}  # half of 6's time for 3% more bytes
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def output_format(path: Path) -> str:
    """Return the format that a file's suffix asks for.

    Raises:
        ValueError: pictures aren't saved as that.
    """
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(
            f"Pictures are saved as {', '.join(OUTPUTS)}, not as {path.suffix or 'a name without suffix'}."
        )
    return OUTPUTS[path.suffix.lower()]


def sheet(pictures: Sequence[Image.Image], columns: int, side: int = 256, gap: int = 4) -> Image.Image:
    """Lay pictures out in a grid of squares of `side` pixels, each cropped about its middle; the ground is white."""
    from adain_core.vision import make_grid  # torchvision takes over a second to import, and only sheets need it

    squares = [to_tensor(ImageOps.fit(picture.convert("RGB"), (side, side))) for picture in pictures]
    return to_image(make_grid(torch.cat(squares), nrow=columns, padding=gap, pad_value=1)[None])


def _open(source: Source) -> Image.Image:
    if isinstance(source, Image.Image):
        return source
    path = Path(source)
    if path.is_dir():
        raise ValueError("This is a folder, not a picture.")
    if not path.is_file():
        raise ValueError("There is no such file.")
    if path.stat().st_size == 0:
        raise ValueError("This file is empty.")
    try:
        return Image.open(path, formats=FORMATS)
    except UnidentifiedImageError:
        with path.open("rb") as file:
            head = file.read(1024).lower()
        kind = "an SVG drawing, not a picture of pixels; export it as PNG" if b"<svg" in head else "not a picture"
        raise ValueError(f"This file is {kind}; {', '.join(FORMATS)} can be read.") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"This picture has too many pixels; at most {MAX_PIXELS // 10**6} million are read.") from None
    except PermissionError:
        raise ValueError("This file can't be opened; check that it may be read.") from None
    except Exception:  # as in _decode
        raise ValueError(DAMAGED) from None


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if min(size) < MIN_SIDE:
        raise ValueError(f"This picture has {width}x{height} pixels; each side must have at least {MIN_SIDE}.")
    if max(size) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ValueError(
            f"This picture has {width}x{height} pixels; at most {MAX_PIXELS // 10**6} million are read, and"
            f" {MAX_SIDE} on a side."
        )


def _decode(image: Image.Image) -> int:
    """Decode the first frame and return how many there are; those of an MPO are previews, and count as one."""
    try:
        frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
        image.load()
    except Exception:  # Pillow's decoders raise whatever damaged bytes lead them to
        raise ValueError(DAMAGED) from None
    return frames


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation of a decoded picture; a TIFF's has been applied and dropped by then."""
    try:
        return image.getexif().get(ORIENTATION, 1)
    except Exception:  # as in _decode; damaged EXIF leaves the pixels whole
        return 1


def _colors(image: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Return a picture of any mode as 8-bit sRGB, and its alpha if it is transparent anywhere."""
    profile, alpha = image.info.get("icc_profile"), None
    if image.mode.startswith(("I", "F")):
        image = _eight_bits(image, notes)
    elif image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        image = image.getchannel("L") if image.mode == "LA" else rgba.convert("RGB")
    if image.mode not in ("L", "RGB", "CMYK"):
        try:
            image = image.convert("RGB")
        except ValueError:
            raise ValueError(f"Pictures in {image.mode} colors can't be read; save it as RGB.") from None
    rgb = _to_srgb(image, profile, notes)
    if alpha is None or alpha.getextrema() == (255, 255):
        return rgb, None
    if alpha.getextrema() == (0, 0):
        raise ValueError("This picture is wholly transparent.")
    # What hides under full transparency must not leak into the statistics: it takes the mean of what is seen.
    mean = tuple(round(value) for value in ImageStat.Stat(rgb, alpha).mean)
    rgb.paste(mean, mask=alpha.point([255] + [0] * 255))
    return rgb, alpha


def _eight_bits(image: Image.Image, notes: list[str]) -> Image.Image:
    values = np.asarray(image)
    if image.mode == "F" or values.min() < 0 or values.max() > 65_535:
        raise ValueError("This picture holds 32-bit numbers; save it with 8 or 16 bits a channel.")
    notes.append("This picture has 16 bits a channel; 8 are used.")
    return Image.fromarray(np.round(values / 257).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, TypeError):
            notes.append("This picture's color profile can't be used; its colors are taken as sRGB.")
    return image.convert("RGB")
