"""The cache of weights within HF_HOME: safetensors files with their own SHA-256 in their names.

Files are verified whenever they are read. Hashing 80 MB takes a moment, so hashes are cached together with the file's
size and times, and recomputed if these have changed.
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

HASHES = "checked.json"


def digest(path: Path) -> str:
    """Return a file's SHA-256, from the cache of hashes as long as its size and times are unchanged."""
    about = path.stat()
    now = [about.st_size, about.st_mtime_ns, about.st_ctime_ns]
    hashes = _cached_hashes()
    if hashes.get(str(path.resolve()), [])[:-1] == now:
        return str(hashes[str(path.resolve())][-1])
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    hashes = {name: each for name, each in hashes.items() if Path(name).exists()}
    with contextlib.suppress(OSError):  # only a cache
        hub.assets().mkdir(parents=True, exist_ok=True)
        _replace(hub.assets() / HASHES, json.dumps({**hashes, str(path.resolve()): [*now, found]}).encode())
    return found


def forget() -> None:
    """Clear the cache of hashes, so that all files are hashed again."""
    with contextlib.suppress(OSError):
        (hub.assets() / HASHES).unlink(missing_ok=True)


def find(key: str) -> dict[str, Tensor] | None:
    """Return the tensors cached under a key, or None.

    A file whose bytes have changed is removed; one that can't be read, such as another user's, is left alone.
    """
    for path in sorted(hub.assets().glob(f"{key}-*.safetensors")):
        try:
            if digest(path) == path.stem.rpartition("-")[2]:
                with path.open("rb"):  # safetensors would report a file without read permission as missing
                    return load_file(path)
        except (OSError, SafetensorError):
            hub.LOG.warning("A weights file in the cache can't be read and is ignored.")
            continue
        hub.LOG.warning("A weights file in the cache was damaged and has been removed.")
        with contextlib.suppress(OSError):
            path.unlink()
    return None


def keep(key: str, tensors: Mapping[str, Tensor]) -> None:
    """Cache tensors under a key; if they can't be written, log that and continue."""
    folder = hub.assets()
    temporary = folder / f"{key}.{uuid.uuid4().hex}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, temporary)
        with temporary.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        temporary.chmod(0o644)  # safetensors makes it readable only for its owner
        os.replace(temporary, folder / f"{key}-{found}.safetensors")
    except (OSError, SafetensorError):
        hub.LOG.warning("The weights could not be cached, so they will be read from their source again.")
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def part(key: str) -> Path:
    """Return the path of the partial download of a key.

    Raises:
        hub.DiskError: its folder can't be created.
    """
    with hub.disk():
        hub.assets().mkdir(parents=True, exist_ok=True)
        return hub.assets() / f"{key}.part"


def require(size: int) -> None:
    """Check that the disk has `size` bytes of free space.

    Raises:
        hub.DiskError: it has less.
    """
    with hub.disk():
        free = shutil.disk_usage(hub.assets()).free
    if free < size:
        raise hub.DiskError(f"{size / 1e6:.0f} MB is needed, but only {free / 1e6:.0f} MB is free on the disk")


def remove(key: str) -> int:
    """Remove the complete and partial files of a key; return the bytes freed."""
    size = 0
    for path in hub.assets().glob(f"{key}[-.]*"):
        size += path.stat().st_size
        path.unlink()
    return size


def _cached_hashes() -> dict[str, list[int | str]]:
    try:
        found = json.loads((hub.assets() / HASHES).read_bytes())
        return {name: each for name, each in found.items() if isinstance(each, list)}
    except (OSError, ValueError, AttributeError):
        return {}


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex}.tmp")
    temporary.write_bytes(data)
    os.replace(temporary, path)
