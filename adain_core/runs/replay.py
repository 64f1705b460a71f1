"""Running a picture's record again, and telling whether the result is the same."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from adain_core import images
from adain_core.runs import pipeline, record

COMPARED = ("engine", "device", "dtype", "threads")


class Replay(NamedTuple):
    """A run that was repeated.

    Attributes:
        result: its result.
        decibels: peak signal-to-noise ratio between both pictures as they are saved; infinite if they are the same.
        differs: sentences on what differs between both runs, other than the pictures.
    """

    result: pipeline.Result
    decibels: float
    differs: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every pixel is the same."""
        return self.decibels == math.inf


def replay(path: Path, content: images.Source | None, styles: Sequence[images.Source] = (), **given: Any) -> Replay:
    """Run a picture's record again with the pictures it was made from, and compare the results.

    A run that ended early is repeated up to the same step, whatever time that takes.

    Args:
        path: the picture.
        content: the photograph.
        styles: the paintings; those that were known by name needn't be given.
        given: other arguments of `run`, such as masks; options come from the record.

    Raises:
        ValueError: the file holds no record, pictures are missing, or see `run`.
    """
    found = record.read(path)
    if content is None:
        raise ValueError(f"Give the pictures again: {ask(found)}.")
    options = record.options(found)
    known = [name for role, name, digest in record.pictures(found) if role.startswith("painting") and not digest]
    last: pipeline.Result | None = None
    for result in pipeline.run(content, styles or known, **{"interval": 0, **options, **given}):
        last = result if result.image is not None else last
        if result.iteration >= found.get("iteration", math.inf):
            break
    assert last is not None and last.image is not None
    return Replay(last, _decibels(path, last), tuple(_differences(found, last.record)))


def ask(found: Mapping[str, Any]) -> str:
    """Return in words which pictures a record asks for, by name and hash."""
    asked = [_words(role, name, digest) for role, name, digest in record.pictures(found)]
    return ", ".join(asked) or "the photograph and the paintings, whose names this record doesn't tell"


def _words(role: str, name: str, digest: str) -> str:
    known = " ".join(filter(None, (name, digest and f"(SHA-256 begins with {digest[:12]})")))
    return f"the {role}{' is ' + known if known else ''}"


def _decibels(path: Path, result: pipeline.Result) -> float:
    """Compare a saved picture with a result encoded in the same way.

    Raises:
        ValueError: the sizes differ.
    """
    assert result.image is not None
    kind = images.output_format(path)
    one = _decoded(np.fromfile(path, np.uint8))
    other = _decoded(np.frombuffer(images.encode(result.image, kind, bits=result.record["bits"]), np.uint8))
    if one is None or other is None or one.shape != other.shape or one.dtype != other.dtype:
        raise ValueError(f"{path.name} was scaled, cropped, or converted after it was made, so it can't be compared.")
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return 10 * math.log10(float(np.iinfo(one.dtype).max) ** 2 / error) if error else math.inf


def _decoded(data: NDArray[np.uint8]) -> NDArray[Any] | None:
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return sentences on what differs between the records of two runs with the same settings."""
    if "versions" not in before:
        return ["This record has an older layout, which doesn't tell its pictures, weights, and versions."]
    others = {role: digest for role, _, digest in record.pictures(before)}
    found = [
        f"The {role} is another file than the one that the record tells."
        for role, _, digest in record.pictures(now)
        if others.get(role) and others[role] != digest
    ]
    given = {role for role, _, _ in record.pictures(now)}
    found += [f"The {role} was not given." for role in others if role not in given]
    pairs = [(name, before.get(name), now[name]) for name in COMPARED]
    for group, words in (("versions", "version of {}"), ("networks", "file {}")):
        own, old = now[group], before.get(group)
        old = old if isinstance(old, dict) else {}
        pairs += [(words.format(name), old.get(name), own.get(name)) for name in {**old, **own}]
    return found + [f"The {name} is {own!s:.16} instead of {old!s:.16}." for name, old, own in pairs if old != own]
