"""This server's private folder for uploads and results, cleaned up while it runs and deleted when it stops."""

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
AGE = 6 * 3600  # seconds that uploads and results are kept
UNFINISHED = 900  # seconds without new data after which an upload counts as aborted
EVERY = 600  # seconds between cleanups, each of which touches the folder
KILLED = 3 * EVERY  # seconds since its last cleanup after which a server counts as killed
PERMANENT: dict[str, bytes] = {}  # contents by path of files that must never disappear: the page's own pictures


@contextmanager
def folder() -> Iterator[Path]:
    """Create a private folder for this server inside GRADIO_TEMP_DIR, and delete it at the end.

    Raises:
        OSError: it cannot be created.
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
        PERMANENT.clear()


def tend(page: gr.Blocks, offered: Iterable[str]) -> None:
    """Clean up the folder periodically for as long as this process runs.

    Args:
        page: the pictures it opens with are restored whenever they are missing.
        offered: files that it may show later; they are copied into the folder now.
    """
    kept = {path for block in page.blocks.values() for path in getattr(block, "keep_in_cache", ())}
    kept |= {save_file_to_cache(path, get_upload_folder()) for path in offered}
    PERMANENT.update((path, Path(path).read_bytes()) for path in kept)
    threading.Thread(target=_tend, args=(page,), daemon=True).start()


def restore(path: Any) -> None:
    """Restore one of the page's own files if it is missing."""
    if isinstance(path, str) and path in PERMANENT and not os.path.exists(path):
        with suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            Path(path).write_bytes(PERMANENT[path])


def tidy(age: float = AGE) -> None:
    """Delete files older than `age` seconds (except the page's own), aborted uploads, and empty folders.

    Also delete the folders of servers that were killed.
    """
    top = get_upload_folder()
    with suppress(OSError):
        os.utime(top)
    for left in Path(top).parent.glob(f"{PREFIX}*") if Path(top).name.startswith(PREFIX) else ():
        if left != Path(top) and left.is_dir() and not left.is_symlink() and _age(left) > KILLED:
            shutil.rmtree(left, ignore_errors=True)
    for folder, subfolders, files in os.walk(top, topdown=False):
        for name in files:
            path = os.path.join(folder, name)
            unfinished = folder == top and _age(path) > UNFINISHED
            if path not in PERMANENT and (unfinished or _age(path) > age):
                with suppress(OSError):
                    os.remove(path)
        for name in subfolders:
            path = os.path.join(folder, name)
            if _age(path) > min(age, UNFINISHED):
                with suppress(OSError):
                    os.unlink(path) if os.path.islink(path) else os.rmdir(path)  # fails unless empty


def _tend(page: gr.Blocks) -> None:
    while True:
        time.sleep(EVERY)
        try:
            tidy()
            for path in PERMANENT:
                restore(path)
            for files in page.temp_file_sets:  # Gradio's own lists, which would grow without bound
                files.intersection_update([path for path in [*files] if os.path.exists(path)])
        except Exception as error:  # retried soon
            LOG.warning("The upload folder could not be cleaned up: %s", type(error).__name__)


def _age(path: str | Path) -> float:
    """Return the seconds since a file or folder was created or last changed; 0 if it is gone."""
    try:
        return time.time() - os.lstat(path).st_ctime
    except OSError:
        return 0
