"""Pixel-based distances between pictures."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # Wang et al. 2004


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004), averaged over channels and windows.

    Args:
        one: [N,C,H,W] in [0,1], at least 11 pixels on a side.
        other: same shape.

    Returns:
        [N]; 1 for equal pictures. Windows that cross the border are left out, as in the authors' code.
    """
    offsets = torch.arange(WINDOW, dtype=one.dtype, device=one.device) - WINDOW // 2
    weights = torch.exp(-offsets.square() / (2 * SIGMA**2))
    weights = weights / weights.sum()

    def blur(x: Tensor) -> Tensor:
        x = F.conv2d(x.flatten(0, 1)[:, None], weights.view(1, 1, -1, 1))
        return F.conv2d(x, weights.view(1, 1, 1, -1))

    mean, mean_other = blur(one), blur(other)
    variance, variance_other = blur(one * one) - mean**2, blur(other * other) - mean_other**2
    covariance = blur(one * other) - mean * mean_other
    c1, c2 = 0.01**2, 0.03**2
    found = (2 * mean * mean_other + c1) * (2 * covariance + c2)
    found = found / ((mean**2 + mean_other**2 + c1) * (variance + variance_other + c2))
    return found.view(*one.shape[:2], -1).mean((1, 2))


def difference(one: Image.Image, other: Image.Image) -> NDArray[np.float32]:
    """Return the color difference of two pictures at every pixel, as CIE 1976 Delta E, [H,W]."""
    pixels = (np.asarray(each.convert("RGB"), np.float32) / np.float32(255) for each in (one, other))
    lab, goal = (cv2.cvtColor(each, cv2.COLOR_RGB2Lab) for each in pixels)
    return np.asarray(np.linalg.norm(lab - goal, axis=-1), np.float32)


def heat(values: NDArray[np.float32], top: float) -> Image.Image:
    """Render values [H,W] as a heat map, from 0 (black) through violet and orange to `top` and above (pale yellow)."""
    levels = np.rint((values / top).clip(0, 1) * 255).astype(np.uint8)
    return Image.fromarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].copy())
