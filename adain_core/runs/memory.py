"""Turns running out of memory into a SizeError with one sentence, like a picture that is refused beforehand."""

from __future__ import annotations

import functools
from collections.abc import Callable, Generator
from typing import ParamSpec, TypeVar

from adain_core.contracts import SizeError
from adain_core.system import machine

P = ParamSpec("P")
T = TypeVar("T")


def checked(work: Callable[P, Generator[T, None, None]]) -> Callable[P, Generator[T, None, None]]:
    """Make a generator function raise SizeError if the machine or a GPU runs out of memory."""

    @functools.wraps(work)
    def run(*given: P.args, **named: P.kwargs) -> Generator[T, None, None]:
        try:
            yield from work(*given, **named)
            return
        except Exception as error:
            if (words := machine.shortage(error)) is None:
                raise
        raise SizeError(words)  # outside `except`, where the original error no longer keeps the memory occupied

    return run
