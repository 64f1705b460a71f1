"""Image style transfer by optimization (Gatys, Ecker & Bethge, CVPR 2016; coarse to fine: Gatys et al., CVPR 2017).

Departs from the paper: losses are in the units of adain_core/optimize.py; relu4_1 stands for conv4_2 where the networks
end there, and relu5_1 is left out; pooling is the networks' own, by maximum or by strides.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from torch import Tensor

from adain_core.contracts import Method, Step, Style
from adain_core.losses import gram
from adain_core.networks import Networks
from adain_core.optimize import Params, optimize

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def run(content: Tensor, styles: Sequence[Style], params: Params, networks: Networks) -> Generator[Step, None, None]:
    """Optimize the picture until its Gram matrices are the style's; yields a Step an iteration."""
    return optimize(content, styles, params, networks, {gram.LOSS: 1.0}, LAYERS)


METHOD = Method(
    name="gatys",
    title="Gatys",
    paper="Gatys, Ecker & Bethge 2016",
    summary="Optimizes the picture itself until the painting's channels are active together in it.",
    params=Params,
    run=run,
)
