"""Stroke size: the painting is scaled before the network sees it.

The network's receptive field is fixed, so strokes come out at the size they have in its input.
"""

from __future__ import annotations

from pydantic import Field

from adain_core.contracts import Params

LARGEST = 2048  # pixels of the longer side
SMALLEST = 64


class ScaleParams(Params):
    """The size at which the network sees the painting."""

    style_size: int = Field(
        512,
        ge=SMALLEST,
        le=LARGEST,
        title="Style size",
        description="Longer side, in pixels, to which the painting is resized for the network.",
    )
    style_scale: float = Field(
        1.0,
        ge=0.25,
        le=4,
        title="Stroke size",
        description="Larger values give broader brush strokes.",
    )


def longest(params: ScaleParams) -> int:
    """Return the longer side of the painting as the network sees it, in pixels."""
    return min(LARGEST, max(SMALLEST, round(params.style_size * params.style_scale)))
