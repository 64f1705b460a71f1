"""Combining Markov random fields and convolutional networks (CNNMRF; Li & Wand, CVPR 2016), coarse to fine.

Departures from the paper: units and optimizer are those of optimization/ (the paper: L-BFGS with 100 iterations per
scale, at 384 px); two scales by default; relu4_1 replaces relu4_2 if the networks lack it; the style's patches are
neither rotated nor scaled.
"""

from __future__ import annotations

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


METHOD = optimizing(
    lambda _: {mrf.LOSS: 1.0},
    name="mrf",
    title="Patches (CNNMRF)",
    paper="Li & Wand 2016",
    summary="Optimizes the picture until each small patch of its features resembles a patch of the painting.",
    params=MRFParams,
)
