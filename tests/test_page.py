"""The page in a real Chromium."""

import io
import json
import re
import urllib.request

from browser import finished, under_way, upload
from conftest import picture
from PIL import Image

from ui.components.widgets import MISSING


class TestInABrowser:
    def test_one_click_stylizes(self, tab):
        assert "stored" not in tab.locator("#status").inner_text()
        tab.locator("#run").click()
        finished(tab, "512x381 pixels, compact")
        for stage in ("AdaIN", "decode", "in total"):  # encoding takes no time if another test met the pair
            assert stage in tab.locator("#details").inner_text()
        with tab.expect_download() as download:
            tab.locator("#download").click()
        with Image.open(download.value.path()) as image:
            assert image.size == (512, 381) and json.loads(image.text["adain"])["method"] == "adain"

    def test_own_pictures_and_pictures_side_by_side(self, tab, tmp_path):
        picture(91, 67, 1).save(tmp_path / "photo.png")
        picture(50, 70, 2).save(tmp_path / "painting.tif")  # no browser shows it: the page does
        upload(tab, "content", tmp_path / "photo.png")
        upload(tab, "style", tmp_path / "painting.tif")
        tab.locator("#style img[src$='.png']").wait_for()
        tab.get_by_label("256 px").click()
        tab.locator("#run").click()
        finished(tab, "256x188 pixels")
        tab.get_by_role("tab", name="Side by side").click()
        result = tab.locator("#picture img")
        result.wait_for()
        assert result.get_attribute("alt") == "The photograph in the new style"
        data = urllib.request.urlopen(result.get_attribute("src")).read()
        assert Image.open(io.BytesIO(data)).size == (256, 188)

    def test_strength_runs_again_and_changes_the_picture(self, tab):
        tab.locator("#run").click()
        finished(tab, "512x381 pixels")
        before = tab.locator("#compare img").last.get_attribute("src")
        tab.get_by_label("range slider for Strength").focus()
        tab.keyboard.press("Home")
        tab.wait_for_function(f"document.querySelectorAll('#compare img')[1].src !== {json.dumps(before)}")

    def test_mixing_a_second_painting(self, tab, tmp_path):
        picture(50, 70, 2).save(tmp_path / "second.png")
        tab.locator("#mix button").first.click()
        tab.locator("#style_2 input[type=file]").set_input_files(str(tmp_path / "second.png"))
        tab.locator("#style_2 img").wait_for()
        tab.get_by_label("256 px").click()
        tab.locator("#run").click()
        finished(tab, "256x190 pixels")
        with tab.expect_download() as download:
            tab.locator("#download").click()
        with Image.open(download.value.path()) as image:
            assert json.loads(image.text["adain"])["weights"] == [0.5, 0.5]

    def test_a_wrong_file_gets_a_sentence_beside_its_field(self, tab, tmp_path):
        (tmp_path / "bad.png").write_bytes(b"no picture")
        upload(tab, "content", tmp_path / "bad.png")
        note = tab.locator("#content-note [role=alert]").first
        note.wait_for()
        assert note.inner_text().startswith("This file is not a picture")
        tab.locator("#run").click()
        tab.locator("#content-note").get_by_text(MISSING["content"]).wait_for()
        assert tab.locator("#compare img").count() == 2  # the last picture stays

    def test_a_missing_photograph_is_asked_for(self, tab):
        tab.locator("#content button[aria-label='Remove Image']").click()
        tab.locator("#run").click()
        tab.locator("#content-note").get_by_text(MISSING["content"]).first.wait_for()

    def test_stop_stops(self, tab):
        before = tab.locator("#compare img").last.get_attribute("src")
        tab.get_by_label("4096 px").click()
        tab.locator("#run").click()
        under_way(tab)
        tab.locator("#stop").click()
        tab.locator("#status-stopped").get_by_text("Stopped. The last picture is kept.").wait_for()
        tab.get_by_label("256 px").click()
        tab.locator("#run").click()  # waits for the worker, so what was stopped would have come before it
        finished(tab, "256x190 pixels")
        assert tab.locator("#status").is_visible() and tab.locator("#status-stopped").inner_text() == ""
        assert tab.locator("#compare img").last.get_attribute("src") != before

    def test_an_optimization_shows_its_steps_and_stops(self, tab):
        tab.locator("#advanced button").first.click()
        tab.get_by_label("Gatys", exact=True).click()
        tab.locator("#gatys-parameters button").first.click()
        tab.locator("#gatys-steps").wait_for()
        assert tab.locator("#gatys-seconds").count() == 0 and not tab.locator("#adain-alpha").is_visible()
        tab.get_by_label("256 px").click()
        before = tab.locator("#compare img").last.get_attribute("src")
        tab.locator("#run").click()
        tab.locator("#status").get_by_text(re.compile(r"Step \d+ of 120")).first.wait_for()
        tab.wait_for_function(f"document.querySelectorAll('#compare img')[1].src !== {json.dumps(before)}")
        tab.locator("#stop").click()
        tab.locator("#status-stopped").get_by_text("Stopped. The last picture is kept.").wait_for()
        tab.locator("#pairs button.thumbnail-item").nth(0).click()
        tab.locator("#status").get_by_text("A stored result.").wait_for()  # in the place of what Stop said
        tab.get_by_label("AdaIN", exact=True).click()
        tab.locator("#run").click()  # the worker is free again
        finished(tab, "256x190 pixels, compact")

    def test_a_stored_result_is_shown_at_once(self, tab):
        tab.locator("#pairs button.thumbnail-item").nth(3).click()
        tab.locator("#details").get_by_text("in the style of Stained glass.").wait_for()

    def test_by_keyboard_alone(self, tab):
        tab.get_by_label("256 px").focus()
        tab.keyboard.press("Space")
        tab.wait_for_function("document.querySelector('#size input:checked').value === '256'")
        tab.locator("#photos button.thumbnail-item").nth(1).focus()
        tab.keyboard.press("Enter")
        finished(tab, "256x256 pixels")
        tab.locator("#run").focus()
        assert tab.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        tab.keyboard.press("Enter")
        finished(tab, "256x256 pixels")

    def test_every_picture_and_control_has_a_name(self, tab):
        tab.locator("#photos button[aria-label='Astronaut']").wait_for()
        tab.wait_for_function("[...document.images].every(image => image.alt || image.closest('footer'))")
        tab.wait_for_function("[...document.querySelectorAll('button')].every(b => b.innerText.trim() || b.ariaLabel)")

    def test_a_phone(self, phone):
        tab, scheme = phone
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        tab.locator("#run").click()
        finished(tab, "512x381 pixels")
        bright = (
            "parseInt(getComputedStyle(document.querySelector('gradio-app')).backgroundColor.match(/[0-9]+/)[0]) > 128"
        )
        assert tab.evaluate(bright) == (scheme == "light")

    def test_the_page_makes_no_external_requests(self, page, url):
        hosts = set()
        page.on("request", lambda request: hosts.add(request.url.split("/")[2] if "://" in request.url else ""))
        page.goto(url)
        page.locator("#compare img").first.wait_for()
        assert hosts - {""} == {url.split("/")[2]}
