"""Sheets to download, and what the network sees of a painting."""

from __future__ import annotations

from PIL import Image

from adain_core.evaluation.sheet import sheet

__all__ = ["sheet", "window"]


def window(picture: Image.Image, side: int = 256) -> Image.Image:
    """Cut a square of a fixed number of pixels out of a picture's middle; a smaller picture lies on white."""
    seen = Image.new("RGB", (side, side), "white")
    seen.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return seen
