"""The page's tabs, one per file, each with a TITLE, an ORDER, and a build(); found automatically."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType


def find() -> list[ModuleType]:
    """Return the tabs' modules in display order."""
    names = [f"{__name__}.{module.name}" for module in pkgutil.iter_modules(__path__)]
    return sorted(map(importlib.import_module, names), key=lambda tab: tab.ORDER)
