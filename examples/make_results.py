"""Make the stored results that the page opens with and the README's sheet, using the compact model.

    python -m examples.make_results

Each pair of examples.json is written to examples/results/ at 640 px, a selection of photographs and styles to
examples/sheet.jpg, and the image that other sites show for a link to the page to examples/preview.jpg.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from adain_core import images, stylize
from ui import examples

SIZE = 640  # pixels of the longer side
PREVIEW = (1200, 630)  # pixels, the size recommended for link previews
SHEET_PHOTOS = ("tiger", "bridge", "cat", "moose", "citrus", "meadow")
SHEET_STYLES = ("night_river", "great_wave", "impasto_sunset", "woodcut", "mosaic", "birches")


def main() -> None:
    """Make each pair's result, the preview, and the sheet."""
    for pair in examples.pairs():
        path = Path(pair.result.path)
        path.parent.mkdir(exist_ok=True)
        images.save(stylize(pair.photo.path, pair.style.path, size=SIZE), path)
    photos = [examples.FOLDER / "photos" / f"{name}.jpg" for name in SHEET_PHOTOS]
    styles = [examples.FOLDER / "styles" / f"{name}.jpg" for name in SHEET_STYLES]
    rows = [Image.new("RGB", (1, 1), "white"), *map(Image.open, styles)]
    for photo in photos:
        rows += [Image.open(photo), *(stylize(photo, style, size=SIZE) for style in styles)]
    _preview(examples.pairs()[0])
    images.save(images.sheet(rows, columns=1 + len(styles), side=220), examples.FOLDER / "sheet.jpg")


def _preview(pair: examples.Pair) -> None:
    """Make the link preview: the photograph on the left and its result on the right."""
    halves = [Image.open(pair.photo.path), stylize(pair.photo.path, pair.style.path, size=1200)]
    photo, result = (ImageOps.fit(half.convert("RGB"), PREVIEW) for half in halves)
    photo.paste(result.crop((PREVIEW[0] // 2, 0, *PREVIEW)), (PREVIEW[0] // 2, 0))
    photo.paste("white", (PREVIEW[0] // 2 - 2, 0, PREVIEW[0] // 2 + 2, PREVIEW[1]))
    photo.save(examples.FOLDER / "preview.jpg", quality=80)


if __name__ == "__main__":
    main()
