"""Saving pictures for browsers, in writer threads so that a lane can start its next run in the meantime."""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from gradio.utils import get_upload_folder
from PIL import Image

from adain_core import images

SECRET = os.urandom(16)  # so that a picture's URL can't be derived from the picture
WRITERS = ThreadPoolExecutor(2, "pictures")
_own = threading.local()


def keep(image: Image.Image, name: str) -> str:
    """Save a picture in the folder that Gradio serves and that is cleaned up regularly; return its path.

    Inside `collecting` the file may not exist yet.
    """
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / name
    _save(image, path)
    return str(path)


def keep_once(image: Image.Image, name: str) -> str:
    """Save a picture like `keep`, but reuse an existing identical file."""
    digest = hashlib.blake2b(image.tobytes(), key=SECRET + repr((image.mode, image.size)).encode(), digest_size=16)
    path = Path(get_upload_folder()) / digest.hexdigest() / name
    try:
        os.utime(path)  # files are deleted by age
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(image, path)
    return str(path)


@contextmanager
def collecting() -> Iterator[list[Future[None]]]:
    """Save this thread's pictures in the writer threads; yield the futures to wait for before showing them.

    On ZeroGPU, where each run is a fork without these threads, save them directly.
    """
    if "SPACES_ZERO_GPU" in os.environ:
        yield []
        return
    _own.writing = found = []
    try:
        yield found
    finally:
        del _own.writing


def _save(image: Image.Image, path: Path) -> None:
    image.load()  # its file may be gone by the time it is written
    writing = getattr(_own, "writing", None)
    if writing is None:
        images.save(image, path)
    else:
        writing.append(WRITERS.submit(images.save, image, path))
