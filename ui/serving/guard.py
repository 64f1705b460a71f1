"""What stands before the page: for whom and for which names it answers, how much it takes, and how it says no."""

from __future__ import annotations

import errno
import ipaddress
import json
import logging
import math
import os
import re
import secrets
import shutil
import time
import traceback
from collections.abc import Sequence

from cachetools import TTLCache
from gradio.utils import get_upload_folder
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.serving import storage

LOG = logging.getLogger("adain_core.server")
UNFIT = "What was sent doesn't fit this page; Use via API at its foot says what it takes."
FAILED = "This server couldn't do that; its log says why."
FULL = "This server's disk is full; try again later."
MINUTE = 60.0  # seconds
MEGABYTE = 2**20
RUN = re.compile(r"/(queue/join|mcp(/http)?|call/(v2/)?[^/]+)/?$")  # by others nothing comes that computes
FILE = "/gradio_api/file="
CLOSED = re.compile(  # routes of Gradio's that the page doesn't need: they fetch, run programs, or keep what was sent
    r"^/gradio_api/(file=[a-z]+:|file/|proxy=|deep_link|process_recording|custom_component|vibe|dev/|runs|run-history)",
    re.IGNORECASE,
)
BODIES = {  # bytes by the path; JSON holds up everybody while it is read, a second for each 2 MB
    "/gradio_api/upload": 600 * MEGABYTE,
    "/gradio_api/mcp": 200 * MEGABYTE,
    "/gradio_api/component_server": 16 * MEGABYTE,
    "": MEGABYTE,
}
SPARE = 256 * MEGABYTE  # of the disk, which uploads leave free
LOGINS, OTHERS = 20, 3000  # posts of a visitor in a minute that are no runs; the page itself never comes near
CALLER = f"x-caller-{secrets.token_hex(16)}"  # header in which a tool's own call says whose it is
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
VISITORS = 50_000  # of whom the last minute is remembered
HUB = "https://huggingface.co https://*.huggingface.co https://*.hf.space"  # shows Spaces in a frame
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:;"
    " worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)
PICTURES = {  # how files that a browser shows begin
    rb"\x89PNG\r\n\x1a\n": "image/png",
    rb"\xff\xd8\xff": "image/jpeg",
    rb"GIF8[79]a": "image/gif",
    rb"RIFF....WEBP": "image/webp",
    rb"....ftypavi[fs]": "image/avif",
    rb"BM": "image/bmp",
}


def layers(proxies: int, hosts: Sequence[str] | None, runs: int) -> list[Middleware]:
    """Return what requests pass on their way in, the outermost first.

    Args:
        proxies: how many of our own stand in front; nobody may get past them.
        hosts: names that it answers for; None for any.
        runs: that each visitor may begin a minute; 0 for any number.
    """
    return [
        Middleware(Proxies, count=proxies),
        Middleware(Answers, frames=HUB if "SPACE_ID" in os.environ else "'none'"),
        *([] if hosts is None else [Middleware(Hosts, names=hosts)]),
        Middleware(Bounds, runs=runs),
    ]


def proxies(count: int | None, share: bool) -> int:
    """Return how many proxies stand in front: as many as were named, else one on a Space or behind a public address."""
    if count is not None:
        return count
    return int(share or "SPACE_ID" in os.environ or bool(os.environ.get("FORWARDED_ALLOW_IPS")))


def hosts(given: str | None, host: str, share: bool) -> list[str] | None:
    """Return the names that the server answers for, beside loopback's; None for any.

    Args:
        given: names with commas between; *.example.org is all below it.
        host: the address that it listens on.
        share: whether it has a public address, which nobody knows beforehand.
    """
    if given:
        return [host.lower(), *(name.strip().lower() for name in given.split(",") if name.strip())]
    if "SPACE_ID" in os.environ or share:
        return None
    if _loopback(host):
        return []
    LOG.info("The page answers for any host name; --allowed-hosts NAME[,...] limits them.")
    return None


def visitor(scope: Scope) -> str:
    """Return what tells visitors apart: the address, or in IPv6 its first 64 bits, since a visitor has all the rest."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def told(error: BaseException, sent: bool = False) -> tuple[str, int]:
    """Put an error into the log, as one line that names where it was raised; return what a visitor reads, and a status.

    Args:
        error: what was raised.
        sent: whether what the visitor sent is to blame.
    """
    where = "".join(f" ({each.filename}:{each.lineno})" for each in traceback.extract_tb(error.__traceback__)[-1:])
    LOG.warning("%s", f"{type(error).__name__}: {error!s:.300}{where}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL, 507
    return (UNFIT, 400) if sent else (FAILED, 500)


class Proxies:
    """Makes a request look as it did to the outermost of our own proxies: whose it is, for which host, http or https.

    Each proxy adds what it saw at the right of the X-Forwarded-* headers. What stands further to the left than there
    are proxies was made up by the visitor; without proxies, all of it.

    Args:
        app: what answers.
        count: of proxies.
    """

    def __init__(self, app: ASGIApp, count: int) -> None:
        self.app, self.count = app, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] == "http":
            headers = MutableHeaders(scope=scope)
            del headers["x-gradio-server"]
            for name in FORWARDED:
                values = ",".join(headers.getlist(name)).split(",")
                del headers[name]
                if self.count and (value := values[-self.count :][0].strip()):
                    headers[name] = value
            caller = headers.get(CALLER) or headers.get("x-forwarded-for", "")
            del headers[CALLER]
            if address := _address(caller):
                scope["client"] = (address, 0)
            if (scheme := headers.get("x-forwarded-proto")) in ("http", "https"):
                scope["scheme"] = scheme
        await self.app(scope, receive, send)


class Answers:
    """Gives every answer its headers, pictures their true type, and every failure a sentence in place of a traceback.

    Args:
        app: what answers.
        frames: the sites that may show the page in a frame.
    """

    def __init__(self, app: ASGIApp, frames: str) -> None:
        self.app, self.frames = app, frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun: list[Message] = []  # the answer's start; one that says what failed waits here for its words

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                if message["status"] not in (422, 500):
                    self._dress(scope, message)
                    await send(message)
            elif begun[0]["status"] not in (422, 500):
                await send(message)
            elif not message.get("more_body"):
                said = _words(message.get("body", b""))
                if begun[0]["status"] == 422 or said[0] not in (
                    UNFIT,
                    FAILED,
                    FULL,
                ):  # of which ui/serving/page.py has told
                    LOG.warning("%s %s: %s", scope["method"], scope["path"][:100], said[0][:300])
                await self._refuse(said, scope, receive, send)

        try:
            await self.app(scope, receive, pass_on)
        except ClientDisconnect:
            pass
        except Exception as error:
            words, status = told(error, sent=scope["method"] == "POST")
            if begun:  # a stream, which can only end
                await send({"type": "http.response.body", "body": b""})
            else:
                await self._refuse((words, status), scope, receive, send)

    def _dress(self, scope: Scope, message: Message) -> None:
        headers = MutableHeaders(scope=message)
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "same-origin"
        headers["Content-Security-Policy"] = POLICY + self.frames
        if self.frames == "'none'":
            headers["X-Frame-Options"] = "DENY"
        if scope["path"].startswith(FILE):
            headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
            if message["status"] in (200, 206) and headers.get("content-type", "").startswith("image/"):
                kind = _kind(scope["path"].removeprefix(FILE))
                headers["Content-Type"] = kind or "application/octet-stream"
                if kind is None:
                    headers["Content-Disposition"] = "attachment"

    async def _refuse(self, said: tuple[str, int], scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(scope, message)
            await send(message)

        await refusal(*said)(scope, receive, dressed)


class Hosts:
    """Answers only for its own names, so that no other site's can be pointed at it (DNS rebinding).

    Args:
        app: what answers otherwise.
        names: its own, beside loopback's.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            asked = headers.get("x-forwarded-host") or headers.get("host", "")
            origin = headers.get("origin") if scope["method"] == "POST" else None
            if not self._own(asked) or (origin is not None and not self._own(origin.partition("://")[2])):
                words = "This server doesn't answer for that name; whoever runs it can add it by --allowed-hosts."
                await refusal(words, 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _own(self, host: str) -> bool:
        name = re.sub(r":\d+$", "", host).strip("[]").rstrip(".").lower()
        return _loopback(name) or any(
            name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in self.names
        )


class Bounds:
    """Keeps each visitor to so many runs and other posts a minute, and requests to what the page needs.

    Args:
        app: what answers otherwise.
        runs: how many; 0 for any number.
    """

    def __init__(self, app: ASGIApp, runs: int) -> None:
        self.app, self.runs = app, runs
        self.begun: TTLCache[tuple[str, str], list[float]] = TTLCache(VISITORS, 2 * MINUTE)  # when, and how many since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if answer := self._refusal(scope):
            await answer(scope, receive, send)
            return
        await self.app(scope, self._bounded(scope, receive), send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        path = scope["path"]
        if CLOSED.search(path):
            return refusal("This page doesn't have that.", 404)
        if path.startswith(FILE):
            storage.restore(path.removeprefix(FILE))
        if scope["method"] != "POST":
            return None
        what, most = ("runs", self.runs) if RUN.search(path) else ("requests", OTHERS)
        if path.rstrip("/") == "/login":
            what, most = "logins", LOGINS
        if wait := self._wait(visitor(scope), what, most):
            words = f"This server takes {most} {what} a minute from each visitor; try again in {wait} s."
            return refusal(words, 429, {"Retry-After": str(wait)})
        if int(Headers(scope=scope).get("content-length") or 0) > _most(path):
            return refusal(_too_large(path), 413)
        if path.startswith("/gradio_api/upload") and _free() < SPARE:
            return refusal(FULL, 507)
        return None

    def _wait(self, who: str, what: str, most: int) -> int:
        """Return the seconds until a visitor may post again, and count one that may."""
        if not most:
            return 0
        now = time.monotonic()
        begun, count = self.begun.get((who, what), (now, 0))
        if now - begun >= MINUTE:
            begun, count = now, 0
        if count >= most:
            return math.ceil(MINUTE - (now - begun))
        self.begun[who, what] = [begun, count + 1]
        return 0

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """Refuse a body that goes on beyond what its request may have, whatever it says of its length."""
        most, taken = _most(scope["path"]), 0

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                raise HTTPException(413, _too_large(scope["path"]))
            return message

        return bounded


def refusal(words: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """Return an answer that says no: `detail` is what FastAPI's has, `error` what Gradio's has."""
    return JSONResponse({"detail": words, "error": words}, status, headers)


def _words(body: bytes) -> tuple[str, int]:
    """Return the sentence of an answer that says what failed, and its status: the visitor's fault (400) or not."""
    try:
        found = json.loads(body)
        said = found.get("error") or found.get("detail")
    except (ValueError, AttributeError):
        said = None
    return (said, {FAILED: 500, FULL: 507}.get(said, 400)) if isinstance(said, str) else (UNFIT, 400)


def _kind(path: str) -> str | None:
    """Return the type of a picture that a browser shows, by its first bytes."""
    try:
        with open(path, "rb") as file:
            first = file.read(16)
    except OSError:
        return None
    return next((kind for begins, kind in PICTURES.items() if re.match(begins, first, re.DOTALL)), None)


def _most(path: str) -> int:
    return next(most for begins, most in BODIES.items() if path.startswith(begins))


def _too_large(path: str) -> str:
    return f"This is more than {_most(path) // MEGABYTE} MB, which is what this server takes."


def _free() -> int:
    try:
        return shutil.disk_usage(get_upload_folder()).free
    except OSError:  # there is no folder as yet
        return SPARE


def _loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str | None:
    """Return the address that an entry names, which may have a port."""
    if match := re.fullmatch(r"\[([^\]]*)\](:\d+)?|([\d.]+):\d+", text):
        text = match[1] or match[3] or ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
