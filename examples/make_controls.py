"""Make the images for docs/controls.md with the compact model.

    python -m examples.make_controls

Each is a sheet in examples/controls/: the inputs, then the results.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from adain_core import images, stylize
from adain_core.controls import proposals
from ui import examples

SIZE = 640  # pixels of the longer side
SIDE = 300  # pixels of a cell in a sheet
FOLDER = examples.FOLDER / "controls"


def picture(name: str) -> Image.Image:
    """Open an example, such as "photos/cat"."""
    return images.load(examples.FOLDER / f"{name}.jpg").rgb


def sheet(name: str, pictures: Sequence[Image.Image], columns: int) -> None:
    """Write a sheet."""
    images.sheet(pictures, columns=columns, side=SIDE).save(FOLDER / f"{name}.jpg", quality=85)


def main() -> None:
    """Make every sheet."""
    FOLDER.mkdir(exist_ok=True)
    photo, style = picture("photos/citrus"), picture("styles/night_river")
    modes = ("off", "match", "histogram", "luminance", "palette")
    sheet("colors", [photo, style, *(stylize(photo, style, size=SIZE, color=mode) for mode in modes)], 7)

    photo, style, other = picture("photos/tiger"), picture("styles/impasto_sunset"), picture("styles/great_wave")
    labels = proposals.propose(photo, "foreground")
    shown = labels.point(lambda label: 255 * label).convert("RGB")
    both = stylize(photo, regions=labels, style_for={1: style, 0: other}, size=SIZE)
    alone = stylize(photo, regions=labels, style_for={1: style}, size=SIZE)
    sheet("regions", [photo, shown, style, other, both, alone], 6)

    photo, style = picture("photos/bridge"), picture("styles/woodcut")
    scales = (0.25, 0.5, 1, 2, 4)
    sheet("strokes", [photo, style, *(stylize(photo, style, size=SIZE, style_scale=scale) for scale in scales)], 7)

    photo, style = picture("photos/meadow"), picture("styles/mosaic")
    ramp = Image.linear_gradient("L").rotate(90).resize(images.load(photo).rgb.size)
    alphas = (0, 0.5, 1)
    strengths = [stylize(photo, style, size=SIZE, alpha=alpha) for alpha in alphas]
    sheet("strength", [photo, style, *strengths, stylize(photo, style, size=SIZE, strength_map=ramp)], 6)


if __name__ == "__main__":
    main()
