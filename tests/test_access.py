"""The page by keyboard, by screen reader, and in forced colors."""

import re
from importlib.resources import files

import pytest
from browser import ROOT, under_way
from conftest import picture

from benchmarks.page import presses
from ui.theme import SHEETS

TABS = ("Stylize", "Compare", "Controls", "Regions")
STAND = {  # what axe-core finds and stays, by rule and place, with the reason
    ("scrollable-region-focusable", ".strip .grid-wrap"): "arrow keys scroll it: its thumbnails are one stop, with the"
    " picture's buttons beside them, which lie outside",
}
FOCUS = "document.activeElement"
ASSETS = ROOT / "ui" / "assets"


def focused(page) -> str:
    return page.evaluate(f"{FOCUS}.ariaLabel || {FOCUS}.innerText || {FOCUS}.closest('[id]')?.id || {FOCUS}.tagName")


def opened(page, name: str):
    page.get_by_role("tab", name=name, exact=True).first.click()
    page.locator(".spoken", has_text=name).first.wait_for(state="attached")


def violations(page) -> set[str]:
    """What axe-core finds on the page but for what STANDs, as rule and place."""
    found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")["violations"]
    nodes = [(each["id"], node["target"][0], node["html"]) for each in found for node in each["nodes"]]
    stands = "([place, exception]) => !!document.querySelector(place)?.matches(exception)"
    excused = [(rule, place) for rule, place in STAND]
    return {
        f"{rule}: {place} {html[:120]}"
        for rule, place, html in nodes
        if not any(rule == known and page.evaluate(stands, [place, where]) for known, where in excused)
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1366])
def test_axe_finds_nothing_of_ours(page, url, scheme, width):
    page.set_default_timeout(60_000)
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(f"{url}?__theme={scheme}")
    page.locator("#compare img").first.wait_for()
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8"))
    for name in TABS:
        opened(page, name)
        page.wait_for_timeout(600)  # transitions of color
        assert violations(page) == set(), name


def test_parts_are_a_few_presses_of_tab_away(tab):
    found = presses(tab)
    assert found.pop("Stylize") <= 6, found
    assert len(found) == 4 and max(found.values()) <= 15, found


def test_the_first_press_offers_the_button_that_runs(tab):
    tab.keyboard.press("Tab")
    assert focused(tab).startswith("Skip to the run button")
    tab.keyboard.press("Enter")
    tab.wait_for_function(f"{FOCUS}.id === 'run'")


def test_a_press_of_the_first_offer_waits_for_the_button(tab):
    """On a slow machine the page may still be on its way."""
    tab.keyboard.press("Tab")
    tab.evaluate("document.querySelector('#run').disabled = true")
    tab.keyboard.press("Enter")
    assert focused(tab).startswith("Skip to the run button")
    tab.evaluate("document.querySelector('#run').disabled = false")
    tab.wait_for_function(f"{FOCUS}.id === 'run'")


def test_arrow_keys_move_inside_a_group(tab):
    tab.locator("#content button[aria-label='Upload file']").focus()
    tab.keyboard.press("End")
    assert focused(tab) == "Moose"
    tab.keyboard.press("ArrowLeft")
    assert focused(tab) == "Bee on an aster"
    tab.keyboard.press("Tab")
    tab.keyboard.press("Shift+Tab")
    assert focused(tab) == "Bee on an aster"  # the group is one stop, and knows where one was
    opened(tab, "Stylize")
    tab.keyboard.press("ArrowRight")
    assert focused(tab) == "Compare" and tab.locator("#run").is_visible()
    tab.get_by_label("512 px").focus()
    tab.keyboard.press("ArrowLeft")
    assert tab.get_by_label("256 px").is_checked()


def test_control_enter_runs_and_escape_stops(tab):
    tab.get_by_label("4096 px").check()
    tab.locator("#stop").focus() if tab.locator("#stop").is_enabled() else tab.locator("#run").focus()
    tab.keyboard.press("Control+Enter")
    under_way(tab)
    tab.keyboard.press("Escape")
    tab.locator("#status-stopped").get_by_text("Stopped.").first.wait_for()
    assert tab.evaluate(f"{FOCUS}.closest('button')?.id") in ("run", "stop")


def test_focus_moves_near_a_removed_element(tab):
    tab.locator("#content button[aria-label='Remove Image']").focus()
    tab.keyboard.press("Enter")
    tab.wait_for_function("!document.querySelector('#content img')")
    tab.wait_for_function(f"{FOCUS}.closest('#content')")
    tab.evaluate("document.querySelector('#stop').disabled = false")
    tab.locator("#stop").focus()
    tab.evaluate("document.querySelector('#stop').disabled = true")
    tab.wait_for_function(f"{FOCUS}.id === 'run'")
    tab.evaluate("document.activeElement.blur()")  # what is left on purpose is left
    tab.wait_for_timeout(100)
    assert tab.evaluate(f"{FOCUS} === document.body")


def test_the_comparison_slider_moves_by_arrow_keys(tab):
    handle = tab.get_by_role("slider", name="Divider between the two pictures").first
    handle.focus()
    before, place = int(handle.get_attribute("aria-valuenow")), handle.bounding_box()["x"]
    assert before == pytest.approx(35, abs=1)
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("document.activeElement.ariaValueNow === '40'")
    assert handle.bounding_box()["x"] > place + 10
    tab.keyboard.press("End")
    tab.wait_for_function("document.activeElement.ariaValueNow === '100'")
    assert handle.get_attribute("aria-valuetext") == "100% The photograph, 0% The result"


def test_a_status_is_read_out_but_not_every_step(tab):
    said = """async (words) => {
      const place = document.querySelector("#status p");
      place.textContent = words;
      await new Promise(requestAnimationFrame);
      return document.querySelector("#status").getAttribute("aria-live");
    }"""
    assert tab.locator("#status").get_attribute("role") == "status"
    assert tab.locator("#status-stopped").get_attribute("role") == "status"
    tab.evaluate(said, "Stylizing…")
    assert [tab.evaluate(said, f"Step {number} of 120.") for number in (1, 2, 3)] == ["off", "off", "off"]
    assert tab.evaluate(said, "512x512 pixels.") == "polite"
    tab.evaluate("() => { const now = performance.now(); performance.now = () => now + 6000; }")
    assert tab.evaluate(said, "Step 4 of 120.") == "polite"


def test_tabs_have_names_of_their_own(glass):
    names = glass.get_by_role("tab").all_inner_texts()
    assert len(names) == len(set(names))


def test_targets_are_large_enough(glass):
    small = """() => [...document.querySelectorAll("button, a[href], input:not([type=file])")]
      .filter((e) => e.checkVisibility({ visibilityProperty: true }))
      .map((e) => [e, (e.type === "radio" || e.type === "checkbox" ? e.closest("label") : e).getBoundingClientRect()])
      .filter(([e, box]) => Math.min(box.width, box.height) > 1 && (box.width < 24 || box.height < 24))
      .map(([e, box]) => `${e.closest("[id]")?.id} ${e.ariaLabel || e.innerText} ${box.width}x${box.height}`)"""
    for name in TABS:
        opened(glass, name)
        assert glass.evaluate(small) == [], name


def test_forced_colors_show_the_selection(tab):
    tab.emulate_media(forced_colors="active")
    style = "(e) => getComputedStyle(e)"
    chosen, other = tab.get_by_label("512 px"), tab.get_by_label("256 px")
    assert chosen.evaluate(f"e => ({style})(e).appearance") == "auto"
    outline = f"e => ({style})(e.closest('label')).outlineStyle"
    assert (chosen.evaluate(outline), other.evaluate(outline)) == ("solid", "none")
    line = f"e => ({style})(e).borderBottomWidth"
    tabs = tab.get_by_role("tab")
    assert tabs.nth(0).evaluate(line) == "4px" != tabs.nth(1).evaluate(line)
    assert tab.locator("#run").evaluate(f"e => ({style})(e).borderTopStyle") == "solid"


def test_nothing_moves_where_a_visitor_wants_less_motion():
    scripts = [*ASSETS.glob("*.js")]
    assert len(scripts) > 2
    for script in scripts:
        for line in script.read_text(encoding="utf-8").splitlines():
            assert '"smooth"' not in line or "still" in line, f"{script.name}: {line}"


def test_a_slider_thumb_contrasts_with_white():
    def light(channel: int) -> float:
        value = channel / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    (color,) = re.findall(r"webkit-slider-thumb.*?background: (#\w{6})", SHEETS[1].read_text(encoding="utf-8"), re.S)
    red, green, blue = (light(int(color[at : at + 2], 16)) for at in (1, 3, 5))
    assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 3


def test_a_photograph_of_ones_own_by_keyboard(tab, tmp_path):
    picture(91, 67, 1).save(tmp_path / "own.png")
    tab.on("filechooser", lambda _: None)  # Playwright begins to listen now, not at the press
    for _ in range(3):
        tab.keyboard.press("Tab")
    with tab.expect_file_chooser() as chooser:
        tab.keyboard.press("Enter")
    chooser.value.set_files(str(tmp_path / "own.png"))
    tab.locator("#content img[src*='own']").wait_for()
