"""AdaIN's mean alone, to show what the standard deviation contributes (after Huang & Belongie, ICCV 2017, Eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adain_core.contracts import Method, Steps, Style
from adain_core.feature_space.transfer import TransferParams, transfer, unchanged
from adain_core.networks.model import Networks
from adain_core.normalization import statistics


def shift(x: Tensor, style: Tensor) -> Tensor:
    """Give features the style's mean in every channel: x - mean(x) + mean(style)."""
    return x - statistics(x).mean + statistics(style).mean


def run(content: Tensor, styles: Sequence[Style], params: TransferParams, networks: Networks) -> Steps:
    """Stylize in one pass; yields one Step."""
    return transfer(content, styles, params, networks, lambda x, style, _: shift(x, style))


METHOD = Method(
    name="adamean",
    title="Mean alone",
    paper="after Huang & Belongie 2017",
    summary="Half of AdaIN: gives the features the painting's mean and leaves their standard deviation.",
    params=TransferParams,
    run=run,
    reconstructs=unchanged,
    proportional=True,
)
