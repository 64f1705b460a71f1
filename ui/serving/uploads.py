"""What a visitor's file may be: a regular file inside the upload folder and nothing else.

`own` decides it for everything that a request names as a file; ui/serving/page.py puts every request through it.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
from cachetools import TTLCache
from fastapi import HTTPException
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs, EditorData
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from PIL import Image

from ui.serving import storage

FILES = "/gradio_api/file="  # what the address of a file here has before its path
LAYERS = ("0", "1", "2", "3")  # of a canvas; the page's have one
LARGEST = 2 * 2**20  # bytes of a layer: more than 512x512 pixels ever have
KEPT, WHILE = 64 * 2**20, 300  # bytes of all layers, and seconds, that are kept until the page asks for them
PAINT = ("PNG", "WEBP", "JPEG")
TOO_LARGE = "This painting is larger than the page's canvas."
PAINTED: TTLCache[str, dict[str, bytes]] = TTLCache(
    KEPT, WHILE, getsizeof=lambda layers: 1000 + sum(map(len, layers.values()))
)
LOCK = threading.Lock()  # of PAINTED
REFUSED = "Please upload the picture itself; other files and addresses are not taken."  # whether or not they exist


def own(sent: Any) -> Any:
    """Return what a visitor sent, with each file in it as the page itself would name it.

    A file is whatever has a path, with or without Gradio's `meta`: Gradio checks only those that have it. Paths may be
    addresses of what was uploaded here, as programs use them; nothing is fetched.

    Raises:
        gr.Error: there is a file that isn't a regular one inside the upload folder.
    """
    if isinstance(sent, Mapping):
        found = {name: own(value) for name, value in sent.items()}
        if found.get("path") is not None:
            kept = {name: found[name] for name in ("orig_name", "size", "mime_type") if name in found}
            return {**kept, "path": _uploaded(found["path"]), "meta": {"_type": "gradio.FileData"}}
        return found
    return [*map(own, sent)] if isinstance(sent, list | tuple) else sent


def _uploaded(path: Any) -> str:
    try:
        text = str(path)
        if text.startswith(("http://", "https://")):
            text = unquote(urlsplit(text).path.partition(FILES)[2])
        storage.restore(text)
        file = Path(text).resolve()
        if isinstance(path, str) and file.is_relative_to(Path(get_upload_folder()).resolve()) and file.is_file():
            return str(file)
    except (OSError, ValueError):  # a path that can't be one
        pass
    raise gr.Error(REFUSED, print_exception=False)


class SafeImage(gr.Image):
    """A picture field that hands on the uploaded file's path; adain_core.images decodes it, with its limits.

    Gradio's own decoding clips 16 bits, drops alpha and takes pictures of any size.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        """Return the uploaded file's path."""
        if payload is None:
            return None
        if payload.path is None:
            raise gr.Error(REFUSED, print_exception=False)
        return payload.path


class Canvas(gr.ImageEditor):
    """A picture to paint on; hands on what was painted, one RGBA image a layer. It takes no pictures itself."""

    is_template = True

    @server
    def accept_blobs(self, data: AcceptBlobs) -> None:
        """Keep a painted layer until the page asks for it; what else a canvas sends isn't needed.

        Raises:
            HTTPException: it can't be a layer of this page's canvas.
        """
        kind, name, index = (data.data.get(key) for key in ("type", "id", "index"))
        if kind != "layer":
            return
        files = [content for _, content in data.files]
        if not isinstance(name, str) or index not in LAYERS or not files or len(files[0]) > LARGEST:
            raise HTTPException(400, TOO_LARGE)
        with LOCK:
            PAINTED[name] = {**PAINTED.get(name, {}), index: files[0]}

    def preprocess(self, payload: EditorData | None) -> list[Image.Image]:
        """Return the painted layers, of which none may have more pixels on a side than the page gave it."""
        layers: list[Any] = [] if payload is None else payload.layers
        if payload is not None and payload.id is not None:
            with LOCK:
                kept = PAINTED.pop(payload.id, {})
            layers = [kept[index] for index in sorted(kept)]
        if len(layers) > len(LAYERS):
            raise gr.Error(TOO_LARGE, print_exception=False)
        return [_read(layer, max(self.canvas_size)) for layer in layers if layer is not None]


def _read(layer: Any, most: int) -> Image.Image:
    try:
        with Image.open(io.BytesIO(layer) if isinstance(layer, bytes) else layer.path, formats=PAINT) as image:
            if max(image.size) > most:
                raise gr.Error(TOO_LARGE, print_exception=False)
            return image.convert("RGBA")
    except OSError:
        raise gr.Error("What was painted can't be read; please paint it anew.", print_exception=False) from None
