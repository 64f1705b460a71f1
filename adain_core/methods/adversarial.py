"""Optimization of a picture against a Markovian discriminator (Li & Wand, ECCV 2016).

Departure from the paper: it mainly trains a feed-forward network against the discriminator, and optimizes single
pictures, as here, for comparison. See adain_core/losses/adversarial.py for the discriminator.
"""

from __future__ import annotations

from adain_core.losses import adversarial
from adain_core.optimization.method import optimizing

METHOD = optimizing(
    lambda _: {adversarial.LOSS: 1.0},
    name="adversarial",
    title="Adversarial (MGAN)",
    paper="Li & Wand 2016",
    summary="Optimizes the picture until a small network can't tell its feature patches from the painting's.",
)
