"""Stylize: a photograph in the style of up to four paintings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr

from adain_core import PictureError, methods, run
from adain_core.contracts import UNLIMITED, Limits, Strength, marked
from adain_core.runs import known, pipeline
from adain_core.runs.inputs import EMPTY
from adain_core.runs.pipeline import Settings
from ui import endpoints, examples, server
from ui.components import fields
from ui.components.pair import Pair
from ui.components.stage import area, bar, follow, outcome, outdated, refuse, turns, wire_start, wire_stop
from ui.components.widgets import (
    MISSING,
    QUIET,
    draw_color,
    draw_field,
    draw_folded,
    draw_strokes,
    drawn,
    expect,
    keep,
    named,
    sentence,
    sizes,
    strip,
)
from ui.server import on_gpu
from ui.serving import lanes

TITLE = "Stylize"
ORDER = 1
STYLES = 4
SIZES = (256, 512, 1024, 2048, 4096, 8192)
CONTROLS = ("strokes", "color", "color_strength", "style_scale")
SLOTS = ("style", *(f"style_{number}" for number in range(2, STYLES + 1)))
GROUND = 0  # background of a style mask: only painted parts give the style
PART = (
    "Only the white part of this mask gives the style. Paint it here or load a file; without a mask, the whole painting"
    " is used."
)
SHARES = tuple(f"share_{number}" for number in range(1, STYLES + 1))


class View(NamedTuple):
    """A run's updates; omitted fields stay unchanged."""

    compare: Any = gr.skip()
    before: Any = gr.skip()
    picture: Any = gr.skip()
    download: Any = gr.skip()
    status: Any = gr.skip()
    details: Any = gr.skip()
    stop: Any = gr.skip()
    content_note: Any = gr.skip()
    style_note: Any = gr.skip()
    style_2_note: Any = gr.skip()
    style_3_note: Any = gr.skip()
    style_4_note: Any = gr.skip()
    style_mask_note: Any = gr.skip()
    style_2_mask_note: Any = gr.skip()
    style_3_mask_note: Any = gr.skip()
    style_4_mask_note: Any = gr.skip()


def _runs(values: Mapping[str, Any], _: Limits) -> list[dict[str, Any]]:
    """Return the run's options, except the paintings' shares."""
    method = methods.get(values["method"])
    options = {name: values[f"{method.name}.{name}"] for name in drawn(method)}
    return [options | {name: values[name] for name in ("method", "model", "size", *CONTROLS)}]


@on_gpu(_runs)
def stylize(values: Mapping[str, Any], limits: Limits) -> Iterator[View]:
    """Run the chosen method on the chosen pictures and show each step."""
    slots = [slot for slot in SLOTS if values[slot] is not None]
    if values["content"] is None:
        words = MISSING["content"]
        yield View(**refuse(words), content_note=sentence(words, refused=True))
        return
    if not slots:
        words = MISSING["style"]
        yield View(**refuse(words), style_note=sentence(words, refused=True))
        return
    (options,) = _runs(values, limits)
    if len(slots) > 1:
        options["weights"] = tuple(values[SHARES[SLOTS.index(slot)]] for slot in slots)
    start = f"Stylizing at {values['size']} pixels…"
    yield View(status=sentence(start))
    try:
        yield View(status=sentence(f"{start} {expect(values['content'], [options], limits)}"))
        given = {"styles": [values[slot] for slot in slots], "style_masks": _style_masks(values, slots)}
        name = named(values["content"], *given["styles"], options["method"]) + ".png"
        for view in follow(run(values["content"], **given, **options, limits=limits, download=False), name):
            yield View(**view)
    except PictureError as error:
        field = f"{error.role.replace(' ', '_')}_note"
        if error.role.startswith("style"):
            field = field.replace("style", slots[error.index])
        refusal = sentence(error.sentence, refused=True)
        yield View(**refuse(error.sentence), **{field: refusal})
    except ValueError as error:
        yield View(status=sentence(str(error), refused=True))


def stylize_at_once(values: Mapping[str, Any], limits: Limits) -> Iterator[View]:
    """Rerun after a change of a picture or control if that takes only seconds; otherwise say what to press."""
    if values["content"] is None or all(values[slot] is None for slot in SLOTS):
        yield View()
        return
    try:
        (options,) = _runs(values, limits)
        found = pipeline.forecast(values["content"], limits=limits, **options)
        quick = found.steps == 1 and found.seconds <= lanes.SHORT
    except ValueError:  # the run reports it
        quick = True
    if quick:
        yield from stylize(values, limits)
    else:
        yield View(status=sentence("Press Stylize to apply your changes; it takes a while."))


def _style_masks(values: Mapping[str, Any], slots: Sequence[str]) -> list[Any] | None:
    """Return each painting's mask or None; None if no painting has a mask."""
    found = [fields.read_gray(values, f"{slot}_mask", slot, GROUND, "style mask", n) for n, slot in enumerate(slots)]
    masked = [index for index, mask in enumerate(found) if mask is not None]
    if masked and not methods.get(values["method"]).spatial:
        words = "This method uses the whole painting; clear the mask, or choose AdaIN."
        raise PictureError("style mask", masked[0], words)
    return found if masked else None


def stylize_api(
    content: str,
    style: str,
    style_2: str | None = None,
    style_3: str | None = None,
    style_4: str | None = None,
    share_1: float = 1.0,
    share_2: float = 1.0,
    share_3: float = 1.0,
    share_4: float = 1.0,
    alpha: float = 1.0,
    size: int = 512,
    strokes: str = "auto",
    style_size: int = 512,
    model: str = "compact",
    color: str = "off",
    color_strength: float = 1.0,
    style_scale: float = 1.0,
    method: str = "adain",
    options: dict[str, Any] | None = None,
    known_style: str = "",
    limits: Limits = UNLIMITED,
) -> Iterator[tuple[str, dict[str, Any]] | None]:
    """Show a photograph in the style of one to four paintings, by AdaIN or another method.

    Args:
        content: the photograph, an image file.
        style: the painting, an image file.
        style_2: a second painting to mix in, or nothing.
        style_3: a third painting, or nothing.
        style_4: a fourth painting, or nothing.
        share_1: the first painting's share in the mix; shares are divided by their sum.
        share_2: the second painting's share.
        share_3: the third painting's share.
        share_4: the fourth painting's share.
        alpha: strength, if the method has one; 0 keeps the photograph, 1 gives the full style.
        size: the longer side of the result, 64 to 8192 pixels.
        strokes: above 512 pixels, proportional strokes grow with the picture and native ones keep their size in pixels;
            auto is proportional for methods that can do that.
        style_size: the longer side of the painting as the network sees it, 64 to 2048 pixels.
        model: compact (fast) or vgg19 (the paper's, if the server has it).
        color: off uses the painting's colors; match, match-cholesky, histogram, and luminance keep the photograph's;
            palette uses the painting's colors without its brush strokes.
        color_strength: strength of the color mode, 0 to 1.
        style_scale: stroke size, the factor by which the painting is enlarged for the network, 0.25 to 4.
        method: the method's name, such as adain, gatys, or style_swap.
        options: the method's own parameters by name, such as {"steps": 60} for gatys.
        known_style: name of a style that a method knows, in place of the first painting.
        limits: the server's limits.

    Returns:
        The picture as a PNG file with its record embedded, and the record: settings and seconds by stage.
    """
    given = [
        (known.check(known_style) if known_style else style, share_1),
        (style_2, share_2),
        (style_3, share_3),
        (style_4, share_4),
    ]
    chosen = methods.get(method)
    own = dict.fromkeys(marked(chosen.params, Strength()), alpha) | endpoints.own_options(chosen, options)
    styles = [path for path, _ in given if path is not None]
    steps = run(
        content,
        styles,
        weights=tuple(share for path, share in given if path is not None),
        size=size,
        strokes=strokes,
        style_size=style_size,
        model=model,
        color=color,
        color_strength=color_strength,
        style_scale=style_scale,
        method=chosen.name,
        limits=limits,
        download=False,
        **own,
    )
    result = yield from endpoints.last(steps)
    yield keep(result.image, named(content, *styles, chosen.name) + ".png"), result.record


def build(pair: Pair, limits: Limits) -> None:
    """Lay the tab out and wire it, inside a gr.Blocks."""
    first = examples.pairs()[0]
    ui: fields.Components = {}
    with area("stage"):
        with area("inputs"), gr.Row():
            with area("field"):
                photo_chosen = pair.draw(ui, "content", "", 250, "photos")
            with area("field"):
                style_chosen = pair.draw(ui, "style", "", 250, "styles")
        with area("side"):
            ui |= bar("", "Stylize", "Press Stylize to make it yourself.")
            with area("result"):
                outdated("", "Stylize")
                compare = gr.Button("Compare methods on this pair", size="md", elem_id="to-compare", render=False)
                ui |= outcome("", first.photo.path, first.result.path, f"{first.result.title}.", [compare])
        with area("more"):
            names = {name: found.title for name, found in methods.find().items()}
            panels = {}
            for name in names:
                with gr.Column(visible=name == "adain") as panels[name]:
                    ui |= {
                        f"{name}.{option}": widget for option, widget in draw_folded(methods.get(name), limits).items()
                    }
            ui["size"] = gr.Radio(
                **sizes(SIZES, 512, "px", limits),
                label="Size",
                info="Longer side of the result. Larger takes longer.",
                elem_id="size",
            )
            ui["strokes"] = draw_strokes()
            with gr.Accordion("More paintings, or a part of one", open=False, elem_id="mix"):
                _part(ui, 1, first.style.path, pair)
                for number, slot in enumerate(SLOTS[1:], start=2):
                    with gr.Row():
                        with gr.Column(min_width=150):
                            words = f"Painting {number}"
                            offered = ("Paintings to try", f"styles-{number}", examples.styles())
                            fields.picture(ui, slot, slot, words, words, offered=offered)
                        with gr.Column(min_width=150):
                            if number == 2:
                                ui[SHARES[0]] = _share(1)
                            ui[SHARES[number - 1]] = _share(number)
                    _part(ui, number, None, pair)
            with gr.Accordion("Colors and stroke size", open=False, elem_id="colors"):
                declared = Settings.model_fields
                ui["color"] = draw_color(declared["color"])
                color_chosen = gr.Button(visible="hidden", elem_id="color-chosen")
                ui["color_strength"] = draw_field("color_strength", declared["color_strength"], step=0.05)
                ui["style_scale"] = draw_field("style_scale", declared["style_scale"], step=0.05)
            with gr.Accordion("Advanced settings", open=False, elem_id="advanced"):
                ui["method"] = gr.Radio(
                    [(title, name) for name, title in names.items()],
                    value="adain",
                    label="Method",
                    info="AdaIN takes one fast pass; methods that optimize take many steps.",
                    visible=len(names) > 1,
                    elem_id="method",
                )
                ui["model"] = gr.Radio(
                    (models := server.models()),
                    value="compact",
                    label="Model",
                    info="Compact is fast; VGG-19 is the paper's network and about ten times slower.",
                    visible=len(models) > 1,
                    elem_id="model",
                )
        with area("stored"):
            stored = [each.result for each in examples.pairs()]
            pair_strip = strip(stored, "Stored results: click one to load it", "pairs", 148, 112)
    run_button = ui.pop("run")
    in_turn, events = turns(ui, View, limits)
    start = in_turn(stylize, _runs)
    change = in_turn(stylize_at_once, lambda *_: [])  # it starts only short runs
    sliders = [component for component in events["inputs"] if isinstance(component, gr.Slider)]
    live = [*(each.input for each in sliders), color_chosen.click]
    # Gradio's dropdown fires `input` twice for one choice, `select` not for the keyboard's, and `change` also for a
    # value that is restored when the page opens, which must not start a run.
    pressed = "() => window.colorTouched && document.getElementById('color-chosen').click()"
    ui["color"].change(None, None, None, js=pressed, **QUIET)
    chosen = [*photo_chosen, *style_chosen]
    wire_start(ui, [run_button.click, *live, *(each.then for each in chosen)])
    there = "() => { const tab = document.getElementById('tab-compare-button'); tab.click(); tab.focus() }"
    compare.click(None, None, None, js=there, **QUIET)
    pair_strip.select(None, None, ui["stopped"], js="() => ''", **QUIET)
    runs = [
        run_button.click(start, trigger_mode="multiple", **events),  # "once" would lose a click that follows Stop
        gr.on(live, change, trigger_mode="always_last", **events),
        *(each.then(change, **events) for each in chosen),
    ]
    wire_stop(ui, "Stopped. The last picture is kept.", runs)
    photos, styles = zip(*((each.photo, each.style) for each in examples.pairs()), strict=True)
    beside = [pair.fields["content"][-1], pair.fields["style"][-1]]
    loaded = pair.offer(pair_strip, {"content": photos, "style": styles}, beside)
    loaded.then(None, None, None, js="() => window.resultIsLoaded?.('stylize')", **QUIET)
    pair_strip.select(_load_pair, None, events["outputs"], **QUIET)
    ui["method"].change(
        lambda chosen: [gr.update(visible=name == chosen) for name in panels],
        ui["method"],
        list(panels.values()),
        **QUIET,
    )
    of = {**ui, **{name: endpoints.picture(name) for name in ("content", *SLOTS)}, "alpha": ui["adain.alpha"]}
    of |= {name: draw_field(name, Settings.model_fields[name], visible=False) for name in ("strokes", "style_size")}
    of |= {"size": endpoints.size(SIZES[-1], 512), "options": endpoints.facts("Options")}
    of |= endpoints.known_style()
    outputs = [endpoints.made("Picture"), endpoints.facts("Record")]
    endpoints.expose(stylize_api, "stylize", of, outputs, _api_runs, limits)


def _api_runs(given: Mapping[str, Any], _: Limits) -> list[dict[str, Any]]:
    """Return the options of a program's run, without the paintings and their sizes."""
    options = endpoints.own_options(methods.get(given["method"]), given["options"])
    return [{**options, **{name: given[name] for name in ("method", "model", "size", "strokes")}}]


def _load_pair(event: gr.SelectData) -> View:
    pair = examples.pairs()[event.index]
    return View(
        compare=(pair.photo.path, pair.result.path),
        before=pair.photo.path,
        picture=pair.result.path,
        download=pair.result.path,
        status=sentence("A stored result. Press Stylize to make it yourself."),
        details=sentence(f"{pair.result.title}."),
    )


def _part(ui: fields.Components, number: int, opening: str | None, pair: Pair) -> None:
    """Draw a painting's mask in a closed accordion."""
    slot = SLOTS[number - 1]
    name = slot.replace("_", "-")
    with gr.Accordion(f"A part of painting {number}", open=False, elem_id=f"{name}-part"):
        mask, label, empty = f"{slot}_mask", f"Style mask {number}", EMPTY["style mask"]
        fields.gray_mask(ui, mask, f"{name}-mask", slot, opening, label, PART, GROUND, empty, pair)


def _share(number: int) -> gr.Slider:
    return gr.Slider(
        0,
        1,
        value=1,
        step=0.05,
        label=f"Share {number}",
        info=f"The weight of painting {number} in the mix.",
        elem_id=f"share-{number}",
        buttons=[],
    )
