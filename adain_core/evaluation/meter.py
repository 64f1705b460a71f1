"""What a piece of work takes of the machine: seconds and memory."""

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

INTERVAL = 0.005  # seconds between two looks at the memory


class Meter:
    """Adds up the seconds of pieces of work, and holds the most memory that they took above what there was at rest.

    On a CPU the process's memory is looked at every 5 ms; what it has freed is given back first, where the C library
    can, since it could be used again unseen. On a CUDA device it is the device's own count.

    Attributes:
        seconds: of the work.
        bytes: its peak above rest.
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
        """Measure what happens inside."""
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
