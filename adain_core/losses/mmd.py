"""Maximum mean discrepancy of features seen as a cloud of points, one a pixel (Li, Wang, Liu & Hou, IJCAI 2017).

    MMD^2 = E k(x, x') + E k(s, s') - 2 E k(x, s)

Here with a Gaussian kernel, k(x, y) = exp(-|x - y|^2 / 2 sigma^2), sigma^2 the mean squared distance between the
style's points. With a linear kernel MMD compares means alone; with (x.y)^2 it is the Gram loss, up to its constant.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from adain_core.contracts import StyleLoss

SAMPLE = 1024  # pixels drawn at each call, which bounds memory
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
    """Return MMD^2 of two clouds, [A,C] and [B,C], each point paired with itself, too."""
    return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()


def points(x: Tensor, generator: torch.Generator) -> Tensor:
    """Draw pixels of features, [1,C,H,W] -> [K,C]; all of them where there are no more than SAMPLE."""
    rows = x[0].flatten(1).T
    if len(rows) <= SAMPLE:
        return rows
    return rows[torch.randperm(len(rows), generator=generator)[:SAMPLE].to(rows.device)]


def make(style: Tensor, generator: torch.Generator) -> Callable[[Tensor], Tensor]:
    """Keep a sample of a style's points and return the Gaussian MMD^2; see StyleLoss."""
    target = points(style, generator)
    kernel = gaussian(float(torch.cdist(target, target).square().mean().clamp_min(1e-6)))
    return lambda x: discrepancy(points(x, generator), target, kernel)


LOSS = StyleLoss(
    name="mmd",
    title="Gaussian MMD",
    paper="Li, Wang, Liu & Hou 2017",
    summary="Whether the features are distributed as the painting's are, all moments at once.",
    make=make,
)
