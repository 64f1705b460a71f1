"""A model: its named parts on a device, and the operations that methods need."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from adain_core.networks.cache import Encoding, Memory
from adain_core.networks.cost import Pace
from adain_core.normalization import Statistics, restyle

ROLES = {  # the parts a model may have, and what each one does
    "encoder": "maps an image and layers to features; has `widths`, `layers`, `reach`, and `predict`",
    "decoder": "maps features at its `levels` to an image; has `reach` and `target`",
    "inverse": "maps features at its `levels`, only one of which was changed, to an image",
    "perceptual": "like an encoder, but only for losses; a model without one uses its encoder",
    "generator": "maps an image and shares of styles to an image; `known` maps names of styles to thumbnails",
}


class Networks:
    """The parts of a model on a device.

    Args:
        name: name of the model.
        parts: modules by role; see ROLES.
        device: device to compute on.
        dtype: type of weights and features; statistics and pictures are always float32.
        hashes: SHA-256 of the weights by file name, as the record of a run tells them.

    Attributes:
        memory: cache of encoded pictures.
        pace: speed of the networks on this machine.
    """

    def __init__(
        self,
        name: str,
        parts: Mapping[str, nn.Module],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        hashes: Mapping[str, str] | None = None,
    ) -> None:
        assert parts.keys() <= ROLES.keys(), list(parts)
        self.name = name
        self.device = torch.device(device)
        self.dtype = dtype
        self.hashes = dict(hashes or {})
        self.parts: dict[str, Any] = {role: self._prepare(module) for role, module in parts.items()}
        self.memory = Memory()
        self.pace = Pace(self)

    @property
    def encoder(self) -> Any:
        """The encoder.

        Raises:
            ValueError: the model has none.
        """
        if "encoder" not in self.parts:
            raise ValueError(f"{self.name} has no encoder, only {' and '.join(self.parts)}; choose another model.")
        return self.parts["encoder"]

    @property
    def decoder(self) -> Any:
        """The decoder of features at `levels`, or None."""
        return self.parts.get("decoder")

    @property
    def inverse(self) -> Any:
        """The inverse network of one layer's features, or None."""
        return self.parts.get("inverse")

    @property
    def generator(self) -> Any:
        """The network that paints in the styles it was trained for, or None."""
        return self.parts.get("generator")

    @property
    def levels(self) -> tuple[str, ...]:
        """Layers whose features the decoder takes.

        Raises:
            ValueError: the model has no decoder.
        """
        if self.decoder is None:
            raise ValueError(
                f"{self.name} has no decoder, so it works only with methods that optimize the picture; choose gatys or"
                " optimize, or another model."
            )
        return self.decoder.levels

    @property
    def loss_name(self) -> str:
        """Name of the loss network: `perceptual`, or the model's name if its encoder serves as loss network."""
        return "perceptual" if "perceptual" in self.parts else self.name

    @property
    def loss_network(self) -> Any:
        """The network whose features `perceptual` returns."""
        return self.parts["perceptual"] if "perceptual" in self.parts else self.encoder

    @property
    def layers(self) -> list[str]:
        """Names of the layers that `perceptual` can return."""
        return self.loss_network.layers

    @property
    def poolings(self) -> list[str]:
        """Pooling modes that `perceptual` accepts; none for an encoder with strides."""
        return list(getattr(self.loss_network, "poolings", ()))

    @property
    def reach(self) -> int:
        """Largest distance, in pixels, at which changing a pixel can affect the output."""
        if self.generator is not None:
            return self.generator.reach
        return self.encoder.reach + (0 if self.decoder is None else self.decoder.reach)

    def encode(self, image: Tensor) -> Encoding:
        """Return a picture's features and statistics at `levels`, from the cache if possible; see `features`."""
        return self.memory.of("encoding", image, lambda: Encoding(self.features(image)))

    def statistics(self, image: Tensor) -> dict[str, Statistics]:
        """Return a picture's statistics at `levels`, from the cache if possible; its features are not cached."""
        return self.memory.of("statistics", image, lambda: Encoding(self.features(image)).statistics)

    @torch.inference_mode()
    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return the features at `levels` without caching; image is [N,3,H,W], RGB in [0,1] or uint8 in [0,255]."""
        if image.dtype == torch.uint8:
            image = image.to(self.device).float() / 255
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        return self.pace.timed("encode", image[:, 0].numel(), lambda: self.encoder(image, self.levels))

    def perceptual(self, image: Tensor, layers: Collection[str], pooling: str = "own") -> Mapping[str, Tensor]:
        """Return the features that losses compare: VGG-19's or a prediction of them.

        Args:
            image: [N,3,H,W], RGB in [0,1]; differentiable.
            layers: names such as `relu4_1`.
            pooling: one of `poolings`, or `own` for the mode that the network was trained with.

        Returns:
            Features by layer, [N,C,h,w], float32.
        """
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        other = {} if pooling == "own" else {"pooling": pooling}
        network = self.loss_network
        return {layer: x.float() for layer, x in network.predict(network(image, layers, **other)).items()}

    @torch.inference_mode()
    def target(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> Mapping[str, Statistics]:
        """Return the target statistics of features with statistics `own`, [N,C,1,1] at each level."""
        assert self.decoder is not None  # `levels` has raised before
        return self.decoder.target(own, style)

    def restyle(
        self, features: Mapping[str, Tensor], own: Mapping[str, Statistics], style: Mapping[str, Statistics]
    ) -> dict[str, Tensor]:
        """Replace the statistics `own` of features by their target for `style`, at every level (Eq. 8)."""
        target = self.target(own, style)
        return {layer: restyle(x, own[layer], target[layer]) for layer, x in features.items()}

    @torch.inference_mode()
    def decode(self, features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """Turn features into an image, [N,3,H,W] with (H, W) = `size`, RGB clamped to [0,1]."""
        assert self.decoder is not None  # `levels` has raised before
        return self.pace.timed("decode", size[0] * size[1], lambda: _image(self.decoder, features, size))

    @torch.inference_mode()
    def invert(self, features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """Turn features at the inverse network's levels into an image, like `decode`."""
        assert self.inverse is not None
        return _image(self.inverse, features, size)

    @torch.inference_mode()
    def generate(self, image: Tensor, shares: Mapping[str, float]) -> Tensor:
        """Paint an image, [N,3,H,W], RGB in [0,1], in a mixture of known styles whose shares sum to 1."""
        assert self.generator is not None
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        return self.pace.timed("generate", image[:, 0].numel(), lambda: self.generator(image, shares))

    def _prepare(self, module: nn.Module) -> Any:
        module = module.to(self.device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.eval().requires_grad_(False)


def _image(network: Callable[..., Tensor], features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
    return network(features)[..., : size[0], : size[1]].float().clamp_(0, 1)
