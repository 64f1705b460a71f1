"""The tab Regions in a real Chromium."""

import json

import numpy as np
import pytest
from browser import choose, gradient, labels_of, load, saved, stroke, tool, upload
from conftest import picture
from PIL import Image, ImageFilter
from playwright.sync_api import TimeoutError as Late

from adain_core import images


def holds(tab, wanted) -> Image.Image:
    """Save the label map until the canvas, which doesn't say when it has drawn, holds what is wanted; return it."""
    for _ in range(60):
        try:
            labels = saved(tab, "regions-save", 10_000)
        except Late:  # pressed while the canvas was being changed
            continue
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


def paint(tab, down: int = 0) -> None:
    """Draw a region, and wait until the page says so."""
    before = tab.locator("#regions-painted p").inner_text()
    stroke(tab, "regions-canvas", down)
    changed(tab, before)


def changed(tab, before: str) -> str:
    words = "document.querySelector('#regions-painted p').innerText"
    tab.wait_for_function(f"{words} !== {json.dumps(before)}")
    return tab.evaluate(words)


def brush(tab, canvas: str, color: str) -> None:
    for name in ("Color", color, "Brush"):  # the last closes the palette
        tool(tab, canvas, name)


def run_regions(tab) -> np.ndarray:
    """Stylize and return the picture."""
    tab.locator("#regions-details").evaluate("note => note.querySelector('.time-bar')?.remove()")
    tab.locator("#regions-run").click()
    tab.locator("#regions-details .time-bar").wait_for()
    return np.asarray(saved(tab, "regions-download"), int)


class TestRegions:
    def test_one_click_stylizes_the_opening_regions(self, easel):
        assert easel.locator("#regions-painted").inner_text().startswith("Painted: Region 1, blue, ")
        easel.locator("#regions-run").click()
        easel.locator("#regions-details .time-bar").wait_for()
        record = json.loads(saved(easel, "regions-download").text["adain"])
        assert record["regions"] == {"1": {"styles": 1, "strength": 1.0}}

    def test_only_painted_parts_change(self, easel, tmp_path):
        picture(256, 192, 5).save(tmp_path / "photo.png")
        upload(easel, "regions-content", tmp_path / "photo.png")
        holds(easel, lambda labels: labels.size == (512, 384) and labels.getextrema() == (0, 0))
        choose(easel, "regions-rest", "Leave unchanged")
        easel.locator("#regions-run").click()
        easel.locator("#regions-map-note").get_by_text("Nothing is painted yet").wait_for()
        paint(easel)
        easel.locator("#regions-run").click()
        easel.locator("#regions-details").get_by_text("512x384 pixels").wait_for()
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
        easel.locator("#regions-map-note").get_by_text("A proposal: the largest area is the rest").wait_for()
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

    def test_the_colors_of_regions_are_listed_and_stay(self, easel, tmp_path):
        picture(256, 192, 5).save(tmp_path / "photo.png")
        upload(easel, "regions-content", tmp_path / "photo.png")
        holds(easel, lambda labels: labels.getextrema() == (0, 0))
        colored = Image.new("RGB", (256, 192), "#ff0000")
        colored.paste("#0000ff", (0, 0, 100, 192))
        colored.save(tmp_path / "labels.png")
        load(easel, "regions-map", tmp_path / "labels.png")
        words = easel.locator("#regions-map-note").get_by_text("Regions by color: 1 is #0000ff, 2 is #ff0000.")
        words.wait_for()
        run_regions(easel)
        assert words.is_visible()

    def test_soft_masks_one_a_region(self, easel, tmp_path):
        picture(512, 384, 5).save(tmp_path / "photo.png")
        upload(easel, "regions-content", tmp_path / "photo.png")
        holds(easel, lambda labels: labels.size == (512, 384) and labels.getextrema() == (0, 0))
        upper, lower = np.array(gradient(1024, 768)), np.array(gradient(1024, 768))
        upper[384:], lower[:384] = 0, 0
        Image.fromarray(upper).save(tmp_path / "1 upper.png")
        Image.fromarray(lower).save(tmp_path / "2 lower.png")
        load(easel, "regions-masks", tmp_path / "2 lower.png", tmp_path / "1 upper.png")
        easel.locator("#regions-map-note").get_by_text("Loaded: Region 1, blue, Region 2, gold.").wait_for()
        labels = np.asarray(holds(easel, lambda labels: labels.size == (1024, 768) and labels.getextrema() == (0, 2)))
        assert set(labels[:380, 520:].flat) == {1} and set(labels[390:, 520:].flat) == {2}
        choose(easel, "regions-rest", "Leave unchanged")
        choose(easel, "regions-region-2", "Leave unchanged")
        change = np.abs(run_regions(easel) - np.asarray(Image.open(tmp_path / "photo.png"), int)).mean(-1)
        columns = [change[40:150, left : left + 64].mean() for left in (0, 224, 448)]
        assert columns[0] < columns[1] / 1.2 and columns[1] < columns[2] / 1.1  # soft: from left to right
        assert change[240:].max() == 0

    def test_more_masks_than_regions_are_refused(self, easel, tmp_path):
        paths = [tmp_path / f"{number}.png" for number in range(8)]
        for path in paths:
            gradient(32, 24).save(path)
        load(easel, "regions-masks", *paths)
        easel.locator("#regions-map-note [role=alert]").get_by_text("free regions: 7 of 8").wait_for()

    def test_a_painting_of_ones_own_is_asked_for_and_used(self, easel, tmp_path):
        choose(easel, "regions-region-1", "Another painting of mine")
        easel.locator("#regions-run").click()
        easel.locator("#regions-region-1-own-note").get_by_text("choose its painting first").wait_for()
        picture(60, 50, 2).save(tmp_path / "own.png")
        easel.locator("#regions-region-1-own input[type=file]").set_input_files(str(tmp_path / "own.png"))
        easel.locator("#regions-region-1-own img").wait_for()
        easel.locator("#regions-run").click()
        easel.locator("#regions-details .time-bar").wait_for()

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
