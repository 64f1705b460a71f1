"""Downloading a file of weights: its sources are tried in order until one provides the expected bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from adain_core.weights import hub, store
from adain_core.weights.hub import Source
from adain_core.weights.layouts import Found, Shapes, WeightsError, assign, complete, names_in, read
from adain_core.weights.table import File, Model

_running: dict[str, str] = {}  # progress of the current downloads, by model


def progress(model: Model) -> str | None:
    """Describe the progress of a model's download in this process, or return None if there is none."""
    return _running.get(model.name)


def fetch(model: Model, file: File, wanted: Mapping[str, Shapes]) -> dict[str, Found]:
    """Download a file from the first source that has it, and return the tensors of its modules.

    Raises:
        hub.Unavailable: no source has it; the message gives the reason for each.
        hub.DiskError: the cache can't be written.
    """
    silent: dict[str, str] = {}  # servers that don't respond
    reasons: dict[str, list[str]] = {}
    for source in file.sources:
        try:
            if source.host in silent:
                raise hub.Unavailable(silent[source.host])
            return assign(model, file, _take(model, file, wanted, source), wanted)
        except hub.Unavailable as error:
            reason = str(error)
            if isinstance(error, hub.Unreachable):
                silent[source.host] = reason
        except WeightsError as error:
            reason = str(error).rstrip(".")
        reasons.setdefault(reason, []).append(source.repo)
        hub.LOG.warning("%s from %s: %s.", file.name, source.repo, reason)
    raise hub.Unavailable("; ".join(f"{', '.join(repos)}: {reason}" for reason, repos in reasons.items()))


def _take(model: Model, file: File, wanted: Mapping[str, Shapes], source: Source) -> Mapping[str, Tensor]:
    """Download a file, or the needed part, from one source, unless its metadata already shows that it is wrong."""
    about = hub.metadata(source)
    if file.sha256 and about.sha256 and about.sha256 != file.sha256:
        raise hub.Unavailable(f"it is a different file (SHA-256 {about.sha256[:12]})")
    if file.size and about.size and about.size != file.size:
        raise hub.Unavailable(f"it is a different file ({about.size:,} bytes, not {file.size:,})")
    expected = file.sha256 or about.sha256
    part = store.part(f"{file.key}.{(expected or 'unknown')[:8]}")
    if expected is None:
        part.unlink(missing_ok=True)  # it may belong to another file
    if file.cut:
        return _cut(model, file, wanted["encoder"], source, part)
    for tried in (0, 1):
        begun = part.stat().st_size if part.exists() else 0
        size = file.size or about.size
        store.require((size or 0) - begun)
        with _shown(model, file) as report:
            hub.fetch(source, part, [(0, size)], report)
        if expected is None or store.digest(part) == expected:
            break
        part.unlink()
        if tried or not begun:  # otherwise its first bytes may have come from another source
            raise hub.Unavailable("the file received is not the one announced (wrong SHA-256)")
    try:
        return read(part, file.name)
    finally:
        part.unlink()


def _cut(model: Model, file: File, shapes: Shapes, source: Source, part: Path) -> Mapping[str, Tensor]:
    """Download only an encoder's tensors from a safetensors file."""
    header = hub.header(source)
    names = names_in(model, header, "encoder", shapes)
    wrong = [key for key, name in names.items() if header[key].shape != shapes[name] or header[key].dtype != "F32"]
    if wrong or not complete(model, names.values(), shapes):
        raise hub.Unavailable("it contains different tensors")
    slices = {key: header[key] for key in names}
    spans = hub.merge(slices)
    store.require(sum(last - first for first, last in spans))
    with _shown(model, file) as report:
        hub.fetch(source, part, spans, report)
    data = bytearray(part.read_bytes())
    part.unlink()
    tensors, start = {}, 0
    for first, last in spans:
        for key, each in slices.items():
            if first <= each.first < last:
                count = (each.last - each.first) // 4
                flat = torch.frombuffer(data, dtype=torch.float32, count=count, offset=start + each.first - first)
                tensors[key] = flat.view(each.shape)
        start += last - first
    if not all(each.isfinite().all() for each in tensors.values()):
        raise hub.Unavailable("it contains values that are not finite")
    return tensors


@contextmanager
def _shown(model: Model, file: File) -> Iterator[hub.Report]:
    """Yield a function that reports a download's progress to the page, to a terminal, and to the log at every tenth."""
    _running[model.name], tenths = file.name, -1
    with tqdm(desc=file.name, unit="B", unit_scale=True, disable=None) as bar:

        def report(done: int, total: int | None) -> None:
            nonlocal tenths
            size = f"{done / 1e6:.0f} of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
            _running[model.name] = f"{file.name}, {size}"
            bar.total = total
            bar.update(done - bar.n)
            if (tenth := 10 * done // (total or 100_000_000)) > tenths:
                tenths = tenth
                hub.LOG.info("Fetching %s: %s.", file.name, size)

        try:
            yield report
        finally:
            del _running[model.name]
