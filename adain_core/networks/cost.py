"""The cost of networks: memory from a formula, and time from a short benchmark that recent runs then refine."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn

from adain_core.contracts import Cost, synchronize

if TYPE_CHECKING:
    from adain_core.networks.model import Networks

T = TypeVar("T")
TILE = 1024  # side length of a tile in pixels: larger tiles overlap less, but fit worse into caches
LEAST = 128**2  # pixels of the smallest content from which `learn` estimates the speed
TRIED = 256  # side length of the benchmark's picture in pixels


class Pace:
    """The speed of networks on this machine.

    Args:
        networks: the networks to measure; they are benchmarked on first use.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._rates: dict[str, float] = {}  # seconds per pixel, for encoding and for decoding, or for generating
        self._passes: dict[str, float] = {}  # seconds per pass and pixel, by method
        self._trying = threading.Lock()

    @property
    def rate(self) -> float:
        """Seconds to encode and decode one pixel, measured on 256x256 pixels and updated by every run."""
        with self._trying:
            if not self._rates:
                self._rates.update(self._try())
        return sum(self._rates.values())

    def timed(self, stage: str, pixels: int, work: Callable[[], T]) -> T:
        """Encode, decode, or generate some pixels, and update the rate unless they are too few to be representative."""
        start = time.perf_counter()
        result = work()
        if stage in self._rates and pixels >= TRIED**2 and self._networks.device.type == "cpu":  # others don't block
            self._rates[stage] = (self._rates[stage] + (time.perf_counter() - start) / pixels) / 2
        return result

    def expect(self, key: str, cost: Cost, pixels: int, style: int) -> float:
        """Return the expected seconds of a single pass, without encoding and decoding, or of an optimization step.

        Args:
            key: identifies a method and its parameters, as in `learn`: the method's name, a colon, and the parameters.
            cost: cost of the method.
            pixels: pixels of the content.
            style: pixels of the styles.
        """
        name = key.partition(":")[0]
        seconds = self._passes.get(key, self._passes.get(name))
        return (self.rate if seconds is None else seconds) * _passes(cost, pixels, style)

    def learn(self, key: str, cost: Cost, pixels: int, style: int, seconds: float) -> None:
        """Record how long a pass or step took, unless the picture is too small or the cost is zero."""
        passes = _passes(cost, pixels, style)
        if pixels < LEAST or not passes:
            return
        for each in (key.partition(":")[0], key):
            self._passes[each] = (self._passes.get(each, seconds / passes) + seconds / passes) / 2

    def _try(self) -> Mapping[str, float]:
        networks, image = self._networks, torch.full((1, 3, TRIED, TRIED), 0.5)
        stages: dict[str, Callable[[], Any]]
        if networks.generator is not None:
            one = {next(iter(networks.generator.known)): 1.0}
            stages = {"generate": lambda: networks.generate(image, one)}
        elif networks.decoder is None:
            twice = torch.cat([image, image])  # the second one stands in for decoding
            stages = {"all": lambda: networks.perceptual(twice, networks.layers[-1:])}
        else:
            features = networks.features(image)
            stages = {
                "encode": lambda: networks.features(image),
                "decode": lambda: networks.decode(features, (TRIED, TRIED)),
            }
        found = {}
        for name, stage in stages.items():
            stage()  # warm-up
            synchronize(networks.device)
            start = time.perf_counter()
            stage()
            synchronize(networks.device)
            found[name] = (time.perf_counter() - start) / TRIED**2
        return found


def _passes(cost: Cost, pixels: int, style: int) -> float:
    return pixels * (cost.passes + cost.pairs * style)


def bytes_per_pixel(networks: Networks) -> float:
    """Return the bytes per pixel of a picture in one piece, or of a tile, fitted to measurements."""
    network = networks.encoder if networks.generator is None else networks.generator
    return 3.6 * network.widths[0] * networks.dtype.itemsize + 16


def loss_bytes(networks: Networks) -> float:
    """Return the bytes per pixel of a forward and backward pass through the loss network."""
    return 2 * (3.6 * networks.loss_network.widths[0] * networks.dtype.itemsize + 16)


def loss_work(networks: Networks) -> float:
    """Return the ratio of multiplications in the loss network to those in the encoder."""
    loss, own = networks.loss_network, networks.encoder
    return 1.0 if loss is own else _multiplications(loss) / _multiplications(own)


def _multiplications(network: nn.Module) -> float:
    """Return the multiplications per pixel; the block number in a layer's name gives its resolution."""
    found = 0.0
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and (block := re.search(r"(\d)_\d$", name)):
            found += module.weight.numel() / 4 ** (int(block[1]) - 1) / math.prod(module.stride)
    return found


def feature_bytes(networks: Networks) -> float:
    """Return the bytes per pixel of features at the decoder's levels."""
    blocks = [int(layer[4]) for layer in networks.levels]
    return sum(networks.encoder.widths[block - 1] / 4 ** (block - 1) for block in blocks) * networks.dtype.itemsize


def max_pixels(networks: Networks) -> int:
    """Return the pixels of the largest picture to process in one piece: its first features have 2^28 numbers, 1 GiB."""
    return 2**28 // (networks.encoder if networks.generator is None else networks.generator).widths[0]
