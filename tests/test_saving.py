import json

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
    for suffix in ("jpg", "webp"):
        images.save(image, tmp_path / f"a.{suffix}")
        with Image.open(tmp_path / f"a.{suffix}") as found:
            assert np.abs(pixels(found.convert("RGB")) - pixels(image)).mean() < 10
    with pytest.raises(ValueError, match=r"saved as .png, .jpg, .jpeg, .webp, not as .gif\."):
        images.save(image, tmp_path / "a.gif")
    with pytest.raises(ValueError, match="JPEG can't hold this picture's transparency"):
        images.save(image.convert("RGBA"), tmp_path / "a.jpg")


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
