"""Batch, instance, conditional instance and adaptive instance normalization (Huang & Belongie 2017, Eqs. 1-8).

They are one formula, gamma * (x - mean) / std + beta, and differ in where the four come from. Here std is
sqrt(variance + eps) with the variance over 1/HW, as the paper writes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

EPS = 1e-5  # pytorch's and the released code's; the paper gives no value
NUMBERS = 2**18  # taken to float32 at a time, so that the copies stay in a CPU's caches
FLAT = 0.05  # of their mean square: the variance that features of a flat picture are taken to have


class Statistics(NamedTuple):
    """Mean and standard deviation of features, shaped so that they broadcast over them."""

    mean: Tensor
    std: Tensor


def statistics(x: Tensor, dims: tuple[int, ...] = (2, 3), eps: float = EPS) -> Statistics:
    """Mean and standard deviation over `dims`: each sample's and channel's own by default (Eqs. 5, 6).

    Args:
        x: features, [N,C,H,W].
        dims: (2, 3) for instance statistics, (0, 2, 3) for a batch's (Eqs. 2, 3).
        eps: added to the variance, inside the root.

    Returns:
        Both [N,C,1,1], or [1,C,1,1] for a batch.
    """
    return Statistics(*_MeanStd.apply(x, dims, eps))  # type: ignore[no-untyped-call]


class _MeanStd(torch.autograd.Function):
    """In two passes, on a CPU 2.6 to 6 times faster than torch.var_mean at 512 px; backward in one.

    Half-precision features are read as float32, which is also what comes back; in parts, and in one pass.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, dims: tuple[int, ...], eps: float) -> tuple[Tensor, Tensor]:
        if x.dtype in (torch.bfloat16, torch.float16) and dims == (2, 3):
            mean, variance = _moments(x)
        else:
            exact = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
            mean = exact.mean(dims, keepdim=True)
            variance = (exact - mean).square_().mean(dims, keepdim=True)
        std = (variance + eps).sqrt()
        ctx.save_for_backward(x, mean, std)
        return mean, std

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, mean_grad: Tensor, std_grad: Tensor) -> tuple[Tensor, None, None]:
        x, mean, std = ctx.saved_tensors
        count = x.numel() / mean.numel()
        slope = std_grad / (count * std)  # d std / dx = (x - mean) / (count std)
        offset = mean_grad / count - mean * slope
        return torch.addcmul(offset.to(x.dtype), x, slope.to(x.dtype)), None, None


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel of half-precision features, [N,C,1,1] in float32."""
    middle = x[:, :, ::8, ::8].float().mean((2, 3), keepdim=True)  # a difference of moments is exact about it
    mean, squares = torch.zeros_like(middle), torch.zeros_like(middle)
    for part in torch.split(x, _rows(x), 2):
        gaps = part.float() - middle
        mean += gaps.sum((2, 3), keepdim=True)
        squares += gaps.square_().sum((2, 3), keepdim=True)
    count = x[0, 0].numel()
    mean /= count
    return middle + mean, (squares / count - mean.square()).clamp_min_(0)


def spread(x: Tensor) -> Tensor:
    """Return the variance of features about their channels' means, as a unit for differences between features.

    It is at least a twentieth of their mean square: in a flat picture features don't vary, and a difference divided by
    rounding errors says nothing.

    Args:
        x: [N,C,H,W].

    Returns:
        One number for all.
    """
    variance = (x - x.mean((2, 3), keepdim=True)).square().mean()
    return torch.maximum(variance, FLAT * x.square().mean())


def weighted_statistics(x: Tensor, weights: Tensor, eps: float = EPS) -> Statistics:
    """Statistics with each pixel weighted (Eqs. 5, 6 over regions), for several weightings at once, in float32.

    Args:
        x: features of one picture, [1,C,H,W].
        weights: [R,1,H,W], at least 0; a weighting of zeros alone gives mean 0 and std sqrt(eps).
        eps: added to the variance, inside the root.

    Returns:
        Both [R,C,1,1].
    """
    rows = x[0].permute(1, 2, 0).flatten(0, 1)  # [HW,C], as channels_last has it
    shares = weights.flatten(1).float()  # [R,HW]
    total = shares.sum(1, keepdim=True)
    shares = shares / total.clamp_min(torch.finfo(torch.float32).tiny)
    # The variance is a difference of moments, exact where these are about a middle, here that of some of the pixels.
    middle = rows[:: max(1, len(rows) // 1024)].float().mean(0)
    mean, squares = middle.new_zeros(2, len(shares), len(middle))  # [R,C] each
    count = max(1, NUMBERS // x.shape[1])
    for part, share in zip(torch.split(rows, count), torch.split(shares, count, 1), strict=True):
        gaps = part.float() - middle
        mean.addmm_(share, gaps)
        squares.addmm_(share, gaps.square_())
    variance = (squares - mean.square()).clamp_min_(0)
    mean += middle * (total > 0)
    return Statistics(mean[..., None, None], (variance + eps).sqrt()[..., None, None])


def merge(parts: Sequence[tuple[Tensor, Statistics]], eps: float = EPS) -> Statistics:
    """Statistics of a whole from those of its parts.

    Args:
        parts: each part's weight, such as its number of pixels, broadcastable to its statistics, and these.
        eps: as in the parts' statistics.
    """
    weights = torch.stack([weight.expand_as(part.mean) for weight, part in parts])
    weights = weights / weights.sum(0).clamp_min(torch.finfo(weights.dtype).tiny)
    means = torch.stack([part.mean for _, part in parts])
    mean = (weights * means).sum(0)
    variances = torch.stack([part.std.square() - eps for _, part in parts]) + (means - mean).square()
    return Statistics(mean, ((weights * variances).sum(0).clamp_min(0) + eps).sqrt())


def restyle(x: Tensor, own: Statistics, target: Statistics) -> Tensor:
    """Take the own mean and standard deviation off features and put the target's on (Eq. 8, statistics given)."""
    scale = target.std / own.std
    shift = target.mean - own.mean * scale
    if x.dtype == shift.dtype:
        return shift.addcmul(x, scale)  # target.std * (x - own.mean) / own.std + target.mean
    found, rows = torch.empty_like(x), _rows(x)
    for part, room in zip(torch.split(x, rows, 2), torch.split(found, rows, 2), strict=True):
        room.copy_(shift.addcmul(part.to(shift.dtype), scale))
    return found


def batch_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = EPS) -> Tensor:
    """Batch normalization in training (Eqs. 1-3); x is [N,C,H,W], gamma and beta are [C]."""
    return restyle(x, statistics(x, (0, 2, 3), eps), Statistics(_channels(beta), _channels(gamma)))


def instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, eps: float = EPS) -> Tensor:
    """Instance normalization (Eqs. 4-6); x is [N,C,H,W], gamma and beta are [C]."""
    return restyle(x, statistics(x, eps=eps), Statistics(_channels(beta), _channels(gamma)))


def conditional_instance_norm(x: Tensor, gamma: Tensor, beta: Tensor, style: Tensor, eps: float = EPS) -> Tensor:
    """Conditional instance normalization (Dumoulin et al. 2017; Eq. 7).

    Args:
        x: features, [N,C,H,W].
        gamma: every style's scales, [S,C].
        beta: every style's shifts, [S,C].
        style: which style each sample takes, [N], integers below S.
        eps: added to the variance.
    """
    return restyle(x, statistics(x, eps=eps), Statistics(beta[style, :, None, None], gamma[style, :, None, None]))


def adain(content: Tensor, style: Tensor, eps: float = EPS) -> Tensor:
    """Adaptive instance normalization (Huang & Belongie 2017, Eq. 8).

    Args:
        content: features, [N,C,H,W].
        style: features, [N,C,h,w] or [1,C,h,w].
        eps: added to both variances.

    Returns:
        [N,C,H,W]: the content's features with the style's mean and standard deviation in every channel.
    """
    return restyle(content, statistics(content, eps=eps), statistics(style, eps=eps))


def _rows(x: Tensor) -> int:
    """Rows of features to take at a time: all of them on a GPU, whose launches cost more than its memory."""
    return max(1, NUMBERS // x[:, :, 0].numel()) if x.device.type == "cpu" else x.shape[2]


def _channels(values: Tensor) -> Tensor:
    return values[None, :, None, None]  # [1,C,1,1]


def double(x: Tensor) -> Tensor:
    """Return values in float64, on the CPU where their device has none (MPS)."""
    return (x.cpu() if x.device.type == "mps" else x).double()
