"""Regions: painted parts of a photograph, each in the style of its own painting."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from adain_core import PictureError, images, run
from adain_core.contracts import UNLIMITED, Limits
from adain_core.runs.inputs import EMPTY, refusing
from adain_core.runs.pipeline import Settings
from ui import endpoints, examples
from ui.components import easel, fields, masks, painting
from ui.components.easel import FIRST, REGIONS, SLOTS
from ui.components.pair import Pair
from ui.components.stage import area, bar, follow, outcome, outdated, refuse, turns, wire_start, wire_stop
from ui.components.widgets import (
    MISSING,
    QUIET,
    draw_field,
    draw_strokes,
    expect,
    keep,
    named,
    sentence,
    sentences,
    sizes,
)
from ui.server import on_gpu

TITLE = "Regions"
ORDER = 3
SIZES = (256, 512, 1024, 2048, 4096, 8192)
REST, LEAVE, OWN, PAINTING = "Same as the rest", "Leave unchanged", "Another painting of mine", "The chosen painting"
OPENING = ("stained_glass", "great_wave", "impasto_sunset", "pointillism", "mosaic", "watercolor", "woodcut")
OPENING = dict(zip(REGIONS.values(), (*OPENING, "psychedelic"), strict=True))
GROUND = 255  # background of a strength map: full strength where nothing is painted
STRENGTHS = "White is full strength, black is none. Paint on the photograph or load a file; paint covers the file."
_SHOWN = ("compare", "before", "picture", "download", "status", "details", "stop", "content_note", "style_note")
_SHOWN = (*_SHOWN, "map_note", "strength_map_note", *(f"{slot}_own_note" for slot in SLOTS))
View = namedtuple("View", _SHOWN, defaults=[gr.skip()] * len(_SHOWN))  # a run's updates; omitted fields stay unchanged


def _runs(values: Mapping[str, Any], _: Limits) -> list[dict[str, Any]]:
    return [{name: values[name] for name in ("size", "strokes")}]


@on_gpu(_runs)
def stylize_regions(values: Mapping[str, Any], limits: Limits) -> Iterator[View]:
    """Stylize every painted region in its own style and show the result."""
    content = values["content"]
    if content is None:
        words = MISSING["content"]
        yield View(**refuse(words), content_note=sentence(words, refused=True))
        return
    (options,) = _runs(values, limits)
    yield View(status=sentence(f"Stylizing the regions at {values['size']} pixels…"))
    try:
        regions = {}
        if values["of"] == content:  # else the canvas is of the previous photograph
            regions = masks.compose(values["loaded"], masks.labels(values["canvas"], content), values["size"])
        if missing := _missing(values, regions):
            field, words = missing
            yield View(**refuse(words), **{field: sentence(words, refused=True)})
            return
        given = _inputs(values, regions)
        count = len({*given["style_for"], *given["region_strength"]}) + (given["strength_map"] is not None)
        yield View(
            status=sentence(
                f"Stylizing the regions at {values['size']} pixels… {expect(content, [options], limits, count)}"
            ),
            map_note=sentences(values["loaded"].notes if values["loaded"] else ()),
        )
        for view in follow(
            run(content, **given, **options, limits=limits, download=False), named(content, "regions") + ".png"
        ):
            yield View(**view)
    except PictureError as error:
        notes = {"content": "content_note", "style": "rest_own_note", "strength map": "strength_map_note"}
        if error.role == "style" and values["rest"] == PAINTING:
            notes["style"] = "style_note"
        notes |= {f"style of region {label}": f"{slot}_own_note" for label, slot in REGIONS.items()}
        refusal = {notes.get(error.role, "map_note"): sentence(error.sentence, refused=True)}
        yield View(**refuse(error.sentence), **refusal)
    except ValueError as error:
        yield View(status=sentence(str(error), refused=True))


def regions_api(
    content: str,
    label_map: str,
    style: str | None = None,
    style_1: str | None = None,
    style_2: str | None = None,
    style_3: str | None = None,
    style_4: str | None = None,
    style_5: str | None = None,
    style_6: str | None = None,
    style_7: str | None = None,
    style_8: str | None = None,
    strengths: dict[str, float] | None = None,
    feather: float = 4.0,
    size: int = 512,
    strokes: str = "auto",
    limits: Limits = UNLIMITED,
) -> Iterator[tuple[str, dict[str, Any]] | None]:
    """Stylize parts of a photograph in different styles; parts without a painting stay unchanged.

    Args:
        content: the photograph, an image file.
        label_map: a gray PNG of any size with 0 for the rest and 1 to 8 for the regions.
        style: the painting for the rest, an image file, or nothing.
        style_1: the painting for region 1, or nothing.
        style_2: for region 2.
        style_3: for region 3.
        style_4: for region 4.
        style_5: for region 5.
        style_6: for region 6.
        style_7: for region 7.
        style_8: for region 8.
        strengths: strength by region, 0 to 1, as in {"1": 0.5}; 1 for omitted regions.
        feather: width of the soft edges between regions, in pixels of the result.
        size: the longer side of the result, 64 to 8192 pixels.
        strokes: above 512 pixels, proportional strokes grow with the picture and native ones keep their size in pixels;
            auto is proportional.
        limits: the server's limits.

    Returns:
        The picture as a PNG file with its record embedded, and the record: settings and seconds by stage.
    """
    own = dict(enumerate((style_1, style_2, style_3, style_4, style_5, style_6, style_7, style_8), start=1))
    canvas = refusing("content", 0, lambda: images.measure(content, painting.SIDE))
    loaded = refusing("label map", 0, lambda: masks.load_map(label_map, canvas))
    found = masks.compose(loaded, loaded.shown, size)
    given = endpoints.named(strengths, "strengths")
    if unknown := [label for label in given if label not in map(str, found)]:
        raise ValueError(f"strengths names region {unknown[0]}, which is not in the label map.")
    if wrong := [value for value in given.values() if not isinstance(value, int | float)]:
        raise ValueError(f"A strength is {wrong[0]}, but it must be a number from 0 to 1.")
    steps = run(
        content,
        [] if style is None else [style],
        regions=found,
        style_for={label: own[label] for label in found},
        region_strength={int(label): value for label, value in given.items()},
        feather=feather,
        size=size,
        strokes=strokes,
        limits=limits,
        download=False,
    )
    result = yield from endpoints.last(steps)
    yield keep(result.image, named(content, "regions") + ".png"), result.record


def _missing(values: Mapping[str, Any], regions: Mapping[int, Image.Image]) -> tuple[str, str] | None:
    """Return the note and the message for a missing input, or None if the inputs are complete."""
    if not regions:
        return "map_note", "Nothing is painted yet; paint a region with the brush, or press Foreground and background."
    slots = ("rest", *(REGIONS[label] for label in regions))
    if values["style"] is None and PAINTING in [values[slot] for slot in slots]:
        return "style_note", MISSING["style"]
    for slot in slots:
        if values[slot] == OWN and values[f"{slot}_own"] is None:
            return f"{slot}_own_note", f"{SLOTS[slot]}: choose its painting first."
    return None


def _inputs(values: Mapping[str, Any], regions: Mapping[int, Image.Image]) -> dict[str, Any]:
    """Return the arguments of `run` other than the photograph and its size."""
    rest = _style(values, "rest")
    slots = {label: REGIONS[label] for label in regions}
    strengths = {label: values[f"{slot}_strength"] for label, slot in slots.items()}
    return {
        "styles": [] if rest is None else [rest],
        "regions": regions,
        "style_for": {label: _style(values, slot) for label, slot in slots.items() if values[slot] != REST},
        "region_strength": {label: value for label, value in strengths.items() if value < 1},
        "strength_map": fields.read_gray(values, "strength_map", "content", GROUND, "strength map"),
        "feather": values["feather"],
    }


def build(pair: Pair, limits: Limits) -> None:
    """Lay the tab out and wire it, inside a gr.Blocks."""
    opening = examples.pairs()[0].photo.path
    ui: fields.Components = {}
    with area("stage"):
        with area("inputs"):
            with gr.Row():
                with area("field"):
                    pair.draw(ui, "content", "regions-", 200, "regions-photos")
                with area("field"):
                    pair.draw(ui, "style", "regions-", 200, "regions-styles")
            buttons = easel.draw(ui, opening)
            groups = {}
            for slot, title in SLOTS.items():
                visible = slot == "rest" or slot in [REGIONS[label] for label in FIRST]
                with gr.Group(elem_classes=["region", slot.replace("_", "-")], visible=visible) as groups[slot]:
                    _slot(ui, slot, title)
            buttons["add"] = gr.Button("Add a region", size="sm", elem_id="regions-add")
        with area("side"):
            words = "Press Stylize the regions: the fur in one style, eyes and nose in another."
            ui |= bar("regions-", "Stylize the regions", words)
            with area("result"):
                outdated("regions-", "Stylize the regions")
                ui |= outcome("regions-", None, None, "")
        with area("more"), gr.Accordion("Edges, size, and strength map", open=False, elem_id="regions-more"):
            _draw_more(ui, opening, pair, limits)

    run_button = ui.pop("run")
    in_turn, events = turns(ui, View, limits, ("map", "masks", "painted", "shown"))
    start = in_turn(stylize_regions, _runs)
    wire_start(ui, [run_button.click])
    shown = run_button.click(start, trigger_mode="multiple", **events)
    wire_stop(ui, "Stopped. The last picture is kept.", [shown])
    revealed = [*(groups[slot] for slot in REGIONS.values()), buttons["add"]]
    for change in easel.wire(ui, buttons, pair):
        change.then(_reveal, ui["shown"], revealed, **QUIET)
    pair.follow("content", lambda _: _reveal(FIRST), revealed)
    for slot in SLOTS:
        ui[slot].change(_choose, ui[slot], [ui[f"{slot}_own"], ui[f"{slot}_own_note"]], **QUIET)
    names = ("content", "label_map", "style", *(f"style_{label}" for label in REGIONS))
    of = {**ui, **{name: endpoints.picture(name) for name in names}, "strengths": endpoints.facts("Strengths")}
    of["size"] = endpoints.size(SIZES[-1], 512)
    of["strokes"] = draw_field("strokes", Settings.model_fields["strokes"], visible=False)
    endpoints.expose(regions_api, "regions", of, [endpoints.made("Picture"), endpoints.facts("Record")], _runs, limits)


def _draw_more(ui: fields.Components, opening: str, pair: Pair, limits: Limits) -> None:
    """Draw the contents of the closed accordion."""
    feather = Settings.model_fields["feather"]
    ui["feather"] = draw_field("feather", feather, elem_id="regions-feather", maximum=64, step=1)
    ui["size"] = gr.Dropdown(
        **sizes(SIZES, 512, "pixels", limits),
        label="Size of the result",
        info="Its longer side. Larger takes longer.",
        filterable=False,
        elem_id="regions-size",
    )
    ui["strokes"] = draw_strokes(elem_id="regions-strokes")
    name, label, empty = "strength_map", "Strength map", EMPTY["strength map"]
    fields.gray_mask(ui, name, "regions-strength-map", "content", opening, label, STRENGTHS, GROUND, empty, pair)


def _slot(ui: fields.Components, slot: str, title: str) -> None:
    """Draw a region's style, its own painting and its strength."""
    known = {Path(style.path).stem: style.title for style in examples.styles()}
    name = f"regions-{slot.replace('_', '-')}"
    with gr.Row():
        ui[slot] = gr.Dropdown(
            [*([] if slot == "rest" else [REST]), PAINTING, LEAVE, *known.values(), OWN],
            value=PAINTING if slot == "rest" else known[OPENING[slot]],
            label=title,
            info="Style of everything outside the regions." if slot == "rest" else "Style of this region.",
            filterable=False,
            min_width=150,
            elem_id=name,
        )
        if slot != "rest":
            ui[f"{slot}_strength"] = gr.Slider(
                0,
                1,
                value=1,
                step=0.05,
                label=f"{title}: strength",
                info="0 keeps the photograph, 1 gives the full style.",
                min_width=150,
                buttons=[],
                elem_id=f"{name}-strength",
            )
    fields.picture(ui, f"{slot}_own", f"{name}-own", f"{title}: its painting", title, None, 150, visible=False)


def _style(values: Mapping[str, Any], slot: str) -> str | None:
    """Return the path of a region's style, or None to leave it unchanged."""
    if values[slot] == OWN:
        return values[f"{slot}_own"]
    if values[slot] == PAINTING:
        return values["style"]
    return {style.title: style.path for style in examples.styles()}.get(values[slot])


def _reveal(shown: tuple[int, ...]) -> list[Any]:
    return [*(gr.update(visible=label in shown) for label in REGIONS), gr.update(visible=len(shown) < len(REGIONS))]


def _choose(chosen: str) -> tuple[Any, str]:
    return gr.update(visible=chosen == OWN), ""
