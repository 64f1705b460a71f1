"""Records: what a run writes into its picture, and what is read back, in every layout."""

import hashlib
import json
from pathlib import Path

import pytest
from conftest import picture
from PIL import Image

from adain_core import images, run, weights
from adain_core.runs import record

KEPT = Path(__file__).parent / "records"
LAYOUTS = {1: "layout-1.png", 2: "layout-2.jpg"}
SETTINGS = {"method": "adain", "model": "compact", "size": 64, "alpha": 0.7, "strokes": "proportional"}
SETTINGS |= {"color": "luminance", "color_strength": 0.5, "style_scale": 2.0, "weights": (1.0,)}


@pytest.fixture
def result(tmp_path, tiny):
    picture(45, 37, seed=1).save(tmp_path / "photo.png")
    picture(40, 33, seed=2).save(tmp_path / "painting.png")
    tiny.hashes["tiny.safetensors"] = "abc"
    mask = Image.new("L", (45, 37), 255)
    (found,) = run(tmp_path / "photo.png", [tmp_path / "painting.png"], networks=tiny, alpha=0.5, mask=mask)
    return found


def test_a_record_tells_what_a_run_was_given_and_how_it_computed(result, tmp_path):
    digests = [hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() for name in ("photo.png", "painting.png")]
    given = result.record["inputs"]
    assert given["content"] == {"name": "photo.png", "sha256": digests[0]}
    assert given["styles"] == [{"name": "painting.png", "sha256": digests[1]}]
    assert list(given) == ["content", "styles", "mask"] and len(given["mask"]["pixels"]) == 64
    assert result.record["networks"] == {"tiny.safetensors": "abc"}
    assert (result.record["engine"], result.record["dtype"], result.record["layout"]) == ("torch", "float32", 2)
    assert {"adain", "torch", "python"} <= result.record["versions"].keys()
    assert str(tmp_path) not in json.dumps(result.record)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_a_record_comes_back_from_every_format(result, tmp_path, suffix):
    images.save(result.image, tmp_path / f"a.{suffix}", images.details(tmp_path / "photo.png"))
    assert record.read(tmp_path / f"a.{suffix}") == result.record
    with Image.open(tmp_path / f"a.{suffix}") as found:
        found.load()
        assert found.getexif()[0x0131] == "AdaIN Playground"


def test_a_record_comes_back_from_16_bits_and_from_json(tmp_path, tiny):
    (found,) = run(picture(45, 37, seed=1), [picture(40, 33, seed=2)], networks=tiny, bits=16)
    for suffix in ("png", "tiff"):
        images.save(found.image, tmp_path / f"a.{suffix}", bits=16)
        assert record.read(tmp_path / f"a.{suffix}") == found.record
    (tmp_path / "a.json").write_text(json.dumps(found.record, indent=1), encoding="utf-8")
    assert record.read(tmp_path / "a.json") == found.record


def test_a_record_too_long_beside_the_photograph_s_exif_is_kept_alone(result, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "x" * 59_000
    result.image.info["adain"] = json.dumps({**result.record, "note": "y" * 2000})
    images.save(result.image, tmp_path / "a.jpg", exif.tobytes())
    assert record.read(tmp_path / "a.jpg")["method"] == "adain"


@pytest.mark.parametrize("layout", range(1, record.LAYOUT + 1))
def test_every_layout_is_read(layout):
    found = record.read(KEPT / LAYOUTS[layout])
    assert found.get("layout", 1) == layout
    assert SETTINGS.items() <= record.options(found).items()


def test_settings_that_came_later_keep_their_defaults():
    found = record.options(record.read(KEPT / "layout-1-first.json"))
    assert found == {
        **{"method": "adain", "model": "compact", "size": 64, "weights": (1.0,), "seed": 0, "alpha": 0.7},
        "strokes": "native",  # there were no others
    }


DAMAGED = "The record in this file is damaged, so its settings can't be read."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", DAMAGED),
        ("[" * 100_000, DAMAGED),
        ("[1]", DAMAGED),
        ('{"method": ["adain"]}', DAMAGED),
        ('{"method": "adain", "layout": "2"}', DAMAGED),
        ('{"method": "adain", "x": "%s"}' % ("x" * 300_000), DAMAGED),
        (
            '{"method": "adain", "layout": 3}',
            "This record has layout 3, but this version reads layouts up to 2; update",
        ),
        ('{"method": "adain"}', DAMAGED),
        ('{"method": "adain", "content_size": [1e9, true]}', DAMAGED),
        ('{"method": "none", "content_size": [64, 48]}', "There is no method none; there are "),
        ('{"method": "adain", "content_size": [64, 48], "alpha": 7}', "alpha is 7, but it must be from 0 to 1."),
        ('{"method": "adain", "content_size": [64, 48], "alpha": NaN}', "alpha is nan, but it must be from 0 to 1."),
        ('{"method": "adain", "size": 1, "content_size": [1, 1]}', "size is 1, but it must be from 64 to 8192."),
        ('{"method": "adain", "content_size": [99999, 48]}', "size is 99999, but it must be from 64 to 8192."),
    ],
)
def test_a_bad_record_is_refused_in_a_sentence(text, message):
    with pytest.raises(ValueError) as error:
        record.options(record.parse(text))
    assert str(error.value).startswith(message)


def test_a_file_without_a_record_is_refused_in_a_sentence(tmp_path):
    picture(20, 18, 0).save(tmp_path / "plain.png")
    picture(20, 18, 0).save(tmp_path / "plain.jpg", exif=_commented(b"ASCII\0\0\0A holiday"))
    for name in ("plain.png", "plain.jpg"):
        with pytest.raises(ValueError, match=r"^This file holds no record; drop a picture that was made here"):
            record.read(tmp_path / name)
    (tmp_path / "no.png").write_bytes(b"no picture")
    for path in (tmp_path / "no.png", tmp_path / "missing.png", tmp_path):
        with pytest.raises(
            ValueError, match=r"^This file is neither a picture in .png, .*, .tiff nor a record in JSON\."
        ):
            record.read(path)


def _commented(comment: bytes) -> bytes:
    exif = Image.Exif()
    exif[0x8769] = {0x9286: comment}
    return exif.tobytes()


def test_weights_are_told_by_their_hash():
    shipped = weights.load("compact")
    assert shipped.hashes["compact.safetensors"] == weights.get("compact").file("encoder").sha256
