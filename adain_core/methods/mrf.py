"""Combining Markov random fields and convolutional networks (CNNMRF; Li & Wand, CVPR 2016), coarse to fine.

The style's patches come from several scales and angles; see adain_core/losses/mrf.py.

Departures from the paper: units and optimizer are those of optimization/ (the paper: L-BFGS with 100 iterations per
scale, at 384 px); two scales by default; it starts from the photograph in the painting's colors, of which the features
at relu3_1 and relu4_1 say too little; relu4_1 replaces relu4_2 if the networks lack it.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adain_core.losses import mrf
from adain_core.optimization.method import optimizing
from adain_core.optimization.params import OptimizationParams


class MRFParams(OptimizationParams):
    """How to optimize."""

    scales: int = Field(
        2,
        ge=1,
        le=6,
        title="Scales",
        description="Sizes to work through, from coarse to fine. More scales give larger brush strokes.",
    )
    start: Literal["content", "noise", "colors", "adain"] = Field(
        "colors",
        title="Start",
        description="Starting picture: photograph, noise, photograph in the painting's colors, or AdaIN's result.",
    )


METHOD = optimizing(
    lambda _: {mrf.LOSS: 1.0},
    name="mrf",
    title="Patches (CNNMRF)",
    paper="Li & Wand 2016",
    summary="Optimizes the picture until each small patch of its features resembles a patch of the painting.",
    params=MRFParams,
)
