"""Upload checks: a visitor's file must be a regular file inside the upload folder.

`own` checks every file named in a request; ui/serving/page.py passes every request through it.
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

FILES = "/gradio_api/file="  # precedes the path in the URL of a file on this server
LAYERS = ("0", "1", "2", "3")  # allowed layer indexes of a canvas; the page's canvases have one layer
LARGEST = 2 * 2**20  # bytes per layer; 512x512 pixels always take less
KEPT, WHILE = 64 * 2**20, 300  # total bytes of pending layers, and seconds until they expire
PAINT = ("PNG", "WEBP", "JPEG")
TOO_LARGE = "This painting is larger than the page's canvas."
PAINTED: TTLCache[str, dict[str, bytes]] = TTLCache(
    KEPT, WHILE, getsizeof=lambda layers: 1000 + sum(map(len, layers.values()))
)
LOCK = threading.Lock()  # for PAINTED
REFUSED = "Please upload the picture itself; other files and URLs are not accepted."  # whether or not they exist


def own(sent: Any) -> Any:
    """Return a visitor's value with every file in it checked and in the form that the page itself sends.

    Any mapping with a path counts as a file, with or without Gradio's `meta`; Gradio checks only those with it. A path
    may be the URL of a file uploaded to this server, as programs use it; nothing is fetched.

    Raises:
        gr.Error: a file is not a regular file inside the upload folder.
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
    except (OSError, ValueError):  # an invalid path
        pass
    raise gr.Error(REFUSED, print_exception=False)


class SafeImage(gr.Image):
    """A picture field that returns the uploaded file's path; adain_core.images decodes it, within its limits.

    Gradio's own decoding clips 16-bit pictures, drops alpha, and accepts any size.
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
    """A picture to paint on; returns the painted layers as RGBA images. It accepts no uploads."""

    is_template = True

    @server
    def accept_blobs(self, data: AcceptBlobs) -> None:
        """Keep a painted layer until the page needs it; ignore anything else that a canvas sends.

        Raises:
            HTTPException: it cannot be a layer of this page's canvas.
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
        """Return the painted layers; none may be larger than the page's canvas."""
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
        raise gr.Error("The painting cannot be read; please paint it again.", print_exception=False) from None
