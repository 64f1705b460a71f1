"""Colors, stroke size, style masks and grids of values on the page, through its API and in a real Chromium."""

import json
import re
import typing

import numpy as np
import pytest
from browser import choose, saved, stroke, upload
from conftest import picture
from gradio_client import handle_file
from PIL import Image

from adain_core import PictureError
from adain_core.runs.pipeline import Settings
from ui.components import widgets
from ui.tabs import stylize


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


class TestStylize:
    def test_colors_and_strokes_wait_in_a_closed_accordion(self, tab):
        assert not tab.locator("#color").is_visible()
        tab.locator("#colors button").first.click()
        tab.get_by_label("256 px").click()
        runs: list[str] = []
        tab.on("request", lambda request: runs.append(request.url) if request.url.endswith("queue/join?") else None)
        choose(tab, "color", "luminance")  # runs by itself
        tab.locator("#details").get_by_text("256x190 pixels").wait_for()
        assert "Color shift" in tab.locator("#details").inner_text()
        record = json.loads(saved(tab, "download").text["adain"])
        assert record["color"] == "luminance"
        assert f"{record['color_shift']:.1f} (Delta E" in tab.locator("#details").inner_text()
        assert len(runs) == 1, "Gradio's dropdown tells of one choice twice by its input event"
        tab.locator("#color input").focus()
        with tab.expect_request(lambda request: request.url.endswith("queue/join?")):
            for key in ("ArrowDown", "Enter"):
                tab.keyboard.press(key)
        tab.wait_for_timeout(500)  # a second event would come at once; what the status says meanwhile may be too short
        tab.locator("#details").get_by_text("256x190 pixels").wait_for()
        assert len(runs) == 2

    def test_a_large_picture_is_forecast_and_reports_its_tiles(self, tab):
        said = "MutationObserver"
        tab.evaluate(
            f"window.said = []; new {said}(() => window.said.push(document.querySelector('#status').innerText))"
            ".observe(document.querySelector('#status'), {childList: true, subtree: true, characterData: true})"
        )
        tab.get_by_label("4096 px").click()
        tab.locator("#run").click()
        tab.locator("#status").get_by_text(re.compile(r"Tile pass \d+ of")).wait_for()
        tab.locator("#stop").click()
        tab.locator("#status-stopped").get_by_text("Stopped. The last picture is kept.").wait_for()
        assert not tab.locator("#status").is_visible(), "a step that comes late must not be seen"
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
        assert "reconstruction: SSIM 0." in tab.locator("#controls-gallery .caption-label").first.inner_text()
        assert not tab.locator("#controls-seen").is_visible()

    def test_stroke_sizes_show_the_painting_as_the_network_sees_it(self, tab):
        tab.get_by_role("tab", name="Controls").click()
        tab.get_by_label("Stroke sizes").click()
        tab.locator("#controls-run").click()
        tab.locator("#controls-seen .caption-label").nth(4).wait_for()
        captions = tab.locator("#controls-seen .caption-label").all_inner_texts()
        assert captions[0] == "stroke size 0.25 · 128 pixels" and captions[-1] == "stroke size 4 · 2048 pixels"
        tab.locator("#controls-status").get_by_text("Stroke sizes: 5 of 5.").wait_for()

    def test_stop_keeps_finished_pictures(self, tab):
        tab.get_by_role("tab", name="Controls").click()
        tab.get_by_label("Sizes", exact=True).click()
        tab.evaluate(  # by hand it could come after the end
            """() => new MutationObserver((_, watch) => {
                const stop = document.querySelector('#controls-stop');
                if (stop.disabled || !document.querySelector('#controls-status').innerText.startsWith('Sizes')) return;
                watch.disconnect();
                stop.click();
            }).observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true })"""
        )
        tab.locator("#controls-run").click()
        tab.locator("#controls-status-stopped").get_by_text("Stopped. Finished pictures are kept.").wait_for()
        tab.get_by_label("Strengths").click()
        tab.locator("#controls-run").click()  # waits for the worker, so what was stopped would have come before it
        tab.locator("#controls-status").get_by_text("Strengths: 5 of 5.").wait_for()
        assert tab.locator("#controls-gallery .caption-label").count() == 5

    def test_a_bad_picture_is_refused_beside_its_field(self, tab, tmp_path):
        (tmp_path / "bad.png").write_bytes(b"no picture")
        tab.get_by_role("tab", name="Controls").click()
        upload(tab, "controls-style", tmp_path / "bad.png")
        tab.locator("#controls-style-note [role=alert]").get_by_text("This file is not a picture").wait_for()
        tab.locator("#controls-run").click()
        tab.locator("#controls-style-note").get_by_text(widgets.MISSING["style"]).wait_for()


def test_masks_stand_beside_their_paintings(tmp_path):
    files = {name: str(tmp_path / f"{name}.png") for name in ("one", "three", "mask")}
    for path in files.values():
        picture(40, 30, 1).save(path)
    values = {f"{slot}{part}": None for slot in stylize.SLOTS for part in ("", "_mask")}
    values |= {f"{slot}_mask_canvas": [] for slot in stylize.SLOTS}
    values |= {"style": files["one"], "style_3": files["three"], "method": "adain"}
    values |= {f"{slot}_mask_of": values[slot] for slot in stylize.SLOTS}
    assert stylize._style_masks(values, ["style", "style_3"]) is None
    values["style_3_mask"] = files["mask"]
    assert stylize._style_masks(values, ["style", "style_3"]) == [None, files["mask"]]
    assert stylize._style_masks(values | {"style_3_mask_of": files["one"]}, ["style", "style_3"]) is None  # another's
    with pytest.raises(PictureError, match="^Style mask 2: This method uses the whole painting"):
        stylize._style_masks(values | {"method": "gatys"}, ["style", "style_3"])


class TestStyleMask:
    def test_a_painted_part_gives_the_style(self, tab):
        assert not tab.locator("#style-part").is_visible()
        whole = self.run(tab)
        tab.locator("#mix button").first.click()
        assert not tab.locator("#style-mask").is_visible()
        self.open(tab, "style")
        stroke(tab, "style-mask-canvas")
        mask = saved(tab, "style-mask-save")
        assert mask.size == (512, 384) and 0.02 < np.mean(np.asarray(mask) == 255) < 0.5
        part = self.run(tab)
        assert part != whole
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask-canvas").wait_for(state="hidden")
        assert self.run(tab) == part  # what is closed still holds
        tab.locator("#mix button").first.click()
        tab.locator("#style-mask-clear").click()
        self.wait_until_blank(tab)
        assert self.run(tab) == whole

    def test_the_paint_goes_with_its_painting(self, tab):
        tab.locator("#mix button").first.click()
        self.open(tab, "style")
        stroke(tab, "style-mask-canvas")
        assert saved(tab, "style-mask-save").size == (512, 384)
        tab.locator("#styles button.thumbnail-item").nth(2).click()
        self.wait_until_blank(tab)

    def test_every_painting_has_its_own(self, tab, tmp_path):
        two = picture(400, 300, 2)
        two.paste((200, 30, 30), (200, 0, 400, 300))  # one half is flat
        two.save(tmp_path / "two.png")
        right = Image.new("L", (40, 30))
        right.paste(255, (20, 0, 40, 30))
        right.save(tmp_path / "right.png")
        tab.locator("#mix button").first.click()
        tab.locator("#style_3 input[type=file]").set_input_files(str(tmp_path / "two.png"))
        tab.locator("#style_3 img").wait_for()
        whole = self.run(tab)
        self.open(tab, "style-3")
        tab.locator("#style-3-mask input[type=file]").set_input_files(str(tmp_path / "right.png"))
        tab.locator("#style-3-mask img").wait_for()
        flat = self.run(tab)
        assert flat != whole
        stroke(tab, "style-3-mask-canvas")
        painted = saved(tab, "style-3-mask-save")  # over the file
        assert painted.size == (40, 30) and np.asarray(painted)[:, :18].max() == 255
        assert self.run(tab) not in (flat, whole)
        Image.new("L", (40, 30)).save(tmp_path / "black.png")
        self.open(tab, "style")
        tab.locator("#style-mask input[type=file]").set_input_files(str(tmp_path / "black.png"))
        tab.locator("#style-mask img").wait_for()
        tab.locator("#run").click()
        tab.locator("#style-mask-note [role=alert]").get_by_text("It is black").wait_for()

    def test_a_bad_mask_is_refused_beside_its_field(self, tab, tmp_path):
        Image.new("L", (60, 40)).save(tmp_path / "black.png")
        picture(60, 40, 2).save(tmp_path / "two.png")
        tab.locator("#mix button").first.click()
        cleared = ("style_2_mask_of", "style_2_mask_canvas", "style_2_mask", "style_2_mask_note")
        with tab.expect_response(lambda each: "predict" in each.url and len(each.json()["data"]) == len(cleared)):
            tab.locator("#style_2 input[type=file]").set_input_files(str(tmp_path / "two.png"))
        self.open(tab, "style-2")
        tab.locator("#style-2-mask input[type=file]").set_input_files(str(tmp_path / "black.png"))
        tab.locator("#style-2-mask img").wait_for()
        tab.locator("#run").click()
        tab.locator("#style-2-mask-note [role=alert]").get_by_text("It is black").wait_for()
        tab.locator("#advanced button").first.click()
        tab.get_by_label("Gatys", exact=True).click()
        tab.locator("#run").click()
        tab.locator("#style-2-mask-note [role=alert]").get_by_text("This method uses the whole painting").wait_for()

    def open(self, tab, painting: str) -> None:
        tab.locator(f"#{painting}-part button").first.click()
        tab.locator(f"#{painting}-mask-canvas canvas").first.wait_for()

    def run(self, tab) -> bytes:
        tab.locator("#details").evaluate("note => note.querySelector('.time-bar')?.remove()")
        tab.locator("#run").click()
        tab.locator("#details .time-bar").wait_for()
        return saved(tab, "download").tobytes()

    def wait_until_blank(self, tab) -> None:
        for _ in range(60):
            with tab.expect_response("**/run/predict*"):
                tab.locator("#style-mask-save").click()
            if tab.locator("#style-mask-note").get_by_text("Nothing is painted yet.").count():
                return
        raise AssertionError("the canvas still has paint")


def test_nothing_runs_over_a_phone(phone):
    tab, _ = phone
    for name in ("Controls", "Regions"):
        tab.get_by_role("tab", name=name).click()
        tab.locator(f"#{name.lower()}-run").wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.wait_for_function("[...document.images].every(image => image.alt || image.closest('footer'))")
