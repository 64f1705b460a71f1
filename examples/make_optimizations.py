"""Make the model card's sheet of optimizations through the perceptual network, each method at its default settings.

    python -m examples.make_optimizations

Two pairs a row, 12 in all, at 128 pixels: the photograph, the painting, AdaIN, and the methods that optimize.
"""

from __future__ import annotations

from itertools import cycle

from adain_core import images, load, stylize
from ui import examples

SIZE, PAIRS = 128, 12
METHODS = ("adain", "gatys", "mrf", "adversarial")


def main() -> None:
    """Make every picture and write examples/methods/optimizations.jpg."""
    photos, styles = (sorted((examples.FOLDER / kind).glob("*.jpg")) for kind in ("photos", "styles"))
    networks, shown = load(), []
    for photo, style in list(zip(cycle(photos), styles, strict=False))[:PAIRS]:
        shown += [images.load(photo, SIZE).rgb, images.load(style, SIZE).rgb]
        shown += [stylize(photo, style, method=name, size=SIZE, networks=networks) for name in METHODS]
        print(f"{photo.stem} in the style of {style.stem}", flush=True)
    sheet = images.sheet(shown, columns=2 * (2 + len(METHODS)), side=SIZE)
    sheet.save(examples.FOLDER / "methods" / "optimizations.jpg", quality=88)


if __name__ == "__main__":
    main()
