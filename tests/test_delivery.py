"""How the page travels: packed as it should be, nothing else touched, and nothing moves while it comes."""

import asyncio
import gzip
import json
import re
import urllib.request

import brotli
import pytest
from starlette.applications import Starlette
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from benchmarks.page import measure
from ui.serving import delivery

LONG = {"words": ["painting"] * 1000}
HTML = '<html><head><base href="./"></head><body><gradio-app></gradio-app></body></html>'


def client(answer) -> TestClient:
    app = Starlette(routes=[Route("/{path:path}", answer)])
    return TestClient(delivery.Deliver(app, "<link>", (), "<p>first</p>"))


def raw(answer, path="/", **headers) -> tuple[bytes, dict[str, str]]:
    with client(answer).stream("GET", path, headers=headers) as response:
        return b"".join(response.iter_raw()), dict(response.headers)


class TestPacking:
    @pytest.mark.parametrize(
        ("accepted", "encoding", "unpack"),
        [("gzip, deflate, br", "br", brotli.decompress), ("gzip", "gzip", gzip.decompress), ("identity", None, bytes)],
    )
    def test_as_the_client_accepts_it(self, accepted, encoding, unpack):
        body, headers = raw(lambda _: JSONResponse(LONG), **{"Accept-Encoding": accepted})
        assert headers.get("content-encoding") == encoding and "accept-encoding" in headers["vary"].lower()
        assert json.loads(unpack(body)) == LONG and int(headers["content-length"]) == len(body)
        assert len(body) < 200 or encoding is None

    def test_pictures_parts_and_packed_answers_pass_unchanged(self, tmp_path):
        (tmp_path / "file.json").write_bytes(b"x" * 5000)
        answers = {
            "picture": lambda _: Response(b"x" * 5000, media_type="image/jpeg"),
            "part": lambda _: FileResponse(tmp_path / "file.json"),
            "packed": lambda _: Response(b"x" * 5000, 200, {"Content-Encoding": "zstd"}, "application/json"),
        }
        for name, answer in answers.items():
            sent = {"Range": "bytes=0-2999"} if name == "part" else {}
            body, headers = raw(answer, **{"Accept-Encoding": "br", **sent})
            assert body == b"x" * (3000 if name == "part" else 5000), name
            assert headers.get("content-encoding") == ("zstd" if name == "packed" else None), name

    def test_a_stream_is_sent_piece_by_piece(self):
        sent = []

        async def send(message):
            sent.append(message)

        async def stream(_, __, send):
            start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
            await send(start)
            for number in range(3):
                await send({"type": "http.response.body", "body": b"data: %d" % number, "more_body": True})
                assert len(sent) == number + 2  # its start, and every piece so far

        scope = {"type": "http", "method": "GET", "path": "/queue/data", "headers": [(b"accept-encoding", b"br")]}
        asyncio.run(delivery.Deliver(stream)(scope, None, send))
        assert [each["body"] for each in sent[1:]] == [b"data: 0", b"data: 1", b"data: 2"]

    def test_the_page_alone_is_begun(self):
        body, _ = raw(lambda _: Response(HTML, media_type="text/html"))
        assert b'<base href="./"><link>' in body and b"</gradio-app><p>first</p>" in body
        body, _ = raw(lambda _: Response(HTML, media_type="text/plain"))
        assert b"first" not in body

    def test_only_immutable_files_are_cached(self):
        for path, rule in (("/assets/a.js", "public, max-age=31536000, immutable"), ("/config", None)):
            assert raw(lambda _: JSONResponse({}), path)[1].get("cache-control") == rule
        assert "cache-control" not in raw(lambda _: JSONResponse({}, 404), "/assets/a.js")[1]


class TestServed:
    def test_the_page_is_small_and_its_links_exist(self, url):
        request = urllib.request.Request(url, headers={"Accept-Encoding": "br"})
        with urllib.request.urlopen(request) as answer:
            body = answer.read()
        assert len(body) < 60_000
        html = brotli.decompress(body).decode()
        named = re.findall(r'<link rel="(?:modulepreload|preload)"[^>]*href="\./([^"]+)"', html)
        assert len(named) > 40 and sum("file=" in name for name in named) == 2
        for name in named:
            with urllib.request.urlopen(url + name) as answer:
                assert "immutable" in answer.headers["Cache-Control"]

    def test_gradio_fetches_the_preloaded_files(self, page, url):
        """Else visitors would wait for what they don't need."""
        links = "[...document.querySelectorAll('link[rel=modulepreload]')].map(link => link.href)"
        page.goto(url, wait_until="commit")
        page.locator(".first h1").wait_for()
        named = set(page.evaluate(links))
        page.locator("#compare img").first.wait_for()
        page.wait_for_timeout(500)
        again = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
        assert len(named) > 20 and named <= set(again)

    @pytest.mark.parametrize("width", [320, 1366])
    def test_nothing_moves_while_it_comes(self, page, url, width):
        seen = measure(page, url, width, slow=False)
        assert seen["shift"] <= 0.05 and seen["HTML kB"] < 60 and seen["all kB"] < 1800
        assert page.locator("h1").count() == 1

    @pytest.mark.parametrize("width", [390, 820, 1366])
    def test_the_name_is_seen_before_gradio_is_there_and_stays_where_it_is(self, page, url, width):
        page.set_viewport_size({"width": width, "height": 800})
        page.route(re.compile(r"/assets/index-.*\.js"), lambda route: route.abort())
        page.goto(url, wait_until="commit")
        page.locator(".first h1").wait_for()
        assert not page.locator("gradio-app").is_visible()
        before = page.locator(".first h1").bounding_box()
        page.unroute_all()
        page.goto(url)
        page.locator("#compare img").first.wait_for()
        assert page.locator("h1").bounding_box() == pytest.approx(before, abs=2)
