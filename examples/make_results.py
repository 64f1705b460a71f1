"""Make the stored results that the page opens with, and the README's sheet, with the compact model.

    python -m examples.make_results

Every pair of examples.json at 640 px goes into examples/results/; some photographs in some styles go into
examples/sheet.jpg.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from adain_core import images, stylize
from ui import examples

SIZE = 640  # pixels of the longer side
SHEET_PHOTOS = ("tiger", "bridge", "cat", "moose", "citrus", "meadow")
SHEET_STYLES = ("night_river", "great_wave", "impasto_sunset", "woodcut", "mosaic", "birches")


def main() -> None:
    """Make every pair's result, then the sheet."""
    for pair in examples.pairs():
        path = Path(pair.result.path)
        path.parent.mkdir(exist_ok=True)
        images.save(stylize(pair.photo.path, pair.style.path, size=SIZE), path)
    photos = [examples.FOLDER / "photos" / f"{name}.jpg" for name in SHEET_PHOTOS]
    styles = [examples.FOLDER / "styles" / f"{name}.jpg" for name in SHEET_STYLES]
    rows = [Image.new("RGB", (1, 1), "white"), *map(Image.open, styles)]
    for photo in photos:
        rows += [Image.open(photo), *(stylize(photo, style, size=SIZE) for style in styles)]
    images.save(images.sheet(rows, columns=1 + len(styles), side=220), examples.FOLDER / "sheet.jpg")


if __name__ == "__main__":
    main()
