"""Label maps and masks: pictures whose numbers or colors mark areas."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

from adain_core.images import colors
from adain_core.images.opening import Source, opened

MOST = 65_535  # the highest label
EXACT = 64  # colors up to which a map is used as is, if each fills 3x3 pixels somewhere
REGIONS = 256  # most colors of regions
NEAR = 32.0  # levels; of two colors closer than this, the smaller area joins the larger
STRAY = 0.2  # largest share of pixels with in-between colors in a label map
MANY = 20_000  # with more colors than this, half of the pixels must have exactly a region's color
SHOWN = 12  # colors listed in a note
Numbers = NDArray[np.int32]


class Labels(NamedTuple):
    """A label map, the number of each pixel's region as [H,W] in uint8 or uint16, and notes about it."""

    values: NDArray[Any]
    notes: tuple[str, ...] = ()


def load_labels(source: Source) -> Labels:
    """Decode a label map and turn it upright.

    In a grayscale or palette picture of 1 to 16 bits, each number is a region's label. In a color picture, each color
    is a region: black and transparent pixels are 0, and the other colors are numbered from 1, sorted by red, then
    green, then blue, as their hexadecimal names are; a note lists them. In-between colors, as along soft edges, go to
    the nearest region. If every color is gray, the gray levels are the labels.

    Raises:
        ValueError: as for `load`, except that sides may be shorter than 16 pixels; or there are too many colors,
            fractions, or numbers below 0 or above 65,535.
    """
    with opened(source, least=1) as found:
        given = found.labels()
        if isinstance(given, np.ndarray):
            return _labels(_turn(_whole(given), found.turn))
        given = found.upright(given)
    if given.mode == "PA":
        levels, alpha = given.getchannel(0), given.getchannel("A")
        return _labels(np.where(np.asarray(alpha) < 128, 0, np.asarray(levels)))
    if given.mode in ("LA", "La"):
        levels, alpha = given.convert("LA").split()
        return _labels(np.where(np.asarray(alpha) < 128, 0, np.asarray(levels)))
    pixels = np.array(given.convert("RGBA"))
    pixels[pixels[..., 3] < 128] = 0
    rgb = pixels[..., :3].astype(np.int32)
    if (rgb[..., 0] == rgb[..., 1]).all() and (rgb[..., 1] == rgb[..., 2]).all():
        return _labels(rgb[..., 0])
    return _by_color(rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2])


def load_mask(source: Source) -> tuple[Image.Image, tuple[str, ...]]:
    """Decode a mask as mode L, upright, with notes: white is inside, black and transparent are outside.

    Raises:
        ValueError: as for `load`, except that sides may be shorter than 16 pixels.
    """
    with opened(source, least=1) as found:
        image, alpha, profile, notes = found.decode()
        gray = colors.to_srgb(image, profile, notes).convert("L") if image.mode != "L" else image
        if alpha is not None:
            gray = ImageChops.multiply(gray, alpha)
        gray = found.upright(gray)
        return gray.copy() if gray is source else gray, tuple(notes)


def check_shape(own: tuple[int, int], size: tuple[int, int]) -> None:
    """Reject a mask or map whose aspect ratio differs from the picture's by more than rounding.

    Raises:
        ValueError: it would be stretched.
    """
    (width, height), (wide, tall) = own, size
    if 2 * abs(height * wide - width * tall) > width + height + wide + tall:
        raise ValueError(
            f"It has {width}x{height} pixels, but the picture is processed at {wide}x{tall}, a different shape; use one"
            " with the picture's size or aspect ratio."
        )


def _labels(values: NDArray[Any], notes: tuple[str, ...] = ()) -> Labels:
    return Labels(values.astype(np.uint8 if values.max() < 256 else np.uint16), notes)


def _whole(values: NDArray[np.generic]) -> Numbers:
    if values.dtype.kind == "f" and not (values == np.rint(values)).all():
        raise ValueError("A label map holds whole numbers, but this one has fractions; save it with 8 or 16 bits.")
    if values.dtype != bool and (values.min() < 0 or values.max() > MOST):
        raise ValueError(f"This label map has numbers from {values.min():g} to {values.max():g}; use 0 to {MOST}.")
    return values.astype(np.int32)


def _turn(values: Numbers, turn: int) -> Numbers:
    """Turn an array upright by its EXIF orientation."""
    if turn in (5, 6, 7, 8):
        values = values.T
    across, down = turn in (2, 3, 6, 7), turn in (3, 4, 7, 8)
    return np.ascontiguousarray(values[:: -1 if down else 1, :: -1 if across else 1])


def _by_color(codes: Numbers) -> Labels:
    """Number the colors of a map of 24-bit color codes."""
    found, index, counts = np.unique(codes, return_inverse=True, return_counts=True)
    index = index.reshape(codes.shape)
    solid = np.unique(found[index][_solid(codes)]) if min(codes.shape) >= 3 else found
    notes = []
    kept = found if len(found) <= EXACT and (len(solid) == len(found) or min(codes.shape) < 3) else solid
    if len(kept) < len(found):
        kept = _merge(kept, counts[np.searchsorted(found, kept)])
    if not 1 <= len(kept) <= REGIONS:
        raise ValueError(_refusal(len(found)))
    if len(found) > MANY and counts[np.isin(found, kept)].sum() < codes.size / 2:
        raise ValueError(_refusal(len(found)))
    nearest, far = _nearest(found, kept)
    if len(kept) < len(found):
        stray = counts[far > NEAR].sum() / codes.size
        if stray > STRAY:
            raise ValueError(_refusal(len(found)))
        share = f"{stray:.1%}" if stray >= 0.001 else "Less than 0.1%"
        notes.append(
            f"{share} of this label map's pixels have in-between colors, as along soft edges or in a JPEG; each was"
            " assigned to the nearest region."
        )
    numbers = np.arange(len(kept)) + (0 if kept[0] == 0 else 1)
    listed = [f"{n} is #{code:06x}" for n, code in zip(numbers, kept, strict=True) if n][:SHOWN]
    more = "" if len(numbers) <= SHOWN + 1 else ", and so on"
    notes.insert(0, f"Regions by color: {', '.join(listed)}{more}.")
    return _labels(numbers[nearest][index], tuple(notes))


def _solid(codes: Numbers) -> NDArray[np.bool_]:
    """Return which pixels have eight neighbors of the same color."""
    values, window = codes.astype(np.float32), np.ones((3, 3), np.uint8)
    return (cv2.erode(values, window) == values) & (cv2.dilate(values, window) == values)


def _merge(codes: Numbers, counts: NDArray[np.generic]) -> Numbers:
    """Drop each color that is close to one with a larger area."""
    kept: list[int] = []
    for code in codes[np.argsort(-counts.astype(np.int64), kind="stable")]:
        if len(kept) > REGIONS:
            break
        if all(np.linalg.norm(_rgb(code) - _rgb(other)) >= NEAR for other in kept):
            kept.append(int(code))
    return np.array(sorted(kept), np.int32)


def _nearest(codes: Numbers, kept: Numbers) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the index of the kept color nearest to each code, and its distance."""
    parts = [
        np.linalg.norm(_rgb(codes[top : top + 4096])[:, None] - _rgb(kept), axis=-1)
        for top in range(0, len(codes), 4096)
    ]
    return np.concatenate([each.argmin(1) for each in parts]), np.concatenate([each.min(1) for each in parts])


def _rgb(codes: Numbers | int) -> NDArray[np.float64]:
    codes = np.asarray(codes)
    return np.stack([codes >> 16, codes >> 8 & 255, codes & 255], -1).astype(np.float64)


def _refusal(count: int) -> str:
    return (
        f"This label map has {count} colors, too many for regions, like a photograph or a JPEG; save it as PNG with"
        " hard edges and one color per region."
    )
