"""AdaIN's standard deviation alone, to show what the mean contributes (after Huang & Belongie, ICCV 2017, Eq. 8)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adain_core.contracts import Method, Steps, Style
from adain_core.feature_space.transfer import TransferParams, transfer, unchanged
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics, restyle, statistics


def stretch(x: Tensor, style: Tensor) -> Tensor:
    """Give features the style's standard deviation in every channel, and keep their mean."""
    own = statistics(x)
    return restyle(x, own, Statistics(own.mean, statistics(style).std))


def run(content: Tensor, styles: Sequence[Style], params: TransferParams, networks: Networks) -> Steps:
    """Stylize in one pass; yields one Step."""
    return transfer(content, styles, params, networks, lambda x, style, _: stretch(x, style))


METHOD = Method(
    name="adastd",
    title="Standard deviation alone",
    paper="after Huang & Belongie 2017",
    summary="Half of AdaIN: gives the features the painting's standard deviation and leaves their mean.",
    params=TransferParams,
    run=run,
    reconstructs=unchanged,
    proportional=True,
)
