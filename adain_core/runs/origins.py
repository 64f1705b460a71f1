"""What a run was given: names and hashes of its pictures, and the program and machine that run it."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL
import torch
from PIL import Image

from adain_core import images
from adain_core.networks.model import Networks
from adain_core.runs import inputs
from adain_core.system.version import VERSION

LONGEST = 100  # characters of a name


def of(content: images.Source, sources: inputs.Sources) -> dict[str, Any]:
    """Return the name and the hash of every picture of a run, by role; roles without a picture are left out."""
    every = {
        "content": content,
        "styles": list(sources.styles),
        "style_masks": sources.style_masks,
        "regions": sources.regions,
        "style_for": sources.style_for,
        "mask": sources.mask,
        "strength_map": sources.strength_map,
    }
    return {role: _described(each) for role, each in every.items() if each is not None}


def _described(given: Any) -> Any:
    """Return one picture's name and hash, or those of several in the same arrangement."""
    if isinstance(given, Mapping):
        return {str(label): _described(each) for label, each in given.items()}
    if isinstance(given, list | tuple):
        return [_described(each) for each in given]
    return None if given is None else describe(given)


def describe(source: images.Source) -> dict[str, str]:
    """Return a picture's name without its folder, and its hash.

    Returns:
        `name` and the file's `sha256`; for a PIL image the SHA-256 of its mode, size, and `pixels`; for a known style
        its name alone.
    """
    if isinstance(source, Image.Image):
        digest = hashlib.sha256(f"{source.mode} {source.width}x{source.height} ".encode())
        with suppress(Exception):  # Pillow's decoders can raise anything on damaged data
            digest.update(source.tobytes())
        return {"pixels": digest.hexdigest()}
    if not os.path.isfile(source):
        return {"name": str(source)}
    path = Path(source)
    about = path.stat()
    name = "".join(each if each.isprintable() else "?" for each in path.name)
    return {"name": name[-LONGEST:], "sha256": _digest(os.path.abspath(path), about.st_size, about.st_mtime_ns)}


@functools.lru_cache(256)  # a page's live runs read the same files again and again
def _digest(path: str, _size: int, _changed: int) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def program(networks: Networks) -> dict[str, Any]:
    """Return the versions, engine, type, threads, and weights that a run computes with."""
    return {
        "versions": {
            "adain": VERSION,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": np.__version__,
            "pillow": PIL.__version__,
            "opencv": cv2.__version__,
        },
        "engine": "torch",
        "dtype": str(networks.dtype).removeprefix("torch."),
        "threads": torch.get_num_threads(),
        "networks": dict(networks.hashes),
    }
