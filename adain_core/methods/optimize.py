"""Optimization with a style loss of choice, or several, in the loop that Gatys et al. 2016 runs in."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Literal

from pydantic import Field
from torch import Tensor

from adain_core import losses
from adain_core.contracts import Method, Step, Style
from adain_core.networks.model import Networks
from adain_core.optimization import loop, objective


class Params(loop.Params):
    """Which losses."""

    loss: Literal[tuple(losses.find())] = Field(  # type: ignore[valid-type]
        "mean_std", title="Style loss", description="What to match between the picture and the painting."
    )
    mix: str = Field(
        "",
        max_length=200,
        title="Further losses",
        description="Losses to add, with weights relative to the first, such as histogram=0.5, coral.",
    )


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Optimize the picture under the chosen losses; yields a Step an iteration."""
    known = losses.find()
    mixed = {params.loss: 1.0, **objective.shares(params.mix, "further losses")}
    if missing := [name for name in mixed if name not in known]:
        raise ValueError(f"There is no loss {missing[0]}; there are {', '.join(known)}.")
    chosen = {known[name]: share for name, share in mixed.items()}
    return loop.optimize(content, styles, chosen, params, networks)


METHOD = Method(
    name="optimize",
    title="Optimization",
    paper="the losses' papers",
    summary="Optimizes the picture itself under a style loss of your choice, or a mix of them.",
    params=Params,
    run=run,
)
