"""The pictures that a folder holds: all that can be decoded, by what is in them rather than by their names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from adain_core import images
from adain_core.contracts import count

SHOWN = 3  # names of files in a sentence


@dataclass
class Found:
    """What a folder holds, in the order of names.

    Attributes:
        pictures: to be decoded; those whose name ends as a picture's does are among them whatever they hold.
        left_out: the other files, by the reason in a sentence. Hidden files, as systems make them, are in neither.
    """

    pictures: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Say what was left out: how many files for each reason, and a few of their names."""
        return [_sentence(why, files) for why, files in self.left_out.items()]


def find(folder: Path, recursive: bool = False) -> Found:
    """Find the pictures of a folder, and with `recursive` those of the folders in it.

    Links to files are followed, links to folders aren't: they may lead around in a circle.

    Raises:
        OSError: the folder can't be read.
    """
    found = Found()
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(each for each in folders if recursive and not each.startswith("."))
        for path in (Path(place, name) for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in images.SUFFIXES:
                found.pictures.append(path)
                continue
            try:
                images.measure(path)
                found.pictures.append(path)
            except ValueError as error:
                found.left_out.setdefault(str(error), []).append(path)
    return found


def _refuse(error: OSError) -> None:
    raise error


def _sentence(why: str, files: list[Path]) -> str:
    names = ", ".join(path.name for path in files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")
    return f"{count(len(files), 'file')} skipped ({names}): {why}"
