"""Color preservation, as in the paper and otherwise (Huang & Belongie 2017, section 7.2; Gatys et al. 2016).

- match, match-cholesky: before the transfer, the style's colors are given the content's mean and covariance by
  x -> A (x - mean_s) + mean_c with A = C_c^(1/2) C_s^(-1/2), with symmetric roots ("image analogies", Hertzmann et al.
  2001; CORAL, Sun & Saenko 2016), or A = L_c L_s^(-1), with Cholesky factors.
- histogram: the style is given the content's histogram in each channel.
- luminance: both pictures become gray, the style with the content's mean and standard deviation of lightness; the
  stylized lightness is combined with the content's a and b in CIELAB (Gatys et al. 2016, section 5.2).
- palette: the other way around and without a network: the content with the style's mean and covariance of colors.

Input and output are PIL images in 8-bit sRGB; matching uses the encoded values, as the paper's code does.
"""

from __future__ import annotations

from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from adain_core.contracts import Params

Pixels = NDArray[np.float32]  # [K,3], or [H,W,3], RGB in [0,1]
Matrix = NDArray[np.float64]

SAMPLE = 2**18  # pixels used for moments and histograms
FEW = 2**13  # pixels used for color shifts, which every run measures: within 0.2 on the examples
FLOOR = (2 / 255) ** 2  # variance below which a direction in the style's colors counts as rounding noise
ROWS = 128  # converted at a time, to bound memory and stay in the CPU caches
STEPS = 600  # table entries per unit of L, for looking up a gray level
_CODES = np.arange(256) / 255  # tables for sRGB (IEC 61966-2-1) and for L of CIELAB under D65
LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
LUMINANCE = np.array([[0.212671, 0.715160, 0.072169]], np.float32)
_Y = np.arange(65536) / 65535
LIGHTNESS = np.where(_Y > 0.008856, 116 * np.cbrt(_Y) - 16, 903.3 * _Y).astype(np.float32)
_L = np.arange(100 * STEPS + 1) / STEPS
_LIGHT = np.where(_L > 8, ((_L + 16) / 116) ** 3, _L / 903.3)
GRAYS = np.rint(255 * np.where(_LIGHT <= 0.0031308, 12.92 * _LIGHT, 1.055 * _LIGHT ** (1 / 2.4) - 0.055)).astype(
    np.uint8
)
Mode = Literal["off", "match", "match-cholesky", "histogram", "luminance", "palette"]


class ColorParams(Params):
    """Parameters of the result's colors."""

    color: Mode = Field(
        "off",
        title="Colors",
        description="off uses the painting's colors; match, match-cholesky, histogram, and luminance keep the"
        " photograph's; palette uses the painting's colors without its brush strokes.",
    )
    color_strength: float = Field(
        1.0, ge=0, le=1, title="Color strength", description="How strongly to apply the color choice; 0 has no effect."
    )


def prepare_content(params: ColorParams, content: Image.Image) -> Image.Image:
    """Return the content as the networks will see it."""
    return _blend(content, _gray(content), params.color_strength) if params.color == "luminance" else content


def prepare_style(params: ColorParams, style: Image.Image, content: Image.Image) -> Image.Image:
    """Return a style as the networks will see it; the content has its original colors."""
    if params.color in ("off", "palette"):
        return style
    if params.color == "luminance":
        return _blend(style, _gray(style, content), params.color_strength)
    pixels, target = _pixels(style), _sample(content)
    if params.color == "histogram":
        matched = match_histogram(pixels, target)
    else:
        matched = match(pixels, target, "cholesky" if params.color == "match-cholesky" else "symmetric")
    return _blend(style, _image(matched), params.color_strength)


def finish(params: ColorParams, content: Image.Image, stylized: Image.Image) -> Image.Image:
    """Restore the content's colors if they were removed; both pictures have the same size."""
    if params.color != "luminance" or not params.color_strength:
        return stylized
    found = np.empty((*stylized.size[::-1], 3), np.uint8)
    for rows in _strips(stylized):
        lab = _lab(content, rows)
        if params.color_strength < 1:  # the networks saw the remaining colors; keep those they made
            lab[..., 1:] = _lab(stylized, rows)[..., 1:] + params.color_strength * lab[..., 1:]
        cv2.insertChannel(_lightness(stylized, rows), lab, 0)
        found[rows] = _eight(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB))
    return Image.fromarray(found)


def finish_levels(params: ColorParams, content: Image.Image, stylized: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Like `finish`, for a stylized picture with 16 bits per channel, [H,W,3]."""
    if params.color != "luminance" or not params.color_strength:
        return stylized
    found = np.empty_like(stylized)
    for rows in _strips(content):
        lab, pixels = _lab(content, rows), stylized[rows].astype(np.float32) / np.float32(65535)
        if params.color_strength < 1:
            own = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab), np.float32)
            lab[..., 1:] = own[..., 1:] + params.color_strength * lab[..., 1:]
        linear = np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4)  # as in the tables
        y = linear @ LUMINANCE[0]
        lab[..., 0] = np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)
        found[rows] = np.rint(cv2.cvtColor(lab, cv2.COLOR_Lab2RGB).clip(0, 1) * 65535)
    return found


def repaint(params: ColorParams, content: Image.Image, style: Image.Image) -> Image.Image:
    """Give the content the style's color mean and covariance, scaled by the strength, without a network."""
    own = _sample(content)
    matrix, shift = _affine(own, _sample(style), "symmetric")
    keep = 1 - params.color_strength
    matrix, shift = keep * np.eye(3) + (1 - keep) * matrix, (1 - keep) * shift
    found = np.empty((*content.size[::-1], 3), np.uint8)
    for rows in _strips(content):
        found[rows] = _eight(_pixels(content, rows) @ matrix.T.astype(np.float32) + shift.astype(np.float32))
    return Image.fromarray(found)


def match(pixels: Pixels, target: Pixels, root: Literal["symmetric", "cholesky"] = "symmetric") -> Pixels:
    """Give pixels the mean and covariance of the target's.

    Directions in which the pixels hardly vary, as in gray or flat pictures, are treated as if they varied by two
    levels, so that noise is not amplified into color.

    Args:
        pixels: [...,3], RGB.
        target: [...,3], RGB.
        root: which matrix root of the covariances to use.

    Returns:
        The same shape as `pixels`, not clipped.
    """
    matrix, shift = _affine(pixels, target, root)
    moved = cv2.transform(
        pixels.reshape(-1, 1, 3), np.hstack([matrix, shift[:, None]])
    )  # faster than a 3x3 matrix product
    return np.asarray(moved, np.float32).reshape(pixels.shape)


def match_histogram(pixels: Pixels, target: Pixels) -> Pixels:
    """Give each channel of pixels the target's histogram, with 256 levels; parameters as for `match`."""
    levels, found = np.arange(256) / 255, np.empty_like(pixels)
    for channel in range(3):
        own, other = (np.bincount(_eight(x[..., channel]).ravel(), minlength=256) for x in (pixels, target))
        ranks, goal = ((np.cumsum(count) - count / 2) / count.sum() for count in (own, other))
        seen = other > 0
        found[..., channel] = np.interp(ranks, goal[seen], levels[seen])[_eight(pixels[..., channel])]
    return found


def color_shift(content: Image.Image, picture: Image.Image) -> float:
    """Return the mean color difference (CIE 1976 Delta E) of two pictures of the same size, on a sample of pixels.

    About 2.3 is just noticeable; black to white is 100.
    """
    one, other = (cv2.cvtColor(_sample(each, FEW)[None], cv2.COLOR_RGB2Lab) for each in (content, picture))
    return float(np.linalg.norm(one - other, axis=-1).mean())


def _affine(pixels: Pixels, target: Pixels, root: str) -> tuple[Matrix, Matrix]:
    (mean, spread), (goal_mean, goal) = _moments(pixels), _moments(target)
    lacking = max(0.0, FLOOR - np.linalg.eigvalsh(spread)[0])
    spread = spread + lacking * np.eye(3)
    if root == "cholesky":
        factor = np.linalg.cholesky(goal + 1e-12 * np.eye(3))
        matrix = np.linalg.solve(np.linalg.cholesky(spread).T, factor.T).T
    else:
        matrix = _power(goal, 0.5) @ _power(spread, -0.5)
    return matrix, goal_mean - matrix @ mean


def _moments(pixels: Pixels) -> tuple[Matrix, Matrix]:
    """Return the mean and the covariance (1/K) of pixels."""
    rows = pixels.reshape(-1, 3)
    mean = rows.mean(0, dtype=np.float64)
    return mean, np.asarray(cv2.mulTransposed(rows.astype(np.float64), True, delta=mean[None], scale=1 / len(rows)))


def _power(matrix: Matrix, exponent: float) -> Matrix:
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * values.clip(0) ** exponent) @ vectors.T


def _gray(image: Image.Image, model: Image.Image | None = None) -> Image.Image:
    """Return a picture's lightness in gray, optionally with the mean and standard deviation of a model's lightness."""
    gain, offset = 1.0, 0.0
    if model is not None:
        own, other = (_lightness(_small(each), slice(None)) for each in (image, model))
        gain = float(other.std() / max(own.std(), 1.0))
        offset = float(other.mean() - gain * own.mean())
    lightness = (gain * LIGHTNESS + np.float32(offset)).clip(0, 100)  # for every luminance
    grays = GRAYS[np.rint(lightness * STEPS).astype(np.uint16)]
    found = np.empty(image.size[::-1], np.uint8)
    for rows in _strips(image):
        found[rows] = cv2.LUT(_luminance(image, rows), grays)
    return Image.fromarray(found).convert("RGB")


def _blend(one: Image.Image, other: Image.Image, share: float) -> Image.Image:
    return other if share == 1 else Image.blend(one, other, share)


def _strips(image: Image.Image) -> list[slice]:
    return [slice(top, min(top + ROWS, image.height)) for top in range(0, image.height, ROWS)]


def _pixels(image: Image.Image, rows: slice = slice(None)) -> Pixels:
    return np.asarray(_bytes(image, rows), np.float32) / np.float32(255)


def _bytes(image: Image.Image, rows: slice) -> NDArray[np.uint8]:
    top, bottom, _ = rows.indices(image.height)
    return np.asarray(image.crop((0, top, image.width, bottom)))


def _sample(image: Image.Image, most: int = SAMPLE) -> Pixels:
    """Return all pixels, or about `most` evenly spaced ones of a large picture, [K,3]."""
    return _pixels(_small(image, most)).reshape(-1, 3)


def _small(image: Image.Image, most: int = SAMPLE) -> Image.Image:
    step = max(1, int((image.width * image.height / most) ** 0.5))
    size = (max(1, image.width // step), max(1, image.height // step))
    return image if step == 1 else image.resize(size, Image.Resampling.NEAREST)


def _lab(image: Image.Image, rows: slice) -> Pixels:
    return np.asarray(cv2.cvtColor(_pixels(image, rows), cv2.COLOR_RGB2Lab), np.float32)


def _lightness(image: Image.Image, rows: slice) -> Pixels:
    """Return L of CIELAB for rows of a picture, [H,W] in [0,100], from tables, in a third of a conversion's time."""
    return np.asarray(cv2.LUT(_luminance(image, rows), LIGHTNESS), np.float32)


def _luminance(image: Image.Image, rows: slice) -> NDArray[np.uint16]:
    """Return the CIE luminance Y for rows of a picture, [H,W]; 65535 is white."""
    linear = cv2.transform(cv2.LUT(_bytes(image, rows), LINEAR), LUMINANCE)
    return np.asarray(cv2.multiply(linear, np.array(65535.0), dtype=cv2.CV_16U), np.uint16)


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(_eight(pixels))


def _eight(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Round to 8-bit levels and clip."""
    rows = pixels.reshape(len(pixels), -1)  # otherwise OpenCV applies the factor to the first channel only
    return np.asarray(cv2.multiply(rows, np.array(255.0), dtype=cv2.CV_8U), np.uint8).reshape(pixels.shape)
