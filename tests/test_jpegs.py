"""JPEG files that are small but would take minutes to decode."""

import io
import struct

import pytest
from conftest import picture

from adain_core import images
from adain_core.images import jpegs


def jpeg(**options) -> bytes:
    stream = io.BytesIO()
    picture(48, 32, 1).save(stream, "JPEG", **options)
    return stream.getvalue()


def load(folder, data: bytes):
    (folder / "a.jpg").write_bytes(data)
    return images.load(folder / "a.jpg").rgb


def repeated(count: int) -> bytes:
    """A progressive JPEG with its last scan so many times more."""
    data = jpeg(progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + last * count + data[-2:]


def segments(count: int) -> bytes:
    data = jpeg()
    return data[:2] + (b"\xff\xe1" + struct.pack(">H", 2**16 - 1) + b"Exif\0\0" + bytes(2**16 - 9)) * count + data[2:]


@pytest.mark.parametrize("make", [repeated, segments])
def test_a_few_more_are_read(tmp_path, make):
    assert load(tmp_path, make(50)).size == (48, 32)


@pytest.mark.parametrize(
    ("data", "words"),
    [(repeated(101), "has more than 100 scans"), (segments(260), "more than 16 MB of metadata")],
)
def test_too_many_are_refused(tmp_path, data, words):
    with pytest.raises(ValueError, match=f"^This JPEG .*{words}"):
        load(tmp_path, data)


def test_scans_in_metadata_or_after_the_picture_do_not_count(tmp_path):
    thumbnail = b"\xff\xe5" + struct.pack(">H", 2 + 8 * 200) + b"\xff\xda\0\x08abcd" * 200
    data = jpeg()
    assert load(tmp_path, data[:2] + thumbnail + data[2:] + b"\xff\xda\0\x08abcd" * 200).size == (48, 32)


@pytest.mark.parametrize(
    "data", [b"\xff\xd8\xff", b"\xff\xd8\xff\xda", jpeg()[:300], b"\xff\xd8" + b"\xff\xe0\0\0" * 9]
)
def test_damage_is_left_to_the_decoder(data):
    stream = io.BytesIO(data)
    jpegs.check(stream)
    assert stream.tell() == 0
