"""The sound of a video, copied beside its frames, or converted where the output's format can't take it as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from adain_core.video import reading


class Sound:
    """Copies the sound of a source into a container, between two times of the source.

    Args:
        source: a video; it may have no sound.
        container: the output, before anything is written to it.
        codecs: what the output takes as it is; others are converted to the first one.
        start: seconds since the source's first frame at which the output begins.
        stop: seconds from which on sound is left out.
    """

    def __init__(self, source: Path, container: Any, codecs: Sequence[str], start: Fraction, stop: Fraction) -> None:
        self._container, self._start, self._stop = container, start, stop
        self._stream: Any = None
        self._held: tuple[Fraction, Any] | None = None
        self._pieces = self._read(source, codecs) if codecs else iter(())
        self._next()  # makes the stream, which the container needs before its first packet

    def write(self, until: Fraction | None) -> None:
        """Write the sound up to a time of the output, in seconds, or all that is left."""
        while self._held is not None and (until is None or self._held[0] <= until):
            packet = self._held[1]
            packet.stream = self._stream
            self._container.mux(packet)
            self._next()

    def _next(self) -> None:
        self._held = next(self._pieces, None)

    def _read(self, source: Path, codecs: Sequence[str]) -> Iterator[tuple[Fraction, Any]]:
        import av

        if not reading.measure(source).sound:
            return
        with reading.opened(source) as opened:
            theirs, first = opened.streams.audio[0], reading.start_of(opened)
            if theirs.codec_context is None:  # it can't be decoded
                return
            begin = self._start + first
            if begin > 0:
                opened.seek(int(begin * 10**6))
            copied = theirs.codec_context.name.removesuffix("float") in codecs
            if copied:
                self._stream = self._container.add_stream_from_template(theirs)
            else:
                self._stream = self._container.add_stream(codecs[0], rate=48_000)
            made = self._copied(opened, theirs) if copied else self._converted(opened, theirs, begin)
            try:
                for packet in made:
                    if packet.pts is None:
                        continue
                    time = packet.pts * packet.time_base - (begin if copied else 0)
                    if time >= self._stop - self._start:
                        return
                    if time + (packet.duration or 0) * packet.time_base > 0:
                        if copied:
                            packet.pts = packet.dts = round(time / packet.time_base)
                        yield time, packet
            except av.FFmpegError:  # the end is damaged
                return

    @staticmethod
    def _copied(opened: Any, stream: Any) -> Iterator[Any]:
        yield from (packet for packet in opened.demux(stream) if packet.size)

    def _converted(self, opened: Any, stream: Any, begin: Fraction) -> Iterator[Any]:
        for frame in opened.decode(stream):
            time = frame.pts * frame.time_base - begin
            if time < 0:
                continue
            frame.pts = round(time / frame.time_base)
            yield from self._stream.encode(frame)
        yield from self._stream.encode()
