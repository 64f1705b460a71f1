"""What stands before the page: who a visitor is, and how many runs a minute each may begin."""

from __future__ import annotations

import ipaddress
import math
import os
import re
import time

from cachetools import TTLCache
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

MINUTE = 60.0  # seconds
RUN = re.compile(r"/(queue/join|mcp(/http)?|call/(v2/)?[^/]+|run/[^/]+|api/[^/]+)/?$")
FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto")
VISITORS = 50_000  # of whom the last minute is remembered


def layers(proxies: int, runs: int) -> list[Middleware]:
    """Return what requests pass on their way in, the outermost first.

    Args:
        proxies: how many of our own stand in front; nobody may get past them.
        runs: that each visitor may begin a minute; 0 for any number.
    """
    return [Middleware(Proxies, count=proxies), *([Middleware(RateLimit, runs=runs)] if runs else [])]


def proxies(count: int | None, share: bool) -> int:
    """Return how many proxies stand in front: as many as were named, else one on a Space or behind a public address."""
    if count is not None:
        return count
    return int(share or "SPACE_ID" in os.environ or bool(os.environ.get("FORWARDED_ALLOW_IPS")))


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
            if address := _address(headers.get("x-forwarded-for", "")):
                scope["client"] = (address, 0)
            if (scheme := headers.get("x-forwarded-proto")) in ("http", "https"):
                scope["scheme"] = scheme
        await self.app(scope, receive, send)


class RateLimit:
    """Lets each visitor begin so many runs a minute; what exceeds them is answered with a sentence (HTTP 429).

    Args:
        app: what answers otherwise.
        runs: how many.
    """

    def __init__(self, app: ASGIApp, runs: int) -> None:
        self.app, self.runs = app, runs
        self.begun: TTLCache[str, list[float]] = TTLCache(VISITORS, MINUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "http" and scope["method"] == "POST" and RUN.search(scope["path"]):
            who, now = visitor(scope), time.monotonic()
            recent = [begun for begun in self.begun.get(who, []) if now - begun < MINUTE]
            if len(recent) >= self.runs:
                wait = math.ceil(MINUTE - (now - recent[0]))
                words = f"This server takes {self.runs} runs a minute from each visitor; try again in {wait} s."
                answer = JSONResponse({"detail": words, "error": words}, 429, {"Retry-After": str(wait)})
                await answer(scope, receive, send)
                return
            self.begun[who] = [*recent, now]
        await self.app(scope, receive, send)


def _address(text: str) -> str | None:
    """Return the address that an entry names, which may have a port."""
    if match := re.fullmatch(r"\[([^\]]*)\](:\d+)?|([\d.]+):\d+", text):
        text = match[1] or match[3] or ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
