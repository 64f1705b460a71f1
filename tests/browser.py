"""The page as tests take it: one server and one Chromium for each worker, and what tests of several tabs do there."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import picture
from gradio_client import Client, handle_file
from PIL import Image

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
FLAGS += " --disable-component-update"
FIRST_LOAD = "try { window.name ||= (localStorage.clear(), 'test') } catch {}"  # the name survives a reload


@contextmanager
def serving(tmp_path_factory, *options: str, program: tuple[str, ...] = (str(ROOT / "app.py"),)):
    """Serve the page from a foreign folder, as a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cache = tmp_path_factory.mktemp("cache")
    folder = tmp_path_factory.mktemp("elsewhere")
    settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": str(cache), "HF_HUB_OFFLINE": "1"}
    settings["PYTHONPATH"] = str(ROOT)
    log = (cache / "log").open("w+")
    command = [sys.executable, *program, *options]
    server = subprocess.Popen(command, env={**os.environ, **settings}, cwd=folder, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}/"
    try:
        for _ in range(1200):
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                assert server.poll() is None, (cache / "log").read_text()
                time.sleep(0.25)
        yield address
    finally:
        server.terminate()
        server.wait()
        log.close()


@pytest.fixture(scope="session")
def url(tmp_path_factory):
    """The page's address."""
    with serving(tmp_path_factory) as address:
        yield address


@pytest.fixture(scope="session")
def tools(tmp_path_factory):
    """The address of a server for programs, where one run may wait, and what nobody listens to ends soon."""
    quick = "import typer, app; from ui.serving import lanes; lanes.ABANDONED = 4.0; typer.run(app.main)"
    with serving(tmp_path_factory, "--mcp", "--queue-size", "1", program=("-c", quick)) as address:
        yield address


@pytest.fixture(scope="session")
def client(url):
    return Client(url, verbose=False)


@pytest.fixture
def files(tmp_path):
    """Three small pictures, as programs upload them."""
    paths = []
    for name, seed in (("photo.png", 1), ("painting.png", 2), ("second.png", 3)):
        picture(90, 67, seed).save(tmp_path / name)
        paths.append(handle_file(str(tmp_path / name)))
    return paths


@pytest.fixture(scope="session")
def browser_type_launch_args():
    if CHROMIUM is None:
        if os.environ.get("ADAIN_REQUIRE_BROWSER"):
            pytest.fail("ADAIN_REQUIRE_BROWSER is set, but there is no Chromium")
        pytest.skip("there is no Chromium on this machine")
    return {"executable_path": CHROMIUM, "args": FLAGS.split()}


def opened(page, url: str):
    page.set_default_timeout(60_000)
    page.goto(url)
    page.locator("#content img").wait_for()
    page.locator("#compare img").first.wait_for()
    return page


@pytest.fixture(scope="session")
def profile(browser):
    """A browser profile whose cache serves all tests: Gradio's scripts are fetched and compiled once."""
    context = browser.new_context()
    yield context
    context.close()


@pytest.fixture
def page(profile):
    """A blank page without stored settings."""
    page = profile.new_page()
    page.add_init_script(FIRST_LOAD)
    yield page
    page.close()


@pytest.fixture
def tab(page, url):
    """The page, opened."""
    return opened(page, url)


@pytest.fixture(scope="session")
def glass(browser, url):
    """The page, opened once, for tests that only look at it, whichever tab is open."""
    page = opened(browser.new_page(), url)
    yield page
    page.close()


@pytest.fixture(params=["light", "dark"])
def phone(page, url, request):
    """The page on a phone, and its color scheme."""
    page.set_viewport_size({"width": 360, "height": 740})
    return opened(page, f"{url}?__theme={request.param}"), request.param


def upload(tab, field: str, path: Path) -> None:
    tab.locator(f"#{field} button[aria-label='Remove Image']").click()
    tab.locator(f"#{field} input[type=file]").set_input_files(str(path))


def under_way(tab) -> None:
    """Wait for a run at 4096 pixels, which is long enough to be caught in flight: many tiles on any machine."""
    tab.locator("#status").get_by_text(re.compile(r"Stylizing at 4096 pixels|Tile pass \d+ of")).first.wait_for()


def finished(tab, words: str) -> None:
    tab.locator("#status").get_by_text("Done in").wait_for()
    tab.locator("#details").get_by_text(words).first.wait_for()


def labels_of(*rows) -> Image.Image:
    """A label map of blocks of 16 pixels."""
    return Image.fromarray(np.kron(np.array(rows, np.uint8), np.ones((16, 16), np.uint8)))


def label_map(*rows) -> Image.Image:
    """As `labels_of`, fitted to a canvas."""
    return labels_of(*rows).resize((512, 384), Image.Resampling.NEAREST)


def gradient(width: int, height: int) -> Image.Image:
    """A soft mask, black on the left and white on the right."""
    return Image.fromarray(np.tile(np.linspace(0, 255, width).round().astype(np.uint8), (height, 1)))


def choose(tab, field: str, value: str) -> None:
    tab.locator(f"#{field} input").click()
    tab.get_by_role("option", name=value).click()
    tab.get_by_role("option").first.wait_for(state="detached")  # the list closes with an animation


def saved(tab, button: str, timeout: float | None = None) -> Image.Image:
    with tab.expect_download(timeout=timeout) as download:
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
