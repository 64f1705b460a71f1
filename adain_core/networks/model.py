"""The model that joins an encoder and its decoder, with its memory of encoded pictures."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from cachetools import LRUCache
from torch import Tensor, nn

from adain_core.normalization import Statistics, restyle, statistics

MEMORY = 256 * 2**20  # bytes of features that a pair of networks remembers


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
