"""Loading weights: find them, verify their SHA-256, and check the shapes of their tensors.

Weights are searched in the given folder, in the package, in the cache, and finally, if downloading is allowed, at the
sources of the file, in this order. `table.py` lists the models; only `hub.py` uses the network.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from cachetools import LRUCache
from safetensors import safe_open

from adain_core.contracts import KnownStyle
from adain_core.networks.model import Networks
from adain_core.system import files
from adain_core.weights import hub, sources, store
from adain_core.weights.layouts import (
    Found,
    Shapes,
    assign,
    checksum,
    fits,
    given_checksum,
    name_tensors,
    names_in,
    read,
    readable,
    shapes_of,
)
from adain_core.weights.layouts import WeightsError as WeightsError
from adain_core.weights.table import MODELS as MODELS
from adain_core.weights.table import File
from adain_core.weights.table import Model as Model
from adain_core.weights.table import get as get

FOLDER_VARIABLE = "ADAIN_WEIGHTS"
PRETRAINED = Path(__file__).parents[1] / "pretrained"
EXAMPLES = Path(__file__).parents[2] / "examples"  # not in an installed package


class MissingError(WeightsError):
    """The weights are not on this machine."""


class Loaded(NamedTuple):
    """Loaded networks and the state of their weights, "verified" only if a recorded hash has matched."""

    networks: Networks
    state: str


_loaded: LRUCache[tuple[Model, str, Path | None, bool], Loaded] = LRUCache(4)
_lock = threading.Lock()


def load(
    name: str = "compact",
    device: str = "cpu",
    folder: str | os.PathLike[str] | None = None,
    download: bool = True,
    exact: bool = False,
) -> Networks:
    """Load a model, or return it from memory if it is already loaded.

    Args:
        name: a row of MODELS.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest one available.
        folder: a folder or a single file to use first; the environment variable ADAIN_WEIGHTS by default. Files with
            the names of the table must match its hashes; other safetensors files must match in names and shapes.
        download: whether to download missing weights.
        exact: compute in float32 even where bfloat16 is faster, which is precise enough only for 8-bit pictures.

    Raises:
        ValueError: there is no such model or device.
        WeightsError: the weights are missing, can't be read, or fail verification.
    """
    return _get(name, device, folder, download, exact).networks


def _get(
    name: str,
    device: str = "cpu",
    folder: str | os.PathLike[str] | None = None,
    download: bool = True,
    exact: bool = False,
) -> Loaded:
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    try:
        key = (get(name), pick_device(device), Path(folder).resolve() if folder else None, exact)
    except OSError:  # not a valid path
        raise WeightsError("The given weights folder does not exist.") from None
    with _lock:
        if key in _loaded:
            return _loaded[key]
    loaded = _load(*key, download)
    with _lock:
        return _loaded.setdefault(key, loaded)


def _load(model: Model, device: str, folder: Path | None, exact: bool, download: bool) -> Loaded:
    modules = model.build()
    wanted = {
        file: {role: shapes_of(module) for role, module in modules.items() if model.file(role) == file}
        for file in model.files
    }
    found: dict[str, Found] = {}
    if folder is not None:
        for file, shapes in wanted.items():
            found |= _from_folder(model, file, shapes, folder)
        _match(model, found)
    for file, shapes in wanted.items():
        if lacking := {role: each for role, each in shapes.items() if role not in found}:
            found |= _find(model, file, lacking, download)
    for role, module in modules.items():
        module.load_state_dict(found[role].tensors)
    half = model.half and not exact and device == "cpu" and has_bfloat16()
    dtype = torch.bfloat16 if half else torch.float32
    networks = Networks(model.name, modules, device, dtype, _hashes(model, found))
    return Loaded(networks, _state(model, found, folder))


def _state(model: Model, found: Mapping[str, Found], folder: Path | None) -> str:
    """Describe in a few words how far loaded weights have been verified."""
    if folder is not None and any(each.given for each in found.values()):
        return f"here, unverified, from {files.shown(folder)}"
    if all(file.sha256 or file.tensors for file in model.files):
        return "here, verified"
    return f"here, unverified, no hash recorded; the tensors' checksum is {given_checksum(found['encoder'].tensors)}"


def _hashes(model: Model, found: Mapping[str, Found]) -> dict[str, str]:
    """Return the SHA-256 of each file; of a file without one in the table, its tensors' checksum."""
    hashes = {}
    for role, each in found.items():
        file = model.file(role)
        pinned = each.sha256 or (file and file.sha256)
        hashes[each.file] = pinned or f"tensors {checksum(each.tensors)}"
    return hashes


def has_bfloat16() -> bool:
    """Return whether the CPU multiplies bfloat16 natively, which halves the time; torch emulates it otherwise."""
    return torch.cpu._is_avx512_bf16_supported()


def pick_device(name: str) -> str:
    """Resolve `auto` to the fastest available device.

    Raises:
        ValueError: the device is not available.
    """
    here = ["cpu"]
    if torch.cuda.is_available():
        here.insert(0, "cuda")
    if torch.backends.mps.is_available():
        here.insert(0, "mps")
    if name == "auto":
        return here[0]
    if name not in here:
        raise ValueError(f"The device {name} is not available; choose auto, {' or '.join(here)}.")
    return name


def state(model: Model, folder: str | os.PathLike[str] | None = None) -> str:
    """Describe in a few words the state of a model's weights on this machine, without using the network."""
    try:
        return _get(model.name, folder=folder, download=False).state
    except WeightsError as error:
        return str(error)


def here(model: Model, folder: str | os.PathLike[str] | None = None) -> bool:
    """Return whether a model's weights are on this machine and can be loaded, without using the network."""
    try:
        load(model.name, folder=folder, download=False)
    except WeightsError:
        return False
    return True


def known_styles(name: str) -> tuple[KnownStyle, ...]:
    """Return the styles that a row's networks know; none if the table has no such row yet."""
    styles = MODELS[name].styles if name in MODELS else ()
    paths = {each: EXAMPLES / "styles" / f"{each}.jpg" for each in styles}
    return tuple(KnownStyle(each, path if path.is_file() else None, name) for each, path in paths.items())


def verify(name: str, folder: str | os.PathLike[str] | None = None) -> str:
    """Verify a model's weights without cached hashes, and describe their state in a few words.

    Raises:
        MissingError: the weights are not on this machine.
        WeightsError: the weights can't be read or fail verification.
    """
    store.forget()
    release(name)
    return _get(name, folder=folder, download=False).state


def remove(name: str) -> int:
    """Remove a model's weights from the cache, but not from the package or a folder; return the bytes freed."""
    release(name)
    return sum(store.remove(file.key) for file in get(name).files)


def release(name: str) -> None:
    """Release a loaded model from memory."""
    with _lock:
        for key in [key for key in _loaded if key[0].name == name]:
            del _loaded[key]


def _find(model: Model, file: File, wanted: Mapping[str, Shapes], download: bool) -> dict[str, Found]:
    """Return the tensors of a file's modules from the package, the cache, or a source."""
    if (shipped := PRETRAINED / file.name).is_file() and file.sha256:
        with readable(shipped), shipped.open("rb") as stream:  # 2 MB: hashing is faster than caching the hash
            _confirm(file, hashlib.file_digest(stream, "sha256").hexdigest())
        return assign(model, file, read(shipped, file.name), wanted)
    if (kept := _kept(model, file, wanted)) is not None:
        return kept
    if not download:
        raise MissingError(_missing(model, sources.progress(model)))
    try:
        waiting = f"Another process is downloading {file.name}; waiting for it."
        with hub.locked(store.part(file.key).with_suffix(".lock"), waiting):
            return _kept(model, file, wanted) or _keep(file, sources.fetch(model, file, wanted))
    except hub.Unavailable as error:
        raise MissingError(_missing(model, None, f" and could not be downloaded: {error}")) from None
    except hub.DiskError as error:
        raise WeightsError(
            f"The weights of {model.name} can't be cached: {error}. Free some space, or set HF_HOME to a folder with"
            " enough space; the compact model needs no download."
        ) from None


def _from_folder(model: Model, file: File, wanted: Mapping[str, Shapes], folder: Path) -> dict[str, Found]:
    """Return the tensors of a file's modules that the given folder or file contains."""
    if not folder.exists():
        raise WeightsError("The given weights folder does not exist.")
    named = folder / file.name if folder.is_dir() else folder
    if file.sha256 and named.is_file() and named.name == file.name:
        with readable(named):
            _confirm(file, store.digest(named))
        return _kept(model, file, wanted) or _keep(file, assign(model, file, read(named, file.name), wanted))
    candidates = sorted(folder.glob("*.safetensors")) if folder.is_dir() else [folder]
    found = {}
    for role, shapes in wanted.items():
        fitting = [each for each in candidates if fits(model, each, role, shapes)]
        if len(fitting) > 1:
            names = " and ".join(each.name for each in fitting)
            raise WeightsError(f"Both {names} in the weights folder could be {model.name}'s {role}; keep only one.")
        for path in fitting:
            with readable(path), safe_open(path, "pt") as stream:
                tensors = {key: stream.get_tensor(key) for key in names_in(model, stream.keys(), role, shapes)}
                trained = (stream.metadata() or {}).get("encoder")
                sha256 = store.digest(path)
            own = name_tensors(model, tensors, role, shapes)
            found[role] = Found(own, path.name, given=True, encoder=trained, sha256=sha256)
    return found


def _kept(model: Model, file: File, wanted: Mapping[str, Shapes]) -> dict[str, Found] | None:
    """Return the tensors from our cache or from a file in huggingface_hub's cache, or None."""
    if not file.sources:
        return None
    if (tensors := store.find(file.key)) is not None:
        return assign(model, file, tensors, wanted)
    for source in file.sources:
        path = hub.cached(source)
        with contextlib.suppress(WeightsError, OSError):  # another source may have a good copy
            if path is not None and (file.sha256 is None or store.digest(path) == file.sha256):
                return _keep(file, assign(model, file, read(path, file.name), wanted))
    return None


def _confirm(file: File, found: str) -> None:
    if found != file.sha256:
        raise WeightsError(
            f"{file.name} is not the expected file: its SHA-256 begins with {found[:12]}, not with"
            f" {(file.sha256 or '')[:12]}. Remove it and download it again."
        )


def _keep(file: File, found: dict[str, Found]) -> dict[str, Found]:
    """Cache a file's modules as safetensors, so that the original file isn't needed again."""
    tensors = {f"{role}.{name}": tensor for role, each in found.items() for name, tensor in each.tensors.items()}
    store.keep(file.key, tensors)
    return found


def _match(model: Model, found: Mapping[str, Found]) -> None:
    """Check that an encoder and a decoder from a folder belong together.

    Raises:
        WeightsError: they don't, or the decoder is missing.
    """
    encoder, decoder = found.get("encoder"), found.get("decoder")
    if encoder is None or model.file("decoder") is None:
        return
    if encoder.given and decoder is None:
        raise WeightsError(
            f"The weights folder holds {encoder.file}, an encoder for {model.name}, but not the decoder that was"
            " trained for it; put both there, or neither."
        )
    if decoder and decoder.encoder and decoder.encoder != (own := checksum(encoder.tensors)):
        raise WeightsError(
            f"{decoder.file} was trained for another encoder than {encoder.file} (its checksum begins with"
            f" {decoder.encoder[:12]}, not with {own[:12]}); take both from one run."
        )


def _missing(model: Model, progress: str | None, why: str = " and have not been downloaded yet") -> str:
    if progress:
        return f"The weights of {model.name} are being downloaded ({progress}); use the compact model until then."
    names = " and ".join(file.name for file in model.files)
    return (
        f"The weights of {model.name} are not on this machine{why}. Put {names} into a folder and pass it with"
        f" --weights-dir or {FOLDER_VARIABLE}, or use the compact model, which needs no download."
    )
