"""The pass shared by methods that, like AdaIN, transform features and decode them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from adain_core.contracts import MethodParams, Step, Steps, Stopwatch, Strength, Style
from adain_core.controls import regions
from adain_core.controls.mixing import mix
from adain_core.controls.strength import blend
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics, weighted_statistics


class TransferParams(MethodParams):
    """Parameters of methods that transform features."""

    alpha: Annotated[float, Strength()] = Field(
        1.0, ge=0, le=1, title="Strength", description="0 keeps the photograph, 1 gives the full style."
    )


def unchanged(params: TransferParams) -> bool:
    """Return whether the strength is 0, so that the content is only reconstructed."""
    return params.alpha == 0


def transfer(
    content: Tensor,
    styles: Sequence[Style],
    params: TransferParams,
    networks: Networks,
    transform: Callable[[Tensor, Tensor, str], Tensor],
) -> Steps:
    """Stylize in one pass: g((1 - alpha) f(c) + alpha sum_k w_k transform(f(c), f(s_k))) (Eqs. 14, 15, any transform).

    Args:
        content: [N,3,H,W], RGB in [0,1].
        styles: styles whose weights sum to 1.
        params: the strength.
        networks: the encoder and its decoder.
        transform: maps the content's features, [N,C,h,w], a style's, [1,C,y,x], both in float32, and the name of the
            layer to the stylized features, [N,C,h,w]; called for each level of the decoder.

    Yields:
        One Step with its seconds by stage.
    """
    clock = Stopwatch(networks.device)
    with torch.inference_mode():
        with clock("encode content"):
            encoded = networks.encode(content)
        with clock("encode style"):
            targets = [networks.encode(style.image).features for style in styles]
        with clock("transform"):
            stylized = {}
            for layer, x in encoded.features.items():
                parts = [torch.zeros_like(x, dtype=torch.float32)] + [
                    style.weight * transform(x.float(), target[layer].float(), layer)
                    for style, target in zip(styles, targets, strict=True)
                ]
                stylized[layer] = blend(x, torch.stack(parts).sum(0).to(x.dtype), params.alpha)
        with clock("decode"):
            image = networks.decode(stylized, content.shape[2:])
    yield Step(image, seconds=clock.seconds)


def style_statistics(styles: Sequence[Style], networks: Networks) -> dict[str, Statistics]:
    """Return the mixed statistics of styles by layer (Eq. 15); styles with masks are weighted by them."""
    found = []
    for style in styles:
        if style.mask is None:
            found.append(networks.statistics(style.image))
        else:
            features = networks.encode(style.image).features
            halved = regions.halve(style.mask).to(networks.device)
            masks = {layer: regions.pool(halved, layer) for layer in features}
            found.append({layer: weighted_statistics(x, masks[layer]) for layer, x in features.items()})
    weights = [style.weight for style in styles]
    return {layer: mix([each[layer] for each in found], weights) for layer in networks.levels}
