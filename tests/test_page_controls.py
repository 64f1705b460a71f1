"""The page's controls: colors and stroke size, grids of values, painted regions; by hand and in a real Chromium."""

import json
import re
import typing

import numpy as np
import pytest
import test_page
from conftest import picture
from gradio_client import handle_file
from PIL import Image, ImageFilter

from adain_core import images
from adain_core.pipeline import Settings
from ui import painting, sheet, widgets

url, client, browser_type_launch_args = test_page.url, test_page.client, test_page.browser_type_launch_args


def labels_of(*rows) -> Image.Image:
    """A label map of blocks of 16 pixels."""
    return Image.fromarray(np.kron(np.array(rows, np.uint8), np.ones((16, 16), np.uint8)))


class TestPainting:
    @pytest.mark.parametrize("size", [(512, 377), (377, 512), (512, 16), (511, 31)])
    def test_a_label_map_comes_back(self, size):
        labels = labels_of([0, 1, 2], [3, 4, 0]).resize(size, Image.Resampling.NEAREST)
        layer = painting.to_layer(labels, size)
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

    def test_the_last_color_wins_over_the_translucent_ones_below(self):
        (below, above) = (Image.new("RGBA", (512, 512), (*rgb, 179)) for rgb in ((242, 178, 13), (31, 95, 214)))
        assert painting.to_labels([Image.alpha_composite(below, above)], (512, 512)).getextrema() == (1, 1)
        assert painting.to_labels([below, above], (512, 512)).getextrema() == (1, 1)

    def test_nothing_painted_is_all_rest(self):
        assert painting.to_labels([], (30, 20)).getextrema() == (0, 0)

    def test_palettes_and_two_colors_are_label_maps_and_others_are_refused(self):
        palette = labels_of([0, 2]).convert("P")
        palette.putdata(labels_of([0, 2]).get_flattened_data())
        assert painting.to_labels([painting.to_layer(palette, (32, 16))], (32, 16)).getextrema() == (0, 2)
        black_and_white = Image.new("1", (32, 16), 1)
        assert painting.to_labels([painting.to_layer(black_and_white, (32, 16))], (32, 16)).getextrema() == (1, 1)
        with pytest.raises(ValueError, match="region 7, but the page takes 0, the rest, and 1 to 4"):
            painting.to_layer(labels_of([0, 7]), (32, 16))
        with pytest.raises(ValueError, match="one channel or a palette"):
            painting.to_layer(picture(32, 16, 1), (32, 16))


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
        tab.locator("#status").get_by_text("Tile pass 2 of").wait_for()
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


@pytest.fixture
def easel(tab):
    tab.get_by_role("tab", name="Regions").click()
    tab.locator("#regions-canvas canvas").first.wait_for()
    tab.wait_for_timeout(2000)  # until the editor has drawn; it doesn't say when
    return tab


def paint(tab) -> None:
    """Draw one stroke across the middle with the brush that is chosen."""
    tab.locator("#regions-canvas").scroll_into_view_if_needed()
    box = tab.locator("#regions-canvas canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x - 60, y)
    tab.mouse.down()
    tab.mouse.move(x + 60, y, steps=12)
    tab.mouse.up()
    tab.wait_for_timeout(1000)


class TestRegions:
    def test_one_click_stylizes_the_opening_regions(self, easel):
        easel.locator("#regions-run").click()
        easel.locator("#regions-status .time-bar").wait_for()
        record = json.loads(saved(easel, "regions-download").text["adain"])
        assert record["regions"] == {"1": {"styles": 1, "strength": 1.0}}

    def test_only_what_is_painted_changes(self, easel, tmp_path):
        picture(256, 192, 5).save(tmp_path / "photo.png")
        test_page.upload(easel, "regions-content", tmp_path / "photo.png")
        easel.wait_for_timeout(2000)
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

    def test_the_painting_survives_a_change_of_style_and_of_tab(self, easel):
        easel.locator("#regions-clear").click()
        easel.wait_for_timeout(1500)
        paint(easel)
        before = saved(easel, "regions-save")
        assert before.getextrema() == (0, 1)
        choose(easel, "regions-region-1", "Great waves")
        choose(easel, "regions-rest", "Woodcut")
        easel.get_by_role("tab", name="Stylize").click()
        easel.get_by_role("tab", name="Regions").click()
        easel.wait_for_timeout(1000)
        assert np.array_equal(before, saved(easel, "regions-save"))

    def test_a_label_map_is_saved_and_loaded(self, easel, tmp_path):
        easel.locator("#regions-colors").click()
        easel.locator("#regions-map-note").get_by_text("A proposal: the largest is the rest").wait_for()
        easel.wait_for_timeout(1500)
        first = saved(easel, "regions-save")
        assert first.mode == "L" and first.getextrema() == (0, 3)
        first.save(tmp_path / "labels.png")
        easel.locator("#regions-clear").click()
        easel.wait_for_timeout(1500)
        assert saved(easel, "regions-save").getextrema() == (0, 0)
        with easel.expect_file_chooser() as chooser:
            easel.locator("#regions-map").press("Enter")  # the keyboard's way
        chooser.value.set_files(tmp_path / "labels.png")
        easel.locator("#regions-map-note").get_by_text("The label map is loaded").wait_for()
        easel.wait_for_timeout(1500)
        assert np.array_equal(first, saved(easel, "regions-save"))

    def test_a_map_with_other_labels_is_refused(self, easel, tmp_path):
        labels_of([0, 9]).save(tmp_path / "labels.png")
        with easel.expect_file_chooser() as chooser:
            easel.locator("#regions-map").click()
        chooser.value.set_files(tmp_path / "labels.png")
        easel.locator("#regions-map-note [role=alert]").get_by_text("a region 9").wait_for()

    def test_a_painting_of_ones_own_is_asked_for_and_used(self, easel, tmp_path):
        choose(easel, "regions-region-1", "A painting of my own")
        easel.locator("#regions-run").click()
        easel.locator("#regions-region-1-note").get_by_text("choose its painting first").wait_for()
        picture(60, 50, 2).save(tmp_path / "own.png")
        easel.locator("#regions-region-1-own input[type=file]").set_input_files(str(tmp_path / "own.png"))
        easel.locator("#regions-region-1-own img").wait_for()
        easel.locator("#regions-run").click()
        easel.locator("#regions-status .time-bar").wait_for()


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
