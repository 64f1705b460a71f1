"""A Markovian discriminator as style loss (Li & Wand, ECCV 2016), here for one picture by optimization.

Departs from the paper, which trains a feed-forward network against it (and optimizes single pictures as well, as here);
see adain_core/losses/adversarial.py for the discriminator.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from torch import Tensor

from adain_core.contracts import Method, Step, Style
from adain_core.losses import adversarial
from adain_core.networks.model import Networks
from adain_core.optimization.loop import Params, optimize


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Optimize the picture against discriminators that learn meanwhile; yields a Step an iteration."""
    return optimize(content, styles, {adversarial.LOSS: 1.0}, params, networks)


METHOD = Method(
    name="adversarial",
    title="Adversarial (MGAN)",
    paper="Li & Wand 2016",
    summary="Optimizes the picture until a small network can't tell its feature patches from the painting's.",
    params=Params,
    run=run,
    random=True,
)
