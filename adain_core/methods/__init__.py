"""Style transfer methods, one paper per file; files here are found automatically."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from adain_core.contracts import Method


@functools.cache
def find() -> dict[str, Method]:
    """Return every method by name, except those whose weights the table doesn't have yet."""
    return {name: method for name, method in written().items() if method.known_styles != ()}


def written() -> dict[str, Method]:
    """Return every method that there is code for, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}").METHOD for name in names}


def get(name: str) -> Method:
    """Return a method.

    Raises:
        ValueError: there is no such method; the message lists the available ones.
    """
    if name not in find():
        raise ValueError(f"There is no method {name}; there are {', '.join(find())}.")
    return find()[name]
