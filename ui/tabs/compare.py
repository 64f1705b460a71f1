"""Compare: several methods on one pair, live, with loss curves, a table of scores, and maps of the remaining error."""

from __future__ import annotations

import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from adain_core import PictureError, load, methods
from adain_core.contracts import UNLIMITED, Limited, Limits, marked
from adain_core.evaluation import report
from adain_core.evaluation.comparison import (
    DEFAULT_METHODS,
    Comparison,
    arrange,
    best_judge,
    compare,
    iterations,
    prepare,
)
from adain_core.runs import known
from ui import endpoints, examples, server
from ui.components import board, fields, outputs, scores
from ui.components.pair import Pair
from ui.components.skip import Latest, new_folder
from ui.components.stage import area, bar, outdated, refuse, say_stopping, waiting, wire_failure, wire_start
from ui.components.widgets import (
    COMPUTE,
    MISSING,
    QUIET,
    draw,
    drawn,
    expect,
    keep,
    named,
    note,
    seconds,
    sentence,
    sizes,
)
from ui.server import on_gpu
from ui.serving import lanes

TITLE = "Compare"
ORDER = 1.5  # right after Stylize
STORED = examples.FOLDER / "comparison"
SIZES = (128, 256, 384, 512)
LONGEST, BUDGET = 60, 240  # maximum seconds of one optimization, and of all optimizations in a comparison
LONG = 2 * lanes.SHORT  # minimum expected seconds, so that a comparison never uses the short lane
PAUSE = 0.4  # seconds between updates of a running optimization
MODES = {"each": "Own steps", "equal-time": "Equal time", "equal-loss": "Until AdaIN's loss"}


def _runs(values: Mapping[str, Any], limits: Limits) -> list[dict[str, Any]]:
    """Return the options of every method's run, for forecasts.

    Raises:
        ValueError: together they may take too long.
    """
    names = arrange(values["methods"] or (), values["mode"])
    options = _chosen(names, values["options"]) if "options" in values else _options(values, names)
    networks, runs, many = load(values["model"], "auto", download=False), [], 0
    for name in names:
        run = prepare(name, options[name], values["mode"], values["model"], "auto", limits) | {"size": values["size"]}
        if iterations(run, networks, limits) > 1:
            run |= dict.fromkeys(marked(methods.get(name).params, Limited("seconds")), values["seconds"])
            many += 1
        runs.append(run)
    if many * values["seconds"] > BUDGET:
        raise ValueError(
            f"{many} optimizations of up to {values['seconds']:g} s each exceed the {BUDGET} s that one comparison may"
            " take; choose fewer methods, or less time."
        )
    return runs


@on_gpu(_runs)
def show_all(values: Mapping[str, Any], limits: Limits) -> Iterator[dict[str, Any]]:
    """Compare the chosen methods, yielding updates by component name as results arrive."""
    for name, words in MISSING.items():
        if values[name] is None:
            yield {**refuse(words), f"{name}_note": sentence(words, refused=True)}
            return
    try:
        names = arrange(values["methods"], values["mode"])
        options = _options(values, names)
        words = expect(values["content"], _runs(values, limits), limits)
        yield {"status": sentence(f"{words} No optimization takes more than {values['seconds']:g} s.")}
        common = {name: values[name] for name in ("size", "seconds", "mode", "judge", "model", "skip")}
        pair = values["content"], values["style"]
        run = compare(*pair, names, options=options, limits=limits, download=False, **common)
        yield from _follow(run, named(*pair), values["seconds"])
    except PictureError as error:
        refusal = {f"{error.role}_note": sentence(error.sentence, refused=True)}
        yield {**refuse(error.sentence), **refusal}
    except ValueError as error:
        yield {"status": sentence(str(error), refused=True)}


def compare_api(
    content: str,
    style: str,
    methods: list[str] = list(DEFAULT_METHODS),  # noqa: B006
    size: int = 256,
    seconds: float = 15.0,
    mode: str = "each",
    model: str = "compact",
    judge: str = "",
    options: dict[str, dict[str, Any]] | None = None,
    known_style: str = "",
    limits: Limits = UNLIMITED,
) -> Iterator[tuple[str, dict[str, Any]] | None]:
    """Run several methods on one pair and measure every picture alike: losses, SSIM, color shift, seconds, memory.

    Args:
        content: the photograph, an image file.
        style: the painting, an image file.
        methods: the methods' names, such as adain, gatys, and style_swap; single passes run first.
        size: the longer side of the photograph, 64 to 512 pixels.
        seconds: time limit of each optimization, up to 60.
        mode: with each, optimizations run for their own steps; with equal-time, for the same time; with equal-loss,
            until they reach AdaIN's mean-std loss.
        model: the network whose features the methods use: compact, or vgg19 if the server has it.
        judge: the network that measures the results: perceptual or vgg19; by default, the best one available.
        options: parameters by method, such as {"gatys": {"steps": 60}}.
        known_style: name of a style that a method knows, in place of the painting.
        limits: the server's limits.

    Returns:
        A sheet with every picture and the table as a PNG file, and all measurements by name.
    """
    names = arrange(methods, mode)  # type: ignore[arg-type]
    common: dict[str, Any] = {"size": size, "seconds": seconds, "mode": mode, "model": model}
    _runs({**common, "methods": methods, "options": options}, limits)
    common |= {"options": _chosen(names, options), "judge": judge, "limits": limits, "download": False}
    style = known.check(known_style) if known_style else style
    now = yield from endpoints.last(compare(content, style, names, **common))
    with tempfile.TemporaryDirectory() as folder:  # Gradio deletes only the files it serves
        results = report.save(now, Path(folder))
        with Image.open(Path(folder) / "sheet.png") as sheet:
            made = keep(sheet, named(content, style, "comparison") + ".png")
    yield made, results


def _options(values: Mapping[str, Any], names: list[str]) -> dict[str, dict[str, Any]]:
    return {name: {each: values[f"{name}.{each}"] for each in drawn(methods.get(name))} for name in names}


def _chosen(names: list[str], options: Any) -> dict[str, dict[str, Any]]:
    """Return the parameters that a program set, by method."""
    options = endpoints.named(options, "options")
    return {name: endpoints.own_options(methods.get(name), options.get(name)) for name in [*names, *options]}


def _follow(run: Iterator[Comparison], name: str, limit: float) -> Iterator[dict[str, Any]]:
    """Show a running comparison: pictures and curves twice a second, and the table whenever a method has finished.

    The names of the downloads begin with `name`; no optimization takes more than `limit` seconds.
    """
    now = next(run)
    yield outputs.clean(now)
    shown = 0.0
    for now in run:
        output = now.outputs[now.changed or ""]
        if output.state == "running" and time.monotonic() - shown < PAUSE:
            continue
        shown = time.monotonic()
        words = outputs.progress(now, limit)
        yield {"status": words, "plot": outputs.plot(now), **outputs.cell(output, outputs.picture(output))}
        if output.state != "running":
            yield {"table": scores.draw(report.score(now))}
    folder = new_folder()
    report.save(now, folder)
    yield outputs.show(folder, name)


def build(pair: Pair, limits: Limits) -> None:
    """Lay the tab out and wire it, inside a gr.Blocks."""
    opening = {name: _options_of(value) for name, value in outputs.show(STORED).items()}
    ui: fields.Components = {"skip": gr.State(Latest()), "paths": gr.State(**opening["paths"])}
    with area("stage"):
        with area("inputs"):
            _draw_inputs(ui, pair)
        with area("side"):
            ui |= bar("compare-", "Compare", "A stored result. Press Compare to make it yourself.", "Stop all")
            with area("result"):
                outdated("compare-", "Compare")
                with gr.Row(elem_classes="cells", elem_id="compare-cells"):
                    for name in methods.find():
                        board.draw_cell(ui, name, opening)
                ui["details"] = note("compare-details", sentence(outputs.about(report.load(STORED))))
                ui["found"] = gr.HTML(**opening["found"], elem_classes=["note", "found"], elem_id="compare-found")
                ui["plot"] = gr.HTML(**opening["plot"], padding=False, elem_id="compare-plot")
        with area("more"):
            _draw_settings(ui, limits)
    board.draw_table(ui, opening)
    board.draw_closer(ui, opening)
    _wire(ui, ui.pop("run"), limits)


def _options_of(value: Any) -> dict[str, Any]:
    """Convert a handler's update for a component into the component's initial options."""
    updated = isinstance(value, dict) and value.get("__type__") == "update"
    return {key: each for key, each in value.items() if key != "__type__"} if updated else {"value": value}


def _draw_inputs(ui: fields.Components, pair: Pair) -> None:
    titles = [(found.title, name) for name, found in methods.find().items()]
    with gr.Row():
        with area("field"):
            pair.draw(ui, "content", "compare-", 200, "compare-photos")
        with area("field"):
            pair.draw(ui, "style", "compare-", 200, "compare-styles")
    ui["methods"] = gr.CheckboxGroup(
        titles,
        value=list(DEFAULT_METHODS),
        label="Methods",
        info="They run one at a time so that their times are comparable; fast ones run first.",
        elem_id="compare-methods",
    )


def _draw_settings(ui: fields.Components, limits: Limits) -> None:
    ui["mode"] = gr.Radio(
        [(words, mode) for mode, words in MODES.items()],
        value="each",
        label="When to stop",
        info="Optimizations run for their own steps, for equal time, or until they reach AdaIN's mean-std loss.",
        elem_id="compare-mode",
    )
    ui["seconds"] = gr.Slider(
        1,
        min(LONGEST, limits.seconds),
        value=min(15, limits.seconds),
        step=1,
        label="Time limit",
        info="Maximum seconds per optimization.",
        elem_id="compare-seconds",
        buttons=[],
    )
    ui["size"] = gr.Radio(
        **sizes(SIZES, 256, "px", limits),
        label="Size",
        info="Longer side of the photograph, for all methods.",
        elem_id="compare-size",
    )
    with gr.Accordion("Parameters of the methods", open=False, elem_id="compare-parameters"):
        for name, method in methods.find().items():
            with gr.Accordion(method.title, open=False):
                gr.HTML(sentence(f"{method.summary} {method.paper}."), elem_classes="note")
                ui |= {f"{name}.{each}": widget for each, widget in draw(method, limits, "compare-").items()}
    models = server.models()
    with gr.Accordion("Networks and judge", open=False, visible=len(models) > 1, elem_id="compare-networks"):
        words = "The network whose features the methods use."
        ui["model"] = gr.Radio(models, value="compact", label="Model", info=words, elem_id="compare-model")
        words = "The network that measures the results. It favors pictures made with its own features."
        ui["judge"] = gr.Radio(server.judges(), value=best_judge(), label="Judge", info=words, elem_id="compare-judge")


def _wire(ui: fields.Components, run_button: gr.Button, limits: Limits) -> None:
    named = {component: name for name, component in ui.items()}
    given = ("content", "style", "methods", "mode", "seconds", "size", "model", "judge", "skip")
    parameters = [f"{name}.{each}" for name, found in methods.find().items() for each in drawn(found)]
    inputs = {ui[name] for name in (*given, *parameters)}
    changed = [*(ui[name] for name in ui if name not in (*parameters, *given)), ui["content_note"], ui["style_note"]]

    state = ui["skip"]

    def values(data: dict[gr.components.Component, Any]) -> dict[str, Any]:
        return {named[component]: value for component, value in data.items()}

    def start(data: dict[gr.components.Component, Any]) -> Iterator[dict[gr.components.Component, Any]]:
        try:
            yield {ui["stop"]: gr.update(interactive=True)}
            yield from map(shown, show_all(values(data), limits))
            yield {ui["stop"]: gr.update(interactive=False)}
        finally:
            data[state].add_all()

    def shown(view: Mapping[str, Any]) -> dict[gr.components.Component, Any]:
        return {ui[name]: value for name, value in view.items()}

    def two(paths: dict[str, str], one: str, other: str) -> dict[gr.components.Component, Any]:
        return {ui[name]: value for name, value in outputs.show_two(paths, one, other).items()}

    def stop(name: str) -> Any:
        def add(latest: Latest) -> Any:
            if latest.skip is not None:
                latest.skip.add(name)
            return gr.update(interactive=False)

        return add

    def stop_all(latest: Latest) -> None:
        if latest.skip is not None:
            latest.skip.add_all()

    def expected(given: Mapping[str, Any]) -> float:
        return max(LONG, seconds(given["content"], _runs(given, limits), limits))

    wire_start(ui, [run_button.click])
    turn = lanes.in_turn(start, lambda data: expected(values(data)), lambda *message: shown(waiting(*message)))

    async def run(data: dict[gr.components.Component, Any]) -> AsyncIterator[dict[gr.components.Component, Any]]:
        skip, began = data[state].begin(), False
        yield shown({"status": sentence("Preparing the comparison…")})
        async with aclosing(turn({**data, state: skip})) as views:
            async for view in views:
                if skip.replaced:
                    return  # what it says would be drawn over what its successor says
                began = began or ui["status"] not in view  # the first view only enables Stop
                if not began and skip.all:
                    yield shown({"status": sentence("Stopped before it began."), "stop": gr.update(interactive=False)})
                    return  # and leaves the queue
                yield view

    wire_failure(ui, [run_button.click(run, inputs, changed, trigger_mode="multiple", **COMPUTE)])
    say_stopping(ui, "Stopping; finished pictures are kept.")
    ui["stop"].click(stop_all, state, None, **QUIET)
    for name in methods.find():
        ui[f"{name}.stop"].click(stop(name), state, ui[f"{name}.stop"], **QUIET)
    gr.on([ui["one"].input, ui["other"].input], two, [ui["paths"], ui["one"], ui["other"]],
          [ui["slider"], ui["first"], ui["second"]], **QUIET)  # fmt: skip
    of = {**ui, "content": endpoints.picture("content"), "style": endpoints.picture("style")}
    of |= {"size": endpoints.size(SIZES[-1], 256), "options": endpoints.facts("Options")}
    of |= endpoints.known_style()
    endpoints.expose(
        compare_api, "compare", of, [endpoints.made("Sheet"), endpoints.facts("Results")], _runs, limits, LONG
    )
