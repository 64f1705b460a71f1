"""AdaIN: arbitrary style transfer in real time (Huang & Belongie, ICCV 2017).

Departures from the paper come from the networks: with `vgg19`, AdaIN is applied only at relu4_1, as in Eq. 9. With
`compact` it is applied at relu4_1, relu3_1, and relu2_1, because 128 channels at 1/8 of the resolution can't represent
a picture, and learned gains move the statistics slightly beyond the style's in most channels (`Networks.target`).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from adain_core.contracts import Method, Spatial, Step, Steps, Stopwatch, Style
from adain_core.controls.strength import blend
from adain_core.feature_space.spatial import transfer_spatially
from adain_core.feature_space.transfer import TransferParams, style_statistics, unchanged
from adain_core.networks.model import Networks


def run(
    content: Tensor, styles: Sequence[Style], params: TransferParams, networks: Networks, spatial: Spatial | None = None
) -> Steps:
    """Stylize in one pass: T(c, s) = g((1 - alpha) f(c) + alpha sum_k w_k AdaIN(f(c), f(s_k))) (Eqs. 8-10, 14, 15).

    Yields:
        One Step with its seconds by stage, or several with tiles; see `transfer_spatially`.
    """
    if spatial is not None:
        yield from transfer_spatially(content, styles, params.alpha, networks, spatial, networks.target)
        return
    clock = Stopwatch(networks.device)
    with torch.inference_mode():
        with clock("encode content"):
            encoded = networks.encode(content)
            own = encoded.statistics
        with clock("encode style"):
            target = style_statistics(styles, networks)
        with clock("AdaIN"):
            full = networks.restyle(encoded.features, own, target)
            stylized = {layer: blend(x, full[layer], params.alpha) for layer, x in encoded.features.items()}
        with clock("decode"):
            image = networks.decode(stylized, content.shape[2:])
    yield Step(image, seconds=clock.seconds)


METHOD = Method(
    name="adain",
    title="AdaIN",
    paper="Huang & Belongie 2017",
    summary="One pass: gives the photograph's features the painting's mean and standard deviation, channel by channel.",
    params=TransferParams,
    run=run,
    reconstructs=unchanged,
    spatial=True,
    proportional=True,
)
