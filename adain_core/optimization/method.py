"""Makes optimization methods from style losses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import Tensor

from adain_core.contracts import Cost, Method, Steps, Style, StyleLoss
from adain_core.networks import cost
from adain_core.networks.model import Networks
from adain_core.optimization.loop import optimize, scale_factors
from adain_core.optimization.params import OptimizationParams

STEP = Cost(passes=0.9, bytes=1000)  # a forward and a backward pass, and features, gradients, and targets
MEASURED = 16  # channels at relu1_1 of `compact`, whose passes are the unit of the losses' costs
LARGE = (2**20, 2**20)  # a size at which no scale is skipped

Losses = Mapping[StyleLoss, float]


def optimizing(losses: Callable[[Any], Losses], **stated: Any) -> Method:
    """Make a method that optimizes the picture.

    Args:
        losses: maps parameters to style losses with their shares.
        stated: other attributes of the Method, such as its name; its parameters are OptimizationParams by default.
    """

    def run(content: Tensor, styles: Sequence[Style], params: OptimizationParams, networks: Networks) -> Steps:
        return optimize(content, styles, losses(params), params, networks)

    abilities: dict[str, Any] = {
        "params": OptimizationParams,
        "run": run,
        "iterations": lambda params, _: params.steps,
        "extensible": lambda params: params.scales == 1,
        "random": lambda params: params.start == "noise" or any(loss.random for loss in losses(params)),
        "cost": lambda params, networks: step_cost(losses(params), params.scales, networks),
    }
    return Method(**{**abilities, **stated})


def step_cost(losses: Losses, scales: int, networks: Networks) -> Cost:
    """Return the cost of a step: memory at full size, time averaged over the scales."""
    found = sum((loss.cost for loss, share in losses.items() if share), Cost(0.0))
    areas, slower = [factor**2 for factor in scale_factors(LARGE, scales)], (networks.encoder.widths[0] / MEASURED) ** 2
    passes = (STEP.passes * cost.loss_work(networks) + found.passes / slower) * sum(areas) / len(areas)
    pairs = found.pairs / slower * sum(area**2 for area in areas) / len(areas)
    return Cost(passes, pairs, STEP.bytes + found.bytes + cost.loss_bytes(networks))
