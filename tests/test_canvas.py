"""What a canvas sends is bounded before it is asked for."""

import io
import types

import gradio as gr
import pytest
from fastapi import HTTPException
from PIL import Image

from ui.serving import uploads


@pytest.fixture
def canvas():
    uploads.PAINTED.clear()
    yield uploads.Canvas(canvas_size=(64, 64))
    uploads.PAINTED.clear()


def layer(size=(64, 64), kind="PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", size, "#24558f80").save(file, kind)
    return file.getvalue()


def send(canvas, content, index="0", name="a", kind="layer"):
    canvas.accept_blobs(types.SimpleNamespace(data={"type": kind, "id": name, "index": index}, files=[("x", content)]))


def taken(canvas, name="a"):
    return canvas.preprocess(types.SimpleNamespace(id=name, layers=[]))


def test_layers_come_in_their_order_and_once(canvas):
    send(canvas, layer((32, 64)), "1")
    send(canvas, layer(), "0")
    assert [each.size for each in taken(canvas)] == [(64, 64), (32, 64)]
    assert taken(canvas) == [] == taken(canvas, "never sent")


@pytest.mark.parametrize("index", ["50000000", "4", "-1", "", None, "null", 0])
def test_an_index_that_no_canvas_has_is_refused(canvas, index):
    with pytest.raises(HTTPException) as refusal:
        send(canvas, layer(), index)
    assert (refusal.value.status_code, refusal.value.detail) == (400, uploads.TOO_LARGE)
    assert not uploads.PAINTED


def test_large_layers_are_refused(canvas):
    with pytest.raises(HTTPException):
        send(canvas, b"x" * (uploads.LARGEST + 1))
    send(canvas, layer((65, 64)))
    with pytest.raises(gr.Error, match="larger than the page's canvas"):
        taken(canvas)
    with pytest.raises(gr.Error, match="larger than the page's canvas"):
        canvas.preprocess(types.SimpleNamespace(id=None, layers=[layer()] * 5))


def test_all_of_them_together_are_bounded(canvas):
    for number in range(2 * uploads.KEPT // uploads.LARGEST):
        send(canvas, b"x" * uploads.LARGEST, name=str(number))
    kept = sum(len(content) for layers in uploads.PAINTED.values() for content in layers.values())
    assert uploads.KEPT - 2 * uploads.LARGEST < kept <= uploads.KEPT


def test_backgrounds_are_dropped_and_only_painted_layers_are_read(canvas):
    send(canvas, layer(), kind="background")
    assert not uploads.PAINTED
    send(canvas, layer(kind="TIFF"))
    with pytest.raises(gr.Error, match="cannot be read"):
        taken(canvas)
