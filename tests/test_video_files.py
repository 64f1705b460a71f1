"""Videos as they come: rotated, deep, anamorphic, odd, broken, without sound; and as they are written."""

import io
import wave
from fractions import Fraction

import av
import numpy as np
import pytest
from conftest import picture
from PIL import Image

from adain_core.video import reading, writing

RATE = 48_000


def write(path, frames, times=None, codec="libx264", pix="yuv420p", beep=0.0, **stream_options):
    """Write a video with FFmpeg; `beep` is the second at which its sound begins to be loud."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        height, width = frames[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix
        stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx265":  # it now and then gives the last of two reordered frames a time that can't be written
            stream.codec_context.max_b_frames = 0
        for name, value in stream_options.items():
            if name == "rotation":
                stream.set_display_rotation(value)
            else:
                setattr(stream.codec_context, name, value)
        audio = container.add_stream("aac", rate=RATE, layout="mono") if beep else None
        for number, frame in enumerate(frames):
            given = av.VideoFrame.from_ndarray(frame, "rgb24").reformat(format=pix)
            given.pts, given.time_base = round(1000 * (times[number] if times else number / 10)), Fraction(1, 1000)
            container.mux(stream.encode(given))
        container.mux(stream.encode())
        if audio is not None:
            seconds = np.arange(round(len(frames) / 10 * RATE)) / RATE
            wave_ = np.where(seconds >= beep, np.sin(2 * np.pi * 1000 * seconds), 0).astype(np.float32)
            given = av.AudioFrame.from_ndarray(wave_[None], "fltp", "mono")
            given.sample_rate, given.pts, given.time_base = RATE, 0, Fraction(1, RATE)
            container.mux(audio.encode(given))
            container.mux(audio.encode())
    return path


def loud_from(path) -> float:
    """Return the second at which the sound begins to be loud."""
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            loud = np.abs(frame.to_ndarray()).mean(0) > 0.2
            if loud.any():
                return frame.time + loud.argmax() / frame.sample_rate
    raise AssertionError("it is silent")


def quarters(width=64, height=48) -> np.ndarray:
    """Red, green, blue, and white quarters: what is where tells how a picture is turned."""
    found = np.zeros((height, width, 3), np.uint8)
    found[: height // 2, : width // 2, 0] = 255
    found[: height // 2, width // 2 :, 1] = 255
    found[height // 2 :, : width // 2, 2] = 255
    found[height // 2 :, width // 2 :] = 255
    return found


def read(path, **given):
    info = reading.measure(path)
    return [*reading.frames(path, info.size, **given)]


def corners(image) -> str:
    names = {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 1): "w"}
    h, w = image.shape[:2]
    found = [image[y, x] > 128 for y in (h // 4, 3 * h // 4) for x in (w // 4, 3 * w // 4)]
    return "".join(names[tuple(map(int, each))] for each in found)


@pytest.mark.parametrize(
    ("degrees", "size", "seen"),
    [(0, (64, 48), "rgbw"), (90, (48, 64), "gwrb"), (180, (64, 48), "wbgr"), (-90, (48, 64), "brwg")],
)
def test_it_is_upright(tmp_path, degrees, size, seen):
    path = write(tmp_path / "a.mp4", [quarters()] * 3, rotation=degrees)
    assert reading.measure(path).size == size
    assert [corners(each.image) for each in read(path)] == [seen] * 3


def test_pixels_become_square(tmp_path):
    path = write(tmp_path / "a.mp4", [quarters()] * 2, sample_aspect_ratio=Fraction(2, 1))
    assert reading.measure(path).size == (128, 48) and read(path)[0].image.shape == (48, 128, 3)


@pytest.mark.parametrize(
    ("codec", "pix"), [("libx264", "yuv420p10le"), ("libx264", "yuv444p"), ("libx265", "yuv420p10le")]
)
def test_deep_and_full_colors(tmp_path, codec, pix):
    path = write(tmp_path / "a.mkv", [quarters()] * 2, codec=codec, pix=pix)
    assert corners(read(path)[0].image) == "rgbw"


def test_high_dynamic_range_is_brought_down(tmp_path):
    """203 nits, PQ's code 0.58, are the white of paper (BT.2408)."""
    frame = np.full((48, 64, 3), round(0.58 * 255), np.uint8)
    hdr = {"color_trc": 16, "color_primaries": 9, "colorspace": 9}
    path = write(tmp_path / "a.mkv", [frame] * 2, codec="libx265", pix="yuv420p10le", **hdr)
    assert read(path)[0].image.mean() > 240
    assert read(write(tmp_path / "b.mkv", [frame] * 2))[0].image.mean() == pytest.approx(148, abs=6)


def test_times_are_the_file_s_own(tmp_path):
    times = [0, 0.1, 0.15, 0.4, 0.9]
    path = write(tmp_path / "a.mkv", [quarters()] * 5, times)
    assert [float(each.time) for each in read(path)] == pytest.approx(times)
    assert [float(each.time) for each in read(path, begin=0.12, end=0.9)] == pytest.approx([0.15, 0.4])
    assert [float(each.time) for each in read(path, every=2)] == pytest.approx([0, 0.15, 0.9])
    assert [float(each.time) for each in read(path, fps=4)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


def test_a_broken_tail_costs_only_the_tail(tmp_path):
    frames = [np.asarray(picture(64, 48, seed)) for seed in range(30)]
    whole = write(tmp_path / "a.mkv", frames).read_bytes()
    (tmp_path / "b.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    notes = []
    found = [*reading.frames(tmp_path / "b.mkv", (64, 48), notes=notes)]
    assert 10 < len(found) < 30


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_animations(tmp_path, kind):
    pictures = [Image.fromarray(quarters()), Image.fromarray(quarters()[::-1].copy()), Image.fromarray(quarters())]
    path = tmp_path / f"a.{kind}"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 300, 100], lossless=True)
    assert reading.measure(path).size == (64, 48) and not reading.measure(path).sound
    found = read(path)
    assert [corners(each.image) for each in found] == ["rgbw", "bwrg", "rgbw"]
    assert [float(each.time) for each in found] == pytest.approx([0, 0.1, 0.4])


def test_what_is_no_video_is_refused(tmp_path):
    Image.fromarray(quarters()).save(tmp_path / "still.png")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    secret = write(tmp_path / "secret.mp4", [quarters()] * 2)
    listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    (tmp_path / "list.mp4").write_text(listed)
    (tmp_path / "concat.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    with wave.open(str(tmp_path / "sound.mkv"), "wb") as out:
        out.setnchannels(1), out.setsampwidth(2), out.setframerate(8000), out.writeframes(bytes(8000))
    words = {"still.png": reading.STILL, "there_is_none.mp4": "There is no such file."}
    for name in ("still.png", "text.mp4", "empty.mp4", "list.mp4", "concat.mp4", "sound.mkv", "there_is_none.mp4"):
        with pytest.raises(ValueError) as error:
            read(tmp_path / name)
        assert str(error.value) == words.get(name, reading.DAMAGED) and "tmp" not in str(error.value)


def written(folder, suffix, frames, times, source=None, begin=0.0, end=None):
    path = folder / f"out{suffix}"
    height, width = frames[0].shape[:2]
    pieces = writing.Pieces(folder / "part", writing.kind_of(path), (width, height))
    for frame, time in zip(frames, times, strict=True):
        pieces.add(frame, Fraction(time).limit_denominator(1000))
    pieces.finish()
    pieces.join(path, source, begin, end, Fraction(1, 10))
    pieces.remove()
    assert not (folder / "part").exists()
    return path


@pytest.mark.parametrize("suffix", writing.KINDS)
def test_what_is_written_is_what_is_read(tmp_path, suffix, monkeypatch):
    monkeypatch.setattr(writing, "PIECE", 3)  # several pieces
    frames = [np.roll(quarters(), number * 4, 1) for number in range(8)]
    times = [0, 0.1, 0.2, 0.25, 0.4, 0.8, 0.9, 1.0]
    path = written(tmp_path, suffix, frames, times)
    found = read(path)
    assert [float(each.time) for each in found] == pytest.approx(times, abs=0.006)
    for one, other in zip(found, frames, strict=True):
        assert np.abs(one.image.astype(int) - other).mean() < 8
    info = reading.measure(path)
    if suffix == ".gif":  # whose header has no length
        assert round(info.seconds * info.fps) == 8
    else:
        assert info.seconds == pytest.approx(1.1, abs=0.02)


def test_an_mp4_plays_before_it_is_loaded(tmp_path):
    data = written(tmp_path, ".mp4", [quarters()] * 2, [0, 0.1]).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(io.BytesIO(data)) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.pix_fmt, context.colorspace) == ("h264", "yuv420p", 1)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_sound_stays_in_time(tmp_path, suffix):
    source = write(tmp_path / "in.mp4", [quarters()] * 30, beep=1.5)
    every = [number / 10 for number in range(30)]
    path = written(tmp_path, suffix, [quarters()] * 30, every, source)
    assert loud_from(path) == pytest.approx(loud_from(source), abs=0.05)
    part = written(tmp_path, suffix, [quarters()] * 15, every[10:25], source, 1.0, 2.5)
    assert loud_from(part) == pytest.approx(loud_from(source) - 1, abs=0.05)
    assert reading.measure(part).seconds == pytest.approx(1.5, abs=0.1)


def test_mp4_sound_is_copied_as_it_is(tmp_path):
    source = write(tmp_path / "in.mp4", [quarters()] * 5, beep=0.1)
    path = written(tmp_path, ".mp4", [quarters()] * 5, [0, 0.1, 0.2, 0.3, 0.4], source)

    def packets(name):
        with av.open(str(name)) as container:
            return [bytes(packet) for packet in container.demux(audio=0) if packet.size]

    assert len(packets(path)) > 10 and set(packets(path)) <= set(packets(source))


def test_no_sound_is_no_trouble(tmp_path):
    source = write(tmp_path / "in.mp4", [quarters()] * 5)
    path = written(tmp_path, ".mp4", [quarters()] * 5, [0, 0.1, 0.2, 0.3, 0.4], source)
    assert not reading.measure(path).sound


def test_an_unfinished_piece_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "PIECE", 2)
    kind = writing.kind_of("a.mp4")
    pieces = writing.Pieces(tmp_path / "part", kind, (64, 48))
    for number in range(5):
        pieces.add(quarters(), Fraction(number, 10))
    again = writing.Pieces(tmp_path / "part", kind, (64, 48))  # as after a crash
    assert [each / writing.CLOCK for each in again.times] == [0, 0.1, 0.2, 0.3]
    assert corners(again.last()) == "rgbw"


def test_other_formats_are_refused():
    with pytest.raises(ValueError, match=r"can't be saved as \.avi; choose \.mp4, \.webm, \.gif"):
        writing.kind_of("a.avi")
