"""Region proposals from the picture itself, without a network, as a starting point for painting.

- foreground: GrabCut (Rother, Kolmogorov & Blake 2004) from a frame that leaves a tenth of the picture on each side.
- colors: k-means of CIELAB colors and, with less weight, of positions, smoothed by a median filter.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 384  # pixels of the longer side to which the picture is reduced: proposals are coarse
PLACE = 30.0  # distance between opposite edges of the picture, in CIELAB units


def propose(image: Image.Image, kind: Literal["foreground", "colors"] = "foreground", count: int = 3) -> Image.Image:
    """Propose regions of an RGB picture.

    Args:
        image: RGB.
        kind: foreground gives labels 0 (the rest) and 1; colors gives 0 to count - 1, the largest region first.
        count: how many regions for colors, 2 to 8.

    Returns:
        A label map of the picture's size, mode L; the same picture always gives the same map.
    """
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    pixels = np.asarray(small)
    cv2.setRNGSeed(0)
    labels = _foreground(pixels) if kind == "foreground" else _colors(pixels, count)
    smooth = np.asarray(cv2.medianBlur(labels, 7), np.uint8)
    return Image.fromarray(smooth).resize(image.size, Image.Resampling.NEAREST)


def _foreground(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    frame = (width // 10, height // 10, width - 2 * (width // 10), height - 2 * (height // 10))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.ascontiguousarray(pixels[..., ::-1]), labels, frame, *models, 4, cv2.GC_INIT_WITH_RECT)
    return (labels % 2).astype(np.uint8)  # GC_FGD and GC_PR_FGD are odd


def _colors(pixels: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    lab = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    rows, columns = np.mgrid[0 : PLACE : height * 1j, 0 : PLACE : width * 1j]
    points = np.dstack([lab, rows, columns]).reshape(-1, 5).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 0.5)
    start = np.zeros((len(points), 1), np.int32)
    _, found, _ = cv2.kmeans(points, count, start, stop, 3, cv2.KMEANS_PP_CENTERS)
    order = np.argsort(-np.bincount(found.ravel(), minlength=count), kind="stable")
    return np.argsort(order)[found].reshape(height, width).astype(np.uint8)
