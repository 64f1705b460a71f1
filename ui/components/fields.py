"""Fields shared by several tabs: a picture with example thumbnails, a canvas, and a gray mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from PIL import Image

from adain_core import PictureError, images
from ui.components import masks, painting
from ui.components.pair import Pair
from ui.components.widgets import QUIET, Offered, check, field, keep, named, note, pick, sentence, strip
from ui.serving import lanes
from ui.serving.uploads import Canvas

DOWNLOAD = """(file) => {
  if (file) Object.assign(document.createElement("a"), { href: file.url, download: file.orig_name }).click();
}"""
Components = dict[str, gr.components.Component]


def picture(
    ui: Components,
    name: str,
    elem_id: str,
    label: str,
    alt_text: str,
    value: str | None = None,
    height: int = 170,
    offered: tuple[str, str, Sequence[Offered]] | None = None,
    empty: str | None = None,
    **options: Any,
) -> Any:
    """Draw and wire a picture field and its note, added to `ui` as `name` and `name_note`.

    Args:
        ui: the components drawn so far.
        name: the field's name.
        elem_id: the field's elem_id; the note's is the same with `-note` appended.
        label: the field's label.
        alt_text: the picture's alternative text.
        value: the initial picture.
        height: the field's height in pixels.
        offered: the label, elem_id, and pictures of a strip of examples.
        empty: for a mask, the note on an upload that is black everywhere.
        options: further options of SafeImage.

    Returns:
        The event of a choice from the strip, for chaining with `then`; None without a strip.
    """
    ui[name] = field(elem_id, label, alt_text, value, height, **options)
    ui[f"{name}_note"] = note(f"{elem_id}-note")

    def take(path: str | None) -> tuple[str, Any]:
        message, taken = check(path, empty)
        return message, gr.skip() if taken == path else taken

    outputs = [ui[f"{name}_note"], ui[name]]
    ui[name].upload(lanes.aside(take), ui[name], outputs, trigger_mode="multiple", **QUIET)
    ui[name].clear(None, None, outputs[0], js="() => ''", **QUIET)  # in the browser, before the next upload's note
    if offered is None:
        return None
    words, strip_id, pictures = offered
    return strip(pictures, words, strip_id).select(pick(pictures), None, ui[name], **QUIET)


def canvas(elem_id: str, label: str, colors: Sequence[str], value: dict[str, Any] | None, first: int = 0) -> Canvas:
    """Return a canvas with an eraser, undo, and a brush in the given colors, starting with index `first`."""
    return Canvas(
        value,
        label=label,
        sources=[],
        transforms=[],
        layers=False,
        buttons=["fullscreen"],
        brush=gr.Brush(
            default_size=30,
            colors=[(color, painting.OPACITY) for color in colors],
            default_color=(colors[first], painting.OPACITY),
            color_mode="fixed",
        ),
        eraser=gr.Eraser(default_size=30),
        canvas_size=(painting.SIDE, painting.SIDE),
        height=480,
        format="png",
        elem_id=elem_id,
    )


def on_easel(picture: str, labels: Image.Image | None = None) -> dict[str, Any]:
    """Return a canvas's value: a downscaled picture with labels on top.

    Raises:
        ValueError: as images.load.
    """
    small = images.load(picture, painting.SIDE).rgb
    layers = [] if labels is None or labels.getbbox() is None else [painting.to_layer(labels)]
    return {"background": painting.easel(small), "layers": layers, "composite": None}


def blank(picture: str | None) -> dict[str, Any] | None:
    """Return a canvas's value with nothing painted."""
    try:
        return None if picture is None else on_easel(picture)
    except ValueError:  # reported beside the picture
        return None


def gray_mask(
    ui: Components,
    name: str,
    elem_id: str,
    of: str,
    opening: str | None,
    label: str,
    words: str,
    ground: int,
    empty: str,
    pair: Pair,
) -> None:
    """Draw and wire a gray mask for a picture, uploaded or painted.

    It adds `name`, `name_canvas`, `name_note`, and `name_of` (the picture's path) to `ui`. Changing the picture clears
    the mask.

    Args:
        ui: the components drawn so far, including the picture.
        name: the field's name.
        elem_id: the field's elem_id, and the prefix of the others'.
        of: the picture's name.
        opening: the picture that the page opens with, or None.
        label: the mask's label.
        words: a sentence on what its gray levels mean.
        ground: background level, 0 to 255.
        empty: the note on an uploaded mask that is black everywhere.
        pair: the page's pair, which the picture may belong to.
    """
    first = painting.GRAYS.index("#000000" if ground else "#ffffff")
    paint = canvas(f"{elem_id}-canvas", f"{label}: painted", painting.GRAYS, blank(opening), first)
    ui[f"{name}_canvas"], ui[f"{name}_of"] = paint, gr.State(opening)
    with gr.Row():
        clear = gr.Button("Clear", size="sm", elem_id=f"{elem_id}-clear")
        save = gr.Button(f"Save the {label.lower()}", size="sm", scale=2, elem_id=f"{elem_id}-save")
        file = gr.DownloadButton(visible="hidden")
    picture(ui, name, elem_id, f"{label}: a file", "", None, 150, empty=empty)
    gr.HTML(sentence(words), elem_classes="note")

    def saved(path: str | None, uploaded: str | None, layers: list[Image.Image]) -> tuple[Any, str]:
        try:
            mask = uploaded if path is None else masks.read_gray(layers, path, uploaded, ground)
            if isinstance(mask, str):
                mask = images.load(mask).rgb.convert("L")
        except ValueError as error:
            return None, sentence(str(error), refused=True)
        if mask is None:
            return None, sentence("Nothing is painted yet.", refused=True)
        return keep(mask, named(path, "mask") + ".png"), ""

    def another(path: str | None) -> tuple[Any, ...]:
        return path, blank(path), None, ""

    clear.click(lanes.aside(blank), ui[of], paint, **QUIET)
    outputs = [ui[f"{name}_of"], paint, ui[name], ui[f"{name}_note"]]
    if of in pair.paths:
        pair.follow(of, another, outputs)
    else:
        ui[of].change(lanes.aside(another), ui[of], outputs, **QUIET)
    inputs = [ui[of], ui[name], ui[f"{name}_canvas"]]
    download(save.click(lanes.aside(saved), inputs, [file, ui[f"{name}_note"]], **QUIET), file)


def read_gray(
    values: Mapping[str, Any], name: str, of: str, ground: int, role: str, index: int = 0
) -> images.Source | None:
    """Return the mask in the fields of `gray_mask`, or None if it is empty or belongs to an earlier picture.

    Raises:
        PictureError: the uploaded file is refused; with the given role and index.
    """
    if values[f"{name}_of"] != values[of]:
        return None
    try:
        return masks.read_gray(values[f"{name}_canvas"], values[of], values[name], ground)
    except ValueError as error:
        raise PictureError(role, index, str(error)) from None


def download(prepared: Any, file: gr.DownloadButton) -> None:
    """Download a hidden button's file in the browser once it is prepared, if there is one."""
    prepared.then(None, file, None, js=DOWNLOAD, **QUIET)
