"""A model: its named parts on a device, and what methods ask of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adain_core.networks.cache import Encoding, Memory
from adain_core.networks.cost import Pace
from adain_core.normalization import Statistics, restyle

ROLES = {  # of a model's parts: what each one is
    "encoder": "of an image, called with layers, to their features; it has `widths`, `layers`, `reach` and `predict`",
    "decoder": "of features at its `levels` to an image; it has `reach` and `target`",
    "inverse": "of features at its `levels`, changed one layer alone, to an image",
    "perceptual": "as an encoder, for losses alone; where it lacks, the encoder serves",
    "generator": "of an image to an image in a style that it was trained for",
}


class Networks:
    """The parts of a model, ready to compute.

    Args:
        name: the model's.
        parts: modules by role; see ROLES.
        device: where they compute.
        dtype: of weights and features; statistics and pictures are float32 always.

    Attributes:
        memory: of encoded pictures.
        pace: how fast they are here.
    """

    def __init__(
        self,
        name: str,
        parts: Mapping[str, nn.Module],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        assert parts.keys() <= ROLES.keys(), list(parts)
        self.name = name
        self.device = torch.device(device)
        self.dtype = dtype
        self.parts: dict[str, Any] = {role: self._prepare(module) for role, module in parts.items()}
        self.memory = Memory()
        self.pace = Pace(self)

    @property
    def encoder(self) -> Any:
        """The part that makes features.

        Raises:
            ValueError: there is none.
        """
        if "encoder" not in self.parts:
            raise ValueError(f"{self.name} has no encoder, only {' and '.join(self.parts)}; choose another model.")
        return self.parts["encoder"]

    @property
    def decoder(self) -> Any:
        """The part that makes images of features at `levels`, or None."""
        return self.parts.get("decoder")

    @property
    def inverse(self) -> Any:
        """The part that makes images of one layer's features, or None."""
        return self.parts.get("inverse")

    @property
    def levels(self) -> tuple[str, ...]:
        """Layers whose features the decoder takes.

        Raises:
            ValueError: there is no decoder.
        """
        if self.decoder is None:
            raise ValueError(
                f"{self.name} has no decoder, so it works only with methods that optimize the picture; choose gatys or"
                " optimize, or another model."
            )
        return self.decoder.levels

    @property
    def loss_name(self) -> str:
        """Name of the loss network, in whose features `perceptual` compares pictures: the model's or `perceptual`."""
        return "perceptual" if "perceptual" in self.parts else self.name

    @property
    def loss_network(self) -> Any:
        """The part whose features `perceptual` gives."""
        return self.parts["perceptual"] if "perceptual" in self.parts else self.encoder

    @property
    def layers(self) -> list[str]:
        """Names of the features that `perceptual` gives."""
        return self.loss_network.layers

    @property
    def poolings(self) -> list[str]:
        """Ways of pooling that `perceptual` may be given; none of an encoder with strides."""
        return list(getattr(self.loss_network, "poolings", ()))

    @property
    def reach(self) -> int:
        """How far, in pixels, a pixel's change can show in the picture at most."""
        return self.encoder.reach + (0 if self.decoder is None else self.decoder.reach)

    def encode(self, image: Tensor) -> Encoding:
        """Return a picture's features and statistics at `levels`, computed once a picture; image as for `features`."""
        return self.memory.of("encoding", image, lambda: Encoding(self.features(image)))

    def statistics(self, image: Tensor) -> dict[str, Statistics]:
        """Return a picture's statistics at `levels`, computed once a picture; its features are not kept."""
        return self.memory.of("statistics", image, lambda: Encoding(self.features(image)).statistics)

    @torch.inference_mode()
    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return a picture's features at `levels`, and don't remember them; uint8 in [0,255] is taken as well."""
        if image.dtype == torch.uint8:
            image = image.to(self.device).float() / 255
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        return self.pace.timed("encode", image[:, 0].numel(), lambda: self.encoder(image, self.levels))

    def perceptual(self, image: Tensor, layers: Collection[str], pooling: str = "own") -> Mapping[str, Tensor]:
        """Return the features in which losses compare pictures, VGG-19's or a prediction of them.

        Args:
            image: [N,3,H,W], RGB in [0,1]; gradients reach it.
            layers: names such as `relu4_1`.
            pooling: one of `poolings`, or `own` for what the network was trained with.

        Returns:
            By name [N,C,h,w], float32.
        """
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        other = {} if pooling == "own" else {"pooling": pooling}
        network = self.loss_network
        return {layer: x.float() for layer, x in network.predict(network(image, layers, **other)).items()}

    @torch.inference_mode()
    def target(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> Mapping[str, Statistics]:
        """Return the statistics that features with `own` take for a picture in `style`, [N,C,1,1] at each level."""
        assert self.decoder is not None  # `levels` says so in words
        return self.decoder.target(own, style)

    def restyle(
        self, features: Mapping[str, Tensor], own: Mapping[str, Statistics], style: Mapping[str, Statistics]
    ) -> dict[str, Tensor]:
        """Give features that have `own` statistics those of `target`, at every level (Eq. 8)."""
        target = self.target(own, style)
        return {layer: restyle(x, own[layer], target[layer]) for layer, x in features.items()}

    @torch.inference_mode()
    def decode(self, features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """Turn features into an image, [N,3,H,W] with (H, W) = `size`, RGB clamped to [0,1]."""
        assert self.decoder is not None  # `levels` says so in words
        return self.pace.timed("decode", size[0] * size[1], lambda: _image(self.decoder, features, size))

    @torch.inference_mode()
    def invert(self, features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """Turn features at the inverse network's levels into an image, as `decode` does."""
        assert self.inverse is not None
        return _image(self.inverse, features, size)

    def _prepare(self, module: nn.Module) -> Any:
        module = module.to(self.device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.eval().requires_grad_(False)


def _image(network: Callable[..., Tensor], features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
    return network(features)[..., : size[0], : size[1]].float().clamp_(0, 1)
