"""What an image shows of the network that made it: the lattice that up-sampling leaves, seen as cross-hatching."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
PERIODS = (2, 4, 8)  # pixels, of the lattices that one, two, and three up-samplings leave
AROUND = 4  # bins to each side that count as a frequency's neighborhood
PEAK = 1  # bins to each side that belong to a frequency itself: the main lobe of a Hann window


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


def spectrum(image: Tensor) -> Tensor:
    """Return the energy of the luminance under a Hann window at each frequency, [N,3,H,W] -> [N,H,W]."""
    light = torch.einsum("nchw,c->nhw", image, image.new_tensor(LUMINANCE))
    light = light - light.mean((1, 2), keepdim=True)
    window = [torch.hann_window(side, dtype=image.dtype, device=image.device) for side in image.shape[2:]]
    return torch.fft.fft2(light * window[0][:, None] * window[1]).abs().square()


def peaks_of(energy: Tensor, period: int) -> tuple[Tensor, Tensor]:
    """Take the energy at a period's frequencies and around them.

    Args:
        energy: [N,H,W], sides that `period` divides.
        period: one of PERIODS.

    Returns:
        [N,F] and [N,F,K], for F frequencies and the K bins around each.
    """
    reach = range(-AROUND, AROUND + 1)
    offsets = [(y, x) for y in reach for x in reach if max(abs(y), abs(x)) > PEAK]
    height, width = energy.shape[1:]
    centers = [(y * height // period, x * width // period) for y, x in frequencies(period)]
    rows, columns = torch.tensor(centers).T
    near = torch.tensor(offsets)
    rows_near, columns_near = (rows[:, None] + near[:, 0]) % height, (columns[:, None] + near[:, 1]) % width
    return energy[:, rows, columns], energy[:, rows_near, columns_near]


def frequencies(period: int) -> Sequence[tuple[int, int]]:
    """List the multiples (y, x) of 1 / period that no shorter period has, one of each conjugate pair."""
    found: list[tuple[int, int]] = []
    for y in range(period):
        for x in range(period):
            if (y % 2 or x % 2) and ((-y) % period, (-x) % period) not in found:
                found.append((y, x))
    return found
