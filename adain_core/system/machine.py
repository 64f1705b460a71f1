"""What this machine has left, and how its memory is dealt out."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from pathlib import Path

import psutil
import torch

SHORT = (
    "out of memory",
    "defaultcpuallocator",
    "alloc_failed",
    "insufficient memory",
)  # torch's, CUDA's, OpenCV's words
CGROUP = Path("/sys/fs/cgroup")  # where a container's limits stand


def free_memory(cgroup: Path = CGROUP) -> int:
    """Return the bytes that can still be used, by the machine and by the container that this runs in."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:  # no container, or another system
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - int(used) + _cached(cgroup)))


def free_on(device: torch.device | str) -> int:
    """Return the bytes that can still be used where a device computes: a CUDA device's own, else the machine's."""
    if torch.device(device).type != "cuda":  # MPS shares the machine's
        return free_memory()
    held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)  # by torch, and not in use
    return torch.cuda.mem_get_info(device)[0] + held


def shortage(error: BaseException) -> str | None:
    """Say in a sentence that memory ran out and what to do, if that is what an error means."""
    words = str(error).lower()
    if not isinstance(error, MemoryError) and not any(each in words for each in SHORT):
        return None
    if any(each in words for each in ("cuda", "cudnn", "cublas", "mps")):
        return "The GPU ran out of memory; choose a smaller size, or run on the CPU."
    return "The memory ran out; choose a smaller size, or close other programs."


def reuse_memory(reuse: bool) -> None:
    """Let the C library keep large blocks that are freed for the next ones, or hand them back at once.

    Handed back, each layer's 30 MB come from the system anew, page by page, which takes a fifth of a run at 1024 px.
    But where blocks are larger still, what is kept lies in fragments. Only glibc has this, for a process's main thread.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-3, 2**28 if reuse else 2**25)  # M_MMAP_THRESHOLD, bytes; 2^25 is the most that glibc sets itself
        libc.mallopt(-1, 2**29 if reuse else 2**26)  # M_TRIM_THRESHOLD
        if not reuse:
            libc.malloc_trim(0)


def _cached(cgroup: Path) -> int:
    """Return the bytes of files that the kernel keeps only as long as nobody needs the memory."""
    for line in (cgroup / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0
