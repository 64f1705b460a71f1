"""Reading videos frame by frame: upright, with square pixels, in sRGB, checked before they are decoded.

FFmpeg reads mp4, mov, webm, mkv, avi, and MPEG files; Pillow reads animated GIF, WebP, and PNG. Unsupported files raise
a ValueError with one sentence that names no path. A file is opened without any way to name another one or an address.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from adain_core.images import MAX_PIXELS
from adain_core.video import hdr

Frame = NDArray[np.uint8]  # [H,W,3], RGB
FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,ogg,flv,asf"
ANIMATIONS = ("GIF", "WEBP", "PNG")
SUFFIXES = (".mp4", ".mov", ".m4v", ".webm", ".mkv", ".avi", ".mpg", ".ts", ".ogv", ".gif", ".webp", ".png", ".apng")
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
UNKNOWN = 2  # FFmpeg's number of an unknown color space
BT709 = 1  # FFmpeg's number of BT.709 as a color space, as primaries, and as a transfer function
LARGE = 720  # rows from which on an unknown color space is BT.709, as usual
PAUSE = Fraction(1, 10)  # seconds that an animation's frame is shown if its file doesn't say
DAMAGED = "This video is damaged, or in a format that can't be read; try converting it to mp4."
STILL = "This is a still picture, not a video."
CUT = "The end of this video is damaged; what comes before it is used."


class Info(NamedTuple):
    """What a video's header tells.

    Attributes:
        size: width and height in pixels, upright, with square pixels.
        seconds: its length; 0 if unknown.
        fps: average frames per second.
        sound: whether it has sound.
    """

    size: tuple[int, int]
    seconds: float
    fps: float
    sound: bool


class Shown(NamedTuple):
    """A frame and when it is shown, in seconds since the first frame of the video."""

    image: Frame
    time: Fraction


def measure(path: str | os.PathLike[str]) -> Info:
    """Return what a video's header tells.

    Raises:
        ValueError: the file is missing, damaged, a still picture, not supported, or larger than 80 megapixels.
    """
    if _is_animation(path):
        with _animation(path) as image:
            pauses = [_pause(image)]
            image.seek(min(1, image.n_frames - 1))
            pauses.append(_pause(image))
            mean = sum(pauses) / len(pauses)
            return Info(image.size, float(mean * image.n_frames), float(1 / mean), False)
    with opened(path) as container:
        stream = container.streams.video[0]
        size = _upright(stream.codec_context.width, stream.codec_context.height, _aspect(stream), _turn(container))
        seconds = stream.duration * stream.time_base if stream.duration else Fraction(container.duration or 0, 10**6)
        return Info(size, float(seconds), float(stream.average_rate or 25), bool(container.streams.audio))


def frames(
    path: str | os.PathLike[str],
    size: tuple[int, int],
    begin: float = 0.0,
    end: float | None = None,
    fps: float | None = None,
    every: int = 1,
    notes: list[str] | None = None,
) -> Iterator[Shown]:
    """Decode a video's frames one by one; what can't be decoded is left out.

    Args:
        path: the file.
        size: width and height of the frames.
        begin: seconds before which frames are left out; times stay those of the whole video.
        end: seconds from which on frames are left out.
        fps: frames per second, each of which shows the latest frame of the file; None for the file's own times.
        every: take only every n-th frame.
        notes: receives a sentence if the end of the video is damaged.

    Raises:
        ValueError: as for `measure`.
    """
    found = _from_pillow(path, size) if _is_animation(path) else _from_ffmpeg(path, size, begin, notes)
    found = _within(found, exact(begin), None if end is None else exact(end))
    if fps is not None:
        found = _paced(found, Fraction(fps).limit_denominator(1001))
    for number, shown in enumerate(found):
        if number % every == 0:
            yield shown


def exact(seconds: float) -> Fraction:
    """Return the fraction that a number of seconds stands for."""
    return Fraction(seconds).limit_denominator(10**6)


@contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[Any]:
    """Open a video with FFmpeg, which can read nothing but this file.

    Raises:
        ValueError: the file is missing or has no video that can be decoded.
        OSError: the disk fails.
    """
    import av

    with open(path, "rb") as file:
        try:
            container = av.open(file, "r", options=OPTIONS, metadata_errors="ignore")
        except (av.FFmpegError, OSError, ValueError):
            raise ValueError(DAMAGED) from None
        with container:
            if not container.streams.video or container.streams.video[0].codec_context is None:
                raise ValueError("This file has no video; choose another one.")
            stream = container.streams.video[0]
            pixels = stream.codec_context.width * stream.codec_context.height
            if not 0 < pixels <= MAX_PIXELS:
                raise ValueError(
                    DAMAGED if not pixels else f"This video has more than {MAX_PIXELS:,} pixels per frame."
                )
            yield container


def _from_ffmpeg(
    path: str | os.PathLike[str], size: tuple[int, int], begin: float, notes: list[str] | None
) -> Iterator[Shown]:
    import av

    with opened(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        first = start_of(container)
        if begin > 0:
            container.seek(int((begin + float(first)) * 10**6))
        last, broken, decoded = Fraction(-1), False, 0
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
                found = [] if packet is None else packet.decode()
            except av.FFmpegError:
                packet, found, broken = (None if broken and not decoded else packet), [], True
            for frame in found:
                if frame.pts is None or (time := frame.pts * frame.time_base - first) <= last:
                    continue
                last, decoded, broken = time, decoded + 1, False
                yield Shown(_pixels(frame, size), time)
            if packet is None:
                break
        if broken and notes is not None:
            notes.append(CUT)
        if not decoded:
            raise ValueError(DAMAGED)


def start_of(container: Any) -> Fraction:
    """Return the time of a video's first frame, in seconds of the file's clock."""
    stream = container.streams.video[0]
    return stream.start_time * stream.time_base if stream.start_time else Fraction(0)


def _pixels(frame: Any, size: tuple[int, int]) -> Frame:
    """Convert a decoded frame to upright sRGB pixels."""
    turned = frame.rotation % 180 != 0
    width, height = size[::-1] if turned else size
    space = BT709 if frame.colorspace == UNKNOWN and frame.height >= LARGE else None
    kind = "rgb48le" if frame.color_trc in hdr.CURVES else "rgb24"
    made = frame.reformat(width, height, kind, src_colorspace=space, interpolation="LANCZOS").to_ndarray()
    if kind == "rgb48le":
        made = hdr.to_srgb(made, frame.color_trc)
    return np.ascontiguousarray(np.rot90(made, round(frame.rotation / 90)))


def _turn(container: Any) -> int:
    """Return the rotation of a video's first frame, in degrees, and rewind."""
    import av

    try:
        found = next(iter(container.decode(video=0)), None)
    except av.FFmpegError:
        found = None
    if found is None:
        raise ValueError(DAMAGED)
    return int(found.rotation)


def _aspect(stream: Any) -> Fraction:
    return Fraction(stream.sample_aspect_ratio or 1) or Fraction(1)


def _upright(width: int, height: int, aspect: Fraction, turn: int) -> tuple[int, int]:
    wide = (max(1, round(width * aspect)), height) if aspect >= 1 else (width, max(1, round(height / aspect)))
    return wide[::-1] if turn % 180 else wide


def _is_animation(path: str | os.PathLike[str]) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(12)
    except FileNotFoundError:
        raise ValueError("There is no such file.") from None
    except IsADirectoryError:
        raise ValueError("This is a folder; give a video.") from None
    return start.startswith((b"GIF8", b"\x89PNG")) or (start[:4], start[8:]) == (b"RIFF", b"WEBP")


@contextmanager
def _animation(path: str | os.PathLike[str]) -> Iterator[Any]:
    try:
        with Image.open(path, formats=ANIMATIONS) as image:
            if getattr(image, "n_frames", 1) < 2:
                raise ValueError(STILL)
            if image.width * image.height > MAX_PIXELS:
                raise ValueError(f"This animation has more than {MAX_PIXELS:,} pixels per frame.")
            yield image
    except (OSError, SyntaxError, Image.DecompressionBombError):
        raise ValueError(DAMAGED) from None


def _from_pillow(path: str | os.PathLike[str], size: tuple[int, int]) -> Iterator[Shown]:
    with _animation(path) as image:
        time = Fraction(0)
        for number in range(image.n_frames):
            image.seek(number)
            picture = image.convert("RGBA")
            flat = Image.new("RGB", picture.size, "white")
            flat.paste(picture, mask=picture.getchannel("A"))
            yield Shown(np.array(flat.resize(size, Image.Resampling.LANCZOS)), time)
            time += _pause(image)


def _pause(image: Any) -> Fraction:
    milliseconds = image.info.get("duration", 0)
    return Fraction(milliseconds).limit_denominator(1000) / 1000 if milliseconds > 0 else PAUSE


def _within(found: Iterator[Shown], begin: Fraction, end: Fraction | None) -> Iterator[Shown]:
    for shown in found:
        if end is not None and shown.time >= end:
            return
        if shown.time >= begin:
            yield shown


def _paced(found: Iterator[Shown], fps: Fraction) -> Iterator[Shown]:
    """Show at every tick the latest frame."""
    held: Shown | None = None
    first, tick = Fraction(0), 0
    for shown in found:
        if held is None:
            first = shown.time
        while held is not None and first + tick / fps < shown.time:
            yield held._replace(time=first + tick / fps)
            tick += 1
        held = shown
    if held is not None:
        yield held._replace(time=first + tick / fps)
