"""What this machine has left."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")  # where a container's limits stand


def free_memory(cgroup: Path = CGROUP) -> int:
    """Return the bytes that can still be used, by the machine and by the container that this runs in."""
    free = int(psutil.virtual_memory().available)
    try:
        limit, used = ((cgroup / name).read_text().strip() for name in ("memory.max", "memory.current"))
    except OSError:  # no container, or another system
        return free
    return free if limit == "max" else max(0, min(free, int(limit) - int(used) + _cached(cgroup)))


def _cached(cgroup: Path) -> int:
    """Return the bytes of files that the kernel keeps only as long as nobody needs the memory."""
    for line in (cgroup / "memory.stat").read_text().splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return int(value)
    return 0
