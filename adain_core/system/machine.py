"""Free memory, errors that mean it ran out, and the C library's reuse of freed memory."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil
import torch

SHORT = ("out of memory", "defaultcpuallocator", "alloc_failed", "insufficient memory")  # of torch, CUDA, and OpenCV
CGROUP = Path("/sys/fs/cgroup")  # limits of the container


def free_memory(cgroup: Path = CGROUP) -> int:
    """Return the bytes of memory available to this process, within the limits of the machine and the container."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:  # not in a container, or not Linux
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - int(used) + _cached(cgroup)))


def free_on(device: torch.device | str) -> int:
    """Return the bytes of memory available on a device."""
    if torch.device(device).type != "cuda":  # MPS uses the machine's memory
        return free_memory()
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, but unused
    return torch.cuda.mem_get_info(device)[0] + held


def shortage(error: BaseException) -> str | None:
    """Return a sentence with advice if an error means that memory ran out, or None."""
    words = str(error).lower()
    if not isinstance(error, MemoryError) and not any(each in words for each in SHORT):
        return None
    if any(each in words for each in ("cuda", "cudnn", "cublas", "mps")):
        return "The GPU ran out of memory; choose a smaller size, or run on the CPU."
    return "The memory ran out; choose a smaller size, or close other programs."


def reuse_memory(reuse: bool) -> None:
    """Let the C library reuse large freed blocks, or return them to the system at once.

    Without reuse, the 30 MB of each layer are allocated anew page by page, which takes a fifth of a run at 1024 px.
    With even larger blocks, however, reuse fragments the memory. Works only with glibc, for the main thread.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 2**28 if reuse else 2**25)  # M_MMAP_THRESHOLD, bytes; glibc itself sets up to 2^25
        libc.mallopt(-1, 2**29 if reuse else 2**26)  # M_TRIM_THRESHOLD
        if not reuse:
            libc.malloc_trim(0)


def _cached(cgroup: Path) -> int:
    """Return the bytes of the page cache that the kernel can reclaim."""
    for line in (cgroup / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0
