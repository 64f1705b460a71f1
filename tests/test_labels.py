"""Masks and label maps: what counts as inside, which color is which region, and what is refused."""

import io
from pathlib import Path

import numpy as np
import pytest
from conftest import picture, pixels
from PIL import Image, ImageDraw

from adain_core import images, run
from adain_core.runs.inputs import PictureError


@pytest.fixture
def photo() -> Image.Image:
    return picture(96, 64, 1)


@pytest.fixture
def painting() -> Image.Image:
    return picture(50, 50, 2)


BOX = (24, 16, 72, 48)


def box(mode: str, inside, outside) -> Image.Image:
    mask = Image.new(mode, (96, 64), outside)
    mask.paste(inside, BOX)
    return mask


@pytest.mark.parametrize(
    ("mask", "level"),
    [
        (box("RGBA", (255, 255, 255, 255), (0, 0, 0, 0)), 255),
        (box("RGBA", (255, 255, 255, 255), (255, 255, 255, 0)), 255),
        (box("LA", (255, 255), (255, 0)), 255),
        (box("LA", (255, 128), (255, 0)), 128),
        (box("LA", (128, 255), (0, 255)), 128),
        (box("L", 255, 0), 255),
        (box("1", 1, 0), 255),
        (box("RGB", "white", "black"), 255),
    ],
)
def test_white_is_inside_and_black_and_transparent_are_outside(tmp_path, mask, level):
    mask.save(tmp_path / "a.png")
    expected = np.zeros((64, 96), int)
    expected[16:48, 24:72] = level
    for given in (mask, tmp_path / "a.png"):
        found, notes = images.load_mask(given)
        assert found.mode == "L" and (np.asarray(found) == expected).all() and notes == ()


def test_black_on_a_clear_ground_is_outside_too():
    found, _ = images.load_mask(box("RGBA", (0, 0, 0, 255), (0, 0, 0, 0)))
    assert found.getextrema() == (0, 0)


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_a_mask_with_one_transparent_level(tmp_path, mode):
    mask = box("L", 255, 90)
    mask.save(tmp_path / "a.png", transparency=90)
    if mode != "L":
        Image.open(tmp_path / "a.png").convert(mode).save(tmp_path / "a.png")
    assert images.load_mask(tmp_path / "a.png")[0].getbbox() == BOX


def test_a_mask_on_clear_ground_stylizes_the_box_alone(tmp_path, photo, painting, tiny):
    box("RGBA", (255, 255, 255, 255), (0, 0, 0, 0)).save(tmp_path / "a.png")
    (result,) = run(photo, [painting], mask=tmp_path / "a.png", networks=tiny, feather=0)
    changed = np.abs(pixels(result.image) - pixels(photo)).max(-1) > 0
    assert changed[16:48, 24:72].mean() > 0.9 and changed.sum() == changed[16:48, 24:72].sum()
    assert not any("empty" in note for note in result.notes)


def test_only_a_black_mask_is_reported_as_empty(photo, painting, tiny):
    for level, told in ((0, True), (255, False)):
        (result,) = run(photo, [painting], mask=Image.new("L", photo.size, level), networks=tiny)
        assert [note for note in result.notes if "empty" in note] == (
            ["The mask is empty (black or transparent everywhere), so the picture is unchanged."] if told else []
        )
    (result,) = run(photo, [painting], mask=Image.new("RGBA", photo.size), networks=tiny)
    assert any("mask is empty" in note for note in result.notes)


@pytest.mark.parametrize(
    ("name", "role"),
    [("mask", "Mask"), ("strength_map", "Strength map"), ("regions", "Label map"), ("masks", "Mask of region 1")],
)
def test_another_shape_is_refused_with_both_sizes(photo, painting, tiny, name, role):
    given = Image.new("L", (64, 96), 1)
    options = {"regions": {1: given}, "style_for": {1: painting}} if name == "masks" else {name: given}
    with pytest.raises(PictureError) as error:
        list(run(photo, [painting], networks=tiny, **options))
    assert str(error.value) == (
        f"{role}: It has 64x96 pixels, but the picture is processed at 96x64, a different shape; use one with the"
        " picture's size or aspect ratio."
    )


def test_a_style_mask_of_another_shape_is_refused(photo, painting, tiny):
    with pytest.raises(PictureError, match="^Style mask: It has 64x96 pixels, but .* at 512x512, a different"):
        list(run(photo, [painting], networks=tiny, style_masks=[Image.new("L", (64, 96), 255)]))


@pytest.mark.parametrize("size", [(6, 4), (12, 8), (48, 32), (96, 64), (95, 63), (960, 640), (1000, 667), (3, 2)])
def test_the_same_shape_at_any_size_is_taken(photo, painting, tiny, tmp_path, size):
    Image.new("L", size, 255).save(tmp_path / "a.png")
    (result,) = run(photo, [painting], mask=tmp_path / "a.png", networks=tiny)
    told = [f"Mask: it has {size[0]}x{size[1]} pixels and was enlarged to 96x64."] if size[0] < 96 else []
    assert [note for note in result.notes if "enlarged" in note] == told


@pytest.mark.parametrize("size", [(3000, 2001), (4032, 3024), (1023, 1537), (170, 4000)])
@pytest.mark.parametrize("longest", [64, 256, 512, 1000])
def test_rounding_is_no_other_shape(size, longest):
    small = tuple(max(1, round(side * longest / max(size))) for side in size)
    images.check_shape(size, small)
    images.check_shape(small, size)


def coded(colors: dict[tuple[int, int, int, int], str], ground: str = "black") -> Image.Image:
    found = Image.new("RGB", (96, 64), ground)
    for place, color in colors.items():
        found.paste(color, place)
    return found


THREE = {(8, 8, 40, 56): "#ff0000", (40, 8, 64, 56): "#0000ff", (64, 8, 90, 56): "#00ff00"}
NOTE = "Regions by color: 1 is #0000ff, 2 is #00ff00, 3 is #ff0000."


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "webp"])
def test_colors_are_regions_in_the_order_of_their_names(tmp_path, suffix):
    coded(THREE).save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    found = images.load_labels(tmp_path / f"a.{suffix}")
    assert [int(found.values[32, x]) for x in (0, 20, 50, 80)] == [0, 3, 1, 2]
    assert found.notes == (NOTE,)
    assert (np.unique(found.values, return_counts=True)[1] == [96 * 64 - 82 * 48, 24 * 48, 26 * 48, 32 * 48]).all()


def test_without_black_numbers_begin_at_1_and_transparent_is_0():
    found = images.load_labels(coded(THREE, ground="white"))
    assert [int(found.values[32, x]) for x in (0, 20, 50, 80)] == [4, 3, 1, 2]
    clear = coded(THREE, ground="white").convert("RGBA")
    clear.putalpha(box("L", 255, 0).resize((96, 64)))
    assert images.load_labels(clear).values[0, 0] == 0


def test_soft_edges_go_to_the_nearest_region(tmp_path):
    large = Image.new("RGB", (384, 256))
    drawn = ImageDraw.Draw(large)
    drawn.ellipse((20, 20, 220, 230), "#ff0000")
    drawn.rectangle((240, 40, 370, 240), "#00ff00")
    large.resize((96, 64), Image.Resampling.LANCZOS).save(tmp_path / "a.png")
    found = images.load_labels(tmp_path / "a.png")
    hard = np.asarray(large.resize((96, 64), Image.Resampling.BOX)).astype(int)
    expected = np.where(hard[..., 0] > 127, 2, np.where(hard[..., 1] > 127, 1, 0))
    assert (found.values == expected).mean() > 0.99
    assert found.notes[0] == "Regions by color: 1 is #00ff00, 2 is #ff0000."
    assert found.notes[1].endswith("each was assigned to the nearest region.")


def test_a_map_saved_as_jpeg_keeps_its_regions(tmp_path):
    coded(THREE).save(tmp_path / "a.jpg", quality=90)
    found = images.load_labels(tmp_path / "a.jpg")
    exact = images.load_labels(coded(THREE)).values
    assert (found.values == exact).mean() > 0.98 and found.values.max() == 3


def test_a_photograph_is_no_label_map(photo):
    with pytest.raises(ValueError, match=r"^This label map has \d+ colors, too many for regions, like a photograph"):
        images.load_labels(photo)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))
    with pytest.raises(ValueError, match="save it as PNG with hard edges and one color per region"):
        images.load_labels(noise)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float32"])
def test_one_channel_holds_numbers(tmp_path, kind):
    values = (np.indices((64, 96))[1] * 3 // 96 * (100 if kind == "uint8" else 20_000)).astype(kind)
    given = Image.fromarray(values)
    assert (images.load_labels(given).values == values).all()
    if kind != "float32":
        given.save(tmp_path / "a.tif")
        assert (images.load_labels(tmp_path / "a.tif").values == values).all()
    if kind.startswith("u"):
        given.save(tmp_path / "a.png")
        assert (images.load_labels(tmp_path / "a.png").values == values).all()
    for wrong in (values.astype(np.float32) - 1, values.astype(np.float32) + 0.5):
        with pytest.raises(
            ValueError, match="^(This label map has numbers from -1 to|A label map holds whole numbers)"
        ):
            images.load_labels(Image.fromarray(wrong))


def test_grays_in_rgb_are_their_levels(tmp_path):
    values = (np.indices((64, 96))[1] // 32 * 100).astype(np.uint8)
    Image.fromarray(values).convert("RGB").save(tmp_path / "a.png")
    found = images.load_labels(tmp_path / "a.png")
    assert (found.values == values).all() and found.notes == ()


def test_a_palette_holds_numbers_whatever_its_colors(tmp_path):
    values = (np.indices((64, 96))[1] // 32 + 4).astype(np.uint8)
    given = Image.fromarray(values)
    given.putpalette([7] * 768)
    given.save(tmp_path / "a.png")
    assert (images.load_labels(tmp_path / "a.png").values == values).all()


def test_regions_by_color_reach_a_run(photo, painting, tiny, tmp_path):
    coded(THREE).save(tmp_path / "a.png")
    (result,) = run(photo, [], regions=tmp_path / "a.png", style_for={3: painting}, networks=tiny, feather=0)
    changed = np.abs(pixels(result.image) - pixels(photo)).max(-1) > 0
    assert changed[8:56, 8:40].mean() > 0.9 and changed.sum() == changed[8:56, 8:40].sum()
    assert NOTE in result.notes


def test_a_label_map_is_turned_by_its_exif(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    labels = Image.fromarray((np.indices((64, 96))[1] // 32).astype(np.uint8))
    for suffix in ("png", "tif"):
        labels.save(tmp_path / f"a.{suffix}", exif=exif)
        assert (images.load_labels(tmp_path / f"a.{suffix}").values == np.rot90(np.asarray(labels), -1)).all()


def test_mask_notes_name_the_mask(photo, painting, tiny, tmp_path):
    stream = io.BytesIO()
    Image.new("L", (96, 64), 255).save(stream, "jpeg")
    Path(tmp_path / "a.jpg").write_bytes(stream.getvalue()[:-2])
    (result,) = run(photo, [painting], mask=tmp_path / "a.jpg", networks=tiny)
    assert "Mask: This picture's file is damaged or truncated; the part that could be read is used." in result.notes


@pytest.mark.parametrize("mode", ["LA", "La"])
def test_a_gray_label_map_with_transparency(mode):
    given = box("LA", (200, 255), (7, 0)).convert(mode)
    assert (images.load_labels(given).values == np.asarray(box("L", 200, 0))).all()


def test_one_style_mask_needs_no_list(photo, painting, tiny):
    mask = Image.new("L", painting.size, 0)
    mask.paste(255, (0, 0, 25, 50))
    one, other = (list(run(photo, [painting], networks=tiny, style_masks=each))[-1].image for each in (mask, [mask]))
    assert (pixels(one) == pixels(other)).all()


def test_colors_in_between_are_never_none_at_all():
    given = Image.new("RGB", (400, 300), "red")
    given.paste((0, 0, 255), (200, 0, 400, 300))
    given.putpixel((200, 150), (128, 0, 128))
    (_, note) = images.load_labels(given).notes
    assert note.startswith("Less than 0.1% of this label map's pixels have in-between colors")
