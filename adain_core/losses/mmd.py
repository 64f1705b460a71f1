"""Maximum mean discrepancy between features, with each pixel as a sample (Li, Wang, Liu & Hou, IJCAI 2017).

    MMD^2 = E k(x, x') + E k(s, s') - 2 E k(x, s)

Three kernels: linear, x.y, compares only means; polynomial, (x.y)^2, is the Gram loss up to a constant; Gaussian,
exp(-|x - y|^2 / 2 sigma^2) with sigma^2 the mean squared distance between the style's samples, compares all moments.
Expectations are already means, so the reduction has no effect.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from adain_core.contracts import Cost, StyleLoss

SAMPLE = 1024  # pixels drawn per call, to bound memory
Kernel = Callable[[Tensor, Tensor], Tensor]


def linear(x: Tensor, y: Tensor) -> Tensor:
    """k(x, y) = x.y for all pairs, [A,C] and [B,C] -> [A,B]."""
    return x @ y.T


def polynomial(x: Tensor, y: Tensor) -> Tensor:
    """k(x, y) = (x.y)^2."""
    return (x @ y.T).square()


def gaussian(variance: float) -> Kernel:
    """k(x, y) = exp(-|x - y|^2 / 2 variance)."""
    return lambda x, y: torch.exp(torch.cdist(x, y).square() / (-2 * variance))


def discrepancy(x: Tensor, y: Tensor, kernel: Kernel) -> Tensor:
    """Return MMD^2 of two sets of samples, [A,C] and [B,C], including each sample's pair with itself."""
    return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()


def points(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw up to SAMPLE pixels of features, [1,C,H,W] -> [K,C]."""
    rows = x[0].flatten(1).T
    if len(rows) <= SAMPLE:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:SAMPLE].to(rows.device)]


def _gaussian(target: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Return the Gaussian MMD^2 to a sample of the style's pixels; see StyleLoss."""
    sample = points(target, generator)
    variance = float(torch.cdist(sample, sample).square().mean().clamp_min(1e-6))
    return _make(gaussian(variance))(target, generator, reduction)


def _make(kernel: Kernel) -> Callable[[Tensor, torch.Generator, str], Callable[[Tensor], Tensor]]:
    def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
        del reduction
        target = points(style, generator)
        return lambda x: discrepancy(points(x, generator), target, kernel)

    return make


PAPER = "Li, Wang, Liu & Hou 2017"
COST = Cost(passes=6.0)  # of a picture of 512x512 pixels; the sample's size doesn't grow
GAUSSIAN = StyleLoss(
    name="mmd",
    title="Gaussian MMD",
    paper=PAPER,
    summary="The whole distribution of the features, compared by a Gaussian kernel.",
    make=_gaussian,
    cost=COST,
    random=True,
)
LINEAR = StyleLoss(
    name="mmd_linear",
    title="Linear MMD",
    paper=PAPER,
    summary="The mean of each channel alone.",
    make=_make(linear),
    cost=COST,
    random=True,
)
POLYNOMIAL = StyleLoss(
    name="mmd_polynomial",
    title="Polynomial MMD",
    paper=PAPER,
    summary="Like Gram matrices, estimated from a sample of pixels.",
    make=_make(polynomial),
    cost=COST,
    random=True,
)
