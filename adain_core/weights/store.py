"""Weights kept on this machine, within HF_HOME: safetensors files, each with its own SHA-256 in its name.

They are checked whenever they are read. To hash 80 MB takes a moment, so a hash is remembered with the file's size and
times, and found anew where these have changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from adain_core.weights import hub

MEMORY = "checked.json"


def digest(path: Path) -> str:
    """Return a file's SHA-256: the one that is remembered, as long as its size and times are the same."""
    about = path.stat()
    now = [about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    known = _memory()
    if known.get(str(path.resolve()), [])[:-1] == now:
        return str(known[str(path.resolve())][-1])
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    known = {name: each for name, each in known.items() if Path(name).exists()}
    with contextlib.suppress(OSError):  # it is only a memory
        hub.assets().mkdir(parents=True, exist_ok=True)
        _replace(hub.assets() / MEMORY, json.dumps({**known, str(path.resolve()): [*now, found]}).encode())
    return found


def forget() -> None:
    """Forget every hash, so that all files are hashed anew."""
    with contextlib.suppress(OSError):
        (hub.assets() / MEMORY).unlink(missing_ok=True)


def find(key: str) -> dict[str, Tensor] | None:
    """Return the tensors that were kept under a key, or None.

    A file whose bytes have changed is removed; one that can't be read, such as another user's, stays.
    """
    for path in sorted(hub.assets().glob(f"{key}-*.safetensors")):
        try:
            if digest(path) == path.stem.rpartition("-")[2]:
                with path.open("rb"):  # safetensors calls what it may not open missing
                    return load_file(path)
        except (OSError, SafetensorError):
            hub.LOG.warning("A weights file in the cache can't be read and is ignored.")
            continue
        hub.LOG.warning("A weights file in the cache was damaged and has been removed.")
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def keep(key: str, tensors: Mapping[str, Tensor]) -> None:
    """Keep tensors under a key; where the disk doesn't take them, log that and go on."""
    folder = hub.assets()
    temporary = folder / f"{key}.{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
        with temporary.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        temporary.chmod(0o644)  # safetensors leaves it to its owner alone
        os.replace(temporary, folder / f"{key}-{found}.safetensors")
    except (OSError, SafetensorError):
        hub.LOG.warning("The weights could not be cached, so they will be read from their source again.")
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def part(key: str) -> Path:
    """Return where a download under a key grows.

    Raises:
        hub.DiskError: there can be no such file.
    """
    with hub.disk():
        hub.assets().mkdir(parents=True, exist_ok=True)
        return hub.assets() / f"{key}.part"


def require(size: int) -> None:
    """Check that so many bytes are free.

    Raises:
        hub.DiskError: they are not.
    """
    with hub.disk():
        free = shutil.disk_usage(hub.assets()).free
    if free < size:
        raise hub.DiskError(f"{size / 1e6:.0f} MB is needed, but only {free / 1e6:.0f} MB is free on the disk")


def remove(key: str) -> int:
    """Remove what lies under a key, whole or in part; return its bytes."""
    size = 0
    for path in hub.assets().glob(f"{key}[-.]*"):
        size += path.stat().st_size
        path.unlink()
    return size


def _memory() -> dict[str, list[int | str]]:
    try:
        found = json.loads((hub.assets() / MEMORY).read_bytes())
        return {name: each for name, each in found.items() if isinstance(each, list)}
    except (OSError, ValueError, AttributeError):
        return {}


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
