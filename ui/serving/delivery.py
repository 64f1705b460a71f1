"""Page delivery: compression, browser caching, preloading, and plain HTML shown until Gradio's scripts are loaded."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

import brotli
import gradio as gr
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.serving import preview
from ui.theme import CSS, HEADER

FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
FIRST = CSS.with_name("first.html")
TEXT = ("text/html", "application/json")  # Gradio itself compresses scripts and styles
KEPT = {"/assets/": "public, max-age=31536000, immutable", "/gradio_api/file=": "private, max-age=86400, immutable"}
SMALL = 1024  # bytes, below which compression doesn't pay off


def layer(page: gr.Blocks) -> Middleware:
    """Return the middleware that delivers a built page."""
    scripts, pictures = needed(page)
    first = FIRST.read_text(encoding="utf-8").replace("{{ header }}", HEADER)
    first = first.replace("{{ masthead }}", CSS.read_text(encoding="utf-8").partition("\n\n")[0])
    return Middleware(Deliver, scripts=scripts, pictures=pictures, first=first)


class Deliver:
    """Compresses HTML and JSON, lets browsers cache immutable files, and adds preload links and initial HTML.

    Streams, partial files, pictures, and already compressed responses pass through unchanged.

    Args:
        app: the application to wrap.
        scripts: HTML links to the scripts and styles that the page needs first.
        pictures: files that the page shows first.
        first: HTML to show until the page is loaded.
    """

    def __init__(self, app: ASGIApp, scripts: str = "", pictures: tuple[str, ...] = (), first: str = "") -> None:
        self.app, self.scripts, self.pictures, self.first = app, scripts, pictures, first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if scope["path"] == scope.get("root_path", "") + preview.PATH:
            await FileResponse(preview.PICTURE)(scope, receive, send)
            return
        held: list[Message] = []  # the start of the response, while its body is collected
        body = bytearray()

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                keep(scope["path"], message["status"], headers)
                if message["status"] != 206 and _kind(headers) in TEXT and "content-encoding" not in headers:
                    held.append(message)
                    return
            if not held or message["type"] != "http.response.body":
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body"):
                start = held[0]
                whole = self._pack(scope, MutableHeaders(raw=start["headers"]), bytes(body))
                await send(start)
                await send({"type": "http.response.body", "body": whole})

        await self.app(scope, receive, pass_on)

    def _pack(self, scope: Scope, headers: MutableHeaders, body: bytes) -> bytes:
        if _kind(headers) == "text/html":
            body = preview.describe(self._begin(body), scope)
        headers.add_vary_header("Accept-Encoding")
        accepted = Headers(scope=scope).get("accept-encoding", "")
        if scope["method"] == "HEAD":
            return body
        if len(body) >= SMALL and "br" in accepted:
            body, headers["Content-Encoding"] = brotli.compress(body, brotli.MODE_TEXT, quality=6), "br"
        elif len(body) >= SMALL and "gzip" in accepted:
            body, headers["Content-Encoding"] = gzip.compress(body, 6), "gzip"
        headers["Content-Length"] = str(len(body))
        return body

    def _begin(self, body: bytes) -> bytes:
        found = [path for path in self.pictures if path.encode() in body]  # none on the login page
        links = self.scripts + "".join(
            f'<link rel="preload" as="image" fetchpriority="high" href="./gradio_api/file={escape(path)}">'
            for path in found
        )
        body = re.sub(rb"<base [^>]*>", lambda base: base[0] + links.encode(), body, count=1)
        return body.replace(b"</gradio-app>", b"</gradio-app>" + self.first.encode(), 1)


def keep(path: str, status: int, headers: MutableHeaders) -> None:
    """Let browsers cache responses whose URL changes with their content."""
    if status in (200, 206, 304):
        for folder, rule in KEPT.items():
            if folder in path:
                headers.setdefault("Cache-Control", rule)


def needed(page: gr.Blocks) -> tuple[str, tuple[str, ...]]:
    """Return what the page's first view needs: HTML links to scripts and styles, and the pictures of its result.

    Gradio's scripts load one another in sequence; with preload links, a browser fetches them in parallel.
    """
    blocks = {each["id"]: each for each in page.config["components"]}
    shown = [blocks[number] for number in _shown(page.config["layout"], blocks)]
    links = "".join(
        f'<link rel="modulepreload" href="./{name}">'
        if name.endswith(".js")
        else f'<link rel="preload" as="style" crossorigin href="./{name}">'
        for name in assets({each["type"] for each in shown})
    )
    values = [each["props"].get("value") or () for each in shown if each["type"] == "imageslider"]
    return links, tuple(dict.fromkeys(picture["path"] for value in values for picture in value if picture))


def assets(kinds: set[str], frontend: Path = FRONTEND) -> list[str]:
    """Return the scripts and styles that Gradio fetches for these component types; none if its layout has changed."""
    entry = re.search(r'src="\./(assets/index-[^"]+\.js)"', (frontend / "index.html").read_text(encoding="utf-8"))
    if entry is None:
        return []
    started = _listed(frontend / entry[1])
    found = dict.fromkeys(started)
    for name in started:
        if "/core-" in name and name.endswith(".js"):
            names, text = _listed(frontend / name), (frontend / name).read_text(encoding="utf-8")
            for kind in sorted(kinds):
                own = re.search(rf"[{{,]{kind}:{{.*?component:.*?__vite__mapDeps\(\[([\d,]+)\]\)", text)
                found |= dict.fromkeys(names[int(number)] for number in own[1].split(",")) if own else {}
    return [name for name in found if (frontend / name).is_file()]


def _listed(script: Path) -> list[str]:
    """Return the files that a script may fetch later, as listed by its bundler."""
    listed = re.search(r"m\.f=\[([^\]]*)\]", script.read_text(encoding="utf-8"))
    return [f"assets/{name}" for name in re.findall(r'"\./([^"]+)"', listed[1])] if listed else []


def _shown(node: Mapping[str, Any], blocks: Mapping[int, Mapping[str, Any]]) -> Iterator[int]:
    """Yield the ids of the components visible when the page opens: in the first tab, outside closed accordions."""
    tabs_seen = 0
    for child in node.get("children", ()):
        block = blocks[child["id"]]
        if block["props"].get("visible") is False:
            continue
        yield child["id"]
        tabs_seen += block["type"] == "tabitem"
        closed = block["type"] == "accordion" and not block["props"].get("open")
        if not closed and tabs_seen <= 1:
            yield from _shown(child, blocks)


def _kind(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0]
