"""What a press causes is in view at every width, nothing flashes, and Stop and the bar tell how far a run is."""

import base64
import io
import json
import re

import numpy as np
import pytest
from browser import ROOT
from conftest import picture
from PIL import Image

from ui.components import stage
from ui.components.widgets import MISSING

WINDOWS = {320: 568, 390: 844, 820: 1180, 1366: 768, 1920: 1080}
TABS = {"Stylize": "", "Compare": "compare-", "Controls": "controls-", "Regions": "regions-"}
RESULTS = {
    "": "#compare",
    "compare-": "#compare-cells",
    "controls-": "#controls-gallery",
    "regions-": "#regions-compare",
}
FLASH = 0.6  # of the picture's usual contrast; a covered one has hardly any


@pytest.fixture(scope="module", params=WINDOWS, ids="window{}".format)
def window(request, browser, url):
    """The page at one width, opened once for all its tests."""
    width = request.param
    page = browser.new_page(viewport={"width": width, "height": WINDOWS[width]}, reduced_motion="reduce")
    page.set_default_timeout(120_000)
    page.goto(url)
    page.locator("#compare img").first.wait_for()
    yield page
    page.close()


def show(page, tab: str) -> str:
    """Open a tab; return what its ids begin with."""
    page.evaluate("scrollTo(0, 0)")
    page.get_by_role("tab", name=tab, exact=True).first.click()
    prefix = TABS[tab]
    page.locator(f"#{prefix}run").wait_for()
    page.locator(RESULTS[prefix]).wait_for()
    return prefix


def seen(page, selector: str) -> float:
    """The share of an element, or of half a window where it is larger, that is in view and isn't covered."""
    return page.evaluate(
        """selector => {
          const element = document.querySelector(selector), box = element.getBoundingClientRect();
          const bar = element.closest(".stage").querySelector(".bar").getBoundingClientRect();
          const inBar = Boolean(element.closest(".bar"));
          const low = Math.min(box.bottom, !inBar && bar.bottom > innerHeight - 2 ? bar.top : innerHeight);
          const high = Math.max(box.top, !inBar && bar.top < 2 ? bar.bottom : 0);
          return (low - high) / Math.min(box.height, innerHeight / 2);
        }""",
        selector,
    )


def quick(page, prefix: str) -> None:
    """Choose what runs fast."""
    if prefix == "":
        page.locator("#size").get_by_label("256 px").check()
    if prefix == "compare-":
        page.locator("#compare-size").get_by_label("128 px").check()
        for name in ("Gatys", "Style swap"):
            page.locator("#compare-methods").get_by_label(name, exact=True).set_checked(False)
    if prefix == "regions-":
        page.locator("#regions-foreground").click()
        page.locator("#regions-map-note").get_by_text("A proposal").wait_for()


@pytest.mark.parametrize("tab", TABS)
def test_the_effect_of_a_press_is_in_view(window, tab):
    prefix = show(window, tab)
    assert window.evaluate("document.documentElement.scrollWidth") <= window.viewport_size["width"]
    quick(window, prefix)
    window.evaluate("scrollTo(0, 0)")
    window.locator(f"#{prefix}run").click()
    window.locator(f"#{prefix}status").get_by_text(re.compile(r"Done|: \d of")).first.wait_for()
    assert seen(window, f"#{prefix}run") == seen(window, f"#{prefix}status") == 1
    assert seen(window, RESULTS[prefix]) > 0.6
    window.locator(f"#{prefix}stop:disabled").wait_for()  # a press during a run does nothing
    window.locator(f"#{prefix}content button[aria-label='Remove Image']").click()
    window.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    window.locator(f"#{prefix}run").click()
    window.locator(f"#{prefix}status").get_by_text(f"No picture was made. {MISSING['content']}").wait_for()
    assert seen(window, f"#{prefix}status") == 1
    window.locator(f"#{prefix}stop:disabled").wait_for()
    window.locator(f"#{prefix}photos button.thumbnail-item").first.click()  # for the next
    window.locator(f"#{prefix}content img").wait_for()


def test_the_button_stays_in_reach_whatever_the_method(window):
    show(window, "Stylize")
    window.locator("#advanced > button").click()
    for option in window.locator("#method input").all():
        option.check()
        window.wait_for_timeout(50)
        assert seen(window, "#run") == 1
        assert window.evaluate("document.documentElement.scrollHeight") < 4 * 1180
    window.locator("#method").get_by_label("AdaIN", exact=True).check()
    window.locator("#advanced > button").click()


@pytest.mark.parametrize("window", [1366, 1920], indirect=True)
def test_at_the_page_s_end_the_result_is_not_under_the_button(window):
    show(window, "Stylize")
    window.locator("#size").get_by_label("256 px").check()
    window.locator("#run").click()
    window.locator("#details .time-bar").wait_for()
    window.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    edge = "document.querySelector('#run').closest('.stage').querySelector('{}').getBoundingClientRect().{}"
    assert window.evaluate(edge.format(".result", "top")) >= window.evaluate(edge.format(".bar", "bottom")) - 1


def test_a_canvas_fills_its_field(window):
    show(window, "Regions")
    window.locator("#regions-canvas canvas").first.wait_for()
    width = "document.querySelector('#regions-canvas{}').getBoundingClientRect().width"
    assert window.evaluate(width.format(" canvas")) > 0.95 * window.evaluate(width.format(""))


def test_the_page_is_centered(browser, url):
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.goto(url)
    box = page.locator(".stage").first.bounding_box()
    assert box["x"] == pytest.approx(1920 - box["x"] - box["width"], abs=20)  # a scroll bar
    page.close()


@pytest.fixture
def tab(page, url):
    page.set_viewport_size({"width": 1366, "height": 768})
    page.set_default_timeout(120_000)
    page.goto(url)
    page.locator("#compare img").first.wait_for()
    page.locator("#size").get_by_label("256 px").check()
    return page


def test_no_frame_of_a_live_run_is_covered_or_blank(tab):
    """WCAG 2.3.1: every frame that Chromium paints while Strength is dragged has the picture."""
    tab.locator("#run").click()
    tab.locator("#details .time-bar").wait_for()
    box = tab.locator("#compare img").last.bounding_box()
    frames: list[bytes] = []
    client = tab.context.new_cdp_session(tab)

    def keep(frame) -> None:
        frames.append(base64.b64decode(frame["data"]))
        client.send("Page.screencastFrameAck", {"sessionId": frame["sessionId"]})

    client.on("Page.screencastFrame", keep)
    client.send("Page.startScreencast", {"format": "jpeg", "quality": 60})
    slider = tab.get_by_label("range slider for Strength")
    rail, shown = slider.bounding_box(), "document.querySelectorAll('#compare img')[1].src"
    sources = {tab.evaluate(shown)}
    tab.mouse.move(rail["x"] + rail["width"] - 3, rail["y"] + rail["height"] / 2)
    tab.mouse.down()
    for number in range(1, 21):
        tab.mouse.move(rail["x"] + 3 + rail["width"] * (1 - number / 20), rail["y"] + rail["height"] / 2)
        tab.wait_for_timeout(100)
        if number in (5, 10, 15):  # a run under way takes the slider's last place next, however slow the machine
            tab.wait_for_function(f"!{json.dumps([*sources])}.includes({shown})")
        sources.add(tab.evaluate(shown))
    tab.mouse.up()
    tab.locator("#details").get_by_text("Nothing was stylized").wait_for()
    client.send("Page.stopScreencast")
    client.remove_listener("Page.screencastFrame", keep)
    contrasts = []
    for frame in frames:
        with Image.open(io.BytesIO(frame)) as image:
            scale = image.width / 1366
            sides = (box["x"] + 4, box["y"] + 50, box["x"] + box["width"] - 4, min(764, box["y"] + box["height"] - 4))
            contrasts.append(np.asarray(image.convert("L").crop([round(scale * side) for side in sides])).std())
    assert len(frames) > 5
    assert min(contrasts) > FLASH * contrasts[0]


def test_the_upload_icon_opens_the_chooser_and_a_new_picture_runs_at_once(tab, tmp_path):
    picture(90, 45, 1).save(tmp_path / "photo.png")
    with tab.expect_file_chooser() as chooser:
        tab.locator("#content button[aria-label='Upload file']").click()
    assert tab.locator("#content img").is_visible()  # it stays until there is another
    chooser.value.set_files(tmp_path / "photo.png")
    tab.locator("#details").get_by_text("256x128 pixels").wait_for()


def test_only_short_runs_run_by_themselves(tab):
    tab.locator("#advanced > button").click()
    tab.locator("#method").get_by_label("Gatys", exact=True).check()
    for change in (
        lambda: tab.locator("#photos button.thumbnail-item").nth(1).click(),
        lambda: tab.locator("#content input[type=file]").set_input_files(ROOT / "examples/photos/tiger.jpg"),
    ):
        tab.locator("#pairs button.thumbnail-item").first.click()
        tab.locator("#status").get_by_text("A stored result.").wait_for()
        before = tab.locator("#compare img").last.get_attribute("src")
        change()
        tab.locator("#status").get_by_text("Press Stylize to apply your changes").wait_for()
        tab.locator("#stop:disabled").wait_for()
        assert tab.locator("#compare img").last.get_attribute("src") == before


def test_a_long_run_has_a_bar_that_makes_nothing_jump_and_stop_only_while_it_runs(tab):
    assert tab.locator("#stop").is_disabled()
    tab.locator("#advanced > button").click()
    tab.locator("#method").get_by_label("Gatys", exact=True).check()
    y = "document.querySelector('{}').getBoundingClientRect().top"
    top = f"{y.format('#compare')} - {y.format('#run')}"
    tab.evaluate("scrollTo(0, 0)")
    before = tab.evaluate(top)
    tab.locator("#run").click()
    tab.locator("#status").get_by_text(re.compile(r"Step \d+ of 120, about \d+ s left")).wait_for()
    assert tab.locator("#stop").is_enabled() and tab.evaluate(top) == pytest.approx(before, abs=1)
    width = tab.locator("#status .progress").bounding_box()["width"]
    assert 0 < width < tab.locator("#status").bounding_box()["width"]
    tab.locator("#stop").click()
    tab.locator("#status-stopped").get_by_text("Stopped.").wait_for()
    assert tab.locator("#stop").is_disabled() and tab.evaluate(top) == pytest.approx(before, abs=1)


class TestProgress:
    def left(self, seconds, areas=None) -> list[tuple[float, float]]:
        """What is said to be left after each step, and what is left, of a run whose steps take some seconds."""
        times = np.cumsum(seconds)
        clock = iter(times)
        progress = stage.Progress(lambda: next(clock))
        work = np.cumsum(areas or [1.0] * len(times))
        said = [progress.left(done, 1.0) for done in work / work[-1]]
        return [(each, left) for each, left in zip(said, times[-1] - times, strict=True) if each is not None and left]

    def within(self, pairs, factor: float) -> bool:
        return all(1 / factor <= said / left <= factor for said, left in pairs)

    def test_steady_steps(self):
        pairs = self.left([0.5] * 60)
        assert len(pairs) == 57 and self.within(pairs, 1.01)

    def test_it_follows_a_machine_that_becomes_busy(self):
        pairs = self.left([0.1] * 60 + [0.4] * 60)
        assert self.within(pairs[80:], 1.5)

    def test_coarse_steps_are_known_to_be_faster(self):
        assert self.within(self.left([0.1] * 40 + [0.2] * 40 + [0.4] * 40, [0.25] * 40 + [0.5] * 40 + [1.0] * 40), 1.05)
