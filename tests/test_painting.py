"""What is painted, as labels and masks and back, and sheets; by hand."""

import numpy as np
import pytest
from browser import gradient, label_map, labels_of
from conftest import picture
from PIL import Image, ImageColor

from ui.components import masks, painting, sheet


class TestPainting:
    @pytest.mark.parametrize("size", [(512, 377), (377, 512), (512, 16), (511, 31)])
    def test_a_label_map_comes_back(self, size):
        labels = labels_of([0, 1, 2, 8, 7], [3, 4, 0, 6, 5]).resize(size, Image.Resampling.NEAREST)
        layer = painting.to_layer(labels)
        assert layer.size == (512, 512)
        found = painting.to_labels([layer], size)
        assert found.mode == "L" and np.array_equal(found, labels)

    def test_the_nearest_brush_counts_where_paint_covers_half(self):
        layer = np.zeros((512, 512, 4), np.uint8)
        layer[:, :10] = (*bytes.fromhex("1f5fd6"), 128)  # blue
        layer[:, 10:20] = (200, 60, 50, 255)  # a lossy red
        layer[:, 20:30] = (*bytes.fromhex("149a4c"), 127)  # too thin
        found = np.asarray(painting.to_labels([Image.fromarray(layer)], (512, 512)))
        assert [set(found[:, part].flat) for part in (slice(0, 10), slice(10, 20), slice(20, None))] == [{1}, {3}, {0}]

    @pytest.mark.parametrize("last", painting.BRUSHES)
    def test_the_last_color_wins_over_the_translucent_ones_below(self, last):
        paint = {
            label: (*ImageColor.getrgb(color), round(255 * painting.OPACITY))
            for label, (_, color) in painting.BRUSHES.items()
        }
        below, above = (Image.new("RGBA", (512, 512), paint[last]) for _ in range(2))
        for label, color in paint.items():
            below.paste(color, (64 * (label - 1), 0, 64 * label, 512))
        assert set(np.unique(painting.to_labels([below], (512, 512)))) == set(paint)
        twice = Image.alpha_composite(below, below)
        assert painting.to_labels([Image.alpha_composite(twice, above)], (512, 512)).getextrema() == (last, last)
        assert painting.to_labels([below, above], (512, 512)).getextrema() == (last, last)

    @pytest.mark.parametrize("last", [255, 128, 0])
    def test_the_last_grey_wins_too(self, last):
        alpha = round(255 * painting.OPACITY)
        for level in (255, 128, 0):
            below, above = (Image.new("RGBA", (512, 512), (grey, grey, grey, alpha)) for grey in (level, last))
            greys, painted = painting.to_gray([Image.alpha_composite(below, above)], (500, 40))
            assert greys.size == (500, 40) and greys.getextrema() == (last, last)
            assert painted.getextrema() == (255, 255)

    def test_nothing_painted_is_all_rest(self):
        assert painting.to_labels([], (30, 20)).getextrema() == (0, 0)
        assert painting.to_gray([], (30, 20))[1].getextrema() == (0, 0)


class TestMasks:
    def test_a_label_map_keeps_its_resolution(self, tmp_path):
        lines = np.zeros((900, 1200), np.uint8)
        lines[::2], lines[:, 600:] = 1, 2  # region 1 in lines of one pixel
        Image.fromarray(lines).save(tmp_path / "labels.png")
        loaded = masks.load_map(str(tmp_path / "labels.png"), (512, 384))
        assert loaded.shown.size == (512, 384) and set(np.unique(loaded.shown)) <= {0, 1, 2}
        found = masks.compose(loaded, loaded.shown, 4096)
        assert np.array_equal(np.asarray(found[1]) == 255, lines == 1) and set(np.unique(found[1])) == {0, 255}
        assert np.array_equal(masks.merge(found, (1200, 900)), lines)
        assert masks.compose(loaded, loaded.shown, 600)[2].size == (600, 450)

    def test_notes_on_loaded_masks_are_kept(self, tmp_path):
        colored = Image.new("RGB", (64, 48), "#ff0000")
        colored.paste("#0000ff", (0, 0, 30, 48))
        colored.save(tmp_path / "labels.png")
        loaded = masks.load_map(str(tmp_path / "labels.png"), (64, 48))
        assert loaded.notes == ("Regions by color: 1 is #0000ff, 2 is #ff0000.",)
        colored.convert("L").save(tmp_path / "mask.jpg")
        data = (tmp_path / "mask.jpg").read_bytes()
        (tmp_path / "mask.jpg").write_bytes(data[:-2])  # without its end
        (note,) = masks.load_masks([str(tmp_path / "mask.jpg")], {}, [3], (64, 48)).notes
        assert note.startswith("Mask of region 3: This picture's file is damaged or truncated")

    def test_soft_masks_stay_soft_but_where_they_are_painted_over(self, tmp_path):
        soft = gradient(1024, 768)
        soft.save(tmp_path / "soft.png")
        loaded = masks.load_masks([str(tmp_path / "soft.png")], {}, [3], (512, 384))
        assert np.array_equal(np.asarray(loaded.shown)[0] == 3, np.arange(512) >= 256)
        assert np.array_equal(masks.compose(loaded, loaded.shown, 4096)[3], soft)
        canvas = np.array(loaded.shown)
        canvas[:100, 400:], canvas[:100, :50] = 5, 3  # region 5 over it, and more of region 3
        canvas[300:, 300:] = 0  # erased
        found = {
            label: np.asarray(mask) for label, mask in masks.compose(loaded, Image.fromarray(canvas), 4096).items()
        }
        expected = np.array(soft)
        expected[:200, 800:], expected[:200, :100], expected[600:, 600:] = 0, 255, 0
        assert list(found) == [3, 5] and np.array_equal(found[3], expected)
        assert found[5].shape == (384, 512) and found[5][:100, 400:].min() == 255 and found[5].mean() < 20

    def test_loaded_masks_are_laid_beside_paint(self, tmp_path):
        half = Image.new("L", (512, 384))
        half.paste(255, (0, 0, 256, 384))
        half.save(tmp_path / "a.png")
        painted = label_map([1, 1, 1, 1], [0, 0, 0, 0])
        loaded = masks.load_masks([str(tmp_path / "a.png")], {}, [2], painted.size)
        assert np.array_equal(masks.lay(painted, None, loaded), label_map([2, 2, 1, 1], [2, 2, 0, 0]))
        half.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "b.png")
        now = masks.lay(painted, None, loaded)
        more = masks.load_masks([str(tmp_path / "b.png")], loaded.sources, [4], painted.size)
        assert np.array_equal(masks.lay(now, loaded, more), label_map([2, 2, 4, 4], [2, 2, 4, 4]))

    def test_without_files_the_canvas_is_all(self):
        found = masks.compose(None, label_map([0, 2], [8, 8]), 4096)
        assert list(found) == [2, 8] and np.array_equal(
            np.asarray(found[8]) == 255, np.arange(384)[:, None] > [191] * 512
        )

    def test_other_pictures_are_refused_as_label_maps(self, tmp_path):
        path = str(tmp_path / "labels.png")
        palette = labels_of([0, 2]).convert("P")
        palette.putdata(labels_of([0, 2]).get_flattened_data())
        palette.save(path)
        assert list(masks.load_map(path, (32, 16)).sources) == [2]
        Image.new("1", (32, 16), 1).save(path)
        assert masks.load_map(path, (32, 16)).shown.getextrema() == (1, 1)
        labels_of([0, 9]).save(path)
        with pytest.raises(ValueError, match="region 9, but the page accepts 0 for the rest and 1 to 8"):
            masks.load_map(path, (32, 16))
        picture(32, 16, 1).save(path)
        with pytest.raises(ValueError, match="512 colors, too many for regions"):
            masks.load_map(path, (32, 16))
        with pytest.raises(ValueError, match="Masks: 3, but free regions: 2 of 8"):
            masks.load_masks([path] * 3, {}, [7, 8], (32, 16))

    def test_greys_lie_over_a_file_or_over_the_ground(self, tmp_path):
        photo, file = str(tmp_path / "photo.png"), str(tmp_path / "grey.png")
        picture(60, 45, 1).save(photo)
        gradient(1024, 768).save(file)
        layer = Image.new("RGBA", (512, 512))
        assert masks.read_gray([layer], photo, None, 255) is None
        assert masks.read_gray([layer], photo, file, 255) == file
        layer.paste((0, 0, 0, 204), (0, 64, 512, 128))  # the upper sixth of the photograph
        over = np.asarray(masks.read_gray([layer], photo, file, 255))
        assert over[:128].max() == 0 and np.array_equal(over[128:], np.asarray(gradient(1024, 768))[128:])
        alone = np.asarray(masks.read_gray([layer], photo, None, 255))
        assert alone.shape == (384, 512) and alone[:64].max() == 0 and alone[64:].min() == 255


class TestSheet:
    def test_pictures_stand_whole_over_their_captions(self):
        red, blue = (Image.new("RGB", (60, 90), color) for color in ("#ff0000", "#0000ff"))
        made = sheet.sheet([(red, "one"), (blue, "two"), (red, "")])
        cell = made.crop((0, 0, made.width // 3, made.height))
        colors = {color: count for count, color in cell.getcolors(1 << 16)}
        assert colors[255, 0, 0] > 20_000 and (255, 255, 255) in colors  # whole, beside white
        thirds = [(x * made.width // 3, made.height - 44, (x + 1) * made.width // 3, made.height) for x in range(3)]
        dark = [sum(made.crop(third).convert("L").histogram()[:100]) for third in thirds]
        assert dark[0] > 20 and dark[1] > 20 and dark[2] == 0

    def test_a_window_shows_pixels_as_they_are(self):
        large, small = picture(400, 300, 1), picture(40, 30, 2)
        assert sheet.window(large).tobytes() == large.crop((72, 22, 328, 278)).tobytes()
        seen = sheet.window(small)
        assert seen.size == (256, 256) and seen.getpixel((0, 0)) == (255, 255, 255)
        assert seen.crop((108, 113, 148, 143)).tobytes() == small.tobytes()
