"""High dynamic range to sRGB: PQ and HLG (ITU-R BT.2100), with paper white at 203 cd/m2 (ITU-R BT.2408).

Departure from BT.2100: the system gamma of HLG is applied to each channel, not to luminance. What is brighter than
paper white is compressed into the top quarter of the range.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

WHITE = 203.0  # cd/m2
KNEE = 0.75  # of paper white, from which on brightness is compressed
TO_BT709 = np.array(  # linear BT.2020 to linear BT.709 (ITU-R BT.2087)
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
Values = NDArray[np.float64]


def pq(code: Values) -> Values:
    """Return the luminance of PQ codes in [0,1], in cd/m2 (SMPTE ST 2084)."""
    root = code ** (32 / 2523)
    return np.asarray(10_000 * ((root - 0.8359375).clip(0) / (18.8515625 - 18.6875 * root)) ** (8192 / 1305))


def hlg(code: Values) -> Values:
    """Return the luminance of HLG codes in [0,1] on a display of 1000 cd/m2."""
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    return np.asarray(1000 * scene**1.2)


CURVES: dict[int, Callable[[Values], Values]] = {16: pq, 18: hlg}  # by FFmpeg's number of the transfer function
CODES = np.arange(65536) / 65535


def to_srgb(pixels: NDArray[np.uint16], curve: int) -> NDArray[np.uint8]:
    """Convert BT.2020 pixels of one of CURVES, [H,W,3] with 16 bits, to sRGB."""
    linear = (CURVES[curve](CODES) / WHITE).astype(np.float32)[pixels] @ TO_BT709.T
    room = 1 - KNEE
    linear = np.where(linear > KNEE, KNEE + room * (1 - np.exp((KNEE - linear) / room)), linear).clip(0, 1)
    encoded = np.where(CODES <= 0.0031308, 12.92 * CODES, 1.055 * CODES ** (1 / 2.4) - 0.055)
    return np.rint(255 * encoded).astype(np.uint8)[np.rint(65535 * linear).astype(np.uint16)]
