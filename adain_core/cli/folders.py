"""The pictures in a folder: all files that can be decoded, regardless of their names."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from adain_core import images
from adain_core.contracts import count

SHOWN = 3  # file names listed in a sentence
LOCKED = "This folder can't be read; check its permissions."


@dataclass
class Found:
    """The files in a folder, in the order of their names, without hidden files.

    Attributes:
        pictures: files that can be decoded, and all files with a picture's suffix.
        left_out: the other files, and subfolders that can't be read, by the reason as a sentence.
    """

    pictures: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=dict)

    def sentences(self) -> list[str]:
        """Return a sentence per reason with the number of files left out and a few of their names."""
        return [_sentence(why, files) for why, files in self.left_out.items()]


def find(folder: Path, recursive: bool = False) -> Found:
    """Find the pictures in a folder and, with `recursive`, in its subfolders.

    Links to files are followed, but not links to folders, which may form a cycle.

    Raises:
        OSError: the folder can't be read; one in it that can't is left out.
    """
    found = Found()

    def refuse(error: OSError) -> None:
        if Path(error.filename) == folder:
            raise error
        found.left_out.setdefault(LOCKED, []).append(Path(error.filename))

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(each for each in folders if recursive and not each.startswith("."))
        for path in (Path(parent, name) for name in sorted(names) if not name.startswith(".")):
            if path.suffix.lower() in images.SUFFIXES:
                found.pictures.append(path)
                continue
            try:
                images.measure(path)
                found.pictures.append(path)
            except ValueError as error:
                found.left_out.setdefault(str(error), []).append(path)
            except OSError as error:
                why = f"This file can't be read: {error.strerror or 'the disk fails'}."
                found.left_out.setdefault(why, []).append(path)
    return found


def _sentence(why: str, files: list[Path]) -> str:
    names = ", ".join(path.name for path in files[:SHOWN]) + (", ..." if len(files) > SHOWN else "")
    return f"{count(len(files), 'folder' if why == LOCKED else 'file')} skipped ({names}): {why}"
