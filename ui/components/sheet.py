"""Contact sheets to download, and a crop that shows what the network sees of a painting."""

from __future__ import annotations

from PIL import Image

from adain_core.evaluation.sheet import sheet

__all__ = ["sheet", "window"]


def window(picture: Image.Image, side: int = 256) -> Image.Image:
    """Crop a square from a picture's center; a smaller picture is centered on white."""
    seen = Image.new("RGB", (side, side), "white")
    seen.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return seen
