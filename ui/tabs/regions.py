"""Regions: parts of a photograph, painted on it, each in the style of its own painting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

from adain_core import PictureError, images, run
from adain_core.controls.proposals import propose
from adain_core.pipeline import Settings
from ui import examples, painting
from ui.widgets import (
    COMPUTE,
    QUIET,
    Canvas,
    SafeUpload,
    check,
    draw_field,
    expect,
    field,
    keep,
    note,
    outcome,
    pick,
    sentence,
    show,
    strip,
)

TITLE = "Regions"
ORDER = 3
SIZES = (256, 512, 1024, 2048, 4096)
REST, LEAVE, OWN = "As the rest", "Leave as it is", "A painting of my own"
SLOTS = {
    "rest": "The rest",
    **{f"region_{label}": f"Region {label}, {name}" for label, (name, _) in painting.BRUSHES.items()},
}
OPENING = {"rest": "night_river", "region_1": "stained_glass"}
SAVE = """() => setTimeout(() => document.querySelector("#regions-map-file").click(), 300)"""


class View(NamedTuple):
    """What a run shows; what it leaves out stays as it is."""

    compare: Any = gr.skip()
    before: Any = gr.skip()
    picture: Any = gr.skip()
    download: Any = gr.skip()
    status: Any = gr.skip()
    content_note: Any = gr.skip()
    map_note: Any = gr.skip()
    strength_map_note: Any = gr.skip()
    rest_note: Any = gr.skip()
    region_1_note: Any = gr.skip()
    region_2_note: Any = gr.skip()
    region_3_note: Any = gr.skip()
    region_4_note: Any = gr.skip()


def stylize_regions(values: Mapping[str, Any]) -> Iterator[View]:
    """Give every painted region its own style and show the result."""
    content = values["content"]
    if content is None:
        yield View(content_note=sentence("Choose a photograph first.", refused=True))
        return
    options = {"size": values["size"]}
    yield View(status=sentence(f"Stylizing the regions at {values['size']} pixels…"))
    try:
        labels = _labels(content, values["canvas"])
        counts = labels.histogram()
        present = [label for label in painting.BRUSHES if counts[label]]
        if not present:
            words = "Nothing is painted yet: paint a region with the brush, or press Foreground and background."
            yield View(status=sentence("No picture was made."), map_note=sentence(words, refused=True))
            return
        for slot in ("rest", *(f"region_{label}" for label in present)):
            if values[slot] == OWN and values[f"{slot}_own"] is None:
                words = sentence(f"{SLOTS[slot]}: choose its painting first.", refused=True)
                yield View(status=sentence("No picture was made."))._replace(**{f"{slot}_note": words})
                return
        style_for = {label: _style(values, f"region_{label}") for label in present if values[f"region_{label}"] != REST}
        strengths = {label: values[f"region_{label}_strength"] for label in present}
        rest = _style(values, "rest")
        yield View(
            status=sentence(f"Stylizing the regions at {values['size']} pixels… {expect(content, [options])}"),
            map_note="",
        )
        results = run(
            content,
            [] if rest is None else [rest],
            regions=labels,
            style_for=style_for,
            region_strength={label: value for label, value in strengths.items() if value < 1},
            strength_map=values["strength_map"],
            feather=values["feather"],
            download=False,
            **options,
        )
        for result in results:
            yield View(**show(result))
    except PictureError as error:
        place = {"content": "content_note", "style": "rest_note", "strength map": "strength_map_note"}
        place |= {f"style of region {label}": f"region_{label}_note" for label in painting.BRUSHES}
        refusal = sentence(error.sentence, refused=True)
        shown = place.get(error.role, "map_note")
        yield View(status=sentence("No picture was made."))._replace(**{shown: refusal})
    except ValueError as error:
        yield View(status=sentence(str(error), refused=True))


def build() -> None:
    """Lay the tab out and wire it, inside a gr.Blocks."""
    first = examples.pairs()[0]
    ui: dict[str, gr.components.Component] = {}
    with gr.Row(equal_height=False):
        with gr.Column(scale=5, min_width=320):
            with gr.Row():
                with gr.Column(min_width=200):
                    ui["content"] = field("regions-content", "Photograph", "Your photograph", first.photo.path, 200)
                    ui["content_note"] = note("regions-content-note")
                    photo_strip = strip(examples.photos(), "Photographs to try", "regions-photos")
            ui["canvas"] = Canvas(
                _opening(first.photo.path),
                label="Paint the regions",
                sources=[],
                transforms=[],
                layers=False,
                buttons=["fullscreen"],
                brush=gr.Brush(
                    default_size=30,
                    colors=[(color, painting.OPACITY) for _, color in painting.BRUSHES.values()],
                    default_color=(painting.BRUSHES[1][1], painting.OPACITY),
                    color_mode="fixed",
                ),
                eraser=gr.Eraser(default_size=30),
                canvas_size=(painting.SIDE, painting.SIDE),
                height=480,
                format="png",
                elem_id="regions-canvas",
            )
            ui["map_note"] = note("regions-map-note")
            with gr.Row():
                foreground = gr.Button("Foreground and background", size="sm", scale=2, elem_id="regions-foreground")
                colors = gr.Button("By color", size="sm", elem_id="regions-colors")
                clear = gr.Button("Clear", size="sm", elem_id="regions-clear")
            with gr.Row():
                ui["map"] = SafeUpload("Load a label map", file_types=["image"], size="sm", elem_id="regions-map")
                save = gr.Button("Save the label map", size="sm", elem_id="regions-save")
                map_file = gr.DownloadButton("Label map", visible="hidden", elem_id="regions-map-file")
            gr.HTML(
                sentence(
                    "One color a region; the eraser and undo are beside the brush. Foreground and background and By"
                    " color propose regions to correct. A label map is a grey PNG with 0 for the rest and 1 to 4 for"
                    " the regions: loading one is the way without a mouse."
                ),
                elem_classes="note",
            )
        with gr.Column(scale=6, min_width=320):
            for slot, title in SLOTS.items():
                with gr.Group(elem_classes=["region", slot.replace("_", "-")]):
                    ui |= _slot(slot, title)
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
                feather = Settings.model_fields["feather"]
                ui["feather"] = draw_field("feather", feather, elem_id="regions-feather", maximum=64, step=1)
                ui["size"] = gr.Dropdown(
                    [(f"{size} pixels", size) for size in SIZES],
                    value=512,
                    label="Size of the result",
                    info="Its longer side. Larger takes longer and gives finer strokes.",
                    filterable=False,
                    elem_id="regions-size",
                )
                ui["strength_map"] = field(
                    "regions-strength-map", "Strength map: white for full strength, black for none", "", None, 170
                )
                ui["strength_map_note"] = note("regions-strength-map-note")

    named = {component: name for name, component in ui.items()}
    inputs = {ui[name] for name in ui if name not in View._fields and name != "map"}
    outputs = [ui[name] for name in View._fields]

    def start(data: dict[gr.components.Component, Any]) -> Iterator[View]:
        yield from stylize_regions({named[component]: value for component, value in data.items()})

    shown = run_button.click(
        start, inputs, outputs, trigger_mode="multiple", show_progress_on=[ui["compare"], ui["picture"]], **COMPUTE
    )
    stopped = sentence("Stopped. The last picture stays.")
    stop_button.click(lambda: stopped, None, ui["status"], cancels=[shown], **QUIET)
    painted = [ui["canvas"], ui["map_note"]]
    ui["content"].input(_blank, ui["content"], painted, **QUIET)
    photo_strip.select(pick(examples.photos()), None, ui["content"], **QUIET).then(
        _blank, ui["content"], painted, **QUIET
    )
    clear.click(_blank, ui["content"], painted, **QUIET)
    foreground.click(_propose_foreground, ui["content"], painted, **COMPUTE)
    colors.click(_propose_colors, ui["content"], painted, **COMPUTE)
    ui["map"].upload(_load_map, [ui["content"], ui["map"]], painted, **QUIET)
    save.click(_save_map, [ui["content"], ui["canvas"]], map_file, **QUIET).then(None, None, None, js=SAVE, **QUIET)
    for slot in ("content", "strength_map", *(f"{slot}_own" for slot in SLOTS)):
        place = ui[f"{slot.removesuffix('_own')}_note"]
        ui[slot].change(check, ui[slot], [place, ui[slot]], **QUIET)
    for slot in SLOTS:
        ui[slot].change(_choose, ui[slot], [ui[f"{slot}_own"], ui[f"{slot}_note"]], **QUIET)


def _slot(slot: str, title: str) -> dict[str, gr.components.Component]:
    """Draw a region's style, its own painting and its strength."""
    ui: dict[str, gr.components.Component] = {}
    known = {style.path: style.title for style in examples.styles()}
    opening = next((words for path, words in known.items() if OPENING.get(slot) == Path(path).stem), REST)
    name = f"regions-{slot.replace('_', '-')}"
    with gr.Row():
        ui[slot] = gr.Dropdown(
            [*([] if slot == "rest" else [REST]), LEAVE, *known.values(), OWN],
            value=opening,
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
    ui[f"{slot}_own"] = field(f"{name}-own", f"{title}: its painting", title, None, 150, visible=False)
    ui[f"{slot}_note"] = note(f"{name}-note")
    return ui


def _style(values: Mapping[str, Any], slot: str) -> str | None:
    """Return the path of a region's style, or None to leave it as it is."""
    if values[slot] == OWN:
        return values[f"{slot}_own"]
    return {style.title: style.path for style in examples.styles()}.get(values[slot])


def _labels(content: str, layers: list[Image.Image]) -> Image.Image:
    return painting.to_labels(layers, images.measure(content, painting.SIDE))


def _editor(content: str, labels: Image.Image | None = None) -> dict[str, Any]:
    """Return what the canvas shows: the photograph, made small, and regions upon it."""
    photograph = images.load(content, painting.SIDE).rgb
    layers = [] if labels is None else [painting.to_layer(labels, photograph.size)]
    return {"background": painting.easel(photograph), "layers": layers, "composite": None}


def _opening(content: str) -> dict[str, Any]:
    return _editor(content, propose(images.load(content, painting.SIDE).rgb, "foreground"))


def _blank(content: str | None) -> tuple[Any, str]:
    try:
        return (None if content is None else _editor(content)), ""
    except ValueError:  # the sentence stands beside the photograph
        return None, ""


def _propose_foreground(content: str | None) -> tuple[Any, str]:
    return _propose(content, "foreground", "region 1 is the foreground")


def _propose_colors(content: str | None) -> tuple[Any, str]:
    return _propose(content, "colors", "the largest is the rest, the others are regions")


def _propose(content: str | None, kind: str, words: str) -> tuple[Any, str]:
    if content is None:
        return gr.skip(), sentence("Choose a photograph first.", refused=True)
    try:
        labels = propose(images.load(content, painting.SIDE).rgb, kind, 4)
        if labels.getextrema() == (0, 0):
            return gr.skip(), sentence("No foreground stands out here; paint it with the brush.", refused=True)
        return _editor(content, labels), sentence(f"A proposal: {words}. Correct it with brush and eraser.")
    except ValueError as error:
        return gr.skip(), sentence(str(error), refused=True)


def _load_map(content: str | None, path: str | None) -> tuple[Any, str]:
    if content is None:
        return gr.skip(), sentence("Choose a photograph first.", refused=True)
    try:
        labels = images.load_labels(path)
        return _editor(content, labels), sentence("The label map is loaded. Correct it with brush and eraser.")
    except ValueError as error:
        return gr.skip(), sentence(str(error), refused=True)


def _save_map(content: str | None, layers: list[Image.Image]) -> Any:
    if content is None:
        return gr.skip()
    return keep(_labels(content, layers), "labels.png")


def _choose(chosen: str) -> tuple[Any, str]:
    return gr.update(visible=chosen == OWN), ""
