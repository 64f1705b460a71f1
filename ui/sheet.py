"""Pictures with captions, for a sheet to download, and what the network sees of a painting."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

from adain_core import images

SIDE = 400  # pixels of a cell
LINES = 2  # of a caption
TEXT = 15  # pixels of a letter's height


def sheet(captioned: Sequence[tuple[Image.Image, str]], columns: int = 3) -> Image.Image:
    """Lay pictures out in a grid, each whole and with its caption beneath."""
    return images.sheet([_cell(*each) for each in captioned], min(columns, len(captioned)), SIDE)


def window(picture: Image.Image, side: int = 256) -> Image.Image:
    """Cut a square of a fixed number of pixels out of a picture's middle; a smaller picture lies on white."""
    seen = Image.new("RGB", (side, side), "white")
    seen.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return seen


def _cell(picture: Image.Image, caption: str) -> Image.Image:
    cell = Image.new("RGB", (SIDE, SIDE), "white")
    foot = LINES * (TEXT + 5) + 4
    whole = ImageOps.contain(picture.convert("RGB"), (SIDE, SIDE - foot))
    cell.paste(whole, ((SIDE - whole.width) // 2, (SIDE - foot - whole.height) // 2))
    lines = textwrap.wrap(caption, width=50)[:LINES]
    font = ImageFont.load_default(TEXT)
    ImageDraw.Draw(cell).multiline_text((4, SIDE - foot + 3), "\n".join(lines), "#24211d", font, spacing=4)
    return cell
