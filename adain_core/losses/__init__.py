"""Losses, one per file; style losses here are found automatically."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from adain_core.contracts import StyleLoss


@functools.cache
def find() -> dict[str, StyleLoss]:
    """Return every style loss by name."""
    modules = (importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__))
    found = [each for module in modules for each in vars(module).values() if isinstance(each, StyleLoss)]
    return {each.name: each for each in sorted(found, key=lambda each: each.name)}
