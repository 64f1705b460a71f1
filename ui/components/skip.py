"""What of a comparison nobody wants any more, and a folder for what it makes."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from gradio.utils import get_upload_folder

from adain_core import methods


class Skip:
    """The methods of a run that nobody wants any more.

    A method is wanted as long as its file is there, since on ZeroGPU the run has a process of its own.

    Attributes:
        replaced: whether the visitor has begun another run since.
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
        """Whether nothing is wanted any more."""
        return not self.folder.exists()

    def add_all(self) -> None:
        """Stop whatever is left."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Latest:
    """The last run that a visitor began; those before it end, whether they compute or still wait."""

    def __init__(self) -> None:
        self.skip: Skip | None = None

    def begin(self) -> Skip:
        """Let go of the run before and return what stops the new one."""
        if self.skip is not None:
            self.skip.replaced = True
            self.skip.add_all()
        self.skip = Skip()
        return self.skip


def new_folder() -> Path:
    """Make a folder whose files Gradio serves and will delete in time."""
    Path(get_upload_folder()).mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(dir=get_upload_folder()))
