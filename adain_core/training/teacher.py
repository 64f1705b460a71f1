"""The full-size networks as teacher and yardstick: VGG-19's features, and the picture that the paper's pair makes."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from adain_core.losses.mean_std import mean_std
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics, adain, statistics

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
DEEPEST = LAYERS[-1]
Features = Mapping[str, Tensor]


class Teacher:
    """An encoder and its decoder, copied to a device and a precision, through which gradients pass but none stay.

    Args:
        networks: the full-size pair.
        device: where to compute.
        dtype: bfloat16 halves the time where the machine has it; features come back in it.
    """

    def __init__(self, networks: Networks, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        self.device, self.dtype = device, dtype

        assert networks.decoder is not None

        def copied(module: nn.Module) -> nn.Module:
            return copy.deepcopy(module).to(device, dtype)

        self.encoder, self.decoder = copied(networks.encoder), copied(networks.decoder)

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at LAYERS."""
        return tuple(self.encoder.widths)[: len(LAYERS)]  # type: ignore[arg-type]

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return an image's features at LAYERS; image [N,3,H,W], RGB in [0,1]."""
        with self._own_precision():
            return self.encoder(image.to(self.dtype), LAYERS)

    def target(self, content: Features, style: Features) -> Tensor:
        """AdaIN of the deepest features, t in Eq. 9."""
        return adain(content[DEEPEST].float(), style[DEEPEST].float())

    def decode(self, target: Tensor) -> Tensor:
        """Return the full-size pair's picture, not clamped."""
        with self._own_precision():
            return self.decoder({DEEPEST: target.to(self.dtype)}).float()

    def _own_precision(self) -> torch.autocast:
        """Keep autocast, under which the student works, from padding in float32: a sixth of a step went to that."""
        return torch.autocast(self.device.type, enabled=False)


def all_statistics(features: Features) -> dict[str, Statistics]:
    """Statistics of every layer."""
    return {layer: statistics(x) for layer, x in features.items()}


def style_loss(own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> Tensor:
    """Sum the mean-and-std loss over LAYERS (Eq. 13); returns [N]."""
    return torch.stack([mean_std(own[layer], style[layer]) for layer in LAYERS]).sum(0)


def content_loss(own: Features, target: Tensor) -> Tensor:
    """Mean squared error of the deepest features to a target (Eq. 12, squared); returns [N]."""
    return (own[DEEPEST].float() - target).square().mean((1, 2, 3))
