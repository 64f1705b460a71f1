"""Uploads are looked at within bounded memory, and what is cut is told of large pictures as of small ones."""

import io
import struct
import subprocess
import sys
import zlib

import pytest
from conftest import picture
from PIL import Image
from test_images import png

from adain_core import images
from adain_core.images import pngs
from adain_core.runs.inputs import EMPTY
from ui.components.widgets import check, sentence

LIMIT = 200  # MiB
PEAK = """
import resource, sys
from adain_core import images
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(images.examine(sys.argv[1], 1024))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (2**20 if sys.platform == "darwin" else 2**10))
"""


def stream(image: Image.Image, **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file


def interlaced(rows: bytes) -> io.BytesIO:
    """An 8x8 gray PNG by Adam7, whose passes are 1x1, 1x1, 2x1, 2x2, 4x2, 4x4 and 8x4: 79 bytes with the filters."""
    data = zlib.compress(rows)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBBI", 13, b"IHDR", 8, 8, 8, 0, 0, 0, 1, 0)
    return io.BytesIO(head + struct.pack(">I", len(data)) + b"IDAT" + data + bytes(4) + struct.pack(">I", 0) + b"IEND")


@pytest.mark.parametrize("color, row", [(6, bytes(4 * 8900)), (3, None)])
def test_the_largest_pngs_take_little_memory(tmp_path, color, row):
    (tmp_path / "a.png").write_bytes(png(8900, 8900, 1 if row is None else 8, 0 if row is None else color, row))
    command = [sys.executable, "-c", PEAK, str(tmp_path / "a.png")]
    notes, peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\n")[:2]
    assert notes == "()" and float(peak) < LIMIT


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("width", [21, 24])
def test_a_whole_png_lacks_nothing_and_half_of_one_about_a_half(mode, width):
    whole = stream(Image.effect_noise((width, 400), 50).convert(mode))
    assert pngs.missing(whole) == 0
    part = whole.getvalue()[: len(whole.getvalue()) // 2]
    assert 0.35 < pngs.missing(io.BytesIO(part)) < 0.65


def test_passes_of_an_interlaced_png_are_counted():
    assert pngs.missing(interlaced(bytes(79))) == 0
    assert pngs.missing(interlaced(bytes(78))) == 1


def test_data_that_is_no_zlib_stream_is_missing():
    data = bytearray(stream(picture(40, 40, 1)).getvalue())
    at = data.index(b"IDAT") + 4
    data[at : at + 20] = bytes(20)
    assert pngs.missing(io.BytesIO(data)) == 1


def test_a_truncated_large_png_is_treated_like_a_small_one(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "EXAMINED", 100)
    data = stream(Image.effect_noise((64, 64), 50)).getvalue()
    path = tmp_path / "a.png"
    path.write_bytes(data)
    assert images.examine(str(path), 1024) == ()
    path.write_bytes(data[: len(data) // 2])
    (note,) = images.examine(str(path), 1024)
    assert note.startswith("This picture is damaged or truncated: about ")
    path.write_bytes(data[: data.index(b"IDAT") + 4])
    with pytest.raises(ValueError, match="damaged or truncated; try"):
        images.examine(str(path), 1024)


def test_an_upload_is_opened_once_more_only_to_be_decoded(tmp_path, monkeypatch):
    picture(40, 40, 1).save(tmp_path / "a.png")
    heads = []
    read = images.measure
    monkeypatch.setattr(images, "measure", lambda *given: heads.append(given) or read(*given))
    assert check(str(tmp_path / "a.png")) == ("", str(tmp_path / "a.png"))
    assert len(heads) == 1


@pytest.mark.parametrize(("level", "note"), [(0, True), (128, False), (255, False)])
def test_an_uploaded_mask_of_one_level_has_a_note_only_if_it_is_black(tmp_path, level, note):
    path = str(tmp_path / "mask.png")
    Image.new("L", (40, 30), level).save(path)
    words = EMPTY["style mask"]
    assert check(path, empty=words) == (sentence(words) if note else "", path)
    assert images.ONE_COLOR in check(path)[0]
