"""Exact feature distribution matching: every channel takes the style's whole histogram (Zhang et al., CVPR 2022).

AdaIN matches two moments of a channel; sorting matches all of them. Departure from the paper: if sizes differ, the
style's sorted values are interpolated to the content's count.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adain_core.contracts import Cost, Method, Steps, Style
from adain_core.feature_space.transfer import TransferParams, transfer, unchanged
from adain_core.losses.histogram import remap
from adain_core.networks.model import Networks


def run(content: Tensor, styles: Sequence[Style], params: TransferParams, networks: Networks) -> Steps:
    """Stylize in one pass; yields one Step."""
    return transfer(content, styles, params, networks, lambda x, style, _: remap(x, style))


METHOD = Method(
    name="histogram_match",
    title="Histogram matching (EFDM)",
    paper="Zhang et al. 2022",
    summary="Matches the full histogram of each feature channel; AdaIN matches only its mean and standard deviation.",
    params=TransferParams,
    run=run,
    reconstructs=unchanged,
    proportional=True,
    cost=lambda *_: Cost(passes=5.0),
)
