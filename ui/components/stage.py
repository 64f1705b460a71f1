"""A tab's stage: its layout, run button, status, and result, and how runs start, report progress, and stop."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from adain_core import Result
from adain_core.contracts import Limits
from ui.components.widgets import COMPUTE, QUIET, duration, note, seconds, sentence, show
from ui.serving import lanes

Run = Callable[[Mapping[str, Any], Limits], Iterator[Any]]
Runs = Callable[[Mapping[str, Any], Limits], Iterable[Mapping[str, Any]]]
FEW, RECENT = 3, 20  # minimum and maximum number of steps to estimate the time per step from


def area(name: str) -> gr.Column:
    """Return an area of a tab's layout, positioned by style.css.

    A `stage` contains, in this order: `inputs`; `side`, which stays in view and contains the `bar` and the `result`;
    `more` and `stored`, which are below the inputs. On a phone, `stored` and then `more` are below the result.
    """
    return gr.Column(elem_classes=name, min_width=0)


def bar(prefix: str, label: str, words: str, stop: str = "Stop") -> dict[str, gr.components.Component]:
    """Draw the buttons that start and stop a run, with its messages below: `run`, `stop`, `status`, `stopped`."""
    with area("bar"):
        with gr.Row():
            run = gr.Button(label, variant="primary", size="lg", scale=3, elem_id=f"{prefix}run", elem_classes="run")
            halt = gr.Button(
                stop,
                size="lg",
                scale=1,
                min_width=90,
                interactive=False,
                elem_id=f"{prefix}stop",
                elem_classes="stop",
            )
        return {"run": run, "stop": halt, **status(f"{prefix}status", words)}


def outdated(prefix: str, label: str) -> None:
    """Draw the notice that a result does not match the current settings; memory.js shows and hides it.

    Args:
        prefix: prefix of its elem_id.
        label: the label of the button that runs again.
    """
    words = escape(f"Made with other settings; press {label}.")
    gr.HTML(f'<p role="status" data-words="{words}"></p>', elem_id=f"{prefix}old", elem_classes="old")


def outcome(
    prefix: str, before: str | None, after: str | None, words: str, beside: Sequence[gr.Button] = ()
) -> dict[str, gr.components.Component]:
    """Draw a result: a comparison slider, both pictures, a download button, and details.

    Args:
        prefix: prefix of the elem_ids.
        before: the initial photograph, or None.
        after: the initial result, or None.
        words: the initial details.
        beside: unrendered buttons to place beside the download button.
    """
    ui: dict[str, gr.components.Component] = {}
    with gr.Tabs():
        with gr.Tab("Before and after"):
            ui["compare"] = gr.ImageSlider(
                None if after is None else (before, after),
                label="Drag to compare",
                slider_position=35,
                max_height=1200,  # style.css limits it to the window
                interactive=False,
                buttons=["fullscreen"],
                elem_id=f"{prefix}compare",
                elem_classes="outcome",
            )
        with gr.Tab("Side by side"), gr.Row():
            ui["before"] = _shown(f"{prefix}before", "Photograph", before, "The photograph")
            ui["picture"] = _shown(f"{prefix}picture", "Result", after, "The photograph in the new style")
    ui["details"] = note(f"{prefix}details", words and sentence(words))
    with gr.Row():
        ui["download"] = gr.DownloadButton(
            "Download the picture", value=after, interactive=after is not None, elem_id=f"{prefix}download", size="md"
        )
        for button in beside:
            button.render()
    return ui


def _shown(elem_id: str, label: str, value: str | None, alt_text: str) -> gr.Image:
    return gr.Image(
        value, label=label, alt_text=alt_text, interactive=False, buttons=["fullscreen"], elem_id=elem_id, min_width=240
    )


def status(elem_id: str, words: str) -> dict[str, gr.components.Component]:
    """Draw a run's status, and the message of `wire_stop` that replaces it once the run is stopped."""
    return {
        "status": gr.HTML(sentence(words), elem_classes=["note", "status"], elem_id=elem_id),
        "stopped": gr.HTML("", elem_classes=["note", "status", "stopped"], elem_id=f"{elem_id}-stopped"),
    }


def wire_start(ui: Mapping[str, gr.components.Component], begins: Sequence[Any]) -> None:
    """When a run starts, clear the stop message and enable Stop.

    Call this before wiring the run to the same events: Gradio handles the next listener only after the previous one.

    Args:
        ui: the components drawn by `bar`.
        begins: the events that start a run, such as a button's `click`.
    """
    for begin in begins:
        script = f"() => {{ window.runBegins?.({json.dumps(ui['stop'].elem_id)}); return ['', {_able(True)}] }}"
        begin(None, None, [ui["stopped"], ui["stop"]], js=script, **QUIET)


def wire_stop(ui: Mapping[str, gr.components.Component], words: str, runs: Sequence[Any]) -> None:
    """Let Stop cancel runs and show a message; disable it afterwards, and when a run fails.

    The browser shows the message by itself, in a separate component: steps already on their way are drawn after the
    click and would overwrite a message in the status.

    Args:
        ui: the components drawn by `bar`.
        words: the message.
        runs: the events to cancel.
    """
    script = f"() => [{json.dumps(sentence(words))}, {_able(False)}]"
    ui["stop"].click(None, None, [ui["stopped"], ui["stop"]], js=script, cancels=[*runs], **QUIET)
    wire_failure(ui, runs)


def say_stopping(ui: Mapping[str, gr.components.Component], words: str) -> None:
    """Let Stop announce immediately, in the browser, that a run will end; the run's own last message replaces it.

    A response from the server could arrive after the run's last message and would overwrite it.
    """
    script = f"() => [{json.dumps(sentence(words))}, {_able(False)}]"
    ui["stop"].click(None, None, [ui["status"], ui["stop"]], js=script, **QUIET)


def wire_failure(ui: Mapping[str, gr.components.Component], runs: Sequence[Any]) -> None:
    """Disable Stop when a run fails."""
    for run in runs:
        run.failure(None, None, ui["stop"], js=f"() => [{_able(False)}]", **QUIET)


def waiting(words: str, refused: bool) -> dict[str, Any]:
    """Return the updates for a run that is waiting or was refused by a full queue."""
    return {"status": sentence(words, refused), "stop": gr.update(interactive=not refused)}


def turns(
    ui: Mapping[str, gr.components.Component], view: type[Any], limits: Limits, unsent: Sequence[str] = ()
) -> tuple[Callable[[Run, Runs], Callable[..., Any]], dict[str, Any]]:
    """Return a function that turns runs into event handlers, and the other arguments of events that start a run.

    A handler reads the tab's components as values by name, waits for its turn in a lane, and yields views.

    Args:
        ui: the tab's components by name, without the run button.
        view: the named tuple of a run's updates; `status` and `stop` are set while it waits.
        limits: the server's limits.
        unsent: names of components that a run doesn't receive, in addition to those it updates.

    Returns:
        A function of a run and of a function that returns the options of its core runs, both of values and limits; and
        the events' `inputs`, `outputs`, and options.
    """
    names = {component: name for name, component in ui.items()}
    hidden = {*view._fields, *unsent, "stopped"}

    def named(data: Mapping[gr.components.Component, Any]) -> dict[str, Any]:
        return {names[component]: value for component, value in data.items()}

    def in_turn(run: Run, runs: Runs) -> Callable[..., Any]:
        def expected(data: Mapping[gr.components.Component, Any]) -> float:
            given = named(data)
            return seconds(given["content"], runs(given, limits), limits)

        def start(data: Mapping[gr.components.Component, Any]) -> Iterator[Any]:
            return stoppable(run(named(data), limits))

        return lanes.in_turn(start, expected, lambda *message: view(**waiting(*message)))

    inputs = {component for name, component in ui.items() if name not in hidden}
    return in_turn, {"inputs": inputs, "outputs": [ui[name] for name in view._fields], **COMPUTE}


def stoppable(run: Iterator[Any]) -> Iterator[Any]:
    """Enable Stop while a run is in progress; the run yields named tuples with a field `stop`.

    Each step repeats the pictures that may be in a hidden tab, because Gradio sends only differences to the previous
    step and would lose them.
    """
    view: Any = None
    pictures: dict[str, Any] = {}
    for view in run:
        found = {name: getattr(view, name, gr.skip()) for name in ("before", "picture")}
        pictures |= {name: value for name, value in found.items() if value != gr.skip()}
        view = view._replace(stop=gr.update(interactive=True), **pictures)
        yield view
    if view is not None:
        yield view._replace(stop=gr.update(interactive=False))


def refuse(error: str) -> dict[str, str]:
    """Return the status for a refused picture; the alert itself is shown beside the picture's field."""
    return {"status": f'<p class="refused">{escape(f"No picture was made. {error}")}</p>'}


class Progress:
    """A run's progress, and the remaining time estimated from its last steps.

    Args:
        clock: returns the current time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seen: deque[tuple[float, float]] = deque(maxlen=RECENT)  # time, work done

    def left(self, done: float, of: float) -> float | None:
        """Return the estimated remaining seconds once some work is done, or None if it is too early to estimate."""
        self.seen.append((self.clock(), done))
        (then, before), (now, _) = self.seen[0], self.seen[-1]
        if len(self.seen) < FEW or done <= before:
            return None
        return (now - then) / (done - before) * (of - done)

    def words(self, text: str, done: float, of: float) -> str:
        """Return as HTML a progress bar, a sentence (given without its period), and the remaining time."""
        left = self.left(done, of)
        text += "." if left is None or done >= of else f", about {max(1, round(left))} s left."
        return filled(text, done / of)


def filled(text: str, share: float) -> str:
    """Return as HTML a sentence below a progress bar that is filled by a share from 0 to 1."""
    return f'<div class="progress" style="width:{100 * share:.1f}%" aria-hidden="true"></div>{sentence(text)}'


def follow(run: Iterator[Result], name: str) -> Iterator[dict[str, Any]]:
    """Yield the updates for each step of a run, by `outcome`'s names and `status`, with the total time at the end.

    Args:
        run: the steps of adain_core.run.
        name: the file name of the download.
    """
    progress = Progress()
    for result in run:
        done, of = result.iteration, result.iterations
        kind = "Step" if result.record["losses"] else "Tile pass"
        words = progress.words(f"{kind} {done} of {of}", result.progress, 1.0)
        total = duration(sum(result.record["seconds"].values()))
        yield {**show(result, name), "status": sentence(f"Done in {total}.") if done == of else words}
    if done < of:
        yield {"status": sentence(f"Done in {total}, after {done} of {of} steps.")}


def _able(interactive: bool) -> str:
    return json.dumps({"__type__": "update", "interactive": interactive})
