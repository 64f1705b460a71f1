"""Writing videos: finished pieces on disk, which survive an interruption, joined into one file at the end.

A piece is a video of up to PIECE frames, and beside it lie the times of its frames. A piece without them is unfinished
and is made again. Joining copies the encoded frames into the output and gives them their times, so that nothing drifts.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from adain_core.system import files
from adain_core.video import sound
from adain_core.video.reading import BT709, Frame, exact

CLOCK = 90_000  # ticks per second in which times are kept, as is usual in video
PIECE = 24  # frames
SAMPLES = 16  # frames that the colors of a GIF are chosen from
GIF_CLOCK = 100


class Kind(NamedTuple):
    """A format of output files.

    Attributes:
        format: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        options: options of the encoder.
        sounds: codecs of sound that the container takes as they are, the first of which others are converted to; none
            if it has no sound.
    """

    format: str
    codec: str
    options: dict[str, str]
    sounds: tuple[str, ...] = ()


H264 = {"crf": "18", "preset": "veryfast", "bf": "0"}  # without B-frames, frames are stored in the order of their times
VP9 = {"crf": "28", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0"}
KINDS = {
    ".mp4": Kind("mp4", "libx264", H264, ("aac", "mp3", "ac3", "eac3", "opus", "alac")),
    ".webm": Kind("webm", "libvpx-vp9", VP9 | {"lag-in-frames": "0"}, ("libopus", "opus", "vorbis")),
    ".gif": Kind("gif", "libx264", H264 | {"crf": "10"}),
}


def kind_of(path: str | os.PathLike[str]) -> Kind:
    """Return the format that a file's name asks for.

    Raises:
        ValueError: videos can't be written in that format.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in KINDS:
        raise ValueError(f"A video can't be saved as {suffix or 'a file without suffix'}; choose {', '.join(KINDS)}.")
    return KINDS[suffix]


def even(size: tuple[int, int]) -> tuple[int, int]:
    """Round a size to even numbers, which H.264 and VP9 need to store colors at half the resolution."""
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


class Pieces:
    """The finished frames of a video, in a folder.

    Args:
        folder: it is made if it isn't there.
        kind: the format that the output will have.
        size: width and height of the frames, even numbers.
    """

    def __init__(self, folder: Path, kind: Kind, size: tuple[int, int]) -> None:
        self.folder, self.kind, self.size = folder, kind, size
        folder.mkdir(parents=True, exist_ok=True)
        self.times: list[int] = []  # in ticks, of the finished frames
        self.count, self.state = 0, list[float]()  # of finished pieces, and after the last of them
        while (listed := self._times(self.count)).exists():
            found = json.loads(listed.read_text())
            self.times += found["times"]
            self.state, self.count = found["state"], self.count + 1
        self._container: Any = None
        self._stream: Any = None
        self._now: list[int] = []

    def add(self, image: Frame, time: Fraction, state: Sequence[float] = ()) -> None:
        """Add a frame, [H,W,3] in RGB, shown from `time` on, in seconds; `state` is kept for resuming after it."""
        import av

        if self._container is None:
            self._begin()
        frame = av.VideoFrame.from_ndarray(image, "rgb24").reformat(
            format="yuv420p", dst_colorspace=BT709, dst_color_range=1, interpolation="LANCZOS"
        )
        tick = round(time * CLOCK)
        frame.pts, frame.time_base = tick - (self._now or [tick])[0], Fraction(1, CLOCK)
        self._now.append(tick)
        self.state = [*state]
        self._container.mux(self._stream.encode(frame))
        if len(self._now) == PIECE:
            self.finish()

    def finish(self) -> None:
        """Finish the piece at hand, so that what was added is on disk."""
        if self._container is None:
            return
        self._container.mux(self._stream.encode())
        self._container.close()
        files.write(self._times(self.count), json.dumps({"times": self._now, "state": self.state}).encode())
        self.times += self._now
        self.count, self._container, self._now = self.count + 1, None, []

    def last(self) -> Frame | None:
        """Return the last finished frame, [H,W,3], or None."""
        found = deque(self._decoded(self.count - 1) if self.count else (), maxlen=1)
        return found[0] if found else None

    def join(self, output: Path, source: Path | None, begin: float, end: float | None, seconds: Fraction) -> None:
        """Write the output, with the sound of the source if there is one and the format has sound.

        Args:
            output: it is replaced at once when everything is written.
            source: the video whose sound is copied, or None.
            begin: seconds of the source at which the output begins.
            end: seconds of the source from which on its sound is left out.
            seconds: how long the last frame is shown.
        """
        with files.replacing(output) as temporary:
            if self.kind.format == "gif":
                self._write_gif(temporary, seconds)
            else:
                self._write(temporary, source, begin, end, seconds)

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, path: Path, source: Path | None, begin: float, end: float | None, seconds: Fraction) -> None:
        import av

        options = {"movflags": "+faststart"} if self.kind.format == "mp4" else {}
        last = Fraction(self.times[-1], CLOCK) + seconds
        stop = last if end is None else min(last, exact(end))
        start = Fraction(self.times[0], CLOCK) if begin else Fraction(0)
        with av.open(str(path), "w", format=self.kind.format, options=options) as container:
            first = av.open(str(self._piece(0)))
            stream = container.add_stream_from_template(first.streams.video[0])
            stream.time_base = Fraction(1, CLOCK)
            first.close()
            heard = sound.Sound(source, container, self.kind.sounds, start, stop) if source else None
            times = [*self.times, round(last * CLOCK)]
            for number, packet in enumerate(self._packets()):
                tick = times[number] - round(start * CLOCK)
                if heard is not None:
                    heard.write(Fraction(tick, CLOCK))
                packet.stream, packet.time_base = stream, Fraction(1, CLOCK)
                packet.pts = packet.dts = tick
                packet.duration = max(1, times[number + 1] - times[number])
                container.mux(packet)
            if heard is not None:
                heard.write(None)

    def _write_gif(self, path: Path, seconds: Fraction) -> None:
        import av

        count = len(self.times)
        chosen = {round(number * (count - 1) / max(1, SAMPLES - 1)) for number in range(SAMPLES)}
        every = (each for number in range(self.count) for each in self._decoded(number))
        colors = _palette([each for number, each in enumerate(every) if number in chosen])
        table = np.zeros((256, 4), np.uint8)
        found = np.array(colors.getpalette(), np.uint8).reshape(-1, 3)
        table[:, 0], table[: len(found), 1:] = 255, found  # ARGB
        ends = [*self.times[1:], self.times[-1] + round(seconds * CLOCK)]
        with av.open(str(path), "w", format="gif", options={"loop": "0"}) as container:
            stream = container.add_stream("gif", rate=25)
            stream.width, stream.height, stream.pix_fmt = *self.size, "pal8"
            stream.codec_context.time_base = Fraction(1, GIF_CLOCK)
            every = (each for number in range(self.count) for each in self._decoded(number))
            for image, tick, end in zip(every, self.times, ends, strict=True):
                indices = np.array(Image.fromarray(image).quantize(palette=colors))
                frame = av.VideoFrame.from_ndarray((indices, table), "pal8")  # type: ignore[arg-type]
                frame.pts, frame.time_base = round((tick - self.times[0]) * GIF_CLOCK / CLOCK), Fraction(1, GIF_CLOCK)
                frame.duration = max(1, round((end - tick) * GIF_CLOCK / CLOCK))
                container.mux(stream.encode(frame))
            container.mux(stream.encode())

    def _begin(self) -> None:
        import av

        self._container = av.open(str(self._piece(self.count)), "w", format="mp4")
        self._stream = self._container.add_stream(self.kind.codec, rate=30, options=self.kind.options)
        self._stream.width, self._stream.height, self._stream.pix_fmt = *self.size, "yuv420p"
        context = self._stream.codec_context
        context.time_base, context.gop_size = Fraction(1, CLOCK), PIECE
        context.colorspace = context.color_primaries = context.color_trc = BT709
        context.color_range = 1

    def _packets(self) -> Iterator[Any]:
        import av

        for number in range(self.count):
            with av.open(str(self._piece(number))) as container:
                yield from (packet for packet in container.demux(video=0) if packet.size)

    def _decoded(self, number: int) -> Iterator[Frame]:
        import av

        with av.open(str(self._piece(number))) as container:
            for frame in container.decode(video=0):
                yield np.asarray(frame.to_ndarray(format="rgb24", src_colorspace=BT709), np.uint8)

    def _piece(self, number: int) -> Path:
        return self.folder / f"{number:05d}.mp4"

    def _times(self, number: int) -> Path:
        return self.folder / f"{number:05d}.json"


def _palette(samples: Sequence[Frame]) -> Image.Image:
    """Return a picture with the palette that fits the frames best."""
    return Image.fromarray(np.concatenate(samples)).quantize(256)
