"""Markov random fields and networks together (CNNMRF: Li & Wand, CVPR 2016): patches, coarse to fine.

Departs from the paper: its networks have relu4_2 for the content, ours relu4_1 where they end there; the style is
neither rotated nor scaled beyond the loop's own scales.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pydantic import Field
from torch import Tensor

from adain_core import optimize
from adain_core.contracts import Method, Step, Style
from adain_core.losses import mrf
from adain_core.networks import Networks


class Params(optimize.Params):
    """How to optimize: from coarse to fine."""

    scales: int = Field(3, ge=1, le=6, title="Scales", description="From coarse to fine, each 1.4 times larger.")


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Optimize the picture until its patches are the style's; yields a Step an iteration."""
    return optimize.optimize(content, styles, params, networks, {mrf.LOSS: 1.0})


METHOD = Method(
    name="mrf",
    title="Patches (CNNMRF)",
    paper="Li & Wand 2016",
    summary="Optimizes the picture until each of its patches is one of the painting's.",
    params=Params,
    run=run,
)
