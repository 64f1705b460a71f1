"""Pictures kept for browsers: written by threads of their own, so that a lane goes on with the next run meanwhile."""

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

SECRET = os.urandom(16)  # so that nobody can tell a picture's address from the picture
WRITERS = ThreadPoolExecutor(2, "pictures")
_own = threading.local()


def keep(image: Image.Image, name: str) -> str:
    """Save a picture where Gradio may serve it from and will delete it in time; return its path.

    Inside `collecting` the file may not be there yet.
    """
    folder = Path(get_upload_folder())
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(dir=folder)) / name
    _save(image, path)
    return str(path)


def keep_once(image: Image.Image, name: str) -> str:
    """Save a picture as `keep` does, unless the same one is there already."""
    digest = hashlib.blake2b(image.tobytes(), key=SECRET + repr((image.mode, image.size)).encode(), digest_size=16)
    path = Path(get_upload_folder()) / digest.hexdigest() / name
    try:
        os.utime(path)  # deleted by age
    except OSError:
        path.parent.mkdir(parents=True, exist_ok=True)
        _save(image, path)
    return str(path)


@contextmanager
def collecting() -> Iterator[list[Future[None]]]:
    """Let pictures that this thread keeps be written by others; yield what to wait for before they are shown.

    Not on ZeroGPU, where a run is a fork, which has none of these threads.
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
    image.load()  # its own file may be gone by then
    writing = getattr(_own, "writing", None)
    if writing is None:
        images.save(image, path)
    else:
        writing.append(WRITERS.submit(images.save, image, path))
