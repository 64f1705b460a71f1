"""Mixing styles by weights that sum to 1 (Huang & Belongie 2017, Eq. 15)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from adain_core.normalization import Statistics

LARGEST = 10.0  # above this, the mix is a difference of large numbers, and the picture is noise


def normalize(weights: Sequence[float] | None, styles: int) -> tuple[float, ...]:
    """Scale the styles' weights to sum to 1; without weights, the styles share equally.

    A negative weight pushes away from its style.

    Raises:
        ValueError: the numbers of weights and styles differ, a weight is not finite, the sum is not positive, or it is
            so small that a weight would exceed 10.
    """
    weights = [1.0] * styles if weights is None else list(weights)
    given = ", ".join(f"{weight:g}" for weight in weights)
    if len(weights) != styles:
        raise ValueError(f"Styles: {styles}, but weights: {len(weights)} ({given}); give one weight per style.")
    if not all(math.isfinite(weight) for weight in weights):
        raise ValueError(f"The weights are {given}; each must be a finite number.")
    power = math.frexp(max(map(abs, weights), default=0.0))[1]
    weights = [math.ldexp(weight, -power) for weight in weights]  # exact; the sum of large ones would overflow
    total = math.fsum(weights)
    if total <= 0:
        raise ValueError(
            f"The weights {given} sum to {total * 2.0 ** min(power, 1023):g}; they must sum to more than 0."
        )
    if max(map(abs, weights)) > LARGEST * total:
        raise ValueError(f"The weights {given} nearly cancel: divided by their sum, one would exceed {LARGEST:g}.")
    return tuple(weight / total for weight in weights)


def mix(styles: Sequence[Statistics], weights: Sequence[float]) -> Statistics:
    """Mix styles' statistics by weights.

    AdaIN is linear in the style's mean and standard deviation, so AdaIN with the mixed statistics equals Eq. 15's sum
    of w_k AdaIN(f(c), f(s_k)) at the cost of one style. (The compact model's gains, applied later, are not linear.)
    """
    return Statistics(
        torch.stack([weight * style.mean for weight, style in zip(weights, styles, strict=True)]).sum(0),
        torch.stack([weight * style.std for weight, style in zip(weights, styles, strict=True)]).sum(0),
    )
