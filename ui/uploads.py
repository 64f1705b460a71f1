"""What a visitor's file may be: a regular file inside the upload folder and nothing else.

`own` decides it for everything that a request names as a file; ui/page.py puts every request through it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
from gradio.components.image_editor import EditorData
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from PIL import Image

from ui import storage

FILES = "/gradio_api/file="  # what the address of a file here has before its path
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

    def preprocess(self, payload: EditorData | None) -> list[Image.Image]:
        """Return the painted layers, of which none may have more pixels on a side than the page gave it."""
        if payload is not None and payload.id is not None:
            payload = self.blob_storage.pop(payload.id, None)
        found = []
        for layer in payload.layers if payload is not None else []:
            if layer is None:
                continue
            try:
                with Image.open(io.BytesIO(layer) if isinstance(layer, bytes) else layer.path) as image:
                    if max(image.size) > max(self.canvas_size):
                        raise gr.Error("This painting is larger than the page's canvas.", print_exception=False)
                    found.append(image.convert("RGBA"))
            except OSError:
                raise gr.Error("What was painted can't be read; please paint it anew.", print_exception=False) from None
        return found
