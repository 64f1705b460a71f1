"""The page's weight, paint times, layout shift, and the number of Tab presses to reach its parts.

    python -m benchmarks.page [--widths 320,1366] [--repeats 3] [--no-slow]

Serves the page and opens it in Chromium with an empty cache, at each width, over slow 4G as Chromium emulates it: 1.6
Mbit/s down, 750 kbit/s up, 150 ms per request. Seconds are from the request to the first contentful paint, to the
largest, and until the images of the opening result have loaded; the median of the repeats counts. Shift is the sum of
all layout shifts (1 is the whole window). Presses are counted from the top of the page, without skip links.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from adain_core.system import console

ROOT = Path(__file__).parents[1]
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync"
FLAGS += " --disable-component-update"
SLOW = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 750e3 / 8}  # bytes/s
PARTS = {"photograph": "#content", "painting": "#style", "strength": "#adain-alpha", "Stylize": "#run",
         "download": "#download"}  # fmt: skip
WATCH = """
window.seen = { shift: 0, largest: 0 };
const watch = (type, see) =>
  new PerformanceObserver((list) => list.getEntries().forEach(see)).observe({ type, buffered: true });
watch("paint", (entry) => { if (entry.name === "first-contentful-paint") seen.first = entry.startTime; });
watch("largest-contentful-paint", (entry) => { seen.largest = entry.startTime; });
watch("layout-shift", (entry) => { if (!entry.hadRecentInput) seen.shift += entry.value; });
"""
READY = """() => {
  const pictures = [...document.querySelectorAll("#compare img")];
  return pictures.length === 2 && pictures.every((picture) => picture.complete && picture.naturalWidth)
    && !document.querySelector(".first");
}"""


def measure(page: Any, url: str, width: int, slow: bool) -> dict[str, float]:
    """Load the address in a Playwright page and return kB, requests, seconds, and layout shift."""
    page.set_viewport_size({"width": width, "height": 800})
    page.add_init_script(WATCH)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    network.send("Network.clearBrowserCache")
    if slow:
        network.send("Network.emulateNetworkConditions", SLOW)
    came: list[float] = []
    network.on("Network.loadingFinished", lambda event: came.append(event["encodedDataLength"]))
    page.goto(url, wait_until="commit", timeout=60_000)
    page.wait_for_function(READY, timeout=60_000)
    ready = page.evaluate("performance.now()")
    before = -1
    while len(came) > before:  # streams stay open, so the network is never idle
        before = len(came)
        page.wait_for_timeout(1500)
    seen = page.evaluate("seen")
    html = page.evaluate("performance.getEntriesByType('navigation')[0].encodedBodySize")
    return {
        "HTML kB": html / 1000,
        "all kB": sum(came) / 1000,
        "requests": len(came),
        "first paint s": seen["first"] / 1000,
        "largest paint s": seen["largest"] / 1000,
        "result s": ready / 1000,
        "shift": seen["shift"],
    }


def presses(page: Any, most: int = 120) -> dict[str, int]:
    """Press Tab from the top of an open page; return the press at which each part is first reached."""
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    found: dict[str, int] = {}
    for number in range(1, most + 1):
        page.keyboard.press("Tab")
        for part, place in PARTS.items():
            if part not in found and page.evaluate(f"!!document.activeElement.closest('{place}')"):
                found[part] = number
        if len(found) == len(PARTS) or page.evaluate("document.activeElement === document.body"):
            break
    return found


@contextmanager
def serving() -> Iterator[str]:
    """Serve the page in its own process; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as cache:
        settings = {"GRADIO_SERVER_PORT": str(port), "GRADIO_TEMP_DIR": cache, "HF_HUB_OFFLINE": "1"}
        command = [sys.executable, str(ROOT / "app.py")]
        server = subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
        try:
            while True:
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
                    break
                except OSError:
                    if server.poll() is not None:
                        raise typer.Exit(1) from None
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
            server.wait()


def main(
    widths: Annotated[str, typer.Option(help="Window widths in pixels, separated by commas.")] = "320,1366",
    repeats: Annotated[int, typer.Option(help="Visits at each width; the median counts.", min=1)] = 3,
    slow: Annotated[bool, typer.Option(help="Emulate slow 4G.")] = True,
) -> None:
    """Measure the page and print two tables."""
    from playwright.sync_api import sync_playwright  # from requirements-dev.txt

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with serving() as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS.split())
        for width in map(int, widths.split(",")):
            visits = []
            for _ in range(repeats):
                page = browser.new_page()
                visits.append(measure(page, url, width, slow))
                page.close()
            row = {name: statistics.median(visit[name] for visit in visits) for name in visits[0]}
            if width == int(widths.split(",")[0]):
                print(f"| width, px | {' | '.join(row)} |\n{'|---' * (len(row) + 1)}|")
            cells = [f"{value:.3f}" if name == "shift" else f"{value:.4g}" for name, value in row.items()]
            print(f"| {width} | {' | '.join(cells)} |", flush=True)
        page = browser.new_page()
        measure(page, url, 1366, slow=False)
        found = presses(page)
        print(f"\n| {' | '.join(PARTS)} |\n{'|---' * len(PARTS)}|")
        print(f"| {' | '.join(str(found.get(part, '-')) for part in PARTS)} |")
        browser.close()


if __name__ == "__main__":
    console.script(main, "benchmarks.page")
