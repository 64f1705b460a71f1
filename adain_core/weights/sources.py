"""Fetching a file of weights: its sources are tried one after the other until one gives what it should."""

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

_running: dict[str, str] = {}  # by model, how far its download is


def progress(model: Model) -> str | None:
    """Say how far a download by this process is, or None where there is none."""
    return _running.get(model.name)


def fetch(model: Model, file: File, wanted: Mapping[str, Shapes]) -> dict[str, Found]:
    """Fetch the modules that a file holds from the first of its sources that has it.

    Raises:
        hub.Unavailable: none has; the message says why for each.
        hub.DiskError: the cache can't be written.
    """
    silent: dict[str, str] = {}  # servers that don't answer
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
    """Fetch a file, or what is needed of it, from one source; nothing is fetched that its server says is wrong."""
    about = hub.look(source)
    if file.sha256 and about.sha256 and about.sha256 != file.sha256:
        raise hub.Unavailable(f"it is a different file (SHA-256 {about.sha256[:12]})")
    if file.size and about.size and about.size != file.size:
        raise hub.Unavailable(f"it is a different file ({about.size:,} bytes, not {file.size:,})")
    expected = file.sha256 or about.sha256
    part = store.part(f"{file.key}.{(expected or 'unknown')[:8]}")
    if expected is None:
        part.unlink(missing_ok=True)  # it may be of another file
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
        if tried or not begun:  # else it may have begun with another source's bytes
            raise hub.Unavailable("the file received is not the one announced (wrong SHA-256)")
    try:
        return read(part, file.name)
    finally:
        part.unlink()


def _cut(model: Model, file: File, shapes: Shapes, source: Source, part: Path) -> Mapping[str, Tensor]:
    """Fetch an encoder's tensors out of a safetensors file."""
    header = hub.header(source)
    names = names_in(model, header, "encoder", shapes)
    wrong = [key for key, name in names.items() if header[key].shape != shapes[name] or header[key].dtype != "F32"]
    if wrong or not complete(model, names.values(), shapes):
        raise hub.Unavailable("it contains different tensors")
    stretches = {key: header[key] for key in names}
    spans = hub.merge(stretches)
    store.require(sum(last - first for first, last in spans))
    with _shown(model, file) as report:
        hub.fetch(source, part, spans, report)
    data = bytearray(part.read_bytes())
    part.unlink()
    tensors, start = {}, 0
    for first, last in spans:
        for key, each in stretches.items():
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
    """Give a function that shows how far a download is: to the page, in a terminal, and each tenth to the log."""
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
