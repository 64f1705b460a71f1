"""Measures the time and the peak memory of a computation."""

from __future__ import annotations

import ctypes
import gc
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import torch

from adain_core.contracts import synchronize

INTERVAL = 0.005  # seconds between samples of the memory


class Meter:
    """Accumulates the time of computations and records their peak memory above the initial level.

    On a CPU, the process's memory is sampled every 5 ms. Freed memory is first returned to the system, if the C library
    supports that, because reusing it would go unnoticed. On a CUDA device, the device's own statistics are used.

    Attributes:
        seconds: total time.
        bytes: peak memory above the initial level.
    """

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.seconds, self.bytes = 0.0, 0
        self._device = device
        self._cuda = torch.device(device).type == "cuda"
        gc.collect()
        with suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        self._rest = torch.cuda.memory_allocated() if self._cuda else self._used()

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Measure the body of the `with` statement."""
        done = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(done,), daemon=True)
        if self._cuda:
            torch.cuda.reset_peak_memory_stats()
        else:
            watcher.start()
        start = time.perf_counter()
        try:
            yield
        finally:
            synchronize(self._device)
            self.seconds += time.perf_counter() - start
            if not self._cuda:
                done.set()
                watcher.join()
            self.bytes = max(self.bytes, self._used() - self._rest)

    def _watch(self, done: threading.Event) -> None:
        while not done.wait(INTERVAL):
            self.bytes = max(self.bytes, self._used() - self._rest)

    def _used(self) -> int:
        return int(torch.cuda.max_memory_allocated()) if self._cuda else int(psutil.Process().memory_info().rss)
