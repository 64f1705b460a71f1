"""What a single pass takes beside encoding and decoding: by its method's guess, then as its last runs took."""

from __future__ import annotations

from collections.abc import Mapping

from adain_core.contracts import Method, MethodParams
from adain_core.networks.model import Networks

LEAST = 128**2  # pixels of a picture that tells


def expect(method: Method, params: MethodParams, networks: Networks, pixels: int, style: int) -> float:
    """Return the seconds that a pass will take beside encoding and decoding.

    Args:
        method: whose.
        params: the method's.
        networks: remember what passes took.
        pixels: of the content.
        style: the longer side of a style, in pixels.
    """
    guess = networks.own.get(method.name, method.cost * networks.rate)
    return networks.own.get(_key(method, params), guess) * _extent(method, pixels, style)


def learn(
    method: Method, params: MethodParams, networks: Networks, pixels: int, style: int, seconds: Mapping[str, float]
) -> None:
    """Remember what a pass took by stage; the rest is as for `expect`."""
    if pixels >= LEAST:
        took = sum(value for stage, value in seconds.items() if not stage.startswith(("encode", "decode")))
        now = took / _extent(method, pixels, style)
        for key in (method.name, _key(method, params)):
            networks.own[key] = (networks.own.get(key, now) + now) / 2


def _key(method: Method, params: MethodParams) -> str:
    return method.name + params.model_dump_json(exclude={"seed", "alpha"})


def _extent(method: Method, pixels: int, style: int) -> int:
    return pixels * (style**2 if method.pairs else 1)
