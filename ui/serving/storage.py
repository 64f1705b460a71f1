"""The folder of uploads and results: of this server alone, tidied while it runs and gone when it stops."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.utils import get_upload_folder

LOG = logging.getLogger("adain_core.server")
PREFIX = "adain-"
AGE = 6 * 3600  # seconds that uploads and results stay
UNFINISHED = 900  # seconds since the last byte of an upload that broke off
EVERY = 600  # seconds between two tidyings, each of which touches the folder
KILLED = 3 * EVERY  # seconds since the last one, after which a server is taken for gone
HELD: dict[str, bytes] = {}  # by path what must always be there: the pictures that the page itself shows


@contextmanager
def folder() -> Iterator[Path]:
    """Give this server a folder that nobody else may read, inside GRADIO_TEMP_DIR; delete it at the end.

    Raises:
        OSError: there can't be one.
    """
    base = Path(get_upload_folder())
    base.mkdir(parents=True, exist_ok=True)
    own = tempfile.mkdtemp(prefix=PREFIX, dir=base.resolve())
    before, os.environ["GRADIO_TEMP_DIR"] = os.environ.get("GRADIO_TEMP_DIR"), own
    ended = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        tidy()
        yield Path(own)
    finally:
        signal.signal(signal.SIGTERM, ended)
        shutil.rmtree(own, ignore_errors=True)
        os.environ.pop("GRADIO_TEMP_DIR")
        if before is not None:
            os.environ["GRADIO_TEMP_DIR"] = before
        HELD.clear()


def tend(page: gr.Blocks, offered: Iterable[str]) -> None:
    """Tidy the folder again and again as long as this process lives.

    Args:
        page: what it shows first is put back whenever it is missing.
        offered: files that it shows later; they are put into the folder now.
    """
    kept = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
    kept |= {save_file_to_cache(path, get_upload_folder()) for path in offered}
    HELD.update((path, Path(path).read_bytes()) for path in kept)
    threading.Thread(target=_tend, args=(page,), daemon=True).start()


def restore(path: Any) -> None:
    """Put back a file of the page's own, should it be missing."""
    if isinstance(path, str) and path in HELD and not os.path.exists(path):
        with suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(path).write_bytes(HELD[path])


def tidy(age: float = AGE) -> None:
    """Delete files older than `age` seconds but for the page's own, uploads that broke off, and empty folders.

    And the folders of servers that were killed.
    """
    top = get_upload_folder()
    with suppress(OSError):
        os.utime(top)
    for left in Path(top).parent.glob(f"{PREFIX}*") if Path(top).name.startswith(PREFIX) else ():
        if left != Path(top) and left.is_dir() and not left.is_symlink() and _age(left) > KILLED:
            shutil.rmtree(left, ignore_errors=True)
    for place, folders, files in os.walk(top, topdown=False):
        for name in files:
            path = os.path.join(place, name)
            unfinished = place == top and _age(path) > UNFINISHED
            if path not in HELD and (unfinished or _age(path) > age):
                with suppress(OSError):
                    os.remove(path)
        for name in folders:
            path = os.path.join(place, name)
            if _age(path) > min(age, UNFINISHED):
                with suppress(OSError):
                    os.unlink(path) if os.path.islink(path) else os.rmdir(path)  # not where there is something in it


def _tend(page: gr.Blocks) -> None:
    while True:
        time.sleep(EVERY)
        try:
            tidy()
            for path in HELD:
                restore(path)
            for files in page.temp_file_sets:  # Gradio's own lists, which would grow
                files.intersection_update([path for path in [*files] if os.path.exists(path)])
        except Exception as error:  # the next time is soon
            LOG.warning("The folder of uploads could not be tidied: %s", type(error).__name__)


def _age(path: str | Path) -> float:
    """Return for how many seconds something has been there, by the time at which it was put there; 0 if it is gone."""
    try:
        return time.time() - os.lstat(path).st_ctime
    except OSError:
        return 0
