"""What spoils a stylized picture where the photograph is plain: halos beside strong edges, and marks on flat areas.

Both are measured in the luminance, the sum of gamma-encoded red, green, and blue with the weights of ITU-R BT.601, in
[0,1], and are meant for pictures of about 512 pixels. If a photograph has no flat area or no strong edge, the result is
NaN.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]  # [H,W]

FLAT = 0.02  # a photograph is flat where the local standard deviation of its luminance is lower
AROUND = 2.0  # standard deviation in pixels of the Gaussian window for that
LEAST_FLAT = 0.01  # minimum share of a photograph that is flat

STEP = 0.2  # minimum step of the photograph's luminance at a strong edge
PLAIN = 0.3  # maximum variation of the luminance on either side, relative to that step
SOFT = 3  # pixels on each side that belong to the edge itself
NEAR = 10  # pixels on each side in which halos are measured, relative to the pixels beyond, up to FAR
FAR = 16
PIECE = 32  # side length in pixels of a square within which the pixels of an edge are averaged
LEAST_PIECE = 8  # minimum pixels of such a piece
LEAST_EDGES = 100  # minimum pixels of all pieces together


class Overshoot(NamedTuple):
    """How far the luminance beside an edge exceeds that farther away, relative to the photograph's step at the edge.

    Attributes:
        bright: excess brightness on the brighter side.
        dark: excess darkness on the darker side.
    """

    bright: float
    dark: float


def marks(photo: Image.Image, stylized: Image.Image) -> float:
    """Return the energy of a stylized picture's finest detail (see `top_octave`) where the photograph is flat.

    Args:
        photo: the photograph.
        stylized: same size.

    Returns:
        The mean square: 0 for no detail, a^2 for a checkerboard of 0.5 + a and 0.5 - a.
    """
    where = flat(luminance(photo))
    enough = where.mean() >= LEAST_FLAT
    return float(np.square(top_octave(luminance(stylized))[where]).mean()) if enough else float("nan")


def halo(photo: Image.Image, stylized: Image.Image) -> Overshoot:
    """Return how far a stylized picture overshoots beside the photograph's strong edges, beyond the photograph itself.

    Args:
        photo: the photograph.
        stylized: same size.

    Returns:
        0.1 if the luminance overshoots by a tenth of the photograph's step and the photograph itself does not.
    """
    own, other = (overshoot(photo, each) for each in (photo, stylized))
    return Overshoot(other.bright - own.bright, other.dark - own.dark)


def overshoot(photo: Image.Image, picture: Image.Image) -> Overshoot:
    """Return how far a picture overshoots beside the photograph's strong edges.

    The luminance is sampled across each pixel of an edge and averaged along pieces of edges. These are oriented so that
    the picture's luminance rises, and averaged again: brush strokes cancel out, halos remain.
    """
    seen, places, pieces = luminance(photo), *_edges(luminance(photo))
    reach = np.arange(-FAR, FAR + 1, dtype=np.float32)
    below, above, dark, bright = reach < -NEAR, reach > NEAR, reach < 0, reach > 0
    own, other = (_average(_across(each, places, reach), pieces) for each in (seen, luminance(picture)))  # [P,R]
    steps = own[:, above].mean(1) - own[:, below].mean(1)
    uneven = np.maximum(np.ptp(own[:, reach <= -SOFT], 1), np.ptp(own[:, reach >= SOFT], 1))
    lengths = np.bincount(pieces, minlength=len(own))
    chosen = (steps >= STEP) & (uneven <= PLAIN * steps) & (lengths >= LEAST_PIECE)
    if lengths[chosen].sum() < LEAST_EDGES:
        return Overshoot(float("nan"), float("nan"))
    falls = other[:, above].mean(1) < other[:, below].mean(1)
    rising = np.where(falls[:, None], other[:, ::-1], other)
    step = np.average(steps[chosen], weights=lengths[chosen])
    mean = np.average(rising[chosen], axis=0, weights=lengths[chosen])
    return Overshoot(
        float((mean[bright].max() - mean[above].mean()) / step), float((mean[below].mean() - mean[dark].min()) / step)
    )


def luminance(picture: Image.Image) -> Plane:
    """Return a picture's luminance, [H,W]."""
    pixels = np.asarray(picture.convert("RGB"), np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def top_octave(values: Plane) -> Plane:
    """Return the frequencies above a quarter cycle per pixel, which are lost when a picture is halved, [H,W]."""
    whole = Image.fromarray(values)
    half = whole.resize(((whole.width + 1) // 2, (whole.height + 1) // 2), Image.Resampling.LANCZOS)
    return values - np.asarray(half.resize(whole.size, Image.Resampling.LANCZOS))


def flat(photo: Plane) -> NDArray[np.bool_]:
    """Return where a photograph is flat, [H,W]."""
    mean, square = (cv2.GaussianBlur(each, (0, 0), AROUND) for each in (photo, photo * photo))
    return np.asarray(square - mean * mean < FLAT**2)


def _edges(photo: Plane) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return x, y, and the direction of rising luminance for each pixel on an edge, [E,4], and its piece, [E]."""
    smooth = cv2.GaussianBlur(photo, (0, 0), 1.5)
    slopes = np.stack([cv2.Scharr(smooth, cv2.CV_32F, *way) / 32 for way in ((1, 0), (0, 1))])  # per pixel
    steepest = STEP / 4  # of a step that the blur spreads, about
    whole = np.rint(slopes / steepest * 1024).astype(np.int16)  # as Canny takes them
    found = cv2.Canny(whole[0], whole[1], 256, 512, L2gradient=True)
    y, x = np.nonzero(found)
    _, lines = cv2.connectedComponents(found)
    _, pieces = np.unique(np.stack([lines[y, x], y // PIECE, x // PIECE]), axis=1, return_inverse=True)
    ways = slopes[:, y, x] / np.linalg.norm(slopes[:, y, x], axis=0)
    return np.concatenate([np.stack([x, y]), ways]).T.astype(np.float32), pieces


def _across(values: Plane, places: NDArray[np.float32], reach: Plane) -> NDArray[np.float32]:
    """Sample the luminance across each pixel of an edge at distances `reach` [R], [E,R]; borders are repeated."""
    points = places[:, None, :2] + reach[:, None] * places[:, None, 2:]  # [E,R,2]
    grid = torch.from_numpy(2 * points / (np.array(values.shape[::-1], np.float32) - 1) - 1)
    read = F.grid_sample(torch.from_numpy(values)[None, None], grid[None], padding_mode="border", align_corners=True)
    return np.asarray(read[0, 0].numpy())


def _average(values: NDArray[np.float32], pieces: NDArray[np.intp]) -> NDArray[np.float64]:
    """Average the rows [E,R] of each piece, [P,R]."""
    lengths = np.bincount(pieces)
    return np.stack([np.bincount(pieces, column) / lengths for column in values.T], 1)
