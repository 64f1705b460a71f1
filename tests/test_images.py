import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from conftest import picture, pixels
from PIL import Image, ImageCms, features

from adain_core import images
from adain_core.images import opening


def save(image: Image.Image, path, **options):
    image.save(path, **options)
    return path


def png(width: int, height: int, depth: int = 1, color: int = 0, row: bytes | None = None) -> bytes:
    """A valid PNG of equal rows; of zeros where no row is given, and then tiny on disk whatever its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer, rows = zlib.compressobj(9), b""
    for _ in range(height):
        rows += packer.compress(b"\0" + (row or bytes(-(-width // 8))))
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows + packer.flush()) + chunk(b"IEND", b"")


def oriented(value) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


STORED = {  # EXIF's words: where row 0 and column 0 of the stored picture are in the upright one
    1: lambda upright: upright,  # top, left
    2: np.fliplr,  # top, right
    3: lambda upright: upright[::-1, ::-1],  # bottom, right
    4: np.flipud,  # bottom, left
    5: lambda upright: upright.swapaxes(0, 1),  # left, top
    6: lambda upright: upright[:, ::-1].swapaxes(0, 1),  # right, top
    7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),  # right, bottom
    8: lambda upright: upright[::-1].swapaxes(0, 1),  # left, bottom
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize(
    ("suffix", "options", "loss"),
    [
        ("png", {}, 0),
        ("tif", {}, 0),
        ("webp", {"lossless": True}, 0),
        ("jpg", {"quality": 95, "subsampling": 0}, 4),
        ("avif", {"quality": 95, "subsampling": "4:4:4"}, 4),
    ],
)
def test_orientation_is_applied(tmp_path, orientation, suffix, options, loss):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow writes no AVIF")
    upright = picture(32, 24, 0)
    upright.paste("red", (0, 0, 16, 12))
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](np.asarray(upright))))
    path = save(stored, tmp_path / f"a.{suffix}", exif=oriented(orientation), **options)
    found = images.load(path).rgb
    assert found.size == upright.size
    assert np.abs(pixels(found) - pixels(upright)).mean() <= loss
    larger = images.load(path, 64).rgb
    assert np.abs(pixels(larger) - pixels(upright.resize((64, 48), Image.Resampling.LANCZOS))).mean() <= 8


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_an_orientation_that_there_is_not_changes_nothing(tmp_path, suffix):
    source = picture(32, 24, 0)
    assert images.load(save(source, tmp_path / f"a.{suffix}", exif=oriented(9))).rgb.tobytes() == source.tobytes()


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00damaged", b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x07"]
)
def test_damaged_exif_leaves_the_picture(tmp_path, exif):
    source = picture(32, 24, 0)
    found = images.load(save(source, tmp_path / "a.webp", lossless=True, exif=exif))
    assert (found.rgb.tobytes(), found.notes) == (source.tobytes(), ())


def test_a_picture_given_open_stays_as_it_was(tmp_path):
    source = Image.new("RGB", (320, 240), "red")
    with Image.open(save(source, tmp_path / "a.jpg", exif=oriented(6))) as given:
        assert images.load(given, 64).size == (48, 64)
        assert (given.size, given.mode, given.getpixel((0, 0))[1]) == ((320, 240), "RGB", 0)
    (path,) = tmp_path.iterdir()
    assert images.load(path, 64).size == (48, 64)  # and an own file is closed: an open one would warn


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "HSV"])
def test_modes_come_as_rgb(tmp_path, mode):
    source = picture(20, 18, 0).convert(mode)
    if mode not in ("YCbCr", "HSV"):  # those no file holds; they come from Python
        given = save(source, tmp_path / ("a.tif" if mode == "CMYK" else "a.png"))
    found = images.load(source if mode in ("YCbCr", "HSV") else given)
    assert (found.rgb.mode, found.alpha, found.notes) == ("RGB", None, ())
    assert np.abs(pixels(found.rgb) - pixels(source.convert("RGB"))).max() <= 3


def test_alpha_is_kept_apart_and_hidden_colors_do_not_leak(tmp_path):
    image = Image.new("RGBA", (20, 20), (200, 100, 50, 255))
    image.paste((0, 255, 0, 0), (0, 0, 10, 20))
    found = images.load(save(image, tmp_path / "a.png"))
    assert found.alpha.getpixel((2, 2)) == 0 and found.alpha.getpixel((15, 2)) == 255
    assert found.rgb.getpixel((2, 2)) == found.rgb.getpixel((15, 2)) == (200, 100, 50)


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparent_modes(tmp_path, mode):
    if mode == "P":
        image = Image.new("P", (20, 20), 1)
        image.putpalette([0, 0, 0, 90, 90, 90])
        image.paste(0, (0, 0, 10, 20))
        path = save(image, tmp_path / "a.png", transparency=0)
    else:
        image = Image.new("LA", (20, 20), (90, 255))
        image.paste((7, 0), (0, 0, 10, 20))
        path = save(image.convert(mode), tmp_path / "a.png")
    found = images.load(path)
    assert found.alpha.getcolors() == [(200, 0), (200, 255)]
    assert found.rgb.getcolors() == [(400, (90, 90, 90))]


def test_a_transparent_color_of_grey_and_rgb_files(tmp_path):
    for mode, hidden in (("L", 7), ("RGB", (7, 7, 7))):
        image = Image.new(mode, (20, 20), 90 if mode == "L" else (90, 90, 90))
        image.paste(hidden, (0, 0, 10, 20))
        found = images.load(save(image, tmp_path / "a.png", transparency=hidden))
        assert found.alpha.getcolors() == [(200, 0), (200, 255)]
        assert found.rgb.getcolors() == [(400, (90, 90, 90))]


def test_alpha_follows_the_size(tmp_path):
    image = Image.new("RGBA", (40, 20), (200, 100, 50, 255))
    image.paste((0, 255, 0, 0), (0, 0, 20, 20))
    found = images.load(save(image, tmp_path / "a.png"), 80)
    assert found.rgb.size == found.alpha.size == (80, 40)
    assert [found.alpha.getpixel((x, 20)) for x in (10, 70)] == [0, 255]


def test_an_opaque_alpha_is_none(tmp_path):
    assert images.load(save(picture(20, 20, 0).convert("RGBA"), tmp_path / "a.png")).alpha is None


def test_sixteen_bits_become_eight_with_a_note(tmp_path):
    values = np.full((20, 20), 10_000, dtype=np.uint16)  # 38.9 of 255
    values[0, 0], values[0, 1] = 0, 65535
    found = images.load(save(Image.fromarray(values), tmp_path / "a.png"))
    assert [found.rgb.getpixel(xy) for xy in ((5, 5), (0, 0), (1, 0))] == [(39,) * 3, (0,) * 3, (255,) * 3]
    assert found.notes == ("This picture has 16 bits per channel; 8 are used.",)


def test_sixteen_bit_colors(tmp_path):
    data = np.tile(np.array([0xFFFF, 0x8080, 0x0000], dtype=">u2"), (20, 20, 1)).tobytes()
    (tmp_path / "a.png").write_bytes(png(20, 20, depth=16, color=2, row=data[:120]))
    assert images.load(tmp_path / "a.png").rgb.getcolors() == [(400, (255, 128, 0))]


def test_cmyk_by_hand(tmp_path):
    image = Image.new("CMYK", (20, 20), (0, 255, 255, 0))
    image.paste((0, 0, 0, 255), (0, 0, 10, 20))
    assert set(images.load(save(image, tmp_path / "a.tif")).rgb.getcolors()) == {(200, (255, 0, 0)), (200, (0, 0, 0))}


def test_pages_give_the_first_with_a_note_and_previews_none(tmp_path):
    first, second = picture(20, 18, 1), picture(20, 18, 2)
    found = images.load(save(first, tmp_path / "a.tif", save_all=True, append_images=[second]))
    assert found.rgb.tobytes() == first.tobytes()
    assert found.notes == (opening.PAGES,)
    preview = save(first, tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second])
    assert images.load(preview).notes == ()


def test_animations_give_their_first_frame_with_a_note(tmp_path):
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue")]
    frames[0].paste("white", (0, 0, 5, 5))
    path = save(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    found = images.load(path)
    assert found.rgb.getpixel((10, 10)) == (255, 0, 0)
    assert found.notes == (opening.PAGES,)


@pytest.mark.parametrize("suffix", ["webp", "avif", "bmp", "ppm", "tif", "jpg"])
def test_formats(tmp_path, suffix):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    source = Image.new("RGB", (20, 18), (200, 100, 50))
    source.paste((10, 60, 200), (0, 0, 10, 18))
    found = images.load(save(source, tmp_path / f"a.{suffix}"))
    assert np.abs(pixels(found.rgb) - pixels(source))[:, [2, 17]].max() < 12


def test_color_profiles_are_converted_to_srgb(tmp_path):
    source = picture(20, 18, 3)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    lab = ImageCms.createProfile("LAB")
    same = images.load(save(source, tmp_path / "a.png", icc_profile=srgb.tobytes()))
    assert np.abs(pixels(same.rgb) - pixels(source)).max() <= 1
    in_lab = ImageCms.profileToProfile(source, srgb, lab, outputMode="LAB")
    back = images.load(save(in_lab, tmp_path / "lab.tif", icc_profile=ImageCms.ImageCmsProfile(lab).tobytes()))
    assert np.abs(pixels(back.rgb) - pixels(source)).mean() < 3


def test_a_profile_with_red_and_blue_exchanged_exchanges_them(tmp_path):
    source, srgb = picture(20, 18, 3), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exchanged = srgb.replace(b"rXYZ", b"____", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"____", b"bXYZ", 1)
    found = images.load(save(source, tmp_path / "a.png", icc_profile=exchanged))
    assert np.abs(pixels(found.rgb) - pixels(source)[..., ::-1]).max() <= 1


def test_a_grey_profile_serves_grey_with_alpha():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    source = picture(20, 18, 3).convert("LA")
    source.putpixel((0, 0), (5, 0))
    source.info["icc_profile"] = (srgb[:16] + b"GRAY" + srgb[20:]).replace(b"rTRC", b"kTRC", 1)
    found = images.load(source)
    assert found.notes == ()
    assert np.abs(pixels(found.rgb) - pixels(source)[..., :1])[1:].max() <= 1


@pytest.mark.parametrize("profile", [b"no profile", "text", 5])
def test_a_broken_profile_gives_a_note(profile):
    source = picture(20, 18, 3)
    source.info["icc_profile"] = profile
    found = images.load(source)
    assert found.rgb.tobytes() == source.tobytes()
    assert found.notes == ("This picture's color profile can't be used; its colors are taken as sRGB.",)


def test_a_flat_picture_gives_a_note():
    found = images.load(Image.new("RGB", (20, 20), "red"))
    assert found.notes == (images.ONE_COLOR,)


def cut(kind: str, part: float) -> bytes:
    """The first part of a picture's file."""
    stream = io.BytesIO()
    picture(64, 48, 0).save(stream, kind)
    return stream.getvalue()[: max(int(part * stream.tell()), 800)]  # the header is whole


DAMAGED = "This picture is damaged or truncated; try saving or downloading it again."
NONE = "This file is not a picture; PNG, JPEG, WEBP, GIF, BMP, TIFF, PPM, AVIF, HEIC can be read."
EXPORT = "export it as PNG or JPEG"
CANT = f"which can't be read here; {EXPORT}"
OTHERS = {  # what programs write, by its first bytes
    "a.svg": (
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        "an SVG drawing, not a bitmap picture",
    ),
    "a.jxl": (b"\xff\x0a\xfa\x1f\x10\x90", f"a JPEG XL picture, {CANT}."),
    "b.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", f"a JPEG XL picture, {CANT}."),
    "a.jp2": (b"\0\0\0\x0cjP  \r\n\x87\n", f"a JPEG 2000 picture, {CANT}."),
    "a.j2k": (b"\xff\x4f\xff\x51\0\x29", f"a JPEG 2000 picture, {CANT}."),
    "a.psd": (b"8BPS\0\1", f"a Photoshop document, not a single picture; {EXPORT}."),
    "a.xcf": (b"gimp xcf v011", f"a GIMP document, not a single picture; {EXPORT}."),
    "a.pdf": (b"%PDF-1.7", f"a PDF document, not a picture; {EXPORT}."),
    "a.mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "a video, not a picture; save one frame of it as PNG or JPEG."),
    "a.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1", "a camera raw file, which must be developed first; export it as"),
    "a.html": (b"\n<!DOCTYPE html><html>", "a web page, not a picture; save the picture on it instead."),
    "a.zip": (b"PK\3\4", "an archive, not a picture; unpack it, or export the picture in it as PNG or JPEG."),
}


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.png", b"", "This file is empty."),
        ("text.png", b"hello", NONE),
        *[(name, data, f"This file is {what}") for name, (data, what) in OTHERS.items()],
        *[(f"cut.{kind}", cut(kind, 0.9), DAMAGED) for kind in ("webp", "avif")],
        ("header.ppm", b"P6\n40 x\n255\n", DAMAGED),
        ("body.ppm", b"P3\n20 20\n255\nx", DAMAGED),
        (
            "bomb.png",
            png(12000, 12000),
            "This picture has 12000x12000 pixels; at most 80 million are read, and 16384 on",
        ),
        ("bigger.png", png(14000, 14000), "This picture has too many pixels; at most 80 million are read."),
        (
            "long.png",
            png(20000, 20),
            "This picture has 20000x20 pixels; at most 80 million are read, and 16384 on a side",
        ),
        ("one.png", png(1, 1), "This picture has 1x1 pixels; each side must have at least 16."),
        ("line.png", png(1, 5000), "This picture has 1x5000 pixels; each side must have at least 16."),
    ],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_refusals_are_one_sentence_without_a_path(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    for longest in (None, 64):
        with pytest.raises(ValueError) as error:
            images.load(tmp_path / name, longest)
        assert str(error.value).startswith(message)
        assert str(tmp_path) not in str(error.value) and name not in str(error.value)


def test_a_bomb_is_small_on_disk_and_refused_undecoded(tmp_path, monkeypatch):
    data = png(12000, 12000)
    assert len(data) < 25_000
    (tmp_path / "a.png").write_bytes(data)
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(ValueError, match="too many pixels|at most 80 million"):
        images.load(tmp_path / "a.png")  # as an error here, Pillow's own warning refuses it first


def test_other_formats_are_not_tried(tmp_path):
    with pytest.raises(ValueError, match=f"^This file is an icon file, {CANT}.$"):
        images.load(save(picture(32, 32, 0), tmp_path / "a.ico"))


@pytest.mark.parametrize(("mode", "options"), [("RGB", {}), ("P", {}), ("L", {}), ("RGBA", {"compression": "tga_rle"})])
def test_a_tga_is_no_icon_and_no_cursor(tmp_path, mode, options):
    picture(32, 32, 0).convert(mode).save(tmp_path / "a.tga", **options)
    with pytest.raises(ValueError, match=f"^This file is a TGA picture, {CANT}.$"):
        images.load(tmp_path / "a.tga")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(*_given, **_named):
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(Path, "open", refuse)
    (tmp_path / "a.png").touch()
    os.truncate(tmp_path / "a.png", 9)
    with pytest.raises(ValueError, match=r"^This file can't be opened; check its permissions\.$"):
        images.load(tmp_path / "a.png")


def test_other_refusals(tmp_path):
    with pytest.raises(ValueError, match=r"^This is a folder, not a picture\.$"):
        images.load(tmp_path)
    with pytest.raises(ValueError, match=r"^There is no such file\.$"):
        images.load(tmp_path / "none.png")
    (tmp_path / "link.png").symlink_to("none.png")
    with pytest.raises(ValueError, match=r"^This is a link to a file that doesn't exist\.$"):
        images.load(tmp_path / "link.png")
    with pytest.raises(ValueError, match=r"^This picture is missing; give one\.$"):
        images.load(None)
    with pytest.raises(ValueError, match=r"^This picture is fully transparent\.$"):
        images.load(Image.new("RGBA", (20, 20), (1, 2, 3, 0)))


def test_resizing():
    assert images.load(picture(101, 67, 0), 64).size == (64, 42)
    assert images.load(picture(67, 101, 0), 150).size == (100, 150)
    assert images.load(picture(101, 67, 0)).size == (101, 67)
    with pytest.raises(
        ValueError, match="20x2000 pixels would be 1x64 at size 64, too narrow.*at least 1600, or crop it"
    ):
        images.load(Image.new("RGB", (20, 2000)), 64)
    with pytest.raises(ValueError, match="too narrow to stylize; crop it.$"):  # no size is large enough
        images.load(Image.new("RGB", (16, 9000)), 64)


def test_large_jpegs_are_decoded_at_reduced_size(tmp_path):
    source = picture(400, 300, 0).resize((1600, 1200), Image.Resampling.BICUBIC)
    path = save(source, tmp_path / "a.jpg", quality=95)
    expected = source.resize((400, 300), Image.Resampling.LANCZOS)
    assert np.abs(pixels(images.load(path, 400).rgb) - pixels(expected)).mean() < 2
