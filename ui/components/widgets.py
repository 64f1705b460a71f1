"""Custom components: picture fields, widgets for parameters, results, messages, and stage times."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image, ImageOps
from pydantic.fields import FieldInfo

from adain_core import Result, images
from adain_core.contracts import UNLIMITED, Limited, Limits, Method, Strength, bounds, marked, parse
from adain_core.runs import pipeline
from ui.serving.kept import keep as keep
from ui.serving.kept import keep_once
from ui.serving.uploads import SafeImage

PAINTS = ("#24558f", "#2f8f86", "#e0a526", "#bd3a1e", "#4a2d63", "#857a6b")
EXAMINED = 1024  # longer side, in pixels, at which an uploaded picture is examined
UNSEEN = (".tif", ".tiff", ".ppm", ".pgm")  # formats that no browser displays
SHOWN = 2048  # longer side, in pixels, of pictures shown in the browser; downloads have full size
QUIET = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
COMPUTE = {
    "api_visibility": "private",
    "concurrency_limit": None,  # it waits in a lane
    "show_progress": "hidden",  # Gradio's would cover the last result; `bar` shows the progress instead
}
MISSING = {"content": "Choose a photograph first.", "style": "Choose a painting first."}
COLORS = {  # labels of the modes of adain_core.controls.color
    "off": "From the painting",
    "match": "From the photograph: recolor the painting first (match)",
    "match-cholesky": "Like match, with a Cholesky decomposition (match-cholesky)",
    "histogram": "From the photograph: match its histograms (histogram)",
    "luminance": "From the photograph: transfer light and dark only (luminance)",
    "palette": "From the painting, without its brush strokes (palette)",
}


class Offered(typing.Protocol):
    """A picture that the page offers."""

    path: str

    def thumbnail(self, width: int, height: int) -> tuple[Image.Image, str]:
        """Return the picture cropped to a size, and its title."""


def named(*parts: str | None) -> str:
    """Return a name for a download, made from picture paths and words, as in cat-night_river-adain."""
    stems = (Path(part).stem if "/" in part else part for part in parts if part)
    found = (re.sub(r"\W+", "_", stem).strip("_")[:40] for stem in stems)
    return "-".join(filter(None, found)) or "picture"


def drawn(method: Method) -> dict[str, FieldInfo]:
    """Return the parameters that a visitor may set: no time limit, and the seed only if it can affect the picture."""
    hidden = [*marked(method.params, Limited("seconds")), *(() if method.random else ("seed",))]
    return {name: info for name, info in method.params.model_fields.items() if name not in hidden}


def draw_folded(method: Method, limits: Limits) -> dict[str, gr.components.Component]:
    """Draw a method's strength, and its other parameters in a closed accordion."""
    known = drawn(method)
    names = marked(method.params, Strength())
    ui = {name: _widget(name, known.pop(name), elem_id=f"{method.name}-{name}") for name in names}
    if known:
        with gr.Accordion(f"Parameters of {method.title}", open=False, elem_id=f"{method.name}-parameters"):
            ui |= draw(method, limits, shown=known)
    return ui


def draw(
    method: Method, limits: Limits, prefix: str = "", shown: Mapping[str, FieldInfo] | None = None
) -> dict[str, gr.components.Component]:
    """Draw a method's parameters and a choice of its presets.

    Args:
        method: the method.
        limits: the server's limits, which bound the widgets.
        prefix: prefix of the elem_ids, to distinguish them from other tabs'.
        shown: the parameters to draw; all by default.
    """
    shown = drawn(method) if shown is None else shown
    presets: dict[str, Mapping[str, Any]] = {"Defaults": {}, **method.presets}
    if method.presets:
        chosen = gr.Dropdown(
            list(presets),
            label="Preset",
            info="Fills in the settings below; paper uses the authors' values.",
            filterable=False,
            elem_id=f"{prefix}{method.name}-preset",
        )
    ui = {name: _widget(name, info, limits, elem_id=f"{prefix}{method.name}-{name}") for name, info in shown.items()}
    if method.presets:
        own = {name: info.default for name, info in shown.items()}

        def fill(name: str | None) -> list[Any]:
            values = {**own, **presets.get(name or "", {})}
            steps = {each: min(values[each], limits.steps) for each in marked(method.params, Limited("steps"))}
            return [*{**values, **steps}.values()]

        chosen.input(fill, chosen, [*ui.values()], **QUIET)
    if method.random is not None:
        _show_seed(method, ui)
    return ui


def _show_seed(method: Method, ui: Mapping[str, gr.components.Component]) -> None:
    """Show the seed only while the current choices make it matter."""
    choices = {name: each for name, each in ui.items() if isinstance(each, gr.Dropdown | gr.Textbox)}

    def matters(*values: Any) -> bool:
        assert method.random is not None
        return method.random(parse(method.params, dict(zip(choices, values, strict=True))))

    def show(*values: Any) -> Any:
        try:
            return gr.update(visible=matters(*values))
        except ValueError:  # an incomplete name; the run reports it
            return gr.skip()

    ui["seed"].visible = matters(*(each.value for each in choices.values()))
    if choices:
        gr.on([each.change for each in choices.values()], show, [*choices.values()], ui["seed"], **QUIET)


def draw_field(name: str, declared: FieldInfo, **options: Any) -> gr.components.Component:
    """Draw one declared parameter."""
    return _widget(name, declared, **{"elem_id": name.replace("_", "-"), **options})


def sizes(offered: Sequence[int], usual: int, unit: str, limits: Limits) -> dict[str, Any]:
    """Return a field's choices, the offered sizes within the server's limit, and its initial value."""
    taken = [size for size in offered if size <= limits.size] or [int(limits.size)]
    return {"choices": [(f"{size} {unit}", size) for size in taken], "value": min(usual, taken[-1])}


def draw_color(declared: FieldInfo) -> gr.components.Component:
    """Draw the color mode, with its choices in plain words."""
    choices = [(words, mode) for mode, words in COLORS.items()]
    return draw_field("color", declared, choices=choices, filterable=False, info="The source of the result's colors.")


def draw_strokes(**options: Any) -> gr.components.Component:
    """Draw the kind of strokes, with its choices in plain words."""
    choices = [("Grow with the size", "auto"), ("Stay fine", "native")]
    words = "Above 512 pixels: growing strokes keep the look of the small picture."
    declared = pipeline.Settings.model_fields["strokes"]
    return draw_field("strokes", declared, choices=choices, filterable=False, info=words, **options)


def _widget(name: str, declared: FieldInfo, limits: Limits = UNLIMITED, **options: Any) -> gr.components.Component:
    options = {
        "value": declared.default,
        "label": declared.title or name.replace("_", " ").capitalize(),
        "info": declared.description,
        **options,
    }
    if declared.annotation is str:
        return gr.Textbox(max_lines=1, max_length=200, **options)
    if declared.annotation is bool:
        return gr.Checkbox(**options)
    if typing.get_origin(declared.annotation) is typing.Literal:
        return gr.Dropdown(**{"choices": list(typing.get_args(declared.annotation)), **options})
    low, high = bounds(declared)
    whole = declared.annotation is int
    for mark in declared.metadata:
        if isinstance(mark, Limited) and high is not None:
            high = min(high, getattr(limits, mark.by))
            options["value"] = min(options["value"], high)
    if low is None or high is None or high - low > 10_000:
        return gr.Number(precision=0 if whole else None, minimum=low, maximum=high, **options)
    step = 1 if whole else (high - low) / 100
    return gr.Slider(**{"minimum": low, "maximum": high, "step": step, "buttons": [], **options})


def field(elem_id: str, label: str, alt_text: str, value: str | None, height: int, **options: Any) -> SafeImage:
    """Return a picture field with upload, webcam, and clipboard."""
    options = {"sources": ["upload", "webcam", "clipboard"], "buttons": [], **options}
    return SafeImage(value=value, label=label, alt_text=alt_text, height=height, elem_id=elem_id, **options)


def note(elem_id: str, value: str = "") -> gr.HTML:
    """Return a component for a message beside a field."""
    return gr.HTML(value, elem_classes="note", elem_id=elem_id)


def strip(offered: Sequence[Offered], label: str, elem_id: str, width: int = 128, height: int = 128) -> gr.Gallery:
    """Return a horizontally scrolling row of example thumbnails."""
    return gr.Gallery(
        [each.thumbnail(width, height) for each in offered],
        label=label,
        allow_preview=False,
        interactive=False,
        object_fit="cover",
        buttons=[],
        elem_classes=["strip", elem_id],
        elem_id=elem_id,
    )


def pick(offered: Sequence[Offered]) -> Callable[[gr.SelectData], str]:
    """Return a handler that returns the path of the clicked thumbnail's picture."""

    def picked(event: gr.SelectData) -> str:
        return offered[event.index].path

    return picked


def check(path: str | None, empty: str | None = None) -> tuple[str, str | None]:
    """Examine an uploaded picture or mask; return notes on it and its path.

    The path is a PNG's if browsers can't display the upload, and None if it is refused, so that no run starts with it.

    Args:
        path: the upload.
        empty: for a mask, the note if it is black everywhere.
    """
    if path is None:
        return "", None
    try:
        if not path.lower().endswith(UNSEEN):
            notes = images.examine(path, EXAMINED)
        else:
            picture = images.load(path)
            notes = picture.notes
            if picture.alpha is not None:
                picture.rgb.putalpha(picture.alpha)
            path = keep(picture.rgb, named(path) + ".png")
        if empty is not None and images.ONE_COLOR in notes:
            black = images.load_mask(path)[0].getbbox() is None
            notes = (*(each for each in notes if each != images.ONE_COLOR), *([empty] if black else []))
    except ValueError as error:
        return sentence(str(error), refused=True), None
    return sentences(notes), path


def show(result: Result, name: str) -> dict[str, Any]:
    """Return the updates for a step, by `outcome`'s names; none for a step without a picture.

    `name` is the file name of the download.
    """
    if result.image is None:
        return {}
    more: list[str] = []
    full = keep(result.image, name)
    before = keep_once(_small(result.content), "photograph.jpg")
    picture = full if max(result.image.size) <= SHOWN else keep(_small(result.image), "shown.png")
    width, height = result.image.size
    words = (
        f"{width}x{height} pixels, {result.record['model']}, {result.record['device']}."
        f" Color shift from the photograph: {result.record['color_shift']:.1f} (Delta E)."
    )
    if (found := result.record.get("reconstruction")) is not None:
        more.append(
            "Nothing was stylized: this is the networks' reconstruction of the photograph, which is not exact: SSIM"
            f" {found['ssim']:.2f}, mean difference {found['difference']:.1f} of 255."
        )
    return {
        "compare": (before, picture),
        "before": before,
        "picture": picture,
        "download": gr.update(value=full, interactive=True),
        "details": sentences([words, *more, *result.notes]) + stage_times(result.record["seconds"]),
    }


def expect(content: str, runs: Iterable[Mapping[str, Any]], limits: Limits, masks: int = 0) -> str:
    """Return a sentence on the expected duration and memory of runs with these options and number of masks each.

    Raises:
        ValueError: as adain_core.forecast.
    """
    found = [pipeline.forecast(content, masks=masks, limits=limits, **options) for options in runs]
    seconds, tiles = sum(each.seconds for each in found), max(each.tiles for each in found)
    words = f"about {_rough(seconds)}" if seconds >= 1 else "less than a second"
    if tiles > 1:
        words += f" and {max(each.bytes for each in found) / 1e9:.1f} GB of memory, in {tiles} tiles"
    return f"This takes {words}."


def seconds(content: str | None, runs: Iterable[Mapping[str, Any]], limits: Limits) -> float:
    """Return the expected seconds of runs with these options; 0 without a picture.

    Raises:
        ValueError: as adain_core.forecast.
    """
    if content is None:
        return 0.0
    return sum(pipeline.forecast(content, limits=limits, **options).seconds for options in runs)


def _rough(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} minutes"


def _small(image: Image.Image) -> Image.Image:
    return image if max(image.size) <= SHOWN else ImageOps.contain(image, (SHOWN, SHOWN))


def sentence(text: str, refused: bool = False) -> str:
    """Return a sentence as HTML; a refusal is an alert."""
    kind = 'class="refused" role="alert"' if refused else 'class="hint"'
    return f"<p {kind}>{escape(text)}</p>"


def sentences(texts: Sequence[str]) -> str:
    """Return several sentences as HTML."""
    return "".join(map(sentence, texts))


def stage_times(seconds: Mapping[str, float]) -> str:
    """Return the stages' times as an HTML bar and list."""
    total = sum(seconds.values()) or 1e-9
    seconds = {
        stage: value for stage, value in seconds.items() if value >= 0.0005
    }  # shorter ones would be shown as 0 ms
    paints = {stage: PAINTS[number % len(PAINTS)] for number, stage in enumerate(seconds)}
    bar = "".join(
        f'<span style="width:{100 * value / total:.1f}%;background:{paints[stage]}"></span>'
        for stage, value in seconds.items()
    )
    items = "".join(
        f'<li><i style="background:{paints[stage]}"></i>{escape(stage)} {duration(value)}</li>'
        for stage, value in seconds.items()
    )
    return (
        f'<div class="time-bar" aria-hidden="true">{bar}</div>'
        f'<ul class="time-list" aria-label="Time by stage"><li><b>{duration(total)} in total</b></li>{items}</ul>'
    )


def duration(seconds: float) -> str:
    """Return a duration in words."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
