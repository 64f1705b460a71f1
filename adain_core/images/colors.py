"""Conversion of Pillow's modes and color profiles to 8-bit sRGB plus transparency."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageStat

from adain_core.images import levels

SCALES = {"1": 1, "L;2": 85, "L;4": 17}  # factor from the levels of a gray PNG with few bits to 8 bits


def split(
    image: Image.Image, raw: str, notes: list[str], low_bytes: Callable[[], Image.Image] | None = None
) -> tuple[Image.Image, Image.Image | None]:
    """Return a decoded picture of any mode as mode L, RGB, CMYK, or LAB, and its alpha channel as L, or None.

    Args:
        image: decoded.
        raw: Pillow's raw mode, the layout of the numbers in the file; empty if unknown.
        notes: receives a sentence if something is lost.
        low_bytes: decodes the low bytes of 16-bit colors.

    Raises:
        ValueError: the mode is not supported.
    """
    if raw.endswith(";16B") and raw != "I;16B":
        notes.append("This picture has 16 bits per channel; 8 are used.")
    if image.mode.startswith(("I", "F")):
        return _from_numbers(image, notes)
    if image.mode == "RGB" and raw == "RGB;16B" and "transparency" in image.info:
        return image.copy(), _hidden_color(image, low_bytes)
    if raw in SCALES and image.mode == "L" and isinstance(image.info.get("transparency"), int):
        image = image.copy()
        image.info["transparency"] *= SCALES[raw]
    if image.mode == "La":
        image = image.convert("LA")
    alpha = None
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        image = image.getchannel("L") if image.mode == "LA" else rgba.convert("RGB")
    if image.mode not in ("L", "RGB", "CMYK", "LAB"):
        try:
            image = image.convert("RGB")
        except ValueError:
            raise ValueError(f"Pictures in {image.mode} colors can't be read; save it as RGB.") from None
    return image, alpha


def to_srgb(image: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """Convert a picture of mode L, RGB, CMYK, or LAB to RGB by its color profile; without one it is taken as sRGB."""
    if not profile and image.mode != "LAB":
        return image.convert("RGB")
    srgb = ImageCms.createProfile("sRGB")
    if profile:
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
            if converted is not None:
                return converted
        except (ImageCms.PyCMSError, OSError, TypeError):
            notes.append("This picture's color profile can't be used; its colors are taken as sRGB.")
    if image.mode == "LAB":
        found = ImageCms.profileToProfile(image, ImageCms.createProfile("LAB"), srgb, outputMode="RGB")
        assert found is not None  # it returns None only when converting in place
        return found
    return image.convert("RGB")


def hide(rgb: Image.Image, alpha: Image.Image | None) -> Image.Image | None:
    """Fill fully transparent pixels with the mean visible color, so that hidden colors do not leak into the statistics.

    Returns:
        The alpha channel; None if the picture is opaque.

    Raises:
        ValueError: the picture is fully transparent.
    """
    if alpha is None or alpha.getextrema() == (255, 255):
        return None
    if alpha.getextrema() == (0, 0):
        raise ValueError("This picture is fully transparent.")
    mean = tuple(round(value) for value in ImageStat.Stat(rgb, alpha).mean)
    rgb.paste(mean, mask=alpha.point([255] + [0] * 255))
    return alpha


def _from_numbers(image: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    values: NDArray[np.generic] = np.asarray(image)
    bits = 16 if image.mode.startswith("I;16") else 32
    if image.mode == "I" and image.format in ("PNG", "PPM") and 0 <= values.min() <= values.max() < 2**16:
        values, bits = values.astype(np.uint16), 16  # how Pillow represents 16 bits in these formats
    values = values.astype(values.dtype.newbyteorder("="))
    low, high, note = levels.span(values, bits)
    if image.mode != "I" or (low, high) != (0.0, 255.0):
        notes.append(note)
    alpha, hidden = None, image.info.get("transparency")
    if isinstance(hidden, int):
        alpha = Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8))
    return Image.fromarray(levels.to_bytes(values, low, high)), alpha


def _hidden_color(image: Image.Image, low_bytes: Callable[[], Image.Image] | None) -> Image.Image:
    """Return the alpha channel of a 16-bit picture in which one color is transparent."""
    hidden = np.array(image.info["transparency"])
    same = (np.asarray(image) == hidden >> 8).all(-1)
    if low_bytes is not None:
        same &= (np.asarray(low_bytes()) == hidden & 255).all(-1)
    return Image.fromarray(np.where(same, 0, 255).astype(np.uint8))
