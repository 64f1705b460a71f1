"""The easel: the photograph on which regions are painted, proposed, or loaded, and its buttons."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

from adain_core import images
from adain_core.controls.proposals import propose
from ui.components import fields, masks, painting
from ui.components.pair import Pair
from ui.components.widgets import COMPUTE, MISSING, QUIET, keep, named, note, sentence, sentences
from ui.serving import lanes

REGIONS = {label: f"region_{label}" for label in painting.BRUSHES}
SLOTS = {"rest": "The rest", **{slot: f"Region {n}, {painting.BRUSHES[n][0]}" for n, slot in REGIONS.items()}}
LARGEST = 4096  # longer side of a saved label map, in pixels
FIRST = (1,)  # the regions whose fields the page opens with
HELP = (
    "Paint each region in its own color, or load a file: a label map is a gray PNG with values 0 to 8, or uses one"
    " color per region; a mask is white inside."
)


class Easel(NamedTuple):
    """The canvas, the photograph it is `of`, and the related components; omitted ones stay unchanged."""

    canvas: Any = gr.skip()
    map_note: Any = ""
    loaded: Any = None
    of: Any = gr.skip()
    shown: Any = FIRST
    painted: Any = gr.skip()


def draw(ui: fields.Components, opening: str) -> dict[str, gr.Button]:
    """Draw the canvas and its buttons."""
    colors = [color for _, color in painting.BRUSHES.values()]
    proposed = propose(images.load(opening, painting.SIDE).rgb, "foreground")
    ui["loaded"], ui["shown"], ui["of"] = gr.State(None), gr.State(FIRST), gr.State(opening)
    ui["canvas"] = fields.canvas("regions-canvas", "Paint the regions", colors, fields.on_easel(opening, proposed))
    ui["painted"] = note("regions-painted", _describe(proposed))
    ui["map_note"] = note("regions-map-note")
    buttons = {}
    with gr.Row():
        for name, label in (("foreground", "Foreground and background"), ("colors", "By color"), ("clear", "Clear")):
            scale = 2 if name == "foreground" else 1
            buttons[name] = gr.Button(label, size="sm", scale=scale, elem_id=f"regions-{name}")
    with gr.Row():
        options = {"file_types": ["image"], "size": "sm", "min_width": 120}
        ui["map"] = gr.UploadButton("Load a label map", elem_id="regions-map", **options)
        ui["masks"] = gr.UploadButton("Load masks", file_count="multiple", elem_id="regions-masks", **options)
        buttons["save"] = gr.Button("Save the label map", size="sm", min_width=120, elem_id="regions-save")
        buttons["file"] = gr.DownloadButton(visible="hidden")
        buttons["update"] = gr.Button(visible="hidden", elem_id="regions-update")  # page.js presses it
    gr.HTML(sentence(HELP), elem_classes="note")
    return buttons


def wire(ui: fields.Components, buttons: Mapping[str, gr.Button], pair: Pair) -> list[Any]:
    """Wire everything that changes or reads the canvas; return the events that may change which regions are shown."""
    content, outputs = ui["content"], [ui[name] for name in Easel._fields]
    now = [content, ui["canvas"], ui["loaded"]]
    prepared = buttons["save"].click(lanes.aside(_save_map), now, [buttons["file"], ui["map_note"]], **QUIET)
    fields.download(prepared, buttons["file"])
    pair.follow("content", _blank, outputs)
    return [
        buttons["clear"].click(lanes.aside(_blank), content, outputs, **QUIET),
        buttons["foreground"].click(lanes.aside(_propose_foreground, lanes.SHORTS), content, outputs, **COMPUTE),
        buttons["colors"].click(lanes.aside(_propose_colors, lanes.SHORTS), content, outputs, **COMPUTE),
        ui["map"].upload(lanes.aside(_load_map), [content, ui["map"]], outputs, **QUIET),
        ui["masks"].upload(lanes.aside(_load_masks), [*now, ui["masks"]], outputs, **QUIET),
        buttons["update"].click(
            lanes.aside(_update), [*now, ui["shown"]], [ui["shown"], ui["painted"]], trigger_mode="always_last", **QUIET
        ),
        buttons["add"].click(_add, ui["shown"], ui["shown"], **QUIET),
    ]


def _put(content: str, labels: Image.Image, message: str = "", loaded: masks.Loaded | None = None) -> Easel:
    """Put labels on the canvas."""
    shown = _present(labels, loaded) or FIRST
    words = sentences([*filter(None, [message]), *(loaded.notes if loaded else ())])
    return Easel(fields.on_easel(content, labels), words, loaded, content, shown, _describe(labels))


def _refuse(words: str) -> Easel:
    return Easel(map_note=sentence(words, refused=True), loaded=gr.skip(), shown=gr.skip())


def _answered(change: Callable[..., Easel]) -> Callable[..., Easel]:
    """Refuse a change if there is no photograph, or if it raises a ValueError."""

    @functools.wraps(change)
    def answer(content: str | None, *rest: Any) -> Easel:
        try:
            return _refuse(MISSING["content"]) if content is None else change(content, *rest)
        except ValueError as error:
            return _refuse(str(error))

    return answer


def _blank(content: str | None) -> Easel:
    try:
        if content is not None:
            return _put(content, Image.new("L", images.measure(content, painting.SIDE)))
    except ValueError:  # reported beside the photograph
        pass
    return Easel(None, of=content)


def _propose_foreground(content: str | None) -> Easel:
    return _propose(content, "foreground", "region 1 is the foreground")


def _propose_colors(content: str | None) -> Easel:
    return _propose(content, "colors", "the largest area is the rest, the others are regions")


@_answered
def _propose(content: str, kind: str, words: str) -> Easel:
    labels = propose(images.load(content, painting.SIDE).rgb, kind, 4)
    if labels.getbbox() is None:
        return _refuse("No foreground stands out here; paint it with the brush.")
    return _put(content, labels, f"A proposal: {words}. Correct it with the brush and the eraser.")


@_answered
def _load_map(content: str, path: str) -> Easel:
    loaded = masks.load_map(path, images.measure(content, painting.SIDE))
    return _put(content, loaded.shown, "The label map is loaded. Correct it with the brush and the eraser.", loaded)


@_answered
def _load_masks(content: str, layers: list[Image.Image], before: masks.Loaded | None, paths: list[str] | None) -> Easel:
    painted = masks.labels(layers, content)
    used = _present(painted, before)
    free = [label for label in painting.BRUSHES if label not in used]
    paths = sorted(paths or (), key=lambda path: Path(path).name)
    loaded = masks.load_masks(paths, before.sources if before else {}, free, painted.size)
    names = ", ".join(SLOTS[REGIONS[label]] for label in free[: len(paths)])
    return _put(content, masks.lay(painted, before, loaded), f"Loaded: {names}.", loaded)


def _save_map(content: str | None, layers: list[Image.Image], loaded: masks.Loaded | None) -> tuple[Any, Any]:
    if content is None:
        return None, sentence(MISSING["content"], refused=True)
    try:
        painted = masks.labels(layers, content)
        found = masks.compose(loaded, painted, LARGEST)
        largest = max((painted, *found.values()), key=lambda mask: mask.width * mask.height)
        return keep(masks.merge(found, largest.size), named(content, "labels") + ".png"), gr.skip()
    except ValueError as error:
        return None, sentence(str(error), refused=True)


def _update(
    content: str | None, layers: list[Image.Image], loaded: masks.Loaded | None, shown: tuple[int, ...]
) -> tuple[Any, Any]:
    """Show the fields of newly painted regions, and describe what is painted."""
    if content is None or not layers:
        return gr.skip(), gr.skip()
    labels = masks.labels(layers, content)
    return tuple(sorted({*shown, *_present(labels, loaded)})), _describe(labels)


def _present(labels: Image.Image, loaded: masks.Loaded | None = None) -> tuple[int, ...]:
    """Return the regions that are painted or loaded."""
    counts = labels.histogram()
    return tuple(n for n in REGIONS if counts[n] or (loaded is not None and n in loaded.sources))


def _describe(labels: Image.Image) -> str:
    counts, area = labels.histogram(), labels.width * labels.height
    parts = [f"{SLOTS[slot]}, {100 * counts[n] / area:.1f}%" for n, slot in REGIONS.items() if counts[n]]
    return sentence(f"Painted: {'; '.join(parts) or 'nothing'}.")


def _add(shown: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*shown, next(label for label in REGIONS if label not in shown)}))
