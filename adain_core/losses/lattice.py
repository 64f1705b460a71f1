"""The lattice that upsampling leaves in a picture, a regularizer, and the frequencies at which it shows."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601
PERIODS = (2, 4, 8)  # pixels, of the lattices that one, two, and three upsampling steps leave
AROUND = 4  # bins to each side that count as a frequency's neighborhood
PEAK = 1  # bins to each side that belong to a frequency itself: the main lobe of a Hann window
WINDOW = 64  # pixels, side of the windows in which a lattice counts
UNSEEN = 0.5 / 255  # standard deviation of noise below which a lattice can't be seen


def lattice_loss(image: Tensor) -> Tensor:
    """Compare the energy at a lattice's frequencies with that around them, in overlapping windows of 64 pixels.

    A logarithm lets faint windows, dark and flat ones, count as much as strong ones.

    Args:
        image: [N,3,H,W], RGB; at least 16 pixels on a side.

    Returns:
        The mean over windows, periods and frequencies of log(1 + energy / energy around); 0.6 for noise.
    """
    side = min(WINDOW, *(each // 8 * 8 for each in image.shape[2:]))
    windows = image.float().unfold(2, side, side // 2).unfold(3, side, side // 2)  # [N,3,h,w,side,side]
    energy = spectrum(windows.permute(0, 2, 3, 1, 4, 5).flatten(0, 2))
    floor = (UNSEEN * 3 / 8 * side) ** 2  # energy of such noise under a Hann window
    terms = []
    for period in PERIODS:
        peaks, around = peaks_of(energy, period)
        terms.append((peaks / (around.mean(-1).detach() + floor)).log1p().mean())
    return torch.stack(terms).mean()


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
