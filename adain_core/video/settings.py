"""The settings of a video beside those of its pictures, and what changes along it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field

from adain_core import methods
from adain_core.contracts import Strength, marked, parse
from adain_core.runs.settings import Settings
from adain_core.video.steadying import SteadyParams

T = TypeVar("T")


class VideoParams(SteadyParams):
    """Which part of a video to take, at which rate, and how to keep it steady."""

    fps: float | None = Field(None, gt=0, le=120, description="Frames per second; the video's own by default.")
    every: int = Field(1, ge=1, le=1000, description="Take only every n-th frame.")
    begin: float = Field(0.0, ge=0, le=1e6, description="Seconds of the video at which to begin.")
    end: float | None = Field(None, gt=0, le=1e6, description="Seconds of the video at which to end.")


@dataclass(frozen=True)
class Bounds:
    """What a server allows of one video.

    Attributes:
        seconds: length of the part that is taken.
        frames: number of frames.
        pixels: width times height of a frame of the file.
        size: longer side of the result in pixels.
    """

    seconds: float = math.inf
    frames: float = math.inf
    pixels: float = math.inf
    size: float = math.inf


def split(options: Mapping[str, Any]) -> tuple[VideoParams, dict[str, Any]]:
    """Separate a video's settings from the options of its pictures.

    Raises:
        ValueError: a setting is out of bounds, or the part to take is empty.
    """
    params = parse(VideoParams, {name: value for name, value in options.items() if name in VideoParams.model_fields})
    if params.end is not None and params.end <= params.begin:
        raise ValueError(f"The part from {params.begin:g} to {params.end:g} s is empty; let it end after it begins.")
    return params, {name: value for name, value in options.items() if name not in VideoParams.model_fields}


def strength_field(settings: Settings) -> str:
    """Return the name of a method's strength.

    Raises:
        ValueError: it has none.
    """
    found = marked(methods.get(settings.method).params, Strength())
    if not found:
        raise ValueError(f"{settings.method} has no strength that could change along the video.")
    return found[0]


def shares(points: Sequence[tuple[float, T]], time: float) -> list[tuple[T, float]]:
    """Return the values around a time with their shares, which sum to 1 and change evenly from point to point.

    Args:
        points: seconds and values, in the order of time.
        time: seconds.
    """
    later = next((number for number, (when, _) in enumerate(points) if when > time), len(points))
    if later in (0, len(points)):
        return [(points[min(later, len(points) - 1)][1], 1.0)]
    (since, one), (until, other) = points[later - 1], points[later]
    share = (time - since) / (until - since)
    return [(one, 1 - share), (other, share)] if share else [(one, 1.0)]


def timeline(points: Sequence[tuple[float, T]], name: str) -> list[tuple[float, T]]:
    """Return points sorted by time.

    Raises:
        ValueError: a time is not a number of at least 0, or two are the same.
    """
    times = [when for when, _ in points]
    if not all(0 <= when < math.inf for when in times):
        raise ValueError(f"In {name}, a time is not a number of seconds of at least 0.")
    if len({*times}) < len(times):
        raise ValueError(f"In {name}, two times are the same; give each its own.")
    return sorted(points, key=lambda point: point[0])


def described(value: Any) -> Any:
    """Return what a setting is recognized by when a run is resumed: a file by its name, size, and time of change."""
    if isinstance(value, Path) and value.exists():
        file = value.stat()
        return [value.name, file.st_size, file.st_mtime_ns]
    if isinstance(value, Mapping):
        return {str(key): described(each) for key, each in sorted(value.items())}
    return [described(each) for each in value] if isinstance(value, list | tuple) else str(value)
