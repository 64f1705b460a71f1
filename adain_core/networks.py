"""VGG encoders of any width, the decoder that mirrors them, and the pair with its memory of encoded pictures.

Layers go by their name in VGG-19: `conv3_2` is the second convolution of the third block, `relu3_2` what it gives.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from cachetools import LRUCache
from torch import Tensor, nn

from adain_core.contracts import SizeError
from adain_core.normalization import Statistics, restyle, statistics

DEPTHS = (2, 2, 4, 4, 4)  # VGG-19's convolutions in each block; a block begins with pooling, but for the first
WIDTHS = (64, 128, 256, 512, 512)
MEMORY = 256 * 2**20  # bytes of features that a pair of networks remembers


class Convolution(NamedTuple):
    """A 3x3 convolution's place and size."""

    name: str
    inputs: int
    outputs: int

    @property
    def block(self) -> int:
        """Counts from 1."""
        return int(self.name[4])

    @property
    def relu(self) -> str:
        """Name of the features that it gives."""
        return self.name.replace("conv", "relu")


def convolutions(widths: Sequence[int], last: str) -> list[Convolution]:
    """List VGG-19's convolutions in order, up to the one that gives the features `last`."""
    plan, inputs = [], 3
    for block, (width, depth) in enumerate(zip(widths, DEPTHS, strict=False), start=1):
        for number in range(1, depth + 1):
            plan.append(Convolution(f"conv{block}_{number}", inputs, width))
            inputs = width
            if plan[-1].relu == last:
                return plan
    raise ValueError(f"There is no layer {last}; there are {', '.join(each.relu for each in plan)}.")


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


class Encoder(nn.Module):
    """VGG-19 with widths of choice, reflection padding and a 1x1 convolution in front that takes RGB in [0,1].

    Args:
        widths: channels of each block.
        last: the deepest features, `relu4_1` for AdaIN.
    """

    poolings: Mapping[str, Callable[..., Tensor]] = {"max": F.max_pool2d, "average": F.avg_pool2d}

    def __init__(self, widths: Sequence[int] = WIDTHS, last: str = "relu4_1") -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.plan = convolutions(widths, last)
        self.conv0 = nn.Conv2d(3, 3, 1)
        for each in self.plan:
            self.add_module(each.name, _convolution(each.inputs, each.outputs))

    @property
    def reach(self) -> int:
        """How far a change at its input reaches at most, in pixels: by convolutions, and by pooling or up-sampling."""
        return sum(2 ** (each.block - 1) for each in self.plan) + 2 ** (max(each.block for each in self.plan) - 1)

    def forward(self, image: Tensor, layers: Collection[str], pooling: str = "max") -> dict[str, Tensor]:
        """Return the features of an image at `layers`.

        Args:
            image: [N,3,H,W], RGB in [0,1]; at least 9 pixels on each side for relu4_1.
            layers: names such as `relu4_1`; nothing is computed beyond the deepest.
            pooling: one of `poolings`.

        Returns:
            By name [N,C,h,w], where each pooling halves h and w and rounds up.

        Raises:
            ValueError: a layer that this encoder lacks, or a picture that is too small for one.
        """
        known = [each.relu for each in self.plan]
        if missing := [layer for layer in layers if layer not in known]:
            raise ValueError(f"The encoder has no layer {missing[0]}; it has {', '.join(known)}.")
        least = 2 ** max([0, *(each.block - 1 for each in self.plan if each.relu in layers)]) + 1
        if min(image.shape[2:]) < least:
            width, height = image.shape[3], image.shape[2]
            raise SizeError(f"A picture of {width}x{height} pixels is too small for {max(layers)}; it takes {least}.")
        found: dict[str, Tensor] = {}
        pool = self.poolings[pooling]
        x, block = self.conv0(image), 1
        for each in self.plan:
            if each.block > block:
                x, block = pool(x, 2, ceil_mode=True), each.block
            x = self.get_submodule(each.name)(x).relu_()
            if each.relu in layers:
                found[each.relu] = x
            if len(found) == len(set(layers)):
                break
        return found

    @property
    def layers(self) -> list[str]:
        """Names of all features."""
        return [each.relu for each in self.plan]

    def predict(self, features: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return features as they are: what other encoders predict are this one's."""
        return features


class Decoder(nn.Module):
    """The encoder in reverse: convolutions turn outputs back into inputs, nearest up-sampling undoes pooling.

    Args:
        widths: channels of each of the encoder's blocks.
        last: the features that it starts from.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, last: str = "relu4_1") -> None:
        super().__init__()
        self.levels = (last,)
        self.plan = [Convolution(each.name, each.outputs, each.inputs) for each in reversed(convolutions(widths, last))]
        for each in self.plan:
            self.add_module(each.name, _convolution(each.inputs, each.outputs))

    @property
    def reach(self) -> int:
        """How far a change at its input reaches at most, in pixels: by convolutions, and by pooling or up-sampling."""
        return sum(2 ** (each.block - 1) for each in self.plan) + 2 ** (max(each.block for each in self.plan) - 1)

    def aim(self, own: Mapping[str, Statistics], goal: Mapping[str, Statistics]) -> Mapping[str, Statistics]:  # noqa: ARG002
        """Return the goal: features that have `own` statistics take the style's, as in Eq. 8."""
        return goal

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Turn features into an image.

        Args:
            features: at the one of `levels`, [N,C,h,w].

        Returns:
            [N,3,H,W], not yet clamped; up to 7 pixels larger than the encoded image, at the right and at the bottom.
        """
        x, block = features[self.levels[0]], self.plan[0].block
        for each in self.plan:
            if each.block < block:
                x, block = F.interpolate(x, scale_factor=2, mode="nearest"), each.block
            x = self.get_submodule(each.name)(x)
            if each is not self.plan[-1]:
                x = x.relu_()
        return x


@dataclass(frozen=True, eq=False)
class Encoding:
    """A picture's features by layer, and their statistics, which are computed when somebody asks for them."""

    features: dict[str, Tensor]

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """Mean and standard deviation by layer."""
        with torch.inference_mode():
            return {layer: statistics(x) for layer, x in self.features.items()}


class Networks:
    """An encoder and its decoder, and what they have encoded lately.

    Pictures are known by the hash of their pixels, so the same picture is encoded once, whoever asks. Memory is
    bounded by bytes; what was used longest ago goes first.

    Args:
        name: the model's.
        encoder: an Encoder, or another module with `widths` that is called alike.
        decoder: a Decoder, or another module with `levels` and `aim` that is called alike; None where pictures are only
            compared.
        device: where they compute.
        dtype: of weights and features; statistics and pictures are float32 always.
        inverse: a network with `levels` that makes pictures of one layer alone, for `invert`.
    """

    def __init__(
        self,
        name: str,
        encoder: nn.Module,
        decoder: nn.Module | None,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        inverse: nn.Module | None = None,
    ) -> None:
        self.name = name
        self.device = torch.device(device)
        self.dtype = dtype
        self.encoder = self._prepare(encoder)
        self.decoder = None if decoder is None else self._prepare(decoder)
        self.inverse = None if inverse is None else self._prepare(inverse)
        self.memory: LRUCache[Hashable, Any] = LRUCache(MEMORY, getsizeof=_bytes)
        self._lock, self._trying = threading.Lock(), threading.Lock()
        self._rates: dict[str, float] = {}  # seconds a pixel
        self.own: dict[str, float] = {}  # what single passes take, see costs.py
        self._paces: dict[str, float] = {}  # seconds a pixel and step of methods that optimize

    @property
    def levels(self) -> tuple[str, ...]:
        """Layers whose features the decoder takes.

        Raises:
            ValueError: there is no decoder.
        """
        if self.decoder is None:
            raise ValueError(
                f"{self.name} has no decoder, so it serves only methods that optimize the picture; choose gatys or"
                " optimize, or another model."
            )
        return self.decoder.levels

    @property
    def layers(self) -> list[str]:
        """Names of the features that `perceptual` gives."""
        return self.encoder.layers

    @property
    def reach(self) -> int:
        """How far, in pixels, a pixel's change can show in the picture at most."""
        return self.encoder.reach + (0 if self.decoder is None else self.decoder.reach)

    @property
    def tile(self) -> int:
        """Side of a tile, in pixels: larger ones see less twice, but caches hold less of them."""
        return 1024

    @property
    def bytes_per_pixel(self) -> float:
        """Memory for a pixel of a picture that is taken whole, or of a tile, as measured."""
        return 3.6 * self.encoder.widths[0] * self.dtype.itemsize + 16

    @property
    def feature_bytes(self) -> float:
        """Memory for a pixel's features at `levels`."""
        blocks = [int(layer[4]) for layer in self.levels]
        return sum(self.encoder.widths[block - 1] / 4 ** (block - 1) for block in blocks) * self.dtype.itemsize

    @property
    def rate(self) -> float:
        """Seconds that a pixel takes on this machine, encoded and decoded: by a try of 256x256, then by every run."""
        with self._trying:
            if not self._rates:
                self._rates.update(self._try())
        return sum(self._rates.values())

    def _try(self) -> dict[str, float]:
        image = torch.full((1, 3, 256, 256), 0.5)
        parts: dict[str, Callable[[], Any]]
        if self.decoder is None:
            twice = torch.cat([image, image])  # the second in place of decoding
            parts = {"all": lambda: self.perceptual(twice, self.layers[-1:])}
        else:
            seen = self.features(image)
            parts = {"encode": lambda: self.features(image), "decode": lambda: self.decode(seen, (256, 256))}
        found = {}
        for name, part in parts.items():
            part()  # slower: memory and kernels are got ready
            start = time.perf_counter()
            part()
            found[name] = (time.perf_counter() - start) / 256**2
        return found

    def _timed(self, name: str, pixels: int, part: Callable[[], Any]) -> Any:
        """Do a part of a run and see how fast the machine is just now; small pictures don't tell."""
        start = time.perf_counter()
        result = part()
        if name in self._rates and pixels >= 256**2 and self.device.type == "cpu":  # others answer before they are done
            self._rates[name] = (self._rates[name] + (time.perf_counter() - start) / pixels) / 2
        return result

    def pace(self, method: str) -> float:
        """Return the seconds that an optimization's step takes for a pixel: as its last ones did, or by a guess."""
        return self._paces.get(method, 1.5 * self.rate)  # forth and back through the encoder, about half of all

    def learn(self, method: str, pixels: int, seconds: float) -> None:
        """Remember how long a step of an optimization took; small pictures don't tell."""
        if pixels >= 128**2:
            now = seconds / pixels
            self._paces[method] = 0.8 * self._paces.get(method, now) + 0.2 * now

    @property
    def max_pixels(self) -> int:
        """Largest picture to take whole: one whose first features have 2^28 numbers, 1 GiB."""
        return 2**28 // self.encoder.widths[0]

    def encode(self, image: Tensor) -> Encoding:
        """Return a picture's features and statistics at `levels`, computed once a picture; image as for Encoder."""
        return self._remember(("encoding", _digest(image)), lambda: Encoding(self.features(image)))

    def statistics(self, image: Tensor) -> dict[str, Statistics]:
        """Return a picture's statistics at `levels`, computed once a picture; of its features nothing is kept."""
        return self._remember(("statistics", _digest(image)), lambda: Encoding(self.features(image)).statistics)

    @property
    def poolings(self) -> list[str]:
        """Ways of pooling that `perceptual` may be given; none of an encoder with strides."""
        return list(getattr(self.encoder, "poolings", ()))

    def perceptual(self, image: Tensor, layers: Collection[str], pooling: str = "own") -> Mapping[str, Tensor]:
        """Return the features in which losses compare pictures, VGG-19's or what the encoder predicts of them.

        Args:
            image: [N,3,H,W], RGB in [0,1]; gradients reach it.
            layers: names such as `relu4_1`.
            pooling: one of `poolings`, or `own` for what the encoder was trained with.

        Returns:
            By name [N,C,h,w], float32.
        """
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        other = {} if pooling == "own" else {"pooling": pooling}
        return {layer: x.float() for layer, x in self.encoder.predict(self.encoder(image, layers, **other)).items()}

    @torch.inference_mode()
    def aim(self, own: Mapping[str, Statistics], goal: Mapping[str, Statistics]) -> Mapping[str, Statistics]:
        """Return the statistics that features with `own` take for a picture with `goal`, [N,C,1,1] at each level."""
        assert self.decoder is not None  # `levels` says so in words
        return self.decoder.aim(own, goal)

    def restyle(
        self, features: Mapping[str, Tensor], own: Mapping[str, Statistics], goal: Mapping[str, Statistics]
    ) -> dict[str, Tensor]:
        """Give features that have `own` statistics those that `aim` tells, at every level (Eq. 8)."""
        aim = self.aim(own, goal)
        return {layer: restyle(x, own[layer], aim[layer]) for layer, x in features.items()}

    @torch.inference_mode()
    def decode(self, features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """Turn features into an image, [N,3,H,W] with (H, W) = `size`, RGB clamped to [0,1]."""
        decoder = self.decoder
        assert decoder is not None  # `levels` says so in words
        return self._timed(
            "decode", size[0] * size[1], lambda: decoder(features)[..., : size[0], : size[1]].float().clamp_(0, 1)
        )

    @torch.inference_mode()
    def invert(self, features: Mapping[str, Tensor], size: Sequence[int]) -> Tensor:
        """Turn features at the inverse network's levels into an image, as `decode` does."""
        assert self.inverse is not None
        return self.inverse(features)[..., : size[0], : size[1]].float().clamp_(0, 1)

    @torch.inference_mode()
    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return a picture's features at `levels`, and don't remember them; uint8 in [0,255] is taken, too."""
        if image.dtype == torch.uint8:
            image = image.to(self.device).float() / 255
        image = image.to(self.device, self.dtype, memory_format=torch.channels_last)
        return self._timed("encode", image[:, 0].numel(), lambda: self.encoder(image, self.levels))

    def _prepare(self, module: nn.Module) -> Any:
        module = module.to(self.device, self.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return module.eval().requires_grad_(False)

    def _remember(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        with self._lock:
            if key in self.memory:
                return self.memory[key]
        value = compute()
        with self._lock:
            if _bytes(value) <= self.memory.maxsize:
                self.memory[key] = value
        return value


def _digest(image: Tensor) -> bytes:
    pixels = image.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()  # no copy for channels_last
    return hashlib.blake2b(pixels.data, key=repr(tuple(image.shape)).encode(), digest_size=16).digest()


def _bytes(value: Tensor | Encoding | Mapping[str, Any] | Iterable[Any]) -> int:
    if isinstance(value, Encoding):
        return _bytes(value.features)
    if isinstance(value, Tensor):
        return value.nbytes
    return sum(map(_bytes, value.values() if isinstance(value, Mapping) else value))
