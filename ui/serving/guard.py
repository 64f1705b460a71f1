"""Middleware in front of the page: proxies, allowed hosts, rate and size limits, and one-sentence errors."""

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
UNFIT = 'This request is not valid for this page; see "Use via API" at the bottom of the page.'
FAILED = "The request failed; see the server log for details."
FULL = "This server's disk is full; try again later."
MINUTE = 60.0  # seconds
MEGABYTE = 2**20
RUN = re.compile(r"/(queue/join|mcp(/http)?|call/(v2/)?[^/]+)/?$")  # the only paths that start a run
FILE = "/gradio_api/file="
CLOSED = re.compile(  # Gradio routes that the page doesn't need: they fetch URLs, run programs, or store requests
    r"^/gradio_api/(file=[a-z]+:|file/|proxy=|deep_link|process_recording|custom_component|vibe|dev/|runs|run-history)",
    re.IGNORECASE,
)
BODIES = {  # maximum bytes by path; parsing JSON blocks the event loop, one second per 2 MB
    "/gradio_api/upload": 600 * MEGABYTE,
    "/gradio_api/mcp": 200 * MEGABYTE,
    "/gradio_api/component_server": 16 * MEGABYTE,
    "": MEGABYTE,
}
SPARE = 256 * MEGABYTE  # disk space that uploads must leave free
LOGINS, OTHERS = 20, 3000  # other POST requests per visitor and minute; the page itself never comes close
CALLER = f"x-caller-{secrets.token_hex(16)}"  # header with the address of the client that called an MCP tool
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
VISITORS = 50_000  # maximum number of visitors tracked by the rate limit
HUB = "https://huggingface.co https://*.huggingface.co https://*.hf.space"  # embeds Spaces in a frame
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:;"
    " worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors "
)
PICTURES = {  # magic numbers of the formats that browsers display
    rb"\x89PNG\r\n\x1a\n": "image/png",
    rb"\xff\xd8\xff": "image/jpeg",
    rb"GIF8[79]a": "image/gif",
    rb"RIFF....WEBP": "image/webp",
    rb"....ftypavi[fs]": "image/avif",
    rb"BM": "image/bmp",
}


def layers(proxies: int, hosts: Sequence[str] | None, runs: int) -> list[Middleware]:
    """Return the middleware, outermost first.

    Args:
        proxies: the number of our own reverse proxies; the server must be unreachable except through them.
        hosts: the allowed host names; None for any.
        runs: the maximum number of runs per visitor and minute; 0 for no limit.
    """
    return [
        Middleware(Proxies, count=proxies),
        Middleware(Answers, frames=HUB if "SPACE_ID" in os.environ else "'none'"),
        *([] if hosts is None else [Middleware(Hosts, names=hosts)]),
        Middleware(Bounds, runs=runs),
    ]


def proxies(count: int | None, share: bool) -> int:
    """Return the number of reverse proxies: the given count, else 1 on a Space or with a public link, else 0."""
    if count is not None:
        return count
    return int(share or "SPACE_ID" in os.environ or bool(os.environ.get("FORWARDED_ALLOW_IPS")))


def hosts(given: str | None, host: str, share: bool) -> list[str] | None:
    """Return the allowed host names, in addition to loopback names; None for any.

    Args:
        given: comma-separated names; *.example.org matches all subdomains.
        host: the address that the server listens on.
        share: whether it has a public link, whose name isn't known in advance.
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
    """Return a visitor's identity: the IPv4 address, or the IPv6 /64 network, all of which one visitor may control."""
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def log_error(error: BaseException, sent: bool = False) -> tuple[str, int]:
    """Log an error in one line with its source location; return the visitor's message and an HTTP status.

    Args:
        error: the exception.
        sent: whether the visitor's request is to blame.
    """
    where = "".join(f" ({each.filename}:{each.lineno})" for each in traceback.extract_tb(error.__traceback__)[-1:])
    LOG.warning("%s", f"{type(error).__name__}: {error!s:.300}{where}")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FULL, 507
    return (UNFIT, 400) if sent else (FAILED, 500)


class Proxies:
    """Restores a request's client, host, and scheme as the outermost of our own proxies saw them.

    Each proxy appends what it saw to the X-Forwarded-* headers. Entries further to the left than the number of proxies
    are forged by the visitor; without proxies, all of them are.

    Args:
        app: the application to wrap.
        count: the number of proxies.
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
    """Adds security headers, sets pictures' true types, and replaces every failure with one sentence.

    Args:
        app: the application to wrap.
        frames: the sites that may embed the page in a frame.
    """

    def __init__(self, app: ASGIApp, frames: str) -> None:
        self.app, self.frames = app, frames

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun: list[Message] = []  # the start of the response; an error's is held until its body is known

        async def pass_on(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
                if message["status"] not in (422, 500):
                    self._dress(scope, message)
                    await send(message)
            elif begun[0]["status"] not in (422, 500):
                await send(message)
            elif not message.get("more_body"):
                answer = _words(message.get("body", b""))
                logged = (UNFIT, FAILED, FULL)  # by ui/serving/page.py
                if begun[0]["status"] == 422 or answer[0] not in logged:
                    LOG.warning("%s %s: %s", scope["method"], scope["path"][:100], answer[0][:300])
                await self._refuse(answer, scope, receive, send)

        try:
            await self.app(scope, receive, pass_on)
        except ClientDisconnect:
            pass
        except Exception as error:
            words, status = log_error(error, sent=scope["method"] == "POST")
            if begun:  # a stream, which can only be ended
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

    async def _refuse(self, answer: tuple[str, int], scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._dress(scope, message)
            await send(message)

        await refusal(*answer)(scope, receive, dressed)


class Hosts:
    """Rejects requests for other host names, against DNS rebinding.

    Args:
        app: the application to wrap.
        names: the allowed names, in addition to loopback names.
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
                words = "This server does not answer for that host name; its operator can add it with --allowed-hosts."
                await refusal(words, 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _own(self, host: str) -> bool:
        name = re.sub(r":\d+$", "", host).strip("[]").rstrip(".").lower()
        return _loopback(name) or any(
            name == each or (each.startswith("*.") and name.endswith(each[1:])) for each in self.names
        )


class Bounds:
    """Limits runs and other POST requests per visitor and minute, request sizes, and the routes that are open.

    Args:
        app: the application to wrap.
        runs: the maximum number of runs; 0 for no limit.
    """

    def __init__(self, app: ASGIApp, runs: int) -> None:
        self.app, self.runs = app, runs
        self.begun: TTLCache[tuple[str, str], list[float]] = TTLCache(VISITORS, 2 * MINUTE)  # window start, count

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
            return refusal("This page has no such route.", 404)
        if path.startswith(FILE):
            storage.restore(path.removeprefix(FILE))
        if scope["method"] != "POST":
            return None
        what, most = ("runs", self.runs) if RUN.search(path) else ("requests", OTHERS)
        if path.rstrip("/") == "/login":
            what, most = "logins", LOGINS
        if wait := self._wait(visitor(scope), what, most):
            words = f"This server allows {most} {what} per minute and visitor; try again in {wait} s."
            return refusal(words, 429, {"Retry-After": str(wait)})
        if int(Headers(scope=scope).get("content-length") or 0) > _most(path):
            return refusal(_too_large(path), 413)
        if path.startswith("/gradio_api/upload") and _free() < SPARE:
            return refusal(FULL, 507)
        return None

    def _wait(self, who: str, what: str, most: int) -> int:
        """Return the seconds until a visitor's next request is allowed; if it is now, count it and return 0."""
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
        """Reject a body that exceeds its path's limit, whatever its Content-Length says."""
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
    """Return an error response: `detail` as in FastAPI's errors, `error` as in Gradio's."""
    return JSONResponse({"detail": words, "error": words}, status, headers)


def _words(body: bytes) -> tuple[str, int]:
    """Return the message in an error response's body, and its status: 400 if the visitor is at fault."""
    try:
        found = json.loads(body)
        message = found.get("error") or found.get("detail")
    except (ValueError, AttributeError):
        message = None
    return (message, {FAILED: 500, FULL: 507}.get(message, 400)) if isinstance(message, str) else (UNFIT, 400)


def _kind(path: str) -> str | None:
    """Return a picture's media type, by its first bytes; None if browsers don't display it."""
    try:
        with open(path, "rb") as file:
            first = file.read(16)
    except OSError:
        return None
    return next((kind for begins, kind in PICTURES.items() if re.match(begins, first, re.DOTALL)), None)


def _most(path: str) -> int:
    return next(most for begins, most in BODIES.items() if path.startswith(begins))


def _too_large(path: str) -> str:
    return f"This is larger than {_most(path) // MEGABYTE} MB, the most this server accepts."


def _free() -> int:
    try:
        return shutil.disk_usage(get_upload_folder()).free
    except OSError:  # the folder doesn't exist yet
        return SPARE


def _loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _address(text: str) -> str | None:
    """Return the IP address in a header entry, which may include a port."""
    if match := re.fullmatch(r"\[([^\]]*)\](:\d+)?|([\d.]+):\d+", text):
        text = match[1] or match[3] or ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
