"""A cache of encoded pictures, keyed by a hash of their pixels and bounded in bytes.

The hash is XXH3 with 128 bits, 30 times faster than a cryptographic one. Two different pictures with one hash would
give a visitor the features of another visitor's picture. By chance, that has a probability of n^2 / 2^129 among n
pictures, and the seed that would be needed to make such a picture on purpose is drawn anew by each process and never
leaves it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import xxhash
from cachetools import LRUCache
from torch import Tensor

from adain_core.normalization import Statistics, statistics

CAPACITY = 256 * 2**20  # bytes of features
SEED = secrets.randbits(64)


@dataclass(frozen=True, eq=False)
class Encoding:
    """A picture's features by layer, and their statistics, computed on first use."""

    features: dict[str, Tensor]

    @cached_property
    def statistics(self) -> dict[str, Statistics]:
        """Mean and standard deviation by layer."""
        with torch.inference_mode():
            return {layer: statistics(x) for layer, x in self.features.items()}


class Memory(LRUCache[Hashable, Any]):
    """Caches results computed from pictures, up to CAPACITY; evicts the least recently used."""

    def __init__(self) -> None:
        super().__init__(CAPACITY, getsizeof=_bytes)
        self._lock = threading.Lock()

    def of(self, kind: str, image: Tensor, compute: Callable[[], Any]) -> Any:
        """Return the cached result for an image and a kind, or compute and cache it."""
        key = (kind, _digest(image))
        with self._lock:
            if key in self:
                return self[key]
        value = compute()
        with self._lock:
            if _bytes(value) <= self.maxsize:
                self[key] = value
        return value


def _digest(image: Tensor) -> Hashable:
    pixels = image.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()  # no copy for channels_last
    return pixels.shape, pixels.dtype, xxhash.xxh3_128_digest(pixels.data, SEED)


def _bytes(value: Tensor | Encoding | Mapping[str, Any] | Iterable[Any]) -> int:
    if isinstance(value, Encoding):
        return _bytes(value.features)
    if isinstance(value, Tensor):
        return value.nbytes
    return sum(map(_bytes, value.values() if isinstance(value, Mapping) else value))
