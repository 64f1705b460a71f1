"""Optimization with any style loss or a mix of several, in the same loop as Gatys et al. 2016."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adain_core import losses
from adain_core.optimization.method import Losses, optimizing
from adain_core.optimization.objective import shares
from adain_core.optimization.params import OptimizationParams


class OptimizeParams(OptimizationParams):
    """Parameters of the optimization, and the losses to use."""

    loss: Literal[tuple(losses.find())] = Field(  # type: ignore[valid-type]
        "mean_std", title="Style loss", description="What to match between the picture and the painting."
    )
    mix: str = Field(
        "",
        max_length=200,
        title="Further losses",
        description="Losses to add, with weights relative to the first, such as histogram=0.5, coral.",
    )


def chosen(params: OptimizeParams) -> Losses:
    """Return the losses selected by the parameters, with their shares.

    Raises:
        ValueError: there is no such loss; the message lists the available ones.
    """
    known = losses.find()
    mixed = {params.loss: 1.0, **shares(params.mix, "further losses")}
    if missing := [name for name in mixed if name not in known]:
        raise ValueError(f"There is no loss {missing[0]}; there are {', '.join(known)}.")
    return {known[name]: share for name, share in mixed.items()}


METHOD = optimizing(
    chosen,
    name="optimize",
    title="Optimization",
    paper="the losses' papers",
    summary="Optimizes the picture itself under a style loss of your choice, or a mix of them.",
    params=OptimizeParams,
)
