"""Pictures of 16 bits a channel: what a run makes, and what other readers find in the files."""

import json

import cv2
import numpy as np
import pytest
import tifffile
import torch
from conftest import make_networks, picture
from PIL import Image
from test_cli import call_with
from test_saving import photograph

from adain_core import images, stylize, weights
from adain_core.runs import pipeline

FILES = ["a.png", "a.tiff"]
RECORD = '{"word": "grün"}'


def read(path):
    """RGB or RGBA as a reader finds it that isn't ours: OpenCV for PNG, tifffile for TIFF."""
    if path.suffix == ".tiff":
        return tifffile.imread(path)
    found = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(found, cv2.COLOR_BGR2RGB if found.shape[2] == 3 else cv2.COLOR_BGRA2RGBA)


def gradient(alpha=None):
    """A smooth slope of each channel's own, of more levels than 8 bits have."""
    slope = torch.linspace(0, 1, 600).expand(1, 1, 20, 600)
    return images.to_picture(images.to_levels(torch.cat([slope, 1 - slope, slope / 2], 1)), alpha)


@pytest.mark.parametrize("alpha", [None, Image.linear_gradient("L").resize((600, 20))])
@pytest.mark.parametrize("name", FILES)
def test_readers_find_every_level_in_its_channel(tmp_path, name, alpha):
    image = gradient(alpha)
    image.info["adain"] = RECORD
    images.save(image, tmp_path / name, bits=16)
    found = read(tmp_path / name)
    assert found.dtype == np.uint16 and found.shape == (20, 600, 3 if alpha is None else 4)
    assert [found[5, 599, 0], found[5, 599, 1], found[5, 599, 2]] == [65535, 0, 32768]
    assert len(np.unique(found[..., 0])) == 600
    assert np.array_equal(np.rint(found / 257), np.asarray(image))
    if alpha is not None:
        assert np.array_equal(found[..., 3], np.asarray(alpha, np.uint16) * 257)
    with Image.open(tmp_path / name) as opened:
        assert opened.size == (600, 20)
        assert name != "a.png" or opened.text["adain"] == RECORD
    assert images.load(tmp_path / name).size == (600, 20)


@pytest.mark.parametrize("name", FILES)
def test_date_and_camera_go_along(tmp_path, name):
    images.save(gradient(), tmp_path / name, images.details(photograph(tmp_path / "photo.jpg")), bits=16)
    with Image.open(tmp_path / name) as opened:
        exif = opened.getexif()
        assert (exif[0x0110], exif[0x0132], exif[0x0131]) == ("Phone 9", "2024:05:06 07:08:09", "AdaIN Playground")
        assert exif.get_ifd(0x8769)[0x9003] == "2024:05:06 07:08:09" and not exif.get_ifd(0x8825)
    assert images.is_result(tmp_path / name) and read(tmp_path / name).shape == (20, 600, 3)


def half(photo):
    """A mask, white on the left, with a soft edge."""
    return Image.linear_gradient("L").rotate(90).resize(photo.size)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile": "on"},
        {"color": "match"},
        {"color": "luminance"},
        {"color": "luminance", "color_strength": 0.5},
        {"method": "optimize", "steps": 2},
        {"mask": half},
    ],
    ids=lambda options: ", ".join(options) or "plain",
)
def test_a_run_makes_the_same_picture_with_more_levels(photo, painting, tiny, options):
    given = {name: value(photo) if callable(value) else value for name, value in options.items()}
    eight, sixteen = (stylize(photo, painting, networks=tiny, bits=bits, **given) for bits in (8, 16))
    exact = sixteen.info["exact"]
    assert exact.shape == (photo.height, photo.width, 3)
    room = 4 if options.get("color") == "luminance" else 1.01  # of 8 bits, lightness is taken from rounded colors
    assert np.abs(exact / 257 - np.asarray(eight, np.float32)).max() < room
    assert np.abs(exact / 257 - np.asarray(eight, np.float32)).mean() < 0.4
    assert len(np.unique(exact[..., 0] % 257)) > 50
    assert json.loads(sixteen.info["adain"])["bits"] == 16 and "exact" not in eight.info


def test_unmasked_parts_are_the_photograph(photo, painting, tiny):
    mask = Image.new("L", photo.size, 255)
    mask.paste(0, (0, 0, 20, 20))
    exact = stylize(photo, painting, networks=tiny, bits=16, mask=mask, feather=0, color="luminance").info["exact"]
    assert np.array_equal(exact[:20, :20], np.asarray(photo, np.uint16)[:20, :20] * 257)
    assert not np.array_equal(exact[:, 25:], np.asarray(photo, np.uint16)[:, 25:] * 257)


def test_transparency_is_kept(painting, tiny):
    photo = picture(40, 33, 4)
    photo.putalpha(Image.linear_gradient("L").resize(photo.size))
    exact = stylize(photo, painting, networks=tiny, bits=16).info["exact"]
    assert np.array_equal(exact[..., 3], np.asarray(photo.getchannel("A"), np.uint16) * 257)


def test_the_shipped_networks_make_more_than_eight_bits(shipped_pair):
    """In bfloat16, which they take where it is faster, there would be few levels more."""
    assert weights.load("compact", exact=True).dtype == torch.float32
    assert len(np.unique(stylize(*shipped_pair, bits=16, size=128).info["exact"])) > 5000


def test_pictures_without_16_bits_are_refused(photo, painting, tmp_path):
    half = make_networks()
    half.dtype = torch.bfloat16
    with pytest.raises(
        ValueError, match=r"^These networks produce 8 bits per channel; load them with exact=True, or leave"
    ):
        stylize(photo, painting, networks=half, bits=16)
    with pytest.raises(
        ValueError, match=r"^The palette color mode supports only 8 bits; choose another mode, or leave out bits\.$"
    ):
        stylize(photo, painting, bits=16, color="palette")
    with pytest.raises(ValueError, match=r"^bits is 12, but it should be 8 or 16\.$"):
        stylize(photo, painting, bits=12)
    with pytest.raises(ValueError, match=r"^JPEG has 8 bits per channel; for 16 save the picture as .png or .tiff\.$"):
        images.save(gradient(), tmp_path / "a.jpg", bits=16)
    with pytest.raises(ValueError, match=r"^This picture has 8 bits per channel; stylize with bits=16 to save 16\.$"):
        images.save(photo, tmp_path / "a.png", bits=16)
    with pytest.raises(ValueError, match=r"^This picture was changed after stylizing and now has 8 bits"):
        images.save(gradient().resize((20, 20)), tmp_path / "a.png", bits=16)
    assert not list(tmp_path.iterdir())


def test_the_forecast_includes_the_memory_of_16_bits(photo, tiny):
    eight, sixteen = (pipeline.forecast(photo, networks=tiny, bits=bits).bytes for bits in (8, 16))
    assert sixteen - eight == 48 * photo.width * photo.height


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(("in/one.png", "in/two.png", "art.png")):
        picture(48, 40, seed).save(tmp_path / name)
    to = [str(tmp_path / "in"), str(tmp_path / "art.png"), "-o", str(tmp_path / "out"), "--bits", "16", "--size", "64"]
    for kind, name in (("jpg", "JPEG"), ("webp", "WEBP")):
        sentence = f"adain: {name} has 8 bits per channel; for 16 save the picture as .png or .tiff."
        assert call_with(["stylize", *to, "--format", kind], monkeypatch, capsys) == (2, "", [sentence])
    assert not (tmp_path / "out").exists()
    assert call_with(["stylize", *to, "--format", "tiff", "--plain-names"], monkeypatch, capsys)[0] == 0
    found = [read(path) for path in sorted((tmp_path / "out").iterdir())]
    assert [(each.dtype, each.shape) for each in found] == [(np.uint16, (53, 64, 3))] * 2
    assert all(len(np.unique(each)) > 1000 for each in found)
