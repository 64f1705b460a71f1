"""Make the sheet of optimizations in docs/methods.md, with `compact` and each method at its default settings.

    python -m examples.make_optimizations

Two pairs a row, 12 in all, at 128 pixels: the photograph, the painting, AdaIN, and the methods that optimize.
"""

from __future__ import annotations

from itertools import cycle

from adain_core import images, load, stylize
from ui import examples

SIZE = 128
STYLES = ("birches", "cubism", "great_wave", "impasto_sunset", "ink_wash", "jungle",
          "mosaic", "night_river", "paper_cut", "pointillism", "psychedelic", "stained_glass")  # fmt: skip
METHODS = ("adain", "gatys", "mrf", "adversarial")


def main() -> None:
    """Make every picture and write examples/methods/optimizations.jpg."""
    photos, networks, shown = sorted((examples.FOLDER / "photos").glob("*.jpg")), load(), []
    for photo, painting in zip(cycle(photos), STYLES, strict=False):
        style = examples.FOLDER / "styles" / f"{painting}.jpg"
        shown += [images.load(photo, SIZE).rgb, images.load(style, SIZE).rgb]
        shown += [stylize(photo, style, method=name, size=SIZE, networks=networks) for name in METHODS]
        print(f"{photo.stem} in the style of {painting}", flush=True)
    sheet = images.sheet(shown, columns=2 * (2 + len(METHODS)), side=SIZE)
    sheet.save(examples.FOLDER / "methods" / "optimizations.jpg", quality=88)


if __name__ == "__main__":
    main()
