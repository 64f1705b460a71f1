"""Style transfer by adaptive instance normalization (Huang & Belongie, ICCV 2017): networks, methods, and a Python API.

from adain_core import stylize
picture = stylize("photo.jpg", "painting.jpg", alpha=0.8)
"""

import importlib
from typing import TYPE_CHECKING, Any

from adain_core.system.version import VERSION

if TYPE_CHECKING:
    from adain_core.evaluation.comparison import compare
    from adain_core.normalization import adain
    from adain_core.runs.pipeline import PictureError, Result, forecast, run, stylize, stylize_all
    from adain_core.weights import WeightsError, load

__version__ = VERSION
__all__ = [
    "PictureError",
    "Result",
    "WeightsError",
    "adain",
    "compare",
    "load",
    "forecast",
    "run",
    "stylize",
    "stylize_all",
]
_HOMES = {"adain": "normalization", "compare": "evaluation.comparison", "load": "weights", "WeightsError": "weights"}


def __getattr__(name: str) -> Any:
    """Import a public name on first use: torch takes seconds to import, and Ctrl-C must work meanwhile."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'runs.pipeline')}"), name)
    globals()[name] = found
    return found
