"""What the tests of several tabs do on the page."""

import numpy as np
import pytest
from PIL import Image


def labels_of(*rows) -> Image.Image:
    """A label map of blocks of 16 pixels."""
    return Image.fromarray(np.kron(np.array(rows, np.uint8), np.ones((16, 16), np.uint8)))


def label_map(*rows) -> Image.Image:
    """As `labels_of`, fitted to a canvas."""
    return labels_of(*rows).resize((512, 384), Image.Resampling.NEAREST)


def gradient(width: int, height: int) -> Image.Image:
    """A soft mask, black on the left and white on the right."""
    return Image.fromarray(np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1)))


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


def stroke(tab, canvas: str, down: int = 0) -> None:
    """Draw across the middle, or some pixels below it, with the tool that is chosen."""
    tab.locator(f"#{canvas}").scroll_into_view_if_needed()
    box = tab.locator(f"#{canvas} canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2 + down
    tab.mouse.move(x - 60, y)
    tab.mouse.down()
    tab.mouse.move(x + 60, y, steps=12)
    tab.mouse.up()


def tool(tab, canvas: str, name: str) -> None:
    tab.locator(f"#{canvas} button[aria-label='{name}']").click()


def load(tab, button: str, *files) -> None:
    with tab.expect_file_chooser() as chooser:
        tab.locator(f"#{button}").press("Enter")  # the keyboard's way
    chooser.value.set_files(files)
