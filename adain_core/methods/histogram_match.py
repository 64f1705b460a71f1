"""Exact feature distribution matching: every channel takes the style's whole histogram (Zhang et al., CVPR 2022).

AdaIN matches two moments of a channel; sorting matches all of them. Departs from the paper where sizes differ: the
style's sorted values are interpolated to as many as the content has.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.contracts import Method, Step, Style
from adain_core.feature_space import Params, transfer
from adain_core.networks import Networks


def remap(x: Tensor, style: Tensor) -> Tensor:
    """Give each channel the style's values in the order of its own.

    Args:
        x: features, [N,C,H,W].
        style: features, [1,C,h,w].

    Returns:
        [N,C,H,W]: the smallest value of a channel becomes the style's smallest there, and so on.
    """
    rows = x.flatten(2)  # [N,C,HW]
    values = style.flatten(2).sort().values  # [1,C,hw]
    if values.shape[2] != rows.shape[2]:
        values = F.interpolate(values, rows.shape[2], mode="linear", align_corners=True)
    places = rows.argsort(stable=True)
    return torch.empty_like(rows).scatter_(2, places, values.expand_as(rows)).view(x.shape)


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Stylize in one pass; yields one Step."""
    return transfer(content, styles, params, networks, remap)


METHOD = Method(
    name="histogram_match",
    title="Histogram matching (EFDM)",
    paper="Zhang et al. 2022",
    summary="Gives each channel of the features the painting's whole histogram, not only its mean and deviation.",
    params=Params,
    run=run,
)
