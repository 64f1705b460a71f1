"""What is measured on an output and on a run: by pixels, by clock and by memory."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import cv2
import numpy as np
import psutil
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

WINDOW, SIGMA = 11, 1.5  # Wang et al. 2004
INTERVAL = 0.005  # seconds between two looks at the memory


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """Structural similarity (Wang, Bovik, Sheikh & Simoncelli 2004), averaged over channels and windows.

    Args:
        one: [N,C,H,W] in [0,1], at least 11 pixels on a side.
        other: of the same shape.

    Returns:
        [N]; 1 for equal pictures. Windows that would reach over the border are left out, as in the authors' code.
    """
    places = torch.arange(WINDOW, dtype=one.dtype, device=one.device) - WINDOW // 2
    weights = torch.exp(-places.square() / (2 * SIGMA**2))
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
    """Return the color difference of two pictures at every pixel, CIE 1976 Delta E, [H,W]."""
    pixels = (np.asarray(each.convert("RGB"), np.float32) / np.float32(255) for each in (one, other))
    lab, goal = (cv2.cvtColor(each, cv2.COLOR_RGB2Lab) for each in pixels)
    return np.asarray(np.linalg.norm(lab - goal, axis=-1), np.float32)


def heat(values: NDArray[np.float32], top: float) -> Image.Image:
    """Paint values of [H,W] from 0 (black) by violet and orange to `top` and above (pale yellow)."""
    levels = np.rint((values / top).clip(0, 1) * 255).astype(np.uint8)
    return Image.fromarray(cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1].copy())


class Meter:
    """Adds up the seconds of pieces of work, and holds the most memory that they took above what there was at rest.

    On a CPU the process's memory is looked at every 5 ms; what it has freed is given back first, where the C library
    can, since it could be used again unseen. On a CUDA device it is the device's own count.

    Attributes:
        seconds: of the work.
        bytes: its peak above rest.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.seconds, self.bytes = 0.0, 0
        self._cuda = torch.device(device).type == "cuda"
        gc.collect()
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        self._rest = torch.cuda.memory_allocated() if self._cuda else self._used()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Measure what happens inside."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), daemon=True)
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            watcher.start()
        start = time.perf_counter()
        try:
            yield
        finally:
            if self._cuda:
                torch.cuda.synchronize()
            self.seconds += time.perf_counter() - start
            if not self._cuda:
                done.set()
                watcher.join()
            self.bytes = max(self.bytes, self._used() - self._rest)

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(INTERVAL):
            self.bytes = max(self.bytes, self._used() - self._rest)

    def _used(self) -> int:
        return int(torch.cuda.max_memory_allocated()) if self._cuda else int(psutil.Process().memory_info().rss)
