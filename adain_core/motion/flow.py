"""Optical flow (DIS, Kroeger et al. 2016), where it can be trusted (Ruder, Dosovitskiy & Brox 2016), and warping by it.

A flow from frame A to frame B is [H,W,2] in pixels, float32: what is at (x, y) in A is at (x + u, y + v) in B. Frames
are [H,W,3], RGB, uint8; stylized pictures are [H,W,3], floats in [0,1].

Departure from Ruder et al.: they estimate flow with DeepFlow and EpicFlow, which take seconds per frame.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Frame = NDArray[np.uint8]
Floats = NDArray[np.float32]

ALIKE, CHANGED = 0.04, 0.16  # mean difference of a frame from its predecessor, warped, that is trusted fully, and not
SMOOTH = 2.0  # pixels of the Gaussian window in which frames are compared, which hides their noise
CUT = 0.5  # share of pixels that can't be trusted from which on a frame begins a new scene
LEAST = 16  # pixels of the shorter side that DIS needs


class Motion(NamedTuple):
    """How a frame follows from an earlier one.

    Attributes:
        flow: where each pixel of the frame was in the earlier one.
        seen: 1 where the earlier frame shows the same, 0 where it doesn't or isn't trusted, [H,W] in [0,1].
        alike: `seen`, multiplied by how little the colors have changed.
    """

    flow: Floats
    seen: Floats
    alike: Floats

    @property
    def cut(self) -> bool:
        """Whether the frame begins a new scene."""
        return float(self.alike.mean()) < 1 - CUT


def estimate(one: Frame, other: Frame) -> Floats:
    """Return the flow from one frame to another of the same size; zero for frames too small to tell."""
    if min(one.shape[:2]) < LEAST:
        return np.zeros((*one.shape[:2], 2), np.float32)
    gray = [cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) for each in (one, other)]
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dis.calc(gray[0], gray[1], np.zeros((*one.shape[:2], 2), np.float32)), np.float32)


def between(frame: Frame, earlier: Frame) -> Motion:
    """Estimate how a frame follows from an earlier one of the same size."""
    back, forth = estimate(frame, earlier), estimate(earlier, frame)
    seen = trusted(back, forth)
    return Motion(back, seen, seen * _alike(frame, earlier, back))


def warp(image: NDArray[Any], flow: Floats) -> NDArray[Any]:
    """Return what `image` shows at the places that `flow` points to: [H,W,C] -> [H,W,C], by bicubic interpolation."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def trusted(flow: Floats, back: Floats) -> Floats:
    """Return 1 where a flow is trusted and 0 elsewhere, [H,W] (Ruder et al. 2016, Eqs. 5, 6).

    Not trusted are places that the other frame doesn't show, where the flow there and back doesn't return; edges of
    motion, where the flow is inexact; and places outside the other frame, which the paper doesn't mention.

    Args:
        flow: from this frame to the other.
        back: from the other frame to this one.
    """
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    returned = cv2.remap(back, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    gap, squares = _square(flow + returned), _square(flow) + _square(returned)
    slope_y, slope_x = np.gradient(flow, axis=(0, 1))
    hidden = gap > 0.01 * squares + 0.5
    edge = _square(slope_x) + _square(slope_y) > 0.01 * _square(flow) + 0.002
    outside = (to_x < 0) | (to_x > width - 1) | (to_y < 0) | (to_y > height - 1)
    return np.asarray(~(hidden | edge | outside), np.float32)


def colors(flow: Floats, most: float | None = None) -> Frame:
    """Return a flow as colors: hue is the direction, and saturation the speed, full at `most` pixels per frame."""
    speed, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    share = (speed / max(most or float(speed.max()), 1e-6)).clip(0, 1)
    hsv = np.stack([angle, share, np.ones_like(share)], -1).astype(np.float32)
    return np.asarray(np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)), np.uint8)


def _alike(frame: Frame, earlier: Frame, flow: Floats) -> Floats:
    """Return how little the colors have changed, from 1 (not) to 0, [H,W]."""
    gap = cv2.absdiff(frame, warp(earlier, flow)).mean(-1, dtype=np.float32) / 255
    gap = cv2.GaussianBlur(gap, (0, 0), SMOOTH)
    return np.asarray(((CHANGED - gap) / (CHANGED - ALIKE)).clip(0, 1), np.float32)


def _square(vectors: Any) -> Any:
    return np.square(vectors).sum(-1)
