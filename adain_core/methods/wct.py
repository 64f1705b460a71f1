"""Whitening and coloring: features take the style's whole covariance (Li, Fang, Yang, Wang, Lu & Yang, NeurIPS 2017).

Departure from the paper, which applies five decoders one after another, each trained to invert one layer: here the
picture is made by AdaIN's decoder, at the layers it takes. Directions in which the variance of the features is below
1e-5 are dropped, as in the authors' code.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adain_core.contracts import Cost, Method, Steps, Style
from adain_core.feature_space.transfer import TransferParams, transfer, unchanged
from adain_core.networks.model import Networks
from adain_core.normalization import double

LEAST = 1e-5  # smallest eigenvalue of a covariance that isn't dropped


def recolor(x: Tensor, style: Tensor) -> Tensor:
    """Whiten features by their covariance and color them by the style's.

    Args:
        x: [N,C,H,W].
        style: [1,C,h,w].

    Returns:
        [N,C,H,W], with the style's mean and covariance where the features vary in every direction.
    """
    goal, middle = _covariance(style.flatten(2)[0])
    color = _power(goal, 0.5)
    found = []
    for each in x.flatten(2):  # [C,HW]
        spread, mean = _covariance(each)
        matrix = (color @ _power(spread, -0.5)).to(x)
        found.append(matrix @ (each - mean) + middle)
    return torch.stack(found).view(x.shape)


def _covariance(rows: Tensor) -> tuple[Tensor, Tensor]:
    mean = rows.mean(1, keepdim=True)
    centered = double(rows - mean)
    return centered @ centered.T / rows.shape[1], mean


def _power(matrix: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    kept = torch.where(values > LEAST, values.clamp_min(LEAST) ** exponent, 0)
    return (vectors * kept) @ vectors.T


def run(content: Tensor, styles: Sequence[Style], params: TransferParams, networks: Networks) -> Steps:
    """Stylize in one pass; yields one Step."""
    return transfer(content, styles, params, networks, lambda x, style, _: recolor(x, style))


METHOD = Method(
    name="wct",
    title="Whitening and coloring (WCT)",
    paper="Li et al. 2017",
    summary="Matches the mean and covariance of all feature channels jointly; AdaIN treats each channel separately.",
    params=TransferParams,
    run=run,
    reconstructs=unchanged,
    proportional=True,
    cost=lambda *_: Cost(passes=0.6),
)
