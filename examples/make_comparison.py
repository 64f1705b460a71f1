"""Make the comparison that the page's tab Compare opens with, with the compact model.

    python -m examples.make_comparison

It is the tab's first click: the first pair, AdaIN, style swap and Gatys at 256 px. Seconds are this machine's.
"""

from __future__ import annotations

import shutil

from adain_core import compare
from adain_core.evaluation import report
from ui import examples

FOLDER = examples.FOLDER / "comparison"


def main() -> None:
    """Compare, and write everything into examples/comparison/."""
    pair = examples.pairs()[0]
    *_, made = compare(pair.photo.path, pair.style.path, seconds=15)
    shutil.rmtree(FOLDER, ignore_errors=True)
    for line in report.save(made, FOLDER)["found"]:
        print(line)


if __name__ == "__main__":
    main()
