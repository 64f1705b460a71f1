"""One pair for all tabs, in a real Chromium."""

import functools

from browser import finished, saved, upload
from conftest import picture
from PIL import Image

from adain_core.contracts import Limits
from ui.components import fields
from ui.tabs import regions


def go(tab, name: str) -> None:
    tab.get_by_role("tab", name=name, exact=True).first.click()


def shows(tab, field: str, file: str) -> None:
    tab.locator(f"#{field} img[src$='/{file}']").wait_for()


def test_a_mask_of_another_picture_is_not_applied(tmp_path):
    Image.new("L", (20, 20), 255).save(tmp_path / "mask.png")
    here = {"mask": str(tmp_path / "mask.png"), "mask_canvas": [], "style": str(tmp_path / "mask.png")}
    read = functools.partial(fields.read_gray, name="mask", of="style", ground=0, role="style mask")
    assert read({**here, "mask_of": here["style"]}) == here["mask"]
    assert read({**here, "mask_of": "the painting before"}) is None


def test_regions_of_another_photograph_are_not_applied(shipped_pair):
    content = str(shipped_pair[0])
    red = Image.new("RGBA", (512, 512), "#1f5fd6")
    given = {
        "content": content,
        "of": "the photograph before",
        "size": 64,
        "canvas": [red],
        "loaded": None,
        "strokes": "auto",
    }
    *_, view = regions.stylize_regions({**given, "style": None}, Limits())
    assert "Nothing is painted yet" in view.map_note


class TestOnePair:
    def test_a_choice_is_shown_in_every_tab(self, tab):
        tab.locator("#photos button.thumbnail-item").nth(2).click()
        shows(tab, "content", "tiger.jpg")
        go(tab, "Controls")
        shows(tab, "controls-content", "tiger.jpg")
        tab.locator("#controls-styles button[aria-label='Woodcut']").click()
        shows(tab, "controls-style", "woodcut.jpg")
        for name, prefix in (("Compare", "compare-"), ("Regions", "regions-"), ("Stylize", "")):
            go(tab, name)
            shows(tab, f"{prefix}content", "tiger.jpg")
            shows(tab, f"{prefix}style", "woodcut.jpg")

    def test_a_button_takes_the_pair_to_compare(self, tab):
        tab.locator("#photos button.thumbnail-item").nth(2).click()
        shows(tab, "content", "tiger.jpg")
        tab.locator("#to-compare").click()
        shows(tab, "compare-content", "tiger.jpg")
        assert tab.evaluate("document.activeElement.id") == "tab-compare-button"

    def test_labels_stand_over_pictures_not_on_them(self, glass):
        go(glass, "Stylize")
        bottom = "[...document.querySelectorAll('#{} > label')].at(-1).getBoundingClientRect().bottom"
        for name in ("content", "style", "compare"):
            top = f"document.querySelector('#{name} img').getBoundingClientRect().top"
            glass.wait_for_function(f"{bottom.format(name)} <= {top} + 1")

    def test_a_stored_result_brings_its_pair(self, tab):
        tab.locator("#pairs button.thumbnail-item").nth(1).click()
        shows(tab, "content", "bridge.jpg")
        shows(tab, "style", "impasto_sunset.jpg")

    def test_an_upload_is_sent_once_and_clears_the_old_regions(self, tab, tmp_path):
        go(tab, "Regions")
        tab.locator("#regions-painted").get_by_text("Painted: Region 1, blue").wait_for()
        picture(96, 64, 1).save(tmp_path / "mine.png")
        go(tab, "Stylize")
        uploads: list[str] = []
        tab.on("request", lambda request: uploads.append(request.url) if "/upload?" in request.url else None)
        upload(tab, "content", tmp_path / "mine.png")
        shows(tab, "content", "mine.png")
        go(tab, "Regions")
        shows(tab, "regions-content", "mine.png")
        tab.locator("#regions-painted").get_by_text("Painted: nothing.").wait_for()
        assert len(uploads) == 1
        tab.locator("#regions-run").click()
        tab.locator("#regions-map-note").get_by_text("Nothing is painted yet").wait_for()
        assert saved(tab, "regions-save").getextrema() == (0, 0)

    def test_a_rejected_file_is_not_used_and_every_tab_shows_the_reason_once(self, tab, tmp_path):
        (tmp_path / "bad.png").write_bytes(b"no picture")
        upload(tab, "content", tmp_path / "bad.png")
        for name, prefix in (("Stylize", ""), ("Compare", "compare-"), ("Controls", "controls-")):
            go(tab, name)
            tab.locator(f"#{prefix}content-note").get_by_text("This file is not a picture").wait_for()
            assert tab.get_by_text("This file is not a picture").locator("visible=true").count() == 1
            assert tab.locator(f"#{prefix}content img").count() == 0

    def test_a_late_answer_to_a_removal_does_not_take_a_new_upload_away(self, tab, tmp_path):
        picture(96, 64, 1).save(tmp_path / "mine.png")
        held: list = []
        tab.route("**/run/predict*", lambda route: route.continue_() if held else held.append(route))
        upload(tab, "content", tmp_path / "mine.png")  # the first request is the removal's
        finished(tab, "512x341 pixels")  # an upload runs at once
        with tab.expect_response("**/run/predict*"):
            held[0].continue_()
        first = tab.locator("#compare img").last.get_attribute("src")
        tab.locator("#run").click()
        tab.wait_for_function(f"document.querySelector('#compare img:last-of-type').src !== '{first}'")
        finished(tab, "512x341 pixels")

    def test_further_paintings_have_thumbnails(self, tab):
        tab.locator("#mix button").first.click()
        tab.locator("#styles-3 button[aria-label='Mosaic']").click()
        shows(tab, "style_3", "mosaic.jpg")
