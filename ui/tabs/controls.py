"""Controls: one pair at every value of a control, side by side and as a sheet to download."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import gradio as gr

from adain_core import PictureError, run
from adain_core.contracts import UNLIMITED, Limits
from adain_core.controls import scale
from adain_core.runs import inputs
from adain_core.runs.pipeline import Settings
from ui import endpoints
from ui.components import fields
from ui.components.pair import Pair
from ui.components.sheet import sheet, window
from ui.components.stage import Progress, area, bar, outdated, refuse, turns, wire_start, wire_stop
from ui.components.widgets import COLORS, MISSING, expect, keep, named, sentence
from ui.server import on_gpu

TITLE = "Controls"
ORDER = 2
SIZE = 384  # pixels, unless sizes are compared
SHOWN = {  # options by label, for each control
    "Color modes": {f"color {mode}": {"color": mode} for mode in COLORS},
    "Strengths": {f"strength {value:g}": {"alpha": value} for value in (0.0, 0.25, 0.5, 0.75, 1.0)},
    "Stroke sizes": {f"stroke size {value:g}": {"style_scale": value} for value in (0.25, 0.5, 1.0, 2.0, 4.0)},
    "Sizes": {f"{value} pixels": {"size": value} for value in (128, 256, 512, 1024)},
    "Strokes": {f"{kind} strokes": {"size": 2048, "strokes": kind} for kind in ("proportional", "native")},
}


class View(NamedTuple):
    """A run's updates; omitted fields stay unchanged."""

    gallery: Any = gr.skip()
    seen: Any = gr.skip()
    sheet: Any = gr.skip()
    status: Any = gr.skip()
    stop: Any = gr.skip()
    content_note: Any = gr.skip()
    style_note: Any = gr.skip()


def offered(limits: Limits) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the controls offered here: sizes within the server's limit, and only controls with several values."""
    found = {}
    for show, values in SHOWN.items():
        kept = {name: options for name, options in values.items() if options.get("size", 0) <= limits.size}
        if len(kept) > 1:
            found[show] = {name: {"size": min(SIZE, limits.size), **options} for name, options in kept.items()}
    return found


def _runs(values: Mapping[str, Any], limits: Limits) -> Iterable[dict[str, Any]]:
    return offered(limits)[values["show"]].values()


@on_gpu(_runs)
def show_all(values: Mapping[str, Any], limits: Limits) -> Iterator[View]:
    """Run the pair at every value of the chosen control and show each result as it is ready."""
    for name, words in MISSING.items():
        if values[name] is None:
            yield View(**refuse(words), **{f"{name}_note": sentence(words, refused=True)})
            return
    runs = offered(limits)[values["show"]]
    nothing = {"gallery": [], "seen": gr.update(value=[], visible=False), "sheet": gr.update(interactive=False)}
    yield View(**nothing, status=sentence(f"{values['show']}…"))
    results, shown, progress = [], [], Progress()
    pixels = [options["size"] ** 2 for options in runs.values()]
    pair = values["content"], values["style"]
    try:
        seen = _seen(values["style"], runs) if values["show"] == "Stroke sizes" else []
        yield View(
            seen=gr.update(value=seen, visible=bool(seen)),
            status=sentence(f"{values['show']}… {expect(values['content'], runs.values(), limits)}"),
        )
        for name, options in runs.items():
            *_, result = run(values["content"], [values["style"]], limits=limits, download=False, **options)
            caption = _caption(name, result)
            results.append((result.image, caption))
            shown.append((keep(result.image, named(*pair, name) + ".png"), caption))
            yield View(
                gallery=shown,
                sheet=gr.update(value=keep(sheet(results), named(*pair, values["show"]) + ".png"), interactive=True),
                status=progress.words(
                    f"{values['show']}: {len(shown)} of {len(runs)}", sum(pixels[: len(shown)]), sum(pixels)
                ),
            )
    except PictureError as error:
        refusal = sentence(error.sentence, refused=True)
        yield View(**refuse(error.sentence), **{f"{error.role}_note": refusal})
    except ValueError as error:
        yield View(status=sentence(str(error), refused=True))


def control_api(
    content: str, style: str, show: str = "Color modes", limits: Limits = UNLIMITED
) -> Iterator[tuple[str, dict[str, Any]] | None]:
    """Show a photograph in a painting's style at every value of one control, side by side.

    Args:
        content: the photograph, an image file.
        style: the painting, an image file.
        show: the control: Color modes, Strengths, Stroke sizes, Sizes, or Strokes.
        limits: the server's limits.

    Returns:
        A sheet with every picture as a PNG file, and the records by the control's value.
    """
    results = {}
    for name, options in offered(limits)[show].items():
        results[name] = yield from endpoints.last(run(content, [style], limits=limits, download=False, **options))
    pictures = [(result.image, _caption(name, result)) for name, result in results.items()]
    made = keep(sheet(pictures), named(content, style, show) + ".png")
    yield made, {name: result.record for name, result in results.items()}


def build(pair: Pair, limits: Limits) -> None:
    """Lay the tab out and wire it, inside a gr.Blocks."""
    ui: fields.Components = {}
    with area("stage"):
        with area("inputs"):
            with gr.Row():
                with area("field"):
                    pair.draw(ui, "content", "controls-", 220, "controls-photos")
                with area("field"):
                    pair.draw(ui, "style", "controls-", 220, "controls-styles")
            ui["show"] = gr.Radio(
                list(offered(limits)),
                value="Color modes",
                label="Show",
                info="The setting to vary; the pair is shown at each of its values.",
                elem_id="controls-show",
            )
        with area("side"):
            words = "Press Show them all. Each caption gives the color shift and the time taken."
            ui |= bar("controls-", "Show them all", words)
            with area("result"):
                outdated("controls-", "Show them all")
                _draw_result(ui)

    run_button = ui.pop("run")
    in_turn, events = turns(ui, View, limits)
    start = in_turn(show_all, _runs)
    wire_start(ui, [run_button.click])
    shown = run_button.click(start, trigger_mode="multiple", **events)
    wire_stop(ui, "Stopped. Finished pictures are kept.", [shown])
    pictures = {name: endpoints.picture(name) for name in ("content", "style")}
    results = [endpoints.made("Sheet"), endpoints.facts("Records")]
    endpoints.expose(control_api, "control", {**ui, **pictures}, results, _runs, limits)


def _draw_result(ui: fields.Components) -> None:
    ui["gallery"] = gr.Gallery(
        label="The pair at each value",
        columns=3,
        height="auto",
        object_fit="contain",
        interactive=False,
        buttons=["fullscreen"],
        elem_id="controls-gallery",
        elem_classes=["captioned", "outcome"],
    )
    ui["sheet"] = gr.DownloadButton("Download the sheet", interactive=False, elem_id="controls-sheet", size="md")
    ui["seen"] = gr.Gallery(
        label="What the network sees: a 256-pixel crop of the painting at each stroke size",
        columns=5,
        height="auto",
        object_fit="contain",
        interactive=False,
        visible=False,
        buttons=[],
        elem_id="controls-seen",
        elem_classes="captioned",
    )


def _caption(name: str, result: Any) -> str:
    record = result.record
    facts = [f"color shift {record['color_shift']:.1f}", f"{sum(record['seconds'].values()):.1f} s"]
    if (found := record.get("reconstruction")) is not None:
        facts.insert(0, f"reconstruction: SSIM {found['ssim']:.2f}")
    return f"{name} · {' · '.join(facts)}"


def _seen(style: str, runs: Mapping[str, Mapping[str, Any]]) -> list[tuple[Any, str]]:
    sides = {name: scale.longest(Settings(style_scale=options["style_scale"])) for name, options in runs.items()}
    return [(window(inputs.load("style", style, side).rgb), f"{name} · {side} pixels") for name, side in sides.items()]
