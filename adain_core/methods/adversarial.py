"""A Markovian discriminator as style loss (Li & Wand, ECCV 2016), here for one picture by optimization.

Departs from the paper, which trains a feed-forward network against it (and optimizes single pictures as well, as here);
see adain_core/losses/adversarial.py for the discriminator.
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
