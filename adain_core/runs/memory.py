"""Memory that runs out on the way: one sentence, as for a picture that is refused before it begins."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import ParamSpec, TypeVar

from adain_core.contracts import SizeError
from adain_core.system import machine

P = ParamSpec("P")
T = TypeVar("T")


def checked(work: Callable[P, Generator[T, None, None]]) -> Callable[P, Generator[T, None, None]]:
    """Let a generator function raise SizeError where memory runs out, of the machine or of a GPU."""

    @functools.wraps(work)
    def run(*given: P.args, **named: P.kwargs) -> Generator[T, None, None]:
        try:
            yield from work(*given, **named)
            return
        except Exception as error:
            if (words := machine.shortage(error)) is None:
                raise
        raise SizeError(words)  # out here, where the error no longer holds on to what filled the memory

    return run
