"""The tab Compare: its drawings by hand, and its runs in a real Chromium."""

import csv
import io
import json
import pickle
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace

import pytest
from browser import upload
from conftest import picture
from PIL import Image

from adain_core import methods
from adain_core.contracts import Limits
from adain_core.evaluation import report
from adain_core.evaluation.comparison import Output, Point
from ui.components import curves, outputs, scores
from ui.components.skip import Latest
from ui.components.widgets import MISSING, drawn
from ui.tabs import compare

FALLING = [Point(number, 0.1 * number, 8 / 2 ** (number - 1)) for number in range(1, 6)]  # 8, 4, 2, 1, 0.5


class TestCurves:
    def test_halving_is_a_straight_line_on_a_logarithmic_scale(self):
        line = ET.fromstring(curves.draw({"Gatys": FALLING})).find("polyline").get("points")
        places = [[float(value) for value in point.split(",")] for point in line.split()]
        across = [after[0] - before[0] for before, after in zip(places, places[1:], strict=False)]
        down = [after[1] - before[1] for before, after in zip(places, places[1:], strict=False)]
        assert across == pytest.approx([across[0]] * 4, abs=0.2) and across[0] > 0
        assert down == pytest.approx([down[0]] * 4, abs=0.2) and down[0] > 0

    def test_adains_loss_is_a_line_marked_where_a_curve_crosses_it(self):
        drawn = ET.fromstring(curves.draw({"Gatys": FALLING, "Slow": [Point(1, 1.0, 9.0), Point(9, 2.0, 8.0)]}, 2.0))
        level = drawn.find("line[@class='goal'][@x1='52']")
        assert level.get("y1") == level.get("y2")
        (circle,) = drawn.findall("circle")
        third = drawn.findall("polyline")[0].get("points").split()[2].split(",")
        assert (circle.get("cx"), circle.get("cy")) == tuple(third) and circle.get("cy") == level.get("y1")
        assert "AdaIN = 3 iterations of Gatys" in [each.text for each in drawn.findall("text")]
        words = drawn.get("aria-label")
        assert "Gatys: from 8 to 0.5 in 5 iterations. It reaches AdaIN's loss after 3 iterations." in words
        assert "Slow does not reach AdaIN's loss." in words

    def test_by_seconds(self):
        drawn = ET.fromstring(curves.draw({"Gatys": FALLING}, by="seconds"))
        texts = [each.text for each in drawn.findall("text")]
        assert "seconds" in texts and "0.5" in texts and "iterations" not in texts

    @pytest.mark.parametrize("points", [[], [Point(1, 0.1, 0.0)], [Point(1, 0.0, 3.0)]])
    def test_hardly_anything_to_draw(self, points):
        drawn = curves.draw({"Gatys": points, "<b>": []}, 1.0)
        assert drawn.startswith("<svg" if points else "<p") and "<b>" not in drawn


def test_the_table_marks_the_best_and_explains_its_columns():
    nothing = dict.fromkeys(report.COLUMNS)
    rows = [
        {"name": "", "title": "The photograph itself", "state": "", **nothing, "ssim": 1.0},
        {"name": "adain", "title": "A <b>", "state": "done", **nothing, "ssim": 0.4, "seconds": 0.02},
        {"name": "gatys", "title": "Gatys", "state": "done", **nothing, "ssim": 0.7, "seconds": 9.0},
    ]
    drawn = ET.fromstring(f"<div>{scores.draw(rows)}</div>")
    heads = drawn.findall(".//thead//button")
    assert [each.get("title") for each in heads[1:]] == [column.help for column in report.COLUMNS.values()]
    assert [each.text for each in drawn.findall(".//td[@class='best']")] == ["0.02", "0.700"]  # not the photograph's 1
    assert [each.text for each in drawn.findall(".//tbody/tr/th")] == ["The photograph itself", "A <b>", "Gatys"]


def test_a_cell_says_how_it_ended_and_offers_stop_only_until_then():
    failed = outputs.cell(Output("gatys", "failed", "The painting is <too> dark."), None)
    assert '<p class="refused" role="alert">The painting is &lt;too&gt; dark.</p>' in failed["gatys.caption"]
    assert failed["gatys.stop"]["visible"] is False
    curve = (Point(7, 1.5, 0.25),)
    running = Output("gatys", "running", image=None, iteration=7, iterations=40, seconds=1.5, curve=curve)
    shown = outputs.cell(running, None)
    assert "1.50 s · 7 of 40 steps · mean-std loss 0.250" in shown["gatys.caption"]
    assert shown["gatys.stop"]["visible"] and shown["gatys.stop"]["interactive"]


def test_the_progress_bar_and_the_remaining_time():
    running = Output("gatys", "running", image=None, iteration=10, iterations=40, seconds=3.0)
    ended, waiting = Output("adain", "done", seconds=0.1), Output("mrf", "waiting")
    now = SimpleNamespace(outputs={"adain": ended, "gatys": running, "mrf": waiting}, changed="gatys")
    for mode, limit, left, width in (("each", 60, 9, 41.7), ("each", 6, 3, 50.0), ("equal-time", 15, 12, 40.0)):
        now.settings = {"mode": mode}
        html = outputs.progress(now, limit)
        assert f"10 of 40 steps · about {left} s left" in html and f"width:{width}%" in html


def test_more_time_than_the_server_gives_is_refused():
    names = ["adain", "gatys", "mrf", "adversarial", "optimize", "style_swap"]
    values = {"methods": names, "mode": "each", "seconds": 60, "model": "compact", "size": 128, "options": {}}
    assert len(compare._runs(values, Limits())) == 6  # style swap has a network
    values["options"] = {"style_swap": {"by": "optimization"}}
    with pytest.raises(ValueError, match="5 optimizations of up to 60 s each exceed the 240 s"):
        compare._runs(values, Limits())


def test_on_zerogpu_a_run_in_a_process_of_its_own_can_be_stopped(tmp_path, monkeypatch):
    """What goes there and comes back is pickled, and nothing else is shared but files."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "cache"))
    for name, seed in (("content", 1), ("style", 2)):
        picture(80, 60, seed).save(tmp_path / f"{name}.png")
    latest = Latest()
    skip = latest.begin()
    values = {name: str(tmp_path / f"{name}.png") for name in ("content", "style")}
    values |= {"methods": ["gatys", "adain", "mrf"], "mode": "each", "seconds": 60, "size": 64, "skip": skip}
    values |= {"model": "compact", "judge": "perceptual"}
    for name in values["methods"]:
        values |= {f"{name}.{each}": info.default for each, info in drawn(methods.get(name)).items()}
    shown = {}
    for view in compare.show_all(*pickle.loads(pickle.dumps((values, Limits())))):
        shown |= pickle.loads(pickle.dumps(view))
        if " steps" in view.get("gatys.caption", ""):
            skip.add("gatys")
        if " steps" in view.get("mrf.caption", ""):
            latest.begin()  # another run, which lets go of this one
    for name in ("gatys", "mrf"):
        assert "Stopped after " in shown[f"{name}.caption"]
    assert Path(shown["adain.picture"]).is_file() and not skip.folder.exists()


@pytest.fixture
def tab(page, url):
    return opened(page, url)


def opened(page, url):
    page.set_default_timeout(90_000)
    page.goto(url)
    page.get_by_role("tab", name="Compare", exact=True).first.click()
    page.locator("#compare-adain-picture img").wait_for()
    return page


def small(tab, *names: str) -> None:
    """Choose 128 pixels and these methods alone."""
    tab.locator("#compare-size").get_by_label("128 px").check()
    for name in ("AdaIN", "Gatys", "Style swap"):
        tab.locator("#compare-methods").get_by_label(name, exact=True).set_checked(name in names)


def titles(tab) -> list[str]:
    return tab.locator("#compare-table tbody th").all_inner_texts()


def saved(tab, button: str) -> bytes:
    with tab.expect_download() as download:
        tab.locator(f"#compare-{button}").click()
    with open(download.value.path(), "rb") as file:
        return file.read()


def ended(tab) -> None:
    tab.locator("#compare-status").get_by_text("Done.").wait_for()
    tab.locator("#compare-details").get_by_text(re.compile(r"^\d+x\d+ pixels; .* judged by the encoder of")).wait_for()


def under_way(tab) -> None:
    tab.locator("#compare-status").get_by_text(re.compile(r"^Gatys: .* \d+ of \d+ steps")).wait_for()


class TestInABrowser:
    def test_it_opens_with_the_stored_comparison(self, tab):
        assert "A stored result" in tab.locator("#compare-status").inner_text()
        for name in ("adain", "gatys", "style_swap"):
            tab.locator(f"#compare-{name}-picture img").wait_for()
            assert tab.locator("#compare-methods").get_by_label(methods.get(name).title, exact=True).is_checked()
        assert titles(tab) == ["The photograph itself", "AdaIN", "Style swap", "Gatys"]
        assert "Gatys" in tab.locator("#compare-found").inner_text()
        assert "AdaIN's loss" in tab.locator("#compare-plot svg").text_content()
        assert json.loads(saved(tab, "json"))["settings"]["size"] == [256, 190]

    def test_methods_fill_in_one_is_stopped_and_the_table_is_downloaded(self, tab):
        small(tab, "AdaIN", "Gatys", "Style swap")
        tab.locator("#compare-mode").get_by_label("Equal time").check()  # so that Gatys can only end by Stop
        tab.get_by_label("number input for Time limit").fill("60")
        tab.locator("#compare-run").click()
        under_way(tab)
        tab.locator("#compare-adain-picture img").wait_for()
        assert titles(tab) == ["The photograph itself", "AdaIN", "Style swap", "Gatys"]
        assert tab.locator("#compare-plot svg").get_by_text("Gatys").first.is_visible()
        tab.locator("#compare-gatys-stop").click()
        ended(tab)
        assert "Stopped after" in tab.locator("#compare-gatys-caption").inner_text()
        assert tab.locator("#compare-cells button:text('Stop')").count() == 0
        rows = {row["name"]: row for row in csv.DictReader(io.StringIO(saved(tab, "csv").decode()))}
        assert [rows[name]["state"] for name in ("adain", "style_swap", "gatys")] == ["done", "done", "stopped"]
        results = json.loads(saved(tab, "json"))
        assert results["settings"]["size"] == [128, 95] and results["settings"]["mode"] == "equal-time"
        with Image.open(io.BytesIO(saved(tab, "sheet"))) as sheet:
            assert sheet.format == "PNG" and sheet.width >= 1200

    def test_the_table_is_sorted_by_mouse_and_by_keyboard(self, tab):
        first, losses = titles(tab), "#compare-table tbody td:nth-of-type(2)"
        head = tab.locator("#compare-table thead").get_by_text("Mean-std loss")
        head.click()
        numbers = [float(each) for each in tab.locator(losses).all_inner_texts()]
        assert numbers == sorted(numbers) and titles(tab)[-1] == "The photograph itself"
        tab.keyboard.press("Enter")
        numbers = [float(each) for each in tab.locator(losses).all_inner_texts()]
        assert numbers == sorted(numbers, reverse=True) and titles(tab)[0] == "The photograph itself"
        assert tab.locator("#compare-table th[aria-sort=descending]").inner_text().startswith("Mean-std loss")
        tab.locator("#compare-table thead").get_by_text("Time, s").focus()
        tab.keyboard.press("Space")
        assert titles(tab)[0] == "AdaIN" and titles(tab)[-1] == "The photograph itself"  # which took none
        assert sorted(titles(tab)) == sorted(first)

    def test_any_two_are_set_side_by_side(self, tab):
        tab.locator("#compare-one input").click()
        tab.get_by_role("option", name="The photograph").click()
        tab.get_by_role("option").first.wait_for(state="detached")
        tab.locator("#compare-slider").get_by_text("The photograph, and to the right Gatys").wait_for()
        tab.wait_for_function("document.querySelector('#compare-first img').src.includes('content')")
        tab.get_by_role("tab", name="Distance from the style").click()
        captions = tab.locator("#compare-left .caption-label")
        captions.first.wait_for()
        assert captions.all_inner_texts() == ["AdaIN", "Style swap", "Gatys"]

    def test_a_bad_picture_is_refused_beside_its_field(self, tab, tmp_path):
        (tmp_path / "bad.png").write_bytes(b"no picture")
        upload(tab, "compare-style", tmp_path / "bad.png")
        tab.locator("#compare-style-note [role=alert]").get_by_text("This file is not a picture").wait_for()
        tab.locator("#compare-run").click()
        tab.locator("#compare-style-note").get_by_text(MISSING["style"]).wait_for()

    def test_nothing_chosen_is_said(self, tab):
        small(tab)
        tab.locator("#compare-run").click()
        tab.locator("#compare-status [role=alert]").get_by_text("Choose at least one method.").wait_for()

    def test_two_visitors_are_independent_and_leaving_stops_the_run(self, tab, url, browser):
        for visitor in (tab, opened(browser.new_page(), url)):
            small(visitor, "Gatys")
            visitor.locator("#compare-mode").get_by_label("Equal time").check()
            visitor.get_by_label("number input for Time limit").fill("60")
            visitor.locator("#compare-run").click()
            if visitor is tab:
                under_way(tab)
        visitor.locator("#compare-status").get_by_text("Waiting in position 1 of 1").wait_for()
        answers = []
        visitor.route("**/gradio_api/run/**", lambda route: answers.append((route, route.fetch())))
        visitor.locator("#compare-stop").click()
        visitor.locator("#compare-status").get_by_text("Stopped before it began.").wait_for()
        visitor.locator("#compare-stop:disabled").wait_for()
        for route, answer in answers:  # the press's own answer may come last
            route.fulfill(response=answer)
        visitor.unroute("**/gradio_api/run/**")
        visitor.wait_for_timeout(500)
        assert answers and "Stopped before it began." in visitor.locator("#compare-status").inner_text()
        before = tab.locator("#compare-gatys-caption").inner_text()
        tab.wait_for_function(
            "before => document.querySelector('#compare-gatys-caption').innerText !== before", arg=before
        )
        assert "stopped" not in tab.locator("#compare-gatys-caption").inner_text()  # by another's Stop
        visitor.locator("#compare-run").click()
        visitor.locator("#compare-status").get_by_text("Waiting in position 1 of 1").wait_for()
        tab.goto("about:blank")  # leaves while Gatys has most of a minute left
        under_way(visitor)
        visitor.close()

    def test_pressed_again_while_it_waits_the_last_press_counts(self, tab, url, browser):
        other = opened(browser.new_page(), url)
        for visitor in (other, tab):
            small(visitor, "Gatys")
            visitor.locator("#compare-mode").get_by_label("Equal time").check()
            visitor.get_by_label("number input for Time limit").fill("60" if visitor is other else "2")
        other.locator("#compare-run").click()
        under_way(other)
        tab.evaluate("document.querySelector('#compare-run').click()")
        tab.evaluate("document.querySelector('#compare-run').click()")  # at once, and once more when it waits
        tab.locator("#compare-status").get_by_text("Waiting in position 1 of 1").wait_for()
        small(tab, "AdaIN", "Gatys")
        tab.locator("#compare-run").click()
        other.locator("#compare-stop").click()
        ended(tab)
        assert titles(tab) == ["The photograph itself", "AdaIN", "Gatys"]
        assert "The bound of 2 s was reached" in tab.locator("#compare-gatys-caption").inner_text()
        other.close()

    def test_by_keyboard_alone(self, tab):
        tab.locator("#compare-size").get_by_label("128 px").focus()
        tab.keyboard.press("Space")
        for name in ("Gatys", "Style swap"):
            tab.locator("#compare-methods").get_by_label(name, exact=True).focus()
            tab.keyboard.press("Space")
        tab.locator("#compare-run").focus()
        tab.keyboard.press("Enter")
        ended(tab)
        assert titles(tab) == ["The photograph itself", "AdaIN"]

    def test_everything_has_a_name_and_parameters_wait(self, tab):
        assert not tab.locator("#compare-gatys-steps").is_visible()
        tab.locator("#compare-slider img[alt='The second of the two pictures']").wait_for()
        tab.wait_for_function("[...document.images].every(image => image.alt || image.closest('footer'))")
        named = "b.innerText.trim() || b.ariaLabel || b.querySelector('img[alt]')"
        assert tab.evaluate(f"[...document.querySelectorAll('button')].filter(b => !({named})).length") == 0
        repeated = "[...document.querySelectorAll('[id]')].map(e => e.id).filter((id, n, all) => all.indexOf(id) !== n)"
        assert [each for each in tab.evaluate(repeated) if each.startswith(("compare-", "adain-", "gatys-"))] == []

    def test_a_phone(self, phone):
        tab, scheme = phone
        tab.get_by_role("tab", name="Compare", exact=True).first.click()
        tab.locator("#compare-adain-picture img").wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
        ink, paper = (
            tab.evaluate(f"parseInt({where}.match(/[0-9]+/)[0])")
            for where in (
                "getComputedStyle(document.querySelector('#compare-plot text')).fill",
                "getComputedStyle(document.querySelector('gradio-app')).backgroundColor",
            )
        )
        assert abs(ink - paper) > 128 and (paper > 128) == (scheme == "light")
        small(tab, "AdaIN")
        tab.locator("#compare-run").click()
        ended(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360
