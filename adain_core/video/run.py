"""A video's way from file to file: read, stylize frame by frame, keep steady, write, and add the sound.

Memory does not grow with the length of the video. Finished pieces lie in a folder beside the output until it is whole.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import shutil
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from adain_core import images, methods
from adain_core.contracts import UNLIMITED, Limits, count
from adain_core.controls import strokes
from adain_core.networks.model import Networks
from adain_core.runs import pipeline, sequence
from adain_core.runs.settings import Settings, parse_options
from adain_core.system import files
from adain_core.video import reading, settings, writing
from adain_core.video.reading import Frame, Info, Shown
from adain_core.video.settings import Bounds, VideoParams
from adain_core.video.steadying import GRID, Steady

RECENT = 12  # frames that the time left is estimated from
UNBOUNDED = Bounds()
OTHER = "The part that is on disk was made with other settings; leave out --resume to begin anew."


@dataclass(frozen=True)
class Progress:
    """A video's state after one of its frames, or after a step of an optimization.

    Attributes:
        done: number of finished frames.
        frames: their expected total.
        time: seconds of the video at the latest frame.
        before: the latest frame, RGB.
        after: the latest stylized frame, RGB; None in between.
        seconds_left: expected seconds until the end; None while unknown.
        notes: sentences for the user.
    """

    done: int
    frames: int
    time: float
    before: Image.Image
    after: Image.Image | None
    seconds_left: float | None
    notes: tuple[str, ...] = ()


def run(
    source: str | Path,
    output: str | Path,
    styles: Sequence[images.Source] = (),
    *,
    style_at: Sequence[tuple[float, images.Source]] = (),
    strength_at: Sequence[tuple[float, float]] = (),
    mask: str | Path | None = None,
    sound: bool = True,
    resume: bool = False,
    keep: bool = False,
    networks: Networks | None = None,
    weights_dir: str | Path | None = None,
    download: bool = True,
    limits: Limits = UNLIMITED,
    bounds: Bounds = UNBOUNDED,
    **options: Any,
) -> Generator[Progress, None, None]:
    """Stylize a video and yield after each frame. If closed early, the output holds what was done until then.

    Args:
        source: the video, a file.
        output: the file to write: mp4, webm, or gif.
        styles: as for `pipeline.run`.
        style_at: seconds of the video and the style there; styles change evenly from one to the next.
        strength_at: seconds of the video and the strength there, likewise.
        mask: a video, or an animation: white parts are stylized, black parts are left unchanged.
        sound: whether to copy the sound.
        resume: continue an earlier run with the same settings that was interrupted.
        keep: keep the finished pieces if the run is closed early, so that it can be resumed.
        networks: as for `pipeline.run`.
        weights_dir: as for `pipeline.run`.
        download: as for `pipeline.run`.
        limits: limits of the server for one frame.
        bounds: limits of the server for the video.
        options: fields of VideoParams, of Settings, and of the method's parameters.

    Raises:
        ValueError: the video or an option is refused, or there is nothing to resume with these settings.
        PictureError: a style is refused.
        weights.WeightsError: the weights are missing or can't be trusted.
    """
    source, output = Path(source), Path(output)
    params, options = settings.split(options)
    chosen, _ = parse_options(options, limits)
    kind, info = writing.kind_of(output), reading.measure(source)
    size = frame_size(info, chosen.size)
    total = check(info, size, params, bounds)
    plan = _Plan(chosen, styles, settings.timeline(style_at, "style_at"), settings.timeline(strength_at, "strength_at"))
    plan.check(mask)
    method = methods.get(chosen.method)
    networks = pipeline.networks_for(chosen, method, networks, weights_dir, download)
    pictures = {name: value for name, value in options.items() if name != "size"}
    given = {**pictures, "networks": networks, "limits": limits}
    pieces = _pieces(output, kind, size, resume, [source, styles, style_at, strength_at, mask, params, options])
    notes: list[str] = []
    end = min(params.end or math.inf, params.begin + bounds.seconds)  # a header may be wrong
    part = (params.begin, None if end == math.inf else end, params.fps, params.every)
    shown = itertools.islice(
        reading.frames(source, size, *part, notes), None if bounds.frames == math.inf else int(bounds.frames)
    )
    clock, done, pause = _Clock(), len(pieces.times), Fraction(1) / Fraction(params.fps or info.fps / params.every)
    whole, steady = False, Steady(params, networks, _grid(chosen, size))
    try:
        made = (
            _separately(shown, plan, steady, given, mask, pieces)
            if method.frames is None
            else _together(shown, plan, given, pieces)
        )
        with contextlib.closing(made):
            for now, image in made:
                before = Image.fromarray(now.image)
                if image is None:
                    yield Progress(done, max(total, done), float(now.time), before, None, clock.left(total - done))
                    continue
                pieces.add(image, now.time, steady.moved.tolist())
                done += 1
                clock.tick()
                after = Image.fromarray(image)
                left = clock.left(total - done)
                yield Progress(done, max(total, done), float(now.time), before, after, left, tuple(notes))
        whole = True
    finally:
        pieces.finish()
        if pieces.times:
            pieces.join(output, source if sound and info.sound else None, params.begin, params.end, pause)
        if whole or not keep or not pieces.times:
            pieces.remove()
    if not done:
        raise ValueError("No frame of this video is in the part to take; choose another part.")


def frame_size(info: Info, longest: int | None) -> tuple[int, int]:
    """Return the width and height of the frames to make.

    Raises:
        ValueError: they would be too narrow to stylize.
    """
    size = images.fit(info.size, longest)
    if min(size) < images.MIN_SIDE:
        raise ValueError(f"This video has {size[0]}x{size[1]} pixels, too few to stylize.")
    return writing.even(size)


def check(info: Info, size: tuple[int, int], params: VideoParams, bounds: Bounds) -> int:
    """Return the expected number of frames.

    Raises:
        ValueError: the video is longer, larger, or has more frames than allowed, as far as its header tells.
    """
    end = min(params.end or math.inf, info.seconds or math.inf)
    seconds = max(0.0, end - params.begin) if end < math.inf else 0.0
    if math.prod(info.size) > bounds.pixels:
        raise ValueError(
            f"This video has {info.size[0]}x{info.size[1]} pixels, but this server takes at most {bounds.pixels:,.0f}"
            " per frame; make it smaller."
        )
    if max(size) > bounds.size:
        raise ValueError(f"The result would be {max(size)} pixels long, but this server makes at most {bounds.size:g}.")
    if seconds > bounds.seconds:
        raise ValueError(
            f"The part to take is {seconds:.0f} s long, but this server takes at most {bounds.seconds:g} s; choose"
            " a shorter part."
        )
    total = max(1, round(seconds * (params.fps or info.fps) / params.every)) if seconds else 0
    if total > bounds.frames:
        raise ValueError(
            f"The part to take has {count(total, 'frame')}, but this server takes at most {bounds.frames:g}; choose"
            " a shorter part, or fewer frames per second."
        )
    return total


class _Plan:
    """What the pictures are made from at each time."""

    def __init__(
        self,
        chosen: Settings,
        styles: Sequence[images.Source],
        style_at: Sequence[tuple[float, images.Source]],
        strength_at: Sequence[tuple[float, float]],
    ) -> None:
        self.chosen, self.styles, self.style_at, self.strength_at = chosen, styles, style_at, strength_at

    def check(self, mask: str | Path | None) -> None:
        """Check that settings fit together.

        Raises:
            ValueError: they don't.
        """
        method = methods.get(self.chosen.method)
        if self.styles and self.style_at:
            raise ValueError("Give styles, or styles at times with style-at, not both.")
        if self.style_at and self.chosen.weights is not None:
            raise ValueError("Styles at times have shares of their own; leave out weights.")
        if self.strength_at:
            settings.strength_field(self.chosen)
        if method.frames is not None and (self.style_at or self.strength_at or mask is not None):
            raise ValueError(f"{method.title} takes one style for the whole video and no mask; choose another method.")

    def at(self, when: float) -> dict[str, Any]:
        """Return the styles and the options at a time."""
        found: dict[str, Any] = {"styles": self.styles}
        if self.style_at:
            mixed = settings.shares(self.style_at, when)
            found = {"styles": [style for style, _ in mixed], "weights": tuple(share for _, share in mixed)}
        if self.strength_at:
            values = settings.shares(self.strength_at, when)
            found[settings.strength_field(self.chosen)] = sum(value * share for value, share in values)
        return found


Made = tuple[Shown, Frame | None]  # a frame of the source, and its output or, in between, None


def _separately(
    shown: Iterator[Shown],
    plan: _Plan,
    steady: Steady,
    given: dict[str, Any],
    mask: str | Path | None,
    pieces: writing.Pieces,
) -> Generator[Made, None, None]:
    """Stylize each frame by itself, and keep the video steady."""
    if (earlier := _earlier(shown, pieces)) is not None:
        steady.resume(*earlier, pieces.state)
    masks = None if mask is None else _Latest(mask, pieces.size)
    for now in shown:
        steady.begin(now.image)
        seen = {**given, **plan.at(float(now.time)), "networks": steady.networks, "interval": 3600}
        if masks is not None:
            seen["mask"] = Image.fromarray(steady.shift(masks.at(now.time))).convert("L")
        for result in pipeline.run(Image.fromarray(steady.shift(now.image)), **seen):
            if result.iteration < result.iterations and result.image is None:
                yield now, None
        assert result.image is not None  # only earlier results may lack a picture
        yield now, steady.finish(np.asarray(result.image.convert("RGB")))


def _together(
    shown: Iterator[Shown], plan: _Plan, given: dict[str, Any], pieces: writing.Pieces
) -> Generator[Made, None, None]:
    """Stylize all frames by a method that carries its own state."""
    before = _earlier(shown, pieces)
    held: list[Shown] = []

    def contents() -> Iterator[Image.Image]:
        for now in shown:
            held.append(now)
            yield Image.fromarray(now.image)

    earlier = None if before is None else (Image.fromarray(before[0]), Image.fromarray(before[1]))
    finished = 0
    for number, image in sequence.run(contents(), plan.styles, earlier=earlier, **given):
        yield held[number - finished], None if image is None else np.asarray(image)
        if image is not None:
            held.pop(0)
            finished += 1


def _earlier(shown: Iterator[Shown], pieces: writing.Pieces) -> tuple[Frame, Frame] | None:
    """Skip the frames that are finished, and return the last one with its output, if there is one."""
    skipped = deque(itertools.islice(shown, len(pieces.times)), maxlen=1)
    made = pieces.last()
    return (skipped[0].image, made) if skipped and made is not None else None


class _Latest:
    """The latest frame of a video at each time, for times that only grow."""

    def __init__(self, path: str | Path, size: tuple[int, int]) -> None:
        self._rest = reading.frames(path, size)
        self._now = next(self._rest)
        self._next = next(self._rest, None)

    def at(self, when: Fraction) -> Frame:
        while self._next is not None and self._next.time <= when:
            self._now, self._next = self._next, next(self._rest, None)
        return self._now.image


class _Clock:
    """Estimates the time left from the latest frames."""

    def __init__(self) -> None:
        self._ends = [time.monotonic()]

    def tick(self) -> None:
        self._ends = [*self._ends[-RECENT:], time.monotonic()]

    def left(self, frames: int) -> float | None:
        if len(self._ends) < 2:
            return None
        return max(0, frames) * (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1)


def _grid(chosen: Settings, size: tuple[int, int]) -> float:
    """Return the pixels between the samples of the networks' deepest features in the smallest picture."""
    return GRID if chosen.strokes == "native" else GRID * max(1.0, max(size) / strokes.BASE)


def _pieces(output: Path, kind: writing.Kind, size: tuple[int, int], resume: bool, made_from: Any) -> writing.Pieces:
    """Return the finished pieces of an earlier run, or none.

    Raises:
        ValueError: they were made with other settings.
    """
    folder = output.with_name(f"{output.name}.part")
    record, now = folder / "settings.json", json.dumps(settings.described([*made_from, size]))
    if resume and record.exists():
        if record.read_text() != now:
            raise ValueError(OTHER)
    elif folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files.write(record, now.encode())
    return writing.Pieces(folder, kind, size)
