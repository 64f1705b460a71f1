"""The full-size networks as teacher: VGG-19's features, and the output of the paper's encoder and decoder."""

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
    """Frozen copies of an encoder and its decoder on a device; gradients pass through them to their inputs.

    Args:
        networks: the full-size pair.
        device: device to compute on.
        dtype: type of the weights and the returned features; bfloat16 halves the time on hardware that supports it.
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
        """Return the full-size pair's output for target features, [N,3,H,W], not clamped."""
        with self._own_precision():
            return self.decoder({DEEPEST: target.to(self.dtype)}).float()

    def _own_precision(self) -> torch.autocast:
        """Disable the student's autocast, which pads in float32: that took a sixth of a step."""
        return torch.autocast(self.device.type, enabled=False)


def all_statistics(features: Features) -> dict[str, Statistics]:
    """Return the statistics of every layer."""
    return {layer: statistics(x) for layer, x in features.items()}


def style_loss(own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> Tensor:
    """Sum the mean-and-std loss over LAYERS (Eq. 13); returns [N]."""
    return torch.stack([mean_std(own[layer], style[layer]) for layer in LAYERS]).sum(0)


def content_loss(own: Features, target: Tensor) -> Tensor:
    """Mean squared error between the deepest features and a target (Eq. 12, squared); returns [N]."""
    return (own[DEEPEST].float() - target).square().mean((1, 2, 3))
