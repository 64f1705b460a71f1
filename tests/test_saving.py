import json
import os

import numpy as np
import pytest
import torch
from conftest import picture, pixels
from PIL import Image

from adain_core import images


def test_tensors_and_back():
    source = picture(21, 17, 0)
    tensor = images.to_tensor(source)
    assert tensor.shape == (1, 3, 17, 21) and tensor.is_contiguous(memory_format=torch.channels_last)
    assert tensor[0, :, 3, 5].mul(255).round().tolist() == list(source.getpixel((5, 3)))
    assert images.to_image(tensor).tobytes() == source.tobytes()
    assert images.to_image(torch.tensor([-1.0, 0.5, 2.0]).reshape(1, 3, 1, 1)).getpixel((0, 0)) == (0, 128, 255)
    assert images.to_tensor(source.convert("L")).shape == (1, 1, 17, 21)


def test_saving(tmp_path):
    image = picture(20, 18, 0)
    image.info["adain"] = json.dumps({"alpha": 0.8, "word": "grün"})
    images.save(image, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as found:
        assert json.loads(found.text["adain"]) == {"alpha": 0.8, "word": "grün"}
        assert found.tobytes() == image.tobytes()
    for suffix in ("jpg", "webp", "tiff"):
        images.save(image, tmp_path / f"a.{suffix}")
        with Image.open(tmp_path / f"a.{suffix}") as found:
            assert np.abs(pixels(found.convert("RGB")) - pixels(image)).mean() < 10
    with pytest.raises(ValueError, match=r"saved as .png, .jpg, .jpeg, .webp, .tif, .tiff, not as .gif\."):
        images.save(image, tmp_path / "a.gif")


def photograph(path):
    """A JPEG as a phone writes it: date, camera, place, maker's note, serial number and thumbnail."""
    exif = Image.Exif()
    exif.update({0x0110: "Phone 9", 0x0112: 6, 0x0132: "2024:05:06 07:08:09", 0x0131: "Phone OS"})
    exif[0x8769] = {0x9003: "2024:05:06 07:08:09", 0x9291: "123", 0x829A: 0.01, 0xA431: "SERIAL", 0x927C: b"NOTE"}
    exif[0x8825] = {1: "N", 2: (50.0, 4.0, 12.0)}
    picture(60, 40, 1).save(path, "JPEG", exif=exif)
    return path


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.tiff"])
def test_date_and_camera_are_kept_and_the_place_is_not(tmp_path, name):
    source = photograph(tmp_path / "photo.jpg")
    images.save(images.load(source).rgb, tmp_path / name, images.details(source))
    with Image.open(tmp_path / name) as found:
        found.load()
        exif = found.getexif()
        own = exif.get_ifd(0x8769)
        assert found.size == (40, 60)  # upright, and it says nothing else of that
        assert exif[0x0110] == "Phone 9" and exif[0x0132] == "2024:05:06 07:08:09" and exif.get(0x0112, 1) == 1
        assert own[0x9003] == "2024:05:06 07:08:09" and own[0x9291] == "123" and float(own[0x829A]) == 0.01
        assert not {0xA431, 0x927C} & set(own) and not exif.get_ifd(0x8825)
        assert exif[0x0131] == "AdaIN Playground"
    assert images.is_result(tmp_path / name) and not images.is_result(source)


def test_a_pipe_is_no_result(tmp_path):
    """Opening it would wait for someone to write into it."""
    os.mkfifo(tmp_path / "a.png")
    assert not images.is_result(tmp_path / "a.png")


def test_of_damaged_exif_nothing_is_kept(tmp_path, monkeypatch):
    source = photograph(tmp_path / "photo.jpg")
    data = source.read_bytes()
    place = data.index(b"Exif\0\0") + 6
    for length in (8, 14, 40, 90):
        (tmp_path / "bad.jpg").write_bytes(data[: place + length] + b"\xff" * 60 + data[place + length + 60 :])
        images.save(picture(20, 18, 0), tmp_path / "a.jpg", images.details(tmp_path / "bad.jpg"))
        assert images.is_result(tmp_path / "a.jpg")
    monkeypatch.setattr("adain_core.images.saving.LONGEST", 50)
    assert len(images.details(source)) < 80


def test_a_picture_too_large_for_webp_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^WebP allows at most 16383 pixels on a side; save it as .png or .tiff\.$"):
        images.save(Image.new("RGB", (16_384, 16)), tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff"])
@pytest.mark.parametrize("mode", ["1", "P", "LA", "PA", "RGBa", "CMYK", "YCbCr", "HSV"])
def test_every_mode_of_8_bits_is_saved(tmp_path, mode, suffix):
    given = Image.new("L", (20, 18), 255) if mode == "1" else Image.new("RGB", (20, 18), (200, 40, 90))
    whole = given.convert("RGBA") if mode in ("LA", "PA", "RGBa") else given
    images.save(whole.convert(mode), tmp_path / f"a{suffix}")
    right = np.asarray(given.convert("L" if mode in ("1", "LA") else "RGB").convert("RGB"), int)
    assert abs(np.asarray(images.load(tmp_path / f"a{suffix}").rgb, int) - right).mean() < 16


@pytest.mark.parametrize("mode", ["I", "F"])
def test_other_numbers_are_not_cut_off(tmp_path, mode):
    with pytest.raises(ValueError, match=f"^Pictures in mode {mode} can't be saved; convert it to 8 bits,"):
        images.save(Image.new(mode, (20, 18), 70_000), tmp_path / "a.png")


def test_a_picture_that_fails_to_encode_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"old")

    def fail(_image, stream, *_given, **_named):
        stream.write(b"half")
        raise OSError("encoder error")

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(OSError, match="encoder error"):
        images.save(picture(20, 18, 0), tmp_path / "a.png")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.png", b"old")]


def test_a_sheet_is_a_grid():
    red, blue = Image.new("RGB", (30, 20), "red"), Image.new("RGB", (20, 40), "blue")
    found = images.sheet([red, blue, red], columns=2, side=16, gap=2)
    assert found.size == (2 * 16 + 3 * 2, 2 * 16 + 3 * 2)
    assert [found.getpixel(xy) for xy in ((5, 5), (25, 5), (5, 25), (25, 25), (0, 0))] == [
        (255, 0, 0), (0, 0, 255), (255, 0, 0), (255, 255, 255), (255, 255, 255),
    ]  # fmt: skip
