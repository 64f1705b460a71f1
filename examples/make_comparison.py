"""Make the stored comparison that the Compare tab opens with, using the compact model.

    python -m examples.make_comparison

It is what one click in the tab gives: the first pair with AdaIN, style swap, and Gatys at 256 px; times are local.
"""

from __future__ import annotations

import shutil

from adain_core import compare
from adain_core.evaluation import report
from ui import examples

FOLDER = examples.FOLDER / "comparison"


def main() -> None:
    """Run the comparison and write it to examples/comparison/."""
    pair = examples.pairs()[0]
    *_, made = compare(pair.photo.path, pair.style.path, seconds=15)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for line in report.save(made, FOLDER)["found"]:
        print(line)


if __name__ == "__main__":
    main()
