"""Stopping single methods of a comparison, or all of them."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gradio.utils import get_upload_folder

from adain_core import methods


class Skip:
    """The methods of a comparison that the visitor has stopped.

    A method is stopped by deleting its file, because on ZeroGPU the run is a separate process.

    Attributes:
        replaced: whether the visitor has since started another run.
    """

    def __init__(self) -> None:
        self.replaced = False
        self.folder = new_folder()
        for name in methods.find():
            (self.folder / name).touch()

    def __contains__(self, name: object) -> bool:
        return not (self.folder / str(name)).exists()

    def add(self, name: str) -> None:
        """Stop one method."""
        (self.folder / name).unlink(missing_ok=True)

    @property
    def all(self) -> bool:
        """Whether everything is stopped."""
        return not self.folder.exists()

    def add_all(self) -> None:
        """Stop everything."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Latest:
    """A visitor's latest run; starting another ends it, whether it is computing or waiting."""

    def __init__(self) -> None:
        self.skip: Skip | None = None

    def begin(self) -> Skip:
        """Stop the previous run and return the new run's Skip."""
        if self.skip is not None:
            self.skip.replaced = True
            self.skip.add_all()
        self.skip = Skip()
        return self.skip


def new_folder() -> Path:
    """Create a folder whose files Gradio serves and that is cleaned up regularly."""
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=get_upload_folder()))
