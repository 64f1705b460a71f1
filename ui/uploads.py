"""Fields that take files from a visitor: nothing is fetched because of an address, and nothing is decoded unbounded."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import gradio as gr
from gradio.components.image_editor import EditorData
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder
from gradio_client.utils import is_http_url_like
from PIL import Image


def _local(component: type[gr.components.Component]) -> type[gr.components.Component]:
    """Make a component refuse addresses, which Gradio would fetch: nothing is fetched because a visitor asked.

    But addresses of what was uploaded here, which programs use, are taken for the files.

    No base class does, since Gradio takes a template's first base for its name in the browser.
    """
    move, move_later = component.move_resource_to_block_cache, component.async_move_resource_to_block_cache

    def move_resource(self: Any, path: str | Path | None) -> str | None:
        return move(self, _uploaded(path))

    async def async_move_resource(self: Any, path: str | Path | None) -> str | None:
        return await move_later(self, _uploaded(path))

    component.move_resource_to_block_cache = move_resource
    component.async_move_resource_to_block_cache = async_move_resource
    return component


@_local
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
            raise gr.Error("Please upload the picture as a file.", print_exception=False)
        return payload.path


@_local
class SafeUpload(gr.UploadButton):
    """A button that hands on the uploaded file's path."""

    is_template = True


@_local
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


def _uploaded(path: str | Path | None) -> str | Path | None:
    """Return a path as it is, and of an address the uploaded file that it names."""
    if path is None or not is_http_url_like(str(path)):
        return path
    folder = Path(get_upload_folder()).resolve()
    file = Path(unquote(urlsplit(str(path)).path.partition("/gradio_api/file=")[2])).resolve()
    if not file.is_relative_to(folder) or not file.is_file():
        raise gr.Error("Please upload the picture itself; addresses are not fetched.", print_exception=False)
    return str(file)
