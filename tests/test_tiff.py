"""TIFFs that tifffile, OpenCV and Pillow write, read back: what comes out is what went in, whatever the layout."""

import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest
import tifffile
from conftest import picture, pixels
from PIL import Image

from adain_core import images
from adain_core.images import opening

RGB = np.asarray(picture(37, 29, 0))  # odd on both sides
GRAY = np.asarray(picture(37, 29, 0).convert("L"))
WIDE = RGB.astype(np.uint16) * 257
NOTE = "This picture has 16 bits per channel; 8 are used."


def read(path):
    found = images.load(path)
    return np.asarray(found.rgb), found


def stored(upright: np.ndarray, turn: int) -> np.ndarray:
    """The array that a file of this EXIF orientation holds."""
    if turn < 5:
        return {1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1]}[turn]
    turned = upright.swapaxes(0, 1)
    return {5: turned, 6: turned[::-1], 7: turned[::-1, ::-1], 8: turned[:, ::-1]}[turn]


LAYOUTS = [
    {},
    {"rowsperstrip": 5},
    {"tile": (16, 16)},
    {"planarconfig": "separate"},
    {"planarconfig": "separate", "rowsperstrip": 4},
    {"planarconfig": "separate", "tile": (16, 32)},
]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": True}])
def test_layouts_byte_orders_and_depths(tmp_path, layout, byteorder, options):
    for big, data in itertools.product((False, True), (RGB, WIDE)):
        tifffile.imwrite(
            tmp_path / "a.tif", data.transpose(2, 0, 1) if "planarconfig" in layout else data, photometric="rgb",
            byteorder=byteorder, bigtiff=big, **layout, **options,
        )  # fmt: skip
        found, picture_ = read(tmp_path / "a.tif")
        assert (found == RGB).all()
        assert picture_.notes == (() if data is RGB else (NOTE,))


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_every_orientation_in_every_mode_that_pillow_writes(tmp_path, turn, compression):
    exif = Image.Exif()
    exif[0x0112] = turn
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
        upright = (
            Image.fromarray(GRAY.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RGB).convert(mode)
        )
        if mode in ("LA", "RGBA"):
            upright.putalpha(Image.fromarray(np.maximum(GRAY, 1)))
        values = np.asarray(upright)
        laid = Image.fromarray(np.ascontiguousarray(stored(values, turn)), None if mode != "CMYK" else mode)
        if mode == "P":
            laid = laid.convert("L")
            laid.putpalette(upright.getpalette())
        laid.save(tmp_path / "a.tif", exif=exif, compression=compression)
        found = images.load(tmp_path / "a.tif")
        whole = Image.fromarray(GRAY) if mode == "I;16" else upright
        assert (pixels(found.rgb) == pixels(whole.convert("RGB"))).all(), mode
        assert images.measure(tmp_path / "a.tif") == found.size == (37, 29)
        assert (found.alpha is None) == (mode not in ("LA", "RGBA"))
        with Image.open(tmp_path / "a.tif") as given:
            assert (pixels(images.load(given).rgb) == pixels(found.rgb)).all(), mode
        if mode in ("P", "L"):
            assert (images.load_labels(tmp_path / "a.tif").values == values).all()
        if mode == "I;16":
            assert (images.load_labels(tmp_path / "a.tif").values == values).all()


@pytest.mark.parametrize("turn", [1, 6])
def test_jpeg_in_tiff_is_turned_once(tmp_path, turn):
    exif = Image.Exif()
    exif[0x0112] = turn
    laid = Image.fromarray(np.ascontiguousarray(stored(RGB, turn)))
    laid.save(tmp_path / "a.tif", exif=exif, compression="jpeg", quality=95)
    found, _ = read(tmp_path / "a.tif")
    assert images.measure(tmp_path / "a.tif") == (37, 29)
    assert np.abs(found.astype(int) - RGB).mean() < 6


def test_files_that_opencv_writes_with_lzw_and_a_predictor(tmp_path):
    for data in (RGB, WIDE):
        cv2.imwrite(str(tmp_path / "a.tif"), data[..., ::-1])
        assert (read(tmp_path / "a.tif")[0] == RGB).all()
    cv2.imwrite(str(tmp_path / "a.tif"), RGB[..., ::-1].astype(np.float32) / 255)
    assert (read(tmp_path / "a.tif")[0] == RGB).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16, 32])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_gray_of_any_depth_both_ways(tmp_path, bits, photometric):
    """Packed by hand: rows begin at whole bytes, the highest bit comes first."""
    most = 2**bits - 1
    values = np.rint(GRAY / 255 * most).astype(np.uint64)
    kept = most - values if photometric == "miniswhite" else values
    if bits in (8, 16, 32):
        raw = kept.astype(f"<u{bits // 8}").tobytes()
    else:
        rows = (kept[..., None] >> np.arange(bits, dtype=np.uint64)[::-1] & np.uint64(1)).astype(np.uint8)
        raw = np.packbits(rows.reshape(29, -1), axis=1).tobytes()
    for data, compression in ((raw, 1), (zlib.compress(raw), 8)):
        (tmp_path / "a.tif").write_bytes(tiff(data, bits, int(photometric == "minisblack"), compression))
        found, _ = read(tmp_path / "a.tif")
        assert np.abs(found[..., 0].astype(int) - np.rint(values / most * 255)).max() <= (1 if bits == 32 else 0)
    if bits <= 16:
        assert (images.load_labels(tmp_path / "a.tif").values == values).all()


def tiff(data: bytes, bits: int, photometric: int, compression: int = 1, more=()) -> bytes:
    """A little-endian TIFF of GRAY's size, one channel, one strip."""
    tags = {256: 37, 257: 29, 258: bits, 259: compression, 262: photometric, 273: 8, 277: 1, 278: 29, 279: len(data)}
    tags |= dict(more)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags.items()))
    place = 8 + len(data) + len(data) % 2
    return (
        b"II*\0" + struct.pack("<I", place) + data + bytes(len(data) % 2)
        + struct.pack("<H", len(tags)) + entries + bytes(4)
    )  # fmt: skip


def test_the_order_of_bits_may_be_reversed(tmp_path):
    raw = np.packbits(np.unpackbits(GRAY), bitorder="little").tobytes()
    (tmp_path / "a.tif").write_bytes(tiff(raw, 8, 1, more={266: 2}))
    assert (read(tmp_path / "a.tif")[0][..., 0] == GRAY).all()


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_floats_from_0_to_1_and_of_levels(tmp_path, kind, options):
    for data in (RGB / 255, RGB.astype(float), RGB * 257.0):
        if kind == "float16" and data.max() > 60_000:
            continue
        tifffile.imwrite(tmp_path / "a.tif", data.astype(kind), photometric="rgb", **options)
        found, given = read(tmp_path / "a.tif")
        assert np.abs(found.astype(int) - RGB).max() <= (1 if kind == "float16" else 0)
        assert "-bit numbers from" in given.notes[0] and "is taken as black and" in given.notes[0]


def test_floats_beyond(tmp_path):
    data = (GRAY / 255).astype(np.float32)
    data[0, 0], data[0, 1], data[0, 2], data[0, 3] = np.nan, np.inf, 40.0, -np.inf  # highlights and nonsense
    tifffile.imwrite(tmp_path / "a.tif", data)
    found, _ = read(tmp_path / "a.tif")
    assert found[0, :4, 0].tolist() == [0, 255, 255, 0] and (found[1:, :, 0] == GRAY[1:]).all()
    tifffile.imwrite(tmp_path / "a.tif", GRAY.astype(np.float32) * 1e6 - 50e6)
    found, given = read(tmp_path / "a.tif")
    expected = (GRAY.astype(float) - GRAY.min()) / (int(GRAY.max()) - int(GRAY.min())) * 255
    assert np.abs(found[..., 0] - expected).max() <= 1
    assert "32-bit numbers from" in given.notes[0]


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_signed_numbers(tmp_path, bits):
    """From 0 up they have half the range; with some below 0, the least is black."""
    most = 2 ** (bits - 1) - 1
    values = np.rint(GRAY / 255 * most).astype(f"int{bits}")
    tifffile.imwrite(tmp_path / "a.tif", values)
    assert np.abs(read(tmp_path / "a.tif")[0][..., 0].astype(int) - GRAY).max() <= 1
    values = np.rint((GRAY / 255 * 2 - 1) * most)
    values[0, 0], values[0, 1] = -most, most
    tifffile.imwrite(tmp_path / "a.tif", values.astype(f"int{bits}"))
    assert np.abs(read(tmp_path / "a.tif")[0][1:, :, 0].astype(int) - GRAY[1:]).max() <= 1


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_transparency_kept_apart_multiplied_in_or_none(tmp_path, depth, planarconfig, kind):
    unit = int(np.iinfo(depth).max) // 255
    alpha = np.tile(np.linspace(40, 255, 37).astype(int), (29, 1))[..., None]
    for colors, photometric in ((RGB, "rgb"), (GRAY[..., None], "minisblack")):
        shown = colors * alpha / 255 if kind == "assocalpha" else colors
        data = (np.concatenate([shown, alpha], -1) * unit).round().astype(depth)
        given = data if planarconfig == "contig" else data.transpose(2, 0, 1)
        tifffile.imwrite(
            tmp_path / "a.tif", given, photometric=photometric, extrasamples=[kind], planarconfig=planarconfig
        )
        found, whole = read(tmp_path / "a.tif")
        assert np.abs(found.astype(int) - colors).max() <= (4 if kind == "assocalpha" else 0)
        assert whole.alpha is None if kind == "unspecified" else (np.asarray(whole.alpha) == alpha[..., 0]).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_palettes(tmp_path, bits):
    table = np.random.default_rng(0).integers(0, 256, (3, 2**bits))
    table[:, 0] = 255
    index = (GRAY >> (8 - bits)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", index, photometric="palette", colormap=(table * 257).astype(np.uint16)) if (
        bits == 8
    ) else (tmp_path / "a.tif").write_bytes(with_palette(index, bits, table))
    assert (read(tmp_path / "a.tif")[0] == table.T[index]).all()
    assert (images.load_labels(tmp_path / "a.tif").values == index).all()


def with_palette(index: np.ndarray, bits: int, table: np.ndarray) -> bytes:
    rows = (index[..., None] >> np.arange(bits, dtype=np.uint8)[::-1] & 1).astype(np.uint8)
    raw = np.packbits(rows.reshape(29, -1), axis=1).tobytes()
    file = tiff(raw, bits, 3, more={320: 0})
    entry = struct.pack("<HHII", 320, 4, 1, 0)
    return (
        file.replace(entry, struct.pack("<HHII", 320, 3, table.size, len(file))) + (table * 257).astype("<u2").tobytes()
    )


def test_cmyk_of_16_bits_and_lab(tmp_path):
    ink = np.zeros((29, 37, 4), np.uint16)
    ink[:, :20] = (0, 65535, 65535, 0)
    ink[:, 20:, 3] = 65535
    tifffile.imwrite(tmp_path / "a.tif", ink, photometric="separated")
    found, _ = read(tmp_path / "a.tif")
    assert found[0, 0].tolist() == [255, 0, 0] and found[0, 30].tolist() == [0, 0, 0]
    for depth, unit in (("int8", 1), ("int16", 256)):
        lab = np.zeros((29, 37, 3), depth)  # CIE Lab of sRGB's red under D50: 54.3, 80.8, 69.9
        lab[:] = (
            np.array([54.29 * 2.55 * unit, 80.8 * unit, 69.9 * unit])
            .round()
            .astype(int)
            .astype(f"u{depth}")
            .astype(depth)
        )
        tifffile.imwrite(tmp_path / "a.tif", lab.view(f"u{depth}"), photometric="cielab")
        assert np.abs(read(tmp_path / "a.tif")[0].astype(int) - (255, 0, 0)).max() <= 10


@pytest.mark.parametrize("sampling", [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_ycbcr_without_jpeg(tmp_path, sampling):
    """Blocks of brightness, then the two colors that they share (TIFF 6.0, section 21)."""
    across, down = sampling
    smooth = picture(37, 29, 0).resize((9, 7)).resize((37, 29))
    y, cb, cr = (np.asarray(each).astype(int) for each in smooth.convert("YCbCr").split())
    raw = bytearray()
    for top, left in itertools.product(range(0, 29, down), range(0, 37, across)):
        for row, column in itertools.product(range(down), range(across)):
            raw.append(y[min(top + row, 28), min(left + column, 36)])
        raw += bytes([cb[top, left], cr[top, left]])
    file = tiff(bytes(raw), 8, 6, more={277: 3, 530: across | down << 16})
    (tmp_path / "a.tif").write_bytes(file.replace(struct.pack("<HHI", 530, 4, 1), struct.pack("<HHI", 530, 3, 2)))
    assert np.abs(read(tmp_path / "a.tif")[0].astype(int) - np.asarray(smooth)).mean() < 12


def test_further_pages_have_a_note_but_previews_do_not(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(RGB, photometric="rgb")
        file.write(RGB[::2, ::2], photometric="rgb", subfiletype=1)
    assert images.load(tmp_path / "a.tif").notes == ()
    tifffile.imwrite(tmp_path / "a.tif", np.stack([RGB, 255 - RGB, RGB]), photometric="rgb")
    found, given = read(tmp_path / "a.tif")
    assert (found == RGB).all() and given.notes == (opening.PAGES,)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_truncated_file_has_a_note(tmp_path, compression):
    tall = np.random.default_rng(0).integers(1, 256, (300, 40, 3), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", tall, photometric="rgb", rowsperstrip=10, compression=compression)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        begin = file.pages[0].dataoffsets[0]
    data = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(data[: int(len(data) * 0.8)])
    found, given = read(tmp_path / "a.tif")
    assert (found[:200] == tall[:200]).all() and (found[-20:] == 0).all()
    (note,) = given.notes
    assert note.startswith("This picture is damaged or truncated: about 2") and "% of it is missing." in note
    (tmp_path / "a.tif").write_bytes(data[: begin + 3])
    with pytest.raises(ValueError, match=r"^This picture is damaged or truncated; try"):
        images.load(tmp_path / "a.tif")


def test_a_strip_that_would_unpack_to_gigabytes_does_not(tmp_path, monkeypatch):
    packer = zlib.compressobj(9)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(64)) + packer.flush()
    (tmp_path / "a.tif").write_bytes(tiff(bomb, 8, 1, 8))
    asked = []
    inflate = images.tiff.strips.inflate
    monkeypatch.setattr(images.tiff.strips, "inflate", lambda *given: asked.append(inflate(*given)) or asked[-1])
    assert images.load(tmp_path / "a.tif").size == (37, 29)
    assert [len(each) for each in asked] == [37 * 29]


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {256: 20_000, 257: 20_000},
            "This picture has 20000x20000 pixels; at most 80 million are read, and 16384 on a",
        ),
        ({256: 9, 257: 9}, "This picture has 9x9 pixels; each side must have at least 16."),
        ({259: 34712}, "This TIFF's compression, JPEG 2000, can't be read; save it with LZW or without compression."),
        ({258: 24}, "This TIFF's 24-bit numbers can't be read; save it with 8 or 16 bits per channel."),
        ({262: 32845}, "This TIFF has an unusual color space that can't be read; save it as RGB."),
        ({262: 32803}, "This file is a camera raw file, which must be developed first; export it as PNG or JPEG"),
        ({50706: 1}, "This file is a camera raw file, which must be developed first; export it as PNG or JPEG"),
        ({277: 200_000, 258: 64}, "This TIFF would take too much memory; save it with 8 bits per channel."),
        ({339: 6, 258: 64}, "This TIFF's 64-bit numbers can't be read"),
        ({262: 2}, "This picture is damaged or truncated; try"),
        ({322: 1, 323: 1, 324: 8, 325: 9}, "This picture is damaged or truncated; try"),
    ],
)
def test_refusals_give_the_reason(tmp_path, more, sentence):
    (tmp_path / "a.tif").write_bytes(tiff(GRAY.tobytes(), 8, 1, more=more))
    with pytest.raises(ValueError) as error:
        images.load(tmp_path / "a.tif")
    assert str(error.value).startswith(sentence)


def test_damaged_files_are_refused_or_read_but_never_fail(tmp_path):
    random = np.random.default_rng(0)
    tifffile.imwrite(tmp_path / "a.tif", WIDE, photometric="rgb", compression="zlib", predictor=True, rowsperstrip=7)
    whole = (tmp_path / "a.tif").read_bytes()
    for _ in range(300):
        data = bytearray(whole)
        for place in random.integers(0, 400, 3):
            data[place] = random.integers(256)
        (tmp_path / "a.tif").write_bytes(data)
        try:
            images.load(tmp_path / "a.tif")
        except ValueError as error:
            assert str(tmp_path) not in str(error) and str(error).count(". ") == 0
