"""What an image shows of the network that made it: the lattice that up-sampling leaves, seen as cross-hatching."""

from __future__ import annotations

from torch import Tensor

from adain_core.losses.lattice import PERIODS, peaks_of, spectrum


def lattice(image: Tensor) -> dict[int, Tensor]:
    """Energy of the luminance at the frequencies of a lattice, over the median energy around them.

    A pattern that repeats every `period` pixels has energy at multiples of 1 / period alone. Those of a coarser lattice
    include those of a finer one, so each period counts only the frequencies that no shorter one has. Photographs have
    1 to 2 at each; noise has 1.4, the mean of an exponential distribution over its median.

    Args:
        image: [N,3,H,W], RGB in [0,1], at least 64 pixels on a side.

    Returns:
        For each of PERIODS [N], the mean over the period's frequencies.

    Raises:
        ValueError: the image is smaller than that.
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
