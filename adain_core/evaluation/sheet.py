"""Drawing pictures with captions, tables, and text as one picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

from adain_core import images

SIDE = 400  # side length of a cell in pixels
LINES = 2  # maximum lines of a caption
TEXT = 15  # font size in pixels
INK, LINE = "#24211d", "#cfc3b1"
MARGIN = 12  # pixels around table cells and text


def sheet(captioned: Sequence[tuple[Image.Image, str]], columns: int = 3) -> Image.Image:
    """Arrange pictures in a grid, uncropped and with captions below."""
    return images.sheet([_cell(*each) for each in captioned], min(columns, len(captioned)), SIDE)


def table(rows: Sequence[Sequence[str]]) -> Image.Image:
    """Draw a table whose first row is the header; the first column is left-aligned, the others right-aligned."""
    font = ImageFont.load_default(TEXT)
    widths = [round(max(map(font.getlength, column))) for column in zip(*rows, strict=True)]
    height = TEXT + 2 * MARGIN
    made = Image.new("RGB", (sum(widths) + 2 * MARGIN * len(widths), height * len(rows)), "white")
    draw = ImageDraw.Draw(made)
    for number, row in enumerate(rows):
        left, middle = 0, round((number + 0.5) * height)
        for column, (text, width) in enumerate(zip(row, widths, strict=True)):
            x = left + MARGIN + (width if column else 0)
            draw.text((x, middle), text, INK, font, anchor="rm" if column else "lm")
            left += width + 2 * MARGIN
        draw.line((MARGIN, (number + 1) * height, made.width - MARGIN, (number + 1) * height), LINE)
    return made


def text(lines: Sequence[str], width: int) -> Image.Image:
    """Draw lines of text on white, wrapped at `width` pixels."""
    broken = [part for line in lines for part in textwrap.wrap(line, width * 2 // TEXT)]
    made = Image.new("RGB", (width, (TEXT + 6) * len(broken) + 2 * MARGIN), "white")
    font = ImageFont.load_default(TEXT)
    ImageDraw.Draw(made).multiline_text((MARGIN, MARGIN), "\n".join(broken), INK, font, spacing=6)
    return made


def stack(parts: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures vertically, left-aligned on white."""
    made = Image.new("RGB", (max(each.width for each in parts), sum(each.height for each in parts)), "white")
    top = 0
    for each in parts:
        made.paste(each, (0, top))
        top += each.height
    return made


def _cell(picture: Image.Image, caption: str) -> Image.Image:
    cell = Image.new("RGB", (SIDE, SIDE), "white")
    foot = LINES * (TEXT + 5) + 4
    whole = ImageOps.contain(picture.convert("RGB"), (SIDE, SIDE - foot))
    cell.paste(whole, ((SIDE - whole.width) // 2, (SIDE - foot - whole.height) // 2))
    lines = textwrap.wrap(caption, width=50)[:LINES]
    font = ImageFont.load_default(TEXT)
    ImageDraw.Draw(cell).multiline_text((4, SIDE - foot + 3), "\n".join(lines), INK, font, spacing=4)
    return cell
