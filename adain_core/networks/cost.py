"""What networks take of a machine: memory by a model, and seconds by a try, then as the last runs went."""

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
TILE = 1024  # pixels of a tile's side: larger ones see less twice, but caches hold less of them
LEAST = 128**2  # pixels of a picture that says how fast a machine is
TRIED = 256  # pixels of a side of the picture that networks are tried on


class Pace:
    """How fast this machine is with some networks.

    Args:
        networks: to be tried on first use.
    """

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._rates: dict[str, float] = {}  # seconds for a pixel, to encode and to decode it
        self._passes: dict[str, float] = {}  # seconds for a pass of a pixel, by method
        self._trying = threading.Lock()

    @property
    def rate(self) -> float:
        """Seconds to encode and decode a pixel: by a try on 256x256 pixels, then as every run took."""
        with self._trying:
            if not self._rates:
                self._rates.update(self._try())
        return sum(self._rates.values())

    def timed(self, stage: str, pixels: int, work: Callable[[], T]) -> T:
        """Encode or decode some pixels and learn how long it took; small pictures don't tell."""
        start = time.perf_counter()
        result = work()
        if stage in self._rates and pixels >= TRIED**2 and self._networks.device.type == "cpu":  # others don't wait
            self._rates[stage] = (self._rates[stage] + (time.perf_counter() - start) / pixels) / 2
        return result

    def expect(self, key: str, cost: Cost, pixels: int, style: int) -> float:
        """Return the seconds of a single pass, beside encoding and decoding, or of an optimization's step.

        Args:
            key: of a method and its parameters, as in `learn`; the method's name stands before a colon.
            cost: its own.
            pixels: of the content.
            style: pixels of the styles.
        """
        name = key.partition(":")[0]
        seconds = self._passes.get(key, self._passes.get(name))
        return (self.rate if seconds is None else seconds) * _passes(cost, pixels, style)

    def learn(self, key: str, cost: Cost, pixels: int, style: int, seconds: float) -> None:
        """Remember how long such a pass or step took; small pictures don't tell, nor do costs of nothing."""
        passes = _passes(cost, pixels, style)
        if pixels < LEAST or not passes:
            return
        for each in (key.partition(":")[0], key):
            self._passes[each] = (self._passes.get(each, seconds / passes) + seconds / passes) / 2

    def _try(self) -> Mapping[str, float]:
        networks, image = self._networks, torch.full((1, 3, TRIED, TRIED), 0.5)
        stages: dict[str, Callable[[], Any]]
        if networks.decoder is None:
            twice = torch.cat([image, image])  # the second in place of decoding
            stages = {"all": lambda: networks.perceptual(twice, networks.layers[-1:])}
        else:
            features = networks.features(image)
            stages = {
                "encode": lambda: networks.features(image),
                "decode": lambda: networks.decode(features, (TRIED, TRIED)),
            }
        found = {}
        for name, stage in stages.items():
            stage()  # slower: memory and kernels are prepared
            synchronize(networks.device)
            start = time.perf_counter()
            stage()
            synchronize(networks.device)
            found[name] = (time.perf_counter() - start) / TRIED**2
        return found


def _passes(cost: Cost, pixels: int, style: int) -> float:
    return pixels * (cost.passes + cost.pairs * style)


def bytes_per_pixel(networks: Networks) -> float:
    """Return the memory for a pixel of a picture that is taken whole, or of a tile, as measured."""
    return 3.6 * networks.encoder.widths[0] * networks.dtype.itemsize + 16


def loss_bytes(networks: Networks) -> float:
    """Return the memory for a pixel that the loss network takes forward and backward."""
    return 2 * (3.6 * networks.loss_network.widths[0] * networks.dtype.itemsize + 16)


def loss_work(networks: Networks) -> float:
    """Return the multiplications that the loss network takes over those of the encoder."""
    loss, own = networks.loss_network, networks.encoder
    return 1.0 if loss is own else _multiplications(loss) / _multiplications(own)


def _multiplications(network: nn.Module) -> float:
    """Return how many a pixel takes: a layer's block, in its name, says how many pixels it works on."""
    found = 0.0
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and (block := re.search(r"(\d)_\d$", name)):
            found += module.weight.numel() / 4 ** (int(block[1]) - 1) / math.prod(module.stride)
    return found


def feature_bytes(networks: Networks) -> float:
    """Return the memory for a pixel's features at the decoder's levels."""
    blocks = [int(layer[4]) for layer in networks.levels]
    return sum(networks.encoder.widths[block - 1] / 4 ** (block - 1) for block in blocks) * networks.dtype.itemsize


def max_pixels(networks: Networks) -> int:
    """Return the largest picture to take whole: one whose first features have 2^28 numbers, 1 GiB."""
    return 2**28 // networks.encoder.widths[0]
