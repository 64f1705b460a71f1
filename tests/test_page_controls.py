"""The page's controls: colors and stroke size, grids of values, painted regions; by hand and in a real Chromium."""

import json
import re
import typing

import numpy as np
import pytest
import test_page
from conftest import picture
from gradio_client import handle_file
from PIL import Image, ImageColor, ImageFilter

from adain_core import images
from adain_core.pipeline import Settings
from ui import masks, painting, sheet, widgets

url, client, browser_type_launch_args = test_page.url, test_page.client, test_page.browser_type_launch_args


def labels_of(*rows) -> Image.Image:
    """A label map of blocks of 16 pixels."""
    return Image.fromarray(np.kron(np.array(rows, np.uint8), np.ones((16, 16), np.uint8)))


def label_map(*rows) -> Image.Image:
    """As `labels_of`, fitted to a canvas."""
    return labels_of(*rows).resize((512, 384), Image.Resampling.NEAREST)


def gradient(width: int, height: int) -> Image.Image:
    """A soft mask, black on the left and white on the right."""
    return Image.fromarray(np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1)))


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
        alpha = round(255 * painting.OPACITY)
        for label in painting.BRUSHES:
            below, above = (
                Image.new("RGBA", (512, 512), (*ImageColor.getrgb(painting.BRUSHES[each][1]), alpha))
                for each in (label, last)
            )
            twice = Image.alpha_composite(below, below)
            assert painting.to_labels([Image.alpha_composite(twice, above)], (512, 512)).getextrema() == (last, last)
            assert painting.to_labels([below, above], (512, 512)).getextrema() == (last, last)

    @pytest.mark.parametrize("last", [255, 128, 0])
    def test_the_last_grey_wins_too(self, last):
        alpha = round(255 * painting.OPACITY)
        for level in (255, 128, 0):
            below, above = (Image.new("RGBA", (512, 512), (grey, grey, grey, alpha)) for grey in (level, last))
            greys, painted = painting.to_grey([Image.alpha_composite(below, above)], (500, 40))
            assert greys.size == (500, 40) and greys.getextrema() == (last, last)
            assert painted.getextrema() == (255, 255)

    def test_nothing_painted_is_all_rest(self):
        assert painting.to_labels([], (30, 20)).getextrema() == (0, 0)
        assert painting.to_grey([], (30, 20))[1].getextrema() == (0, 0)


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

    def test_masks_are_laid_beside_what_is_painted(self, tmp_path):
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

    def test_what_is_no_label_map_is_refused(self, tmp_path):
        path = str(tmp_path / "labels.png")
        palette = labels_of([0, 2]).convert("P")
        palette.putdata(labels_of([0, 2]).get_flattened_data())
        palette.save(path)
        assert list(masks.load_map(path, (32, 16)).sources) == [2]
        Image.new("1", (32, 16), 1).save(path)
        assert masks.load_map(path, (32, 16)).shown.getextrema() == (1, 1)
        labels_of([0, 9]).save(path)
        with pytest.raises(ValueError, match="region 9, but the page takes 0, the rest, and 1 to 8"):
            masks.load_map(path, (32, 16))
        picture(32, 16, 1).save(path)
        with pytest.raises(ValueError, match="one channel or a palette"):
            masks.load_map(path, (32, 16))
        with pytest.raises(ValueError, match="Masks: 3, but regions that are free: 2 of 8"):
            masks.load_masks([path] * 3, {}, [7, 8], (32, 16))

    def test_greys_lie_over_a_file_or_over_the_ground(self, tmp_path):
        photo, file = str(tmp_path / "photo.png"), str(tmp_path / "grey.png")
        picture(60, 45, 1).save(photo)
        gradient(1024, 768).save(file)
        layer = Image.new("RGBA", (512, 512))
        assert masks.read_grey([layer], photo, None, 255) is None
        assert masks.read_grey([layer], photo, file, 255) == file
        layer.paste((0, 0, 0, 204), (0, 64, 512, 128))  # the upper sixth of the photograph
        over = np.asarray(masks.read_grey([layer], photo, file, 255))
        assert over[:128].max() == 0 and np.array_equal(over[128:], np.asarray(gradient(1024, 768))[128:])
        alone = np.asarray(masks.read_grey([layer], photo, None, 255))
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


def test_every_color_mode_has_words():
    assert list(widgets.COLORS) == list(typing.get_args(Settings.model_fields["color"].annotation))


def test_the_api_takes_the_controls(client, tmp_path):
    for name, seed in (("photo.png", 1), ("painting.png", 2)):
        picture(90, 67, seed).save(tmp_path / name)
    given = {
        name: handle_file(str(tmp_path / f"{file}.png")) for name, file in (("content", "photo"), ("style", "painting"))
    }
    chosen = {"color": "luminance", "color_strength": 0.5, "style_scale": 0.5}
    _, record = client.predict(**given, **chosen, size=256, style_size=128, api_name="/stylize")
    assert {name: record[name] for name in chosen} == chosen
    assert record["style_sizes"] == [[64, 48]] and record["color_shift"] > 0


@pytest.fixture
def tab(page, url):
    page.set_default_timeout(60_000)
    page.goto(url)
    page.locator("#compare img").first.wait_for()
    return page


def choose(tab, field: str, value: str) -> None:
    tab.locator(f"#{field} input").click()
    tab.get_by_role("option", name=value).click()
    tab.get_by_role("option").first.wait_for(state="detached")  # the list closes with an animation


def saved(tab, button: str) -> Image.Image:
    with tab.expect_download() as download:
        tab.locator(f"#{button}").click()
    with Image.open(download.value.path()) as image:
        image.load()
        return image


class TestStylize:
    def test_colors_and_strokes_wait_in_a_closed_accordion(self, tab):
        assert not tab.locator("#color").is_visible()
        tab.locator("#colors button").first.click()
        tab.get_by_label("256 px").click()
        choose(tab, "color", "luminance")  # runs by itself
        tab.locator("#status").get_by_text("256x188 pixels").wait_for()
        assert "Color shift" in tab.locator("#status").inner_text()
        record = json.loads(saved(tab, "download").text["adain"])
        assert record["color"] == "luminance"
        assert f"{record['color_shift']:.1f} (Delta E" in tab.locator("#status").inner_text()

    def test_a_large_picture_is_forecast_and_told_by_tile(self, tab):
        said = "MutationObserver"
        tab.evaluate(
            f"window.said = []; new {said}(() => window.said.push(document.querySelector('#status').innerText))"
            ".observe(document.querySelector('#status'), {childList: true, subtree: true, characterData: true})"
        )
        tab.get_by_label("4096 px").click()
        tab.locator("#run").click()
        tab.locator("#status").get_by_text(re.compile(r"Tile pass \d+ of")).wait_for()
        tab.locator("#stop").click()
        tab.locator("#status").get_by_text("Stopped. The last picture stays.").wait_for()
        told = "\n".join(tab.evaluate("window.said"))
        assert "Stylizing at 4096 pixels… This takes about" in told
        assert "GB of memory, in" in told and "tiles" in told


class TestControls:
    def test_a_grid_fills_and_is_downloaded_as_one_sheet(self, tab):
        tab.get_by_role("tab", name="Controls").click()
        tab.locator("#controls-run").click()
        tab.locator("#controls-status").get_by_text("Color modes: 6 of 6.").wait_for()
        captions = tab.locator("#controls-gallery .caption-label").all_inner_texts()
        assert [each.split(" · ")[0] for each in captions] == [f"color {mode}" for mode in widgets.COLORS]
        assert all("color shift" in each and each.endswith(" s") for each in captions)
        made = saved(tab, "controls-sheet")
        assert made.format == "PNG" and made.width > 1200 and made.height > 800
        tab.get_by_label("Strengths").click()
        tab.locator("#controls-run").click()
        tab.locator("#controls-status").get_by_text("Strengths: 5 of 5.").wait_for()
        assert "the reconstruction: SSIM 0." in tab.locator("#controls-gallery .caption-label").first.inner_text()
        assert not tab.locator("#controls-seen").is_visible()

    def test_stroke_sizes_show_what_the_network_sees(self, tab):
        tab.get_by_role("tab", name="Controls").click()
        tab.get_by_label("Stroke sizes").click()
        tab.locator("#controls-run").click()
        tab.locator("#controls-seen .caption-label").nth(4).wait_for()
        captions = tab.locator("#controls-seen .caption-label").all_inner_texts()
        assert captions[0] == "stroke size 0.25 · 128 pixels" and captions[-1] == "stroke size 4 · 2048 pixels"
        tab.locator("#controls-status").get_by_text("Stroke sizes: 5 of 5.").wait_for()

    def test_stop_keeps_what_is_ready(self, tab):
        tab.get_by_role("tab", name="Controls").click()
        tab.get_by_label("Sizes", exact=True).click()
        tab.locator("#controls-run").click()
        tab.locator("#controls-status").get_by_text(re.compile("^Sizes")).wait_for()
        tab.locator("#controls-stop").click()
        tab.locator("#controls-status").get_by_text("Stopped. The pictures that are ready stay.").wait_for()
        tab.get_by_label("Strengths").click()
        tab.locator("#controls-run").click()  # waits for the worker, so what was stopped would have come before it
        tab.locator("#controls-status").get_by_text("Strengths: 5 of 5.").wait_for()
        assert tab.locator("#controls-gallery .caption-label").count() == 5

    def test_a_bad_picture_is_refused_beside_its_field(self, tab, tmp_path):
        (tmp_path / "bad.png").write_bytes(b"no picture")
        tab.get_by_role("tab", name="Controls").click()
        test_page.upload(tab, "controls-style", tmp_path / "bad.png")
        tab.locator("#controls-style-note [role=alert]").get_by_text("This file is not a picture").wait_for()
        tab.locator("#controls-run").click()
        tab.locator("#controls-status").get_by_text("No picture was made.").wait_for()


def holds(tab, wanted) -> Image.Image:
    """Save the label map until the canvas, which doesn't say when it has drawn, holds what is wanted; return it."""
    for _ in range(60):
        labels = saved(tab, "regions-save")
        if wanted(labels):
            return labels
    raise AssertionError(f"the canvas holds other labels: {labels.getcolors()}")


@pytest.fixture
def easel(tab):
    tab.get_by_role("tab", name="Regions").click()
    tab.locator("#regions-canvas canvas").first.wait_for()
    holds(tab, lambda labels: labels.getextrema() == (0, 1))
    return tab


def clear(tab) -> None:
    tab.locator("#regions-clear").click()
    holds(tab, lambda labels: labels.getextrema() == (0, 0))


def stroke(tab, canvas: str, down: int = 0) -> None:
    """Draw across the middle, or some pixels below it, with the tool that is chosen."""
    tab.locator(f"#{canvas}").scroll_into_view_if_needed()
    box = tab.locator(f"#{canvas} canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + down
    tab.mouse.move(x - 60, y)
    tab.mouse.down()
    tab.mouse.move(x + 60, y, steps=12)
    tab.mouse.up()


def paint(tab, down: int = 0) -> None:
    """Draw a region, and wait until the page says so."""
    before = tab.locator("#regions-painted p").inner_text()
    stroke(tab, "regions-canvas", down)
    changed(tab, before)


def changed(tab, before: str) -> str:
    words = "document.querySelector('#regions-painted p').innerText"
    tab.wait_for_function(f"{words} !== {json.dumps(before)}")
    return tab.evaluate(words)


def tool(tab, canvas: str, name: str) -> None:
    tab.locator(f"#{canvas} button[aria-label='{name}']").click()


def brush(tab, canvas: str, color: str) -> None:
    for name in ("Color", color, "Brush"):  # the last closes the palette
        tool(tab, canvas, name)


def load(tab, button: str, *files) -> None:
    with tab.expect_file_chooser() as chooser:
        tab.locator(f"#{button}").press("Enter")  # the keyboard's way
    chooser.value.set_files(files)


def run_regions(tab) -> np.ndarray:
    """Stylize and return the picture."""
    tab.locator("#regions-status").evaluate("note => note.querySelector('.time-bar')?.remove()")
    tab.locator("#regions-run").click()
    tab.locator("#regions-status .time-bar").wait_for()
    return np.asarray(saved(tab, "regions-download"), int)


class TestRegions:
    def test_one_click_stylizes_the_opening_regions(self, easel):
        assert easel.locator("#regions-painted").inner_text().startswith("Painted: Region 1, blue, ")
        easel.locator("#regions-run").click()
        easel.locator("#regions-status .time-bar").wait_for()
        record = json.loads(saved(easel, "regions-download").text["adain"])
        assert record["regions"] == {"1": {"styles": 1, "strength": 1.0}}

    def test_only_what_is_painted_changes(self, easel, tmp_path):
        picture(256, 192, 5).save(tmp_path / "photo.png")
        test_page.upload(easel, "regions-content", tmp_path / "photo.png")
        holds(easel, lambda labels: labels.size == (512, 384) and labels.getextrema() == (0, 0))
        choose(easel, "regions-rest", "Leave as it is")
        easel.locator("#regions-run").click()
        easel.locator("#regions-map-note").get_by_text("Nothing is painted yet").wait_for()
        paint(easel)
        easel.locator("#regions-run").click()
        easel.locator("#regions-status").get_by_text("512x384 pixels").wait_for()
        labels = saved(easel, "regions-save")
        inside = np.asarray(labels) == 1
        assert labels.size == (512, 384) and 0.01 < inside.mean() < 0.3 and labels.getextrema() == (0, 1)
        near = np.asarray(Image.fromarray(inside).convert("L").filter(ImageFilter.MaxFilter(49))) > 0
        photo = np.asarray(images.load(tmp_path / "photo.png", 512).rgb, int)
        change = np.abs(np.asarray(saved(easel, "regions-download"), int) - photo).max(-1)
        assert change[~near].max() == 0 and np.median(change[inside]) > 10

    def test_fields_come_with_their_regions(self, easel):
        fields = [easel.locator(f"#regions-region-{number}") for number in range(1, 9)]
        assert [each.is_visible() for each in fields] == [True] + [False] * 7
        easel.locator("#regions-add").click()
        fields[1].wait_for()
        clear(easel)
        fields[1].wait_for(state="hidden")
        paint(easel)
        brush(easel, "regions-canvas", "Region 8")
        paint(easel, down=70)
        fields[7].wait_for()
        assert [each.is_visible() for each in fields] == [True] + [False] * 6 + [True]
        for number in range(2, 8):
            easel.locator("#regions-add").click()
            fields[number - 1].wait_for()
        easel.locator("#regions-add").wait_for(state="hidden")
        run_regions(easel)
        record = json.loads(saved(easel, "regions-download").text["adain"])
        assert list(record["regions"]) == ["1", "8"]

    def test_undo_and_eraser(self, easel):
        clear(easel)
        paint(easel)
        painted = saved(easel, "regions-save")
        before = easel.locator("#regions-painted p").inner_text()
        tool(easel, "regions-canvas", "Undo")
        assert changed(easel, before) == "Painted: nothing."
        tool(easel, "regions-canvas", "Redo")
        assert changed(easel, "Painted: nothing.") == before
        tool(easel, "regions-canvas", "Erase")
        stroke(easel, "regions-canvas", down=20)
        changed(easel, before)
        left = np.asarray(saved(easel, "regions-save")) == 1
        assert 0 < left.sum() < (np.asarray(painted) == 1).sum() and not left[np.asarray(painted) == 0].any()

    def test_the_painting_survives_a_change_of_style_and_of_tab(self, easel):
        clear(easel)
        paint(easel)
        before = saved(easel, "regions-save")
        assert before.getextrema() == (0, 1)
        choose(easel, "regions-region-1", "Great waves")
        choose(easel, "regions-rest", "Woodcut")
        easel.get_by_role("tab", name="Stylize").click()
        easel.locator("#run").wait_for()
        easel.get_by_role("tab", name="Regions").click()
        easel.locator("#regions-canvas canvas").first.wait_for()
        assert np.array_equal(before, saved(easel, "regions-save"))

    def test_a_label_map_is_saved_and_loaded_at_its_size(self, easel, tmp_path):
        easel.locator("#regions-colors").click()
        easel.locator("#regions-map-note").get_by_text("A proposal: the largest is the rest").wait_for()
        first = holds(easel, lambda labels: labels.getextrema() == (0, 3))
        assert first.mode == "L" and easel.locator("#regions-region-3").is_visible()
        large = np.kron(np.asarray(first), np.ones((2, 2), np.uint8))
        large[::4] = 0  # finer than the canvas
        Image.fromarray(large).save(tmp_path / "labels.png")
        clear(easel)
        load(easel, "regions-map", tmp_path / "labels.png")
        easel.locator("#regions-map-note").get_by_text("The label map is loaded").wait_for()
        assert np.array_equal(holds(easel, lambda labels: labels.size[0] == 1024), large)

    def test_a_map_with_other_labels_is_refused(self, easel, tmp_path):
        labels_of([0, 9]).save(tmp_path / "labels.png")
        load(easel, "regions-map", tmp_path / "labels.png")
        easel.locator("#regions-map-note [role=alert]").get_by_text("a region 9").wait_for()

    def test_soft_masks_one_a_region(self, easel, tmp_path):
        picture(512, 384, 5).save(tmp_path / "photo.png")
        test_page.upload(easel, "regions-content", tmp_path / "photo.png")
        holds(easel, lambda labels: labels.size == (512, 384) and labels.getextrema() == (0, 0))
        upper, lower = np.array(gradient(1024, 768)), np.array(gradient(1024, 768))
        upper[384:], lower[:384] = 0, 0
        Image.fromarray(upper).save(tmp_path / "1 upper.png")
        Image.fromarray(lower).save(tmp_path / "2 lower.png")
        load(easel, "regions-masks", tmp_path / "2 lower.png", tmp_path / "1 upper.png")
        easel.locator("#regions-map-note").get_by_text("Loaded: Region 1, blue, Region 2, gold.").wait_for()
        labels = np.asarray(holds(easel, lambda labels: labels.size == (1024, 768) and labels.getextrema() == (0, 2)))
        assert set(labels[:380, 520:].flat) == {1} and set(labels[390:, 520:].flat) == {2}
        choose(easel, "regions-rest", "Leave as it is")
        choose(easel, "regions-region-2", "Leave as it is")
        change = np.abs(run_regions(easel) - np.asarray(Image.open(tmp_path / "photo.png"), int)).mean(-1)
        columns = [change[40:150, left : left + 64].mean() for left in (0, 224, 448)]
        assert columns[0] < columns[1] / 1.5 < columns[2] / 2  # soft: from left to right
        assert change[240:].max() == 0

    def test_more_masks_than_regions_are_refused(self, easel, tmp_path):
        paths = [tmp_path / f"{number}.png" for number in range(8)]
        for path in paths:
            gradient(32, 24).save(path)
        load(easel, "regions-masks", *paths)
        easel.locator("#regions-map-note [role=alert]").get_by_text("regions that are free: 7 of 8").wait_for()

    def test_a_painting_of_ones_own_is_asked_for_and_used(self, easel, tmp_path):
        choose(easel, "regions-region-1", "A painting of my own")
        easel.locator("#regions-run").click()
        easel.locator("#regions-region-1-own-note").get_by_text("choose its painting first").wait_for()
        picture(60, 50, 2).save(tmp_path / "own.png")
        easel.locator("#regions-region-1-own input[type=file]").set_input_files(str(tmp_path / "own.png"))
        easel.locator("#regions-region-1-own img").wait_for()
        easel.locator("#regions-run").click()
        easel.locator("#regions-status .time-bar").wait_for()

    def test_a_painted_strength_map(self, easel, tmp_path):
        plain = run_regions(easel)
        easel.locator("#regions-more button").first.click()
        easel.locator("#regions-strength-map-canvas canvas").first.wait_for()
        easel.locator("#regions-strength-map-save").click()
        easel.locator("#regions-strength-map-note").get_by_text("Nothing is painted yet.").wait_for()
        stroke(easel, "regions-strength-map-canvas")
        painted = saved(easel, "regions-strength-map-save")
        black = np.asarray(painted) == 0
        assert painted.mode == "L" and painted.getextrema() == (0, 255) and 0.02 < black.mean() < 0.5
        change = np.abs(run_regions(easel) - plain).max(-1)
        assert np.median(change[black]) > 10 and (change[~black] > 10).mean() < 0.3
        painted.save(tmp_path / "map.png")
        easel.locator("#regions-strength-map-clear").click()
        easel.locator("#regions-strength-map input[type=file]").set_input_files(str(tmp_path / "map.png"))
        easel.locator("#regions-strength-map img").wait_for()
        assert np.array_equal(run_regions(easel) - plain, np.asarray(run_regions(easel)) - plain)
        assert np.array_equal(saved(easel, "regions-strength-map-save"), painted)


class TestStyleMask:
    def test_a_painted_part_gives_the_style(self, tab):
        def run() -> bytes:
            tab.locator("#status").evaluate("note => note.querySelector('.time-bar')?.remove()")
            tab.locator("#run").click()
            tab.locator("#status .time-bar").wait_for()
            return saved(tab, "download").tobytes()

        assert not tab.locator("#style-mask").is_visible()
        whole = run()
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask-canvas canvas").first.wait_for()
        stroke(tab, "style-mask-canvas")
        mask = saved(tab, "style-mask-save")
        assert mask.size == (512, 384) and 0.02 < np.mean(np.asarray(mask) == 255) < 0.5
        part = run()
        assert part != whole
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask-canvas").wait_for(state="hidden")
        assert run() == part  # what is closed still holds
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask-clear").click()
        self.wait_until_blank(tab)
        assert run() == whole

    def test_the_paint_goes_with_its_painting(self, tab):
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask-canvas canvas").first.wait_for()
        stroke(tab, "style-mask-canvas")
        assert saved(tab, "style-mask-save").size == (512, 384)
        tab.locator("#styles button.thumbnail-item").nth(2).click()
        self.wait_until_blank(tab)

    def wait_until_blank(self, tab) -> None:
        for _ in range(60):
            with tab.expect_response("**/run/predict*"):
                tab.locator("#style-mask-save").click()
            if tab.locator("#style-mask-note").get_by_text("Nothing is painted yet.").count():
                return
        raise AssertionError("the canvas still has paint")

    def test_a_black_mask_is_refused_beside_its_field(self, tab, tmp_path):
        Image.new("L", (40, 30)).save(tmp_path / "black.png")
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask input[type=file]").set_input_files(str(tmp_path / "black.png"))
        tab.locator("#style-mask img").wait_for()
        tab.locator("#run").click()
        tab.locator("#status").get_by_text("The mask of style 1 is black").wait_for()
        tab.locator("#advanced button").first.click()
        tab.get_by_label("Gatys", exact=True).click()
        tab.locator("#run").click()
        tab.locator("#style-mask-note [role=alert]").get_by_text("This method takes the whole painting").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_over_a_phone(tab, url, scheme):
    tab.set_viewport_size({"width": 360, "height": 740})
    tab.goto(f"{url}?__theme={scheme}")
    tab.locator("#compare img").first.wait_for()
    for name in ("Controls", "Regions"):
        tab.get_by_role("tab", name=name).click()
        tab.locator(f"#{name.lower()}-run").wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        assert tab.evaluate("[...document.images].filter(image => !image.alt).length") == 0
