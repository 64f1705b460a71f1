"""Conversion of numbers of any type to 8 bits: which number is black and which is white."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 256  # converted at a time, to bound memory
Numbers = NDArray[Any]


def span(values: Numbers, bits: int) -> tuple[float, float, str]:
    """Return the numbers for black and white, and a note if the choice is not obvious.

    Unsigned numbers of up to 16 bits use their full range. Floats use 0 to 1, and a few highlights above that are
    clipped; floats up to 255 or 65,535 are taken as 8-bit or 16-bit levels, and so are wider integers. Everything
    else, such as negative numbers, uses the range from its minimum to its maximum.

    Args:
        values: numbers in an array of any shape.
        bits: bits per number.
    """
    if values.dtype.kind == "u" and bits <= 16:
        note = f"This picture has {bits} bits per channel; 8 are used." if bits > 8 else ""
        return 0.0, float(2**bits - 1), note
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)
    least, most = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    whole = float(2 ** (bits if values.dtype.kind == "u" else bits - 1) - 1)
    if values.dtype.kind == "f":
        beyond = float((finite > 1).mean()) if most > 1 else 0.0
        tops = [1.0 if beyond <= 0.01 else 255.0, 255.0, 65_535.0]
        fits = [beyond <= 0.01, most <= 255, most <= 65_535]
    elif bits <= 16:
        tops, fits = [whole], [True]
    else:
        tops, fits = [255.0, 65_535.0, whole], [most <= 255, most <= 65_535, most >= whole / 16]
    low, high = 0.0, next((top for top, fit in zip(tops, fits, strict=True) if fit), most)
    if least < 0 or not any(fits):
        low, high = least, most
    if high <= low:
        high = low + 1
    note = f"This picture holds {bits}-bit numbers from {least:.4g} to {most:.4g}"
    return low, high, f"{note}; {low:.4g} is taken as black and {high:.4g} as white."


def to_bytes(values: Numbers, low: float, high: float) -> NDArray[np.uint8]:
    """Map numbers linearly from [low,high] to [0,255], clipping; NaN becomes 0."""
    if values.dtype == np.uint8 and (low, high) == (0.0, 255.0):
        return np.ascontiguousarray(values, np.uint8)
    found = np.empty(values.shape, np.uint8)
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        table = np.arange(np.iinfo(values.dtype).max + 1, dtype=np.float64)
        lookup = np.rint(((table - low) * (255 / (high - low))).clip(0, 255)).astype(np.uint8)
        for top in range(0, len(values), ROWS):
            found[top : top + ROWS] = lookup[values[top : top + ROWS]]
        return found
    for top in range(0, len(values), ROWS):
        part = np.nan_to_num(values[top : top + ROWS].astype(np.float64), nan=low, posinf=high, neginf=low)
        found[top : top + ROWS] = np.rint(((part - low) * (255 / (high - low))).clip(0, 255)).astype(np.uint8)
    return found
