"""Perceptual losses for real-time style transfer (Johnson, Alahi & Fei-Fei 2016): one network for each style.

Departures from the paper are those of networks/generators.py and of the recipe, training/generators.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adain_core import weights
from adain_core.contracts import Cost, Method, MethodParams, Step, Steps, Stopwatch, Style
from adain_core.networks.model import Networks


def run(content: Tensor, styles: Sequence[Style], params: MethodParams, networks: Networks) -> Steps:  # noqa: ARG001
    """Paint the photograph in one pass through the network of a style.

    Yields:
        One Step, its seconds by stage.

    Raises:
        ValueError: several styles are given.
    """
    names = {style.name for style in styles}
    if len(names) > 1:
        raise ValueError("Johnson has one network for each style, so it can't mix them; give one style.")
    clock = Stopwatch(networks.device)
    with clock("generate"):
        image = networks.generate(content, dict.fromkeys(names, 1.0))
    yield Step(image, seconds=clock.seconds)


METHOD = Method(
    name="johnson",
    title="Johnson",
    paper="Johnson, Alahi & Fei-Fei 2016",
    summary="One pass through a network that was trained for one painting.",
    params=MethodParams,
    run=run,
    known_styles=weights.known_styles("johnson"),
    cost=lambda *_: Cost(0.0),
)
