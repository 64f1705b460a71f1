"""Adaptive instance normalization (Huang & Belongie, ICCV 2017): the networks, the methods, and one function to call.

from adain_core import stylize
picture = stylize("photo.jpg", "painting.jpg", alpha=0.8)
"""

from adain_core.compare import compare
from adain_core.normalization import adain
from adain_core.pipeline import PictureError, Result, forecast, run, stylize, stylize_all
from adain_core.weights import WeightsError, load

__version__ = "0.1.0"
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
