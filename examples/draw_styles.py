"""Draw the style images: `python examples/draw_styles.py [NAME ...]` writes `examples/styles/<name>.jpg`.

The code in `drawing/styles` paints every picture; the same name always gives the same picture.
"""

import argparse
import importlib
import pkgutil
import zlib
from pathlib import Path

import numpy as np
from drawing import styles
from PIL import Image

NAMES = sorted(module.name for module in pkgutil.iter_modules(styles.__path__))
FOLDER = Path(__file__).parent / "styles"
QUALITY = 80  # of the JPEG; the first fourteen pictures were saved at 90


def draw(name):
    """Return the style's picture, reduced to its final size."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    rgb = importlib.import_module(f"drawing.styles.{name}").draw(rng)
    return Image.fromarray((np.clip(rgb, 0, 1) * 255).round().astype(np.uint8)).reduce(2)


def main():
    """Draw the styles named on the command line, or all of them."""
    parser = argparse.ArgumentParser(description="Draw the style images.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}; all if omitted")
    names = parser.parse_args().names or NAMES
    if unknown := sorted(set(names) - set(NAMES)):
        parser.error(f"there is no style {', '.join(unknown)}; available styles are {', '.join(NAMES)}")
    FOLDER.mkdir(exist_ok=True)
    for name in names:
        draw(name).save(FOLDER / f"{name}.jpg", quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
