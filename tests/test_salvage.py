"""Cut files, transparency by one color, HEIC, and PIL images of every mode: what comes out, or what is said."""

import base64
import io
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
import pytest
from conftest import picture, pixels
from PIL import Image

from adain_core import images
from adain_core.images import opening, salvage

HEIC = (  # 64x32, orange with a blue left half, EXIF orientation 6; made by pillow-heif
    "0000SW^{RQXk}?*00000ZE0pPXk}?*ZE0a<0005VZDn*}000000000XXk=`10000000000aA{+700000000000000000000G-+&a"
    "V*mgE07O6l0ssL300001>;M4(000000058x0ssI200Mjf0RR9100000HUIzsIB98aW&i*H00062000$fZf0cy000000RRAKc4ILB"
    "0000LX>Mj^0ssI300IC2MR;ju000004sdC7Z2$lO00031009SSaB^?}008D`aAR)(004Gqc4I>U18@KU0FVFx0000U@BsY%`1k+-"
    "4+CHT0RR|40Sp2E{{wIU00RJ!0009300RIXx&lC90096hLID8-Z~y=U0FVFx0{{R603M(qfd!W8<fgf}2xu@M00096AOHXZ03l)k"
    "0RRR>0l{;?i2wiq6Ju{|a&BX6cmM$a4FCp!0000KX>)L8000000000$0000$0000eV{Bn?0000$000010000W000010000000002"
    "|NsBs000020000GaA|mH000000|*ER00009X>xCL0{{R38EJ5BVE_OC000000RRC8fdT^sgoXeB02*m>Wo7^X0000001jhhb7KGk"
    "009620002aZDe6|0001tC;_ht;5j2CzyJHkU*7*cLI3`pxo}QD!A2kd;!~r4>9BPb*;rP{w4?RGFokZcXS(z5HGU;X?uuxdn1ly1"
    "Ku$rwdd?1I>7j&AexwT<WTT+~va!*zqD;ue(jX62k95NEFYG#}sD7Au${-6CjSR-|i6Cdic<6aL7xnk`uQtzc9<Wl@s^+lx00006"
    "MR;ju002!*04e|g00;mA0S^EI000060000c0TKWM0000100sa600000O<`+gasU"
)
LACKS = "This picture is damaged or truncated: about "


def smooth(width: int = 160, height: int = 120) -> Image.Image:
    """A picture that no row of is black or flat."""
    return picture(width, height, 0).point(lambda level: 1 + level * 254 // 255)


def file(image: Image.Image, kind: str, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["png", "jpeg", "bmp", "ppm"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("part", [0.4, 0.8])
def test_the_readable_part_of_a_truncated_picture_is_shown_with_a_note(tmp_path, kind, mode, part):
    source = smooth().convert(mode)
    data = file(source, kind)
    (tmp_path / "a").write_bytes(data)
    whole = pixels(images.load(tmp_path / "a").rgb)
    (tmp_path / "a").write_bytes(data[: int(part * len(data))])
    for given in (tmp_path / "a", Image.open(tmp_path / "a")):
        found = images.load(given)
        near = (pixels(found.rgb) == whole).all((1, 2))
        assert 0.5 * part < near.mean() < part + 0.05
        (note,) = found.notes
        assert note.startswith(LACKS) and note.endswith(" of it is missing.")
        assert abs(int(note.removeprefix(LACKS).partition("%")[0]) / 100 - (1 - part)) < 0.2
        if isinstance(given, Image.Image):
            given.close()


def test_a_jpeg_that_lacks_its_end_mark_alone_is_whole(tmp_path):
    data = file(picture(96, 64, 0), "jpeg", quality=90)
    (tmp_path / "a.jpg").write_bytes(data)
    whole = images.load(tmp_path / "a.jpg").rgb
    (tmp_path / "a.jpg").write_bytes(data[:-2])
    found = images.load(tmp_path / "a.jpg")
    assert found.rgb.tobytes() == whole.tobytes()
    assert found.notes == (salvage.CUT,)
    assert images.load(tmp_path / "a.jpg", 48).size == (48, 32)


def test_a_cut_progressive_jpeg_is_coarser(tmp_path):
    data = file(smooth(), "jpeg", progressive=True)
    (tmp_path / "a.jpg").write_bytes(data[: int(0.6 * len(data))])
    found = images.load(tmp_path / "a.jpg")
    assert np.abs(pixels(found.rgb) - pixels(smooth())).mean() < 40
    assert found.notes == (salvage.CUT,)


def test_a_cut_gif_repeats_the_rows_above(tmp_path):
    source = smooth().convert("L")
    data = file(source, "gif", interlace=1)
    (tmp_path / "a.gif").write_bytes(data[: int(0.7 * len(data))])
    found = images.load(tmp_path / "a.gif")
    assert np.abs(pixels(found.rgb)[..., 0] - pixels(source)).mean() < 10
    assert found.notes[0].startswith(LACKS)


def test_of_a_cut_animation_the_first_frame_is_whole(tmp_path):
    for kind in ("gif", "png"):
        frames = [picture(60, 40, seed).convert("P") for seed in (1, 2)]
        data = file(frames[0], kind, save_all=True, append_images=frames[1:])
        (tmp_path / "a").write_bytes(data[: int(0.9 * len(data))])
        found = images.load(tmp_path / "a")
        assert (pixels(found.rgb) == pixels(frames[0].convert("RGB"))).all()
        assert found.notes == (opening.PAGES,)


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "ppm", "tiff"])
def test_a_file_without_any_picture_data_is_refused(tmp_path, kind):
    data = file(smooth(), kind)
    scan = data.index(b"\xff\xda") + 14 if kind == "jpeg" else 0
    head = {"png": 41, "jpeg": scan, "gif": 801, "bmp": 54, "ppm": 15, "tiff": 90}[kind]
    for size in (head, head // 2):
        (tmp_path / "a").write_bytes(data[:size])
        with pytest.raises(ValueError, match="^This (picture is damaged or truncated; try|file is not a picture)"):
            images.load(tmp_path / "a")


def test_nothing_is_printed_about_damage(tmp_path):
    """Pillow's and libtiff's warnings, which name paths, don't reach the screen."""
    for kind, options in (
        ("tiff", {"compression": "jpeg"}),
        ("jpeg", {"exif": b"Exif\0\0II*\0\x08\0\0\0\xff\0"}),
        ("png", {}),
    ):
        data = file(smooth(), kind, **options)
        for part in (3, 6, 9, 9.95):
            (tmp_path / f"{kind}-{part}").write_bytes(data[: int(part * len(data) / 10)])
    code = (
        "import sys\nfrom pathlib import Path\nfrom adain_core import images\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try:\n        images.load(path)\n        images.measure(path)\n    except ValueError:\n        pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_callers_warnings_are_as_before():
    images.load(picture(20, 20, 0))
    with pytest.warns(UserWarning, match="still heard"):
        warnings.warn("still heard", stacklevel=1)


def png(depth: int, color: int, values: np.ndarray, hidden: tuple[int, ...], table: bytes = b"") -> bytes:
    """A PNG by hand, [H,W,C]: gray or RGB of any depth, in which one color is transparent."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    if depth == 16:
        rows = [row.astype(">u2").tobytes() for row in values]
    else:
        bits = (values[..., None] >> np.arange(depth)[::-1] & 1).astype(np.uint8)
        rows = [np.packbits(row.ravel()).tobytes() for row in bits]
    head = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, color, 0, 0, 0)
    alpha = bytes(hidden) if color == 3 else struct.pack(f">{len(hidden)}H", *hidden)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + (chunk(b"PLTE", table) if table else b"") + chunk(b"tRNS", alpha)
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))) + chunk(b"IEND", b"")
    )  # fmt: skip


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_gray_of_any_depth(tmp_path, depth):
    most = 2**depth - 1
    values = np.tile(np.arange(32) * most // 31, (20, 1))[..., None]
    (tmp_path / "a.png").write_bytes(png(depth, 0, values, (int(values[0, 9, 0]),)))
    seen = values[..., 0] != values[0, 9, 0]
    for given in (tmp_path / "a.png", Image.open(tmp_path / "a.png")):
        found = images.load(given)
        assert (np.asarray(found.alpha) == np.where(seen, 255, 0)).all()
        assert (pixels(found.rgb)[seen][:, 0] == np.rint(values[..., 0][seen] * 255 / most)).all()
        if isinstance(given, Image.Image):
            given.close()


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_color_is_that_color_alone(tmp_path, depth):
    """At 16 bits one that differs in the lower half only is seen."""
    hidden = (0x1234, 0x5678, 0x9ABC) if depth == 16 else (12, 34, 56)
    values = np.tile(np.array(hidden), (20, 20, 1))
    values[:10] = (hidden[0] + 1, *hidden[1:])
    values[15:] = 200 if depth == 8 else 50_000
    (tmp_path / "a.png").write_bytes(png(depth, 2, values, hidden))
    found = images.load(tmp_path / "a.png")
    assert np.asarray(found.alpha)[:, 0].tolist() == [255] * 10 + [0] * 5 + [255] * 5
    assert found.rgb.getpixel((0, 0))[1:] == (hidden[1] >> depth - 8, hidden[2] >> depth - 8)
    assert found.notes == (("This picture has 16 bits per channel; 8 are used.",) if depth == 16 else ())


def test_a_palette_with_partial_transparency(tmp_path):
    table = bytes([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    values = np.tile(np.arange(4).repeat(8), (20, 1))[..., None]
    (tmp_path / "a.png").write_bytes(png(2, 3, values, (0, 100, 200), table))
    found = images.load(tmp_path / "a.png")
    assert np.asarray(found.alpha)[0, ::8].tolist() == [0, 100, 200, 255]
    assert [found.rgb.getpixel((x, 0)) for x in (8, 16, 24)] == [(0, 255, 0), (0, 0, 255), (9, 9, 9)]


def test_heic_of_a_phone(tmp_path):
    (tmp_path / "a.heic").write_bytes(base64.b85decode(HEIC))
    found = images.load(tmp_path / "a.heic")
    assert found.size == images.measure(tmp_path / "a.heic") == (32, 64) and found.notes == ()
    assert np.abs(pixels(found.rgb)[5, 5] - (10, 60, 200)).max() < 8  # turned to the right: the left half is above
    assert np.abs(pixels(found.rgb)[60, 5] - (200, 100, 50)).max() < 8
    (tmp_path / "a.heic").write_bytes(base64.b85decode(HEIC)[:-60])
    with pytest.raises(ValueError, match="^This picture is damaged or truncated; try"):
        images.load(tmp_path / "a.heic")


MODES = [
    "1",
    "L",
    "P",
    "RGB",
    "RGBA",
    "CMYK",
    "YCbCr",
    "LAB",
    "HSV",
    "I",
    "F",
    "LA",
    "PA",
    "La",
    "RGBa",
    "RGBX",
    "I;16",
]


@pytest.mark.parametrize("mode", [*MODES, "I;16B", "I;16L", "F in 0..1", "I of 16 bits"])
def test_pil_images_of_every_mode(mode):
    gray = picture(40, 30, 3).convert("L")
    kept = {"1": gray.convert("1"), "L": gray}.get(mode, gray)
    if mode in ("RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"):
        kept = picture(40, 30, 3)
    if mode.startswith("I;16"):
        given = Image.fromarray(np.asarray(gray).astype(np.uint16) * 257)
        if mode != "I;16":
            raw = np.asarray(given).astype(">u2" if mode == "I;16B" else "<u2").tobytes()
            given = Image.frombytes(mode, gray.size, raw)
    elif mode == "F in 0..1":
        given = Image.fromarray(np.asarray(gray).astype(np.float32) / 255)
    elif mode == "I of 16 bits":
        given = Image.fromarray(np.asarray(gray).astype(np.int32) * 257)
    elif mode == "LAB":
        from PIL import ImageCms

        srgb, lab = (ImageCms.createProfile(name) for name in ("sRGB", "LAB"))
        given = ImageCms.profileToProfile(kept, srgb, lab, outputMode="LAB")
    elif mode in ("La", "RGBa"):
        given = kept.convert("LA" if mode == "La" else "RGBA").convert(mode)
    elif mode in ("P", "PA"):
        given = kept.convert("P")
        kept = given.convert("RGB")
        given = given.convert(mode)
    else:
        given = kept.convert(mode)
    before = given.tobytes()
    found = images.load(given)
    assert np.abs(pixels(found.rgb) - pixels(kept.convert("RGB"))).mean() < (4 if mode in ("LAB", "HSV") else 2)
    assert found.alpha is None and given.tobytes() == before
