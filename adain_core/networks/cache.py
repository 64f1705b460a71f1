"""A cache of encoded pictures, keyed by a hash of their pixels and bounded in bytes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from cachetools import LRUCache
from torch import Tensor

from adain_core.normalization import Statistics, statistics

CAPACITY = 256 * 2**20  # bytes of features


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


def _digest(image: Tensor) -> bytes:
    pixels = image.detach().cpu().permute(0, 2, 3, 1).contiguous().numpy()  # no copy for channels_last
    return hashlib.blake2b(pixels.data, key=repr(tuple(image.shape)).encode(), digest_size=16).digest()


def _bytes(value: Tensor | Encoding | Mapping[str, Any] | Iterable[Any]) -> int:
    if isinstance(value, Encoding):
        return _bytes(value.features)
    if isinstance(value, Tensor):
        return value.nbytes
    return sum(map(_bytes, value.values() if isinstance(value, Mapping) else value))
