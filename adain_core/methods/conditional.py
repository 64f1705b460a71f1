"""A learned representation for artistic style (Dumoulin, Shlens & Kudlur 2017): one network for many styles.

    CIN(x; s) = gamma_s (x - mu(x)) / sigma(x) + beta_s   (Huang & Belongie 2017, Eq. 7)

Each normalization of the network has a gamma and a beta for each style; everything else is shared. Styles mix, as in
the paper, by gamma = sum_k w_k gamma_k and beta = sum_k w_k beta_k. Departures are those of networks/generators.py and
of the recipe, training/generators.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adain_core import weights
from adain_core.contracts import Cost, Method, MethodParams, Step, Steps, Stopwatch, Style
from adain_core.networks.model import Networks


def run(content: Tensor, styles: Sequence[Style], params: MethodParams, networks: Networks) -> Steps:  # noqa: ARG001
    """Paint the photograph in one pass in a mixture of styles.

    Yields:
        One Step, its seconds by stage.
    """
    shares = dict.fromkeys((style.name for style in styles), 0.0)
    for style in styles:
        shares[style.name] += style.weight
    clock = Stopwatch(networks.device)
    with clock("generate"):
        image = networks.generate(content, shares)
    yield Step(image, seconds=clock.seconds)


METHOD = Method(
    name="conditional",
    title="Conditional instance norm",
    paper="Dumoulin, Shlens & Kudlur 2017",
    summary="One pass through a network that was trained for many paintings and mixes them.",
    params=MethodParams,
    run=run,
    known_styles=weights.known_styles("conditional"),
    cost=lambda *_: Cost(0.0),
)
