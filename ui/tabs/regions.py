"""Regions: parts of a photograph, painted on it, each in the style of its own painting."""

from __future__ import annotations

import functools
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

from adain_core import PictureError, images, run
from adain_core.controls.proposals import propose
from adain_core.pipeline import Settings
from ui import endpoints, examples, fields, masks, painting
from ui.server import on_gpu
from ui.widgets import COMPUTE, QUIET, STOP, SafeUpload, draw_field, expect, keep, note, outcome, sentence, show, sizes

TITLE = "Regions"
ORDER = 3
SIZES = (256, 512, 1024, 2048, 4096)
REST, LEAVE, OWN = "As the rest", "Leave as it is", "A painting of my own"
REGIONS = {label: f"region_{label}" for label in painting.BRUSHES}
SLOTS = {"rest": "The rest", **{slot: f"Region {n}, {painting.BRUSHES[n][0]}" for n, slot in REGIONS.items()}}
OPENING = ("night_river", "stained_glass", "great_wave", "impasto_sunset", "pointillism", "mosaic", "watercolor")
OPENING = dict(zip(SLOTS, (*OPENING, "woodcut", "psychedelic"), strict=True))
FIRST = (1,)  # the regions whose fields the page opens with
GROUND = 255  # of a strength map: full strength where nothing is painted
HELP = (
    "One color a region; the eraser and undo are beside the brush. Foreground and background and By color propose"
    " regions to correct. Loading is the way without a mouse: a label map is a grey PNG with 0 for the rest and 1 to 8"
    " for the regions; masks are grey pictures, white inside, and become the free regions in the order of their names."
    " What was loaded keeps its full resolution, and a mask its softness, wherever you don't paint over it."
)
STRENGTHS = (
    "White is full strength, black none. Take a file, paint on the photograph, or both: paint lies over the file, which"
    " keeps its full resolution elsewhere."
)
_SHOWN = ("compare", "before", "picture", "download", "status", "content_note", "map_note", "strength_map_note")
_SHOWN = (*_SHOWN, *(f"{slot}_own_note" for slot in SLOTS))
View = namedtuple("View", _SHOWN, defaults=[gr.skip()] * len(_SHOWN))  # of a run; what is left out stays as it is


class Easel(NamedTuple):
    """What is put on the canvas, and what goes with it; what is left out stays as it is."""

    canvas: Any = gr.skip()
    map_note: Any = ""
    loaded: Any = None
    shown: Any = FIRST
    painted: Any = gr.skip()


@on_gpu
def stylize_regions(values: Mapping[str, Any]) -> Iterator[View]:
    """Give every painted region its own style and show the result."""
    content = values["content"]
    if content is None:
        yield View(content_note=sentence("Choose a photograph first.", refused=True))
        return
    options = {"size": values["size"]}
    yield View(status=sentence(f"Stylizing the regions at {values['size']} pixels…"))
    try:
        regions = masks.compose(values["loaded"], masks.labels(values["canvas"], content), values["size"])
        if missing := _missing(values, regions):
            yield View(status=sentence("No picture was made."), **missing)
            return
        yield View(
            status=sentence(f"Stylizing the regions at {values['size']} pixels… {expect(content, [options])}"),
            map_note="",
        )
        for result in run(content, **_inputs(values, regions), **options, download=False):
            yield View(**show(result))
    except PictureError as error:
        place = {"content": "content_note", "style": "rest_own_note", "strength map": "strength_map_note"}
        place |= {f"style of region {label}": f"{slot}_own_note" for label, slot in REGIONS.items()}
        refusal = {place.get(error.role, "map_note"): sentence(error.sentence, refused=True)}
        yield View(status=sentence("No picture was made."), **refusal)
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
) -> tuple[str, dict[str, Any]]:
    """Give parts of a photograph styles of their own; a part without a painting stays as it is.

    Args:
        content: the photograph, an image file.
        label_map: a grey PNG of any size with 0 for the rest and 1 to 8 for the regions.
        style: the painting for the rest, an image file, or nothing.
        style_1: the painting for region 1, or nothing.
        style_2: for region 2.
        style_3: for region 3.
        style_4: for region 4.
        style_5: for region 5.
        style_6: for region 6.
        style_7: for region 7.
        style_8: for region 8.
        strengths: by region, 0 to 1, as in {"1": 0.5}; full where not named.
        feather: how softly regions meet, in pixels of the result.
        size: the longer side of the result, 64 to 4096 pixels.

    Returns:
        The picture as a PNG file that carries its record, and the record: settings and seconds by stage.
    """
    own = dict(enumerate((style_1, style_2, style_3, style_4, style_5, style_6, style_7, style_8), start=1))
    loaded = masks.load_map(label_map, images.measure(content, painting.SIDE))
    found = masks.compose(loaded, loaded.shown, size)
    given = endpoints.named(strengths, "strengths")
    if unknown := [label for label in given if label not in map(str, found)]:
        raise ValueError(f"strengths names region {unknown[0]}, which the label map lacks.")
    if wrong := [value for value in given.values() if not isinstance(value, int | float)]:
        raise ValueError(f"A strength is {wrong[0]}, but it must be a number from 0 to 1.")
    *_, result = run(
        content,
        [] if style is None else [style],
        regions=found,
        style_for={label: own[label] for label in found},
        region_strength={int(label): value for label, value in given.items()},
        feather=feather,
        size=size,
        download=False,
    )
    return keep(result.image, "stylized.png"), result.record


def _missing(values: Mapping[str, Any], regions: Mapping[int, Image.Image]) -> dict[str, str]:
    """Say what a run still lacks, by the place where it is said."""
    if not regions:
        words = "Nothing is painted yet: paint a region with the brush, or press Foreground and background."
        return {"map_note": sentence(words, refused=True)}
    for slot in ("rest", *(REGIONS[label] for label in regions)):
        if values[slot] == OWN and values[f"{slot}_own"] is None:
            return {f"{slot}_own_note": sentence(f"{SLOTS[slot]}: choose its painting first.", refused=True)}
    return {}


def _inputs(values: Mapping[str, Any], regions: Mapping[int, Image.Image]) -> dict[str, Any]:
    """Return what `run` is given beside the photograph."""
    rest = _style(values, "rest")
    slots = {label: REGIONS[label] for label in regions}
    strengths = {label: values[f"{slot}_strength"] for label, slot in slots.items()}
    return {
        "styles": [] if rest is None else [rest],
        "regions": regions,
        "style_for": {label: _style(values, slot) for label, slot in slots.items() if values[slot] != REST},
        "region_strength": {label: value for label, value in strengths.items() if value < 1},
        "strength_map": fields.read_grey(values, "strength_map", "content", GROUND),
        "feather": values["feather"],
    }


def build() -> None:
    """Lay the tab out and wire it, inside a gr.Blocks."""
    opening = examples.pairs()[0].photo.path
    ui: fields.Components = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            photos = ("Photographs to try", "regions-photos", examples.photos())
            picked = fields.picture(
                ui, "content", "regions-content", "Photograph", "Your photograph", opening, 200, photos
            )
            buttons = _draw_easel(ui, opening)
        with gr.Column(scale=6, min_width=320):
            groups = {}
            for slot, title in SLOTS.items():
                visible = slot == "rest" or slot in [REGIONS[label] for label in FIRST]
                with gr.Group(elem_classes=["region", slot.replace("_", "-")], visible=visible) as groups[slot]:
                    _slot(ui, slot, title)
            buttons["add"] = gr.Button("Add a region", size="sm", elem_id="regions-add")
            with gr.Row():
                run_button = gr.Button(
                    "Stylize the regions",
                    variant="primary",
                    size="lg",
                    scale=3,
                    elem_id="regions-run",
                    elem_classes="run",
                )
                stop_button = gr.Button("Stop", size="lg", scale=1, min_width=90, elem_id="regions-stop")
            ui |= outcome(
                "regions-", None, None, "Press Stylize the regions: the tiger in one style and the snow in another."
            )
            with gr.Accordion("Edges, size and strength map", open=False, elem_id="regions-more"):
                _draw_more(ui, opening)

    named = {component: name for name, component in ui.items()}
    inputs = {ui[name] for name in ui if name not in View._fields and name not in ("map", "masks", "painted", "shown")}
    outputs = [ui[name] for name in View._fields]

    def start(data: dict[gr.components.Component, Any]) -> Iterator[View]:
        yield from stylize_regions({named[component]: value for component, value in data.items()})

    shown = run_button.click(
        start, inputs, outputs, trigger_mode="multiple", show_progress_on=[ui["compare"], ui["picture"]], **COMPUTE
    )
    stopped = sentence("Stopped. The last picture stays.")
    stop_button.click(lambda: stopped, None, ui["status"], cancels=[shown], **STOP)
    for change in _wire_easel(ui, buttons, picked):
        change.then(_reveal, ui["shown"], [*(groups[slot] for slot in REGIONS.values()), buttons["add"]], **QUIET)
    for slot in SLOTS:
        ui[slot].change(_choose, ui[slot], [ui[f"{slot}_own"], ui[f"{slot}_own_note"]], **QUIET)
    names = ("content", "label_map", "style", *(f"style_{label}" for label in REGIONS))
    of = {**ui, **{name: endpoints.picture(name) for name in names}, "strengths": endpoints.facts("Strengths")}
    of["size"] = endpoints.size(SIZES[-1], 512)
    endpoints.expose(regions_api, "regions", of, [endpoints.made("Picture"), endpoints.facts("Record")])


def _draw_easel(ui: fields.Components, opening: str) -> dict[str, gr.Button]:
    """Draw the canvas and its buttons."""
    colors = [color for _, color in painting.BRUSHES.values()]
    proposed = propose(images.load(opening, painting.SIDE).rgb, "foreground")
    ui["loaded"], ui["shown"] = gr.State(None), gr.State(FIRST)
    ui["canvas"] = fields.canvas("regions-canvas", "Paint the regions", colors, fields.on_easel(opening, proposed))
    ui["painted"] = note("regions-painted", _told(proposed))
    ui["map_note"] = note("regions-map-note")
    buttons = {}
    with gr.Row():
        for name, label in (("foreground", "Foreground and background"), ("colors", "By color"), ("clear", "Clear")):
            scale = 2 if name == "foreground" else 1
            buttons[name] = gr.Button(label, size="sm", scale=scale, elem_id=f"regions-{name}")
    with gr.Row():
        options = {"file_types": ["image"], "size": "sm", "min_width": 120}
        ui["map"] = SafeUpload("Load a label map", elem_id="regions-map", **options)
        ui["masks"] = SafeUpload("Load masks", file_count="multiple", elem_id="regions-masks", **options)
        buttons["save"] = gr.Button("Save the label map", size="sm", min_width=120, elem_id="regions-save")
        buttons["file"] = gr.DownloadButton(visible="hidden")
        buttons["look"] = gr.Button(visible="hidden", elem_id="regions-look")  # page.js presses it
    gr.HTML(sentence(HELP), elem_classes="note")
    return buttons


def _wire_easel(ui: fields.Components, buttons: Mapping[str, gr.Button], picked: Any) -> list[Any]:
    """Wire what changes the canvas, or takes from it; return the events after which other regions may be shown."""
    content, outputs = ui["content"], [ui[name] for name in Easel._fields]
    now = [content, ui["canvas"], ui["loaded"]]
    fields.download(buttons["save"].click(_save_map, now, [buttons["file"], ui["map_note"]], **QUIET), buttons["file"])
    return [
        gr.on([content.input, buttons["clear"].click], _blank, content, outputs, **QUIET),
        picked.then(_blank, content, outputs, **QUIET),
        buttons["foreground"].click(_propose_foreground, content, outputs, **COMPUTE),
        buttons["colors"].click(_propose_colors, content, outputs, **COMPUTE),
        ui["map"].upload(_load_map, [content, ui["map"]], outputs, **QUIET),
        ui["masks"].upload(_load_masks, [*now, ui["masks"]], outputs, **QUIET),
        buttons["look"].click(
            _look, [*now, ui["shown"]], [ui["shown"], ui["painted"]], trigger_mode="always_last", **QUIET
        ),
        buttons["add"].click(_add, ui["shown"], ui["shown"], **QUIET),
    ]


def _draw_more(ui: fields.Components, opening: str) -> None:
    """Draw what waits in the closed accordion."""
    feather = Settings.model_fields["feather"]
    ui["feather"] = draw_field("feather", feather, elem_id="regions-feather", maximum=64, step=1)
    ui["size"] = gr.Dropdown(
        **sizes(SIZES, 512, "pixels"),
        label="Size of the result",
        info="Its longer side. Larger takes longer and gives finer strokes.",
        filterable=False,
        elem_id="regions-size",
    )
    fields.grey_mask(ui, "strength_map", "regions-strength-map", "content", opening, "Strength map", STRENGTHS, GROUND)


def _slot(ui: fields.Components, slot: str, title: str) -> None:
    """Draw a region's style, its own painting and its strength."""
    known = {Path(style.path).stem: style.title for style in examples.styles()}
    name = f"regions-{slot.replace('_', '-')}"
    with gr.Row():
        ui[slot] = gr.Dropdown(
            [*([] if slot == "rest" else [REST]), LEAVE, *known.values(), OWN],
            value=known[OPENING[slot]],
            label=title,
            info="What is not painted." if slot == "rest" else "The painting whose style it takes.",
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
                info="0 keeps the photograph's texture.",
                min_width=150,
                buttons=[],
                elem_id=f"{name}-strength",
            )
    fields.picture(ui, f"{slot}_own", f"{name}-own", f"{title}: its painting", title, None, 150, visible=False)


def _style(values: Mapping[str, Any], slot: str) -> str | None:
    """Return the path of a region's style, or None to leave it as it is."""
    if values[slot] == OWN:
        return values[f"{slot}_own"]
    return {style.title: style.path for style in examples.styles()}.get(values[slot])


def _put(content: str, labels: Image.Image, said: str = "", loaded: masks.Loaded | None = None) -> Easel:
    """Put labels on the canvas."""
    there = _there(labels, loaded) or FIRST
    return Easel(fields.on_easel(content, labels), said and sentence(said), loaded, there, _told(labels))


def _refuse(words: str) -> Easel:
    return Easel(gr.skip(), sentence(words, refused=True), gr.skip(), gr.skip())


def _answered(change: Callable[..., Easel]) -> Callable[..., Easel]:
    """Refuse a change without a photograph, and with the sentence of a ValueError."""

    @functools.wraps(change)
    def answer(content: str | None, *rest: Any) -> Easel:
        try:
            return _refuse("Choose a photograph first.") if content is None else change(content, *rest)
        except ValueError as error:
            return _refuse(str(error))

    return answer


def _blank(content: str | None) -> Easel:
    try:
        return Easel(None) if content is None else _put(content, Image.new("L", images.measure(content, painting.SIDE)))
    except ValueError:  # the sentence stands beside the photograph
        return Easel(None)


def _propose_foreground(content: str | None) -> Easel:
    return _propose(content, "foreground", "region 1 is the foreground")


def _propose_colors(content: str | None) -> Easel:
    return _propose(content, "colors", "the largest is the rest, the others are regions")


@_answered
def _propose(content: str, kind: str, words: str) -> Easel:
    labels = propose(images.load(content, painting.SIDE).rgb, kind, 4)
    if labels.getbbox() is None:
        return _refuse("No foreground stands out here; paint it with the brush.")
    return _put(content, labels, f"A proposal: {words}. Correct it with brush and eraser.")


@_answered
def _load_map(content: str, path: str) -> Easel:
    loaded = masks.load_map(path, images.measure(content, painting.SIDE))
    return _put(content, loaded.shown, "The label map is loaded. Correct it with brush and eraser.", loaded)


@_answered
def _load_masks(content: str, layers: list[Image.Image], before: masks.Loaded | None, paths: list[str]) -> Easel:
    painted = masks.labels(layers, content)
    used = _there(painted, before)
    free = [label for label in painting.BRUSHES if label not in used]
    paths = sorted(paths, key=lambda path: Path(path).name)
    loaded = masks.load_masks(paths, before.sources if before else {}, free, painted.size)
    names = ", ".join(SLOTS[REGIONS[label]] for label in free[: len(paths)])
    return _put(content, masks.lay(painted, before, loaded), f"Loaded: {names}.", loaded)


def _save_map(content: str | None, layers: list[Image.Image], loaded: masks.Loaded | None) -> tuple[Any, Any]:
    if content is None:
        return None, sentence("Choose a photograph first.", refused=True)
    try:
        painted = masks.labels(layers, content)
        found = masks.compose(loaded, painted, SIZES[-1])
        largest = max((painted, *found.values()), key=lambda mask: mask.width * mask.height)
        return keep(masks.merge(found, largest.size), "labels.png"), gr.skip()
    except ValueError as error:
        return None, sentence(str(error), refused=True)


def _look(
    content: str | None, layers: list[Image.Image], loaded: masks.Loaded | None, shown: tuple[int, ...]
) -> tuple[Any, Any]:
    """Show the fields of regions that were painted since, and say what is painted."""
    if content is None or not layers:
        return gr.skip(), gr.skip()
    labels = masks.labels(layers, content)
    return tuple(sorted({*shown, *_there(labels, loaded)})), _told(labels)


def _there(labels: Image.Image, loaded: masks.Loaded | None = None) -> tuple[int, ...]:
    """Return the regions that are painted or loaded."""
    counts = labels.histogram()
    return tuple(n for n in REGIONS if counts[n] or (loaded is not None and n in loaded.sources))


def _told(labels: Image.Image) -> str:
    counts, area = labels.histogram(), labels.width * labels.height
    parts = [f"{SLOTS[slot]}, {100 * counts[n] / area:.1f}%" for n, slot in REGIONS.items() if counts[n]]
    return sentence(f"Painted: {'; '.join(parts) or 'nothing'}.")


def _add(shown: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted({*shown, next(label for label in REGIONS if label not in shown)}))


def _reveal(shown: tuple[int, ...]) -> list[Any]:
    return [*(gr.update(visible=label in shown) for label in REGIONS), gr.update(visible=len(shown) < len(REGIONS))]


def _choose(chosen: str) -> tuple[Any, str]:
    return gr.update(visible=chosen == OWN), ""
