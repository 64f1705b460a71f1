"""Traces of a network in its output: the lattice left by upsampling, visible as cross-hatching."""

from __future__ import annotations

from torch import Tensor

from adain_core.losses.lattice import PERIODS, peaks_of, spectrum


def lattice(image: Tensor) -> dict[int, Tensor]:
    """Return the energy of the luminance at the frequencies of a lattice, over the median energy around them.

    A pattern that repeats every `period` pixels has energy only at multiples of 1 / period. A coarser lattice shares
    some of them with a finer one, so each period counts only the frequencies that no shorter period has. Typical values
    are 1 to 2 for photographs and 1.4 for noise, the mean of an exponential distribution over its median.

    Args:
        image: [N,3,H,W], RGB in [0,1], at least 64 pixels on a side.

    Returns:
        The mean over the frequencies of each period, [N], by PERIODS.

    Raises:
        ValueError: the image is smaller than 64 pixels on a side.
    """
    if min(image.shape[2:]) < 64:
        raise ValueError(f"A lattice is measured on at least 64 x 64 pixels, not {image.shape[3]} x {image.shape[2]}.")
    height, width = (side // 8 * 8 for side in image.shape[2:])  # so that each frequency is a bin
    energy = spectrum(image[..., :height, :width].double())
    found = {}
    for period in PERIODS:
        peaks, around = peaks_of(energy, period)
        found[period] = (peaks / around.median(-1).values.clamp_min(1e-12)).mean(-1)
    return found
