"""Optimization with a style loss of choice, in the loop that Gatys et al. 2016 runs in."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor

from adain_core import losses, optimize
from adain_core.contracts import Method, Step, Style
from adain_core.networks import Networks


class Params(optimize.Params):
    """Which loss."""

    loss: Literal["mean_std", "gram", "mmd", "coral", "histogram"] = Field(
        "mean_std", title="Style loss", description="What of the painting's features the picture is to have."
    )


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Optimize the picture under the chosen loss; yields a Step an iteration."""
    return optimize.optimize(content, styles, params, networks, {losses.find()[params.loss]: 1.0})


METHOD = Method(
    name="optimize",
    title="Optimization",
    paper="the losses' papers",
    summary="Optimizes the picture itself under a style loss of your choice.",
    params=Params,
    run=run,
)
