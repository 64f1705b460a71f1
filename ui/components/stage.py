"""The stage of a tab: where things are, the button and what it says, the result; how runs begin, go on and stop."""

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
FEW, RECENT = 3, 20  # steps by which one can tell how long a step takes, at least and at most


def area(name: str) -> gr.Column:
    """Return a part of a tab's layout, which style.css places.

    A `stage` holds in this order its `inputs`, its `side`, which stays in view and holds the `bar` and the `result`,
    and `more` and `stored`, which lie beneath the inputs; on a phone `stored` and then `more` lie beneath the result.
    """
    return gr.Column(elem_classes=name, min_width=0)


def bar(prefix: str, label: str, words: str, stop: str = "Stop") -> dict[str, gr.components.Component]:
    """Draw what begins a run, what stops it, and beneath them what it says: `run`, `stop`, `status`, `stopped`."""
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


def old(prefix: str, label: str) -> None:
    """Draw where it stands that a result is not of what is chosen now; memory.js writes it.

    Args:
        prefix: of its elem_id.
        label: of the button that makes it anew.
    """
    words = escape(f"Made with other settings; press {label}.")
    gr.HTML(f'<p role="status" data-words="{words}"></p>', elem_id=f"{prefix}old", elem_classes="old")


def outcome(
    prefix: str, before: str | None, after: str | None, words: str, beside: Sequence[gr.Button] = ()
) -> dict[str, gr.components.Component]:
    """Draw where a result is shown: a slider, plain pictures, a download, and what there is to know about it.

    Args:
        prefix: of the elem_ids.
        before: the photograph that is shown first, or None.
        after: the result that is shown first, or None.
        words: on that result.
        beside: buttons that are not rendered yet, to stand beside the download.
    """
    ui: dict[str, gr.components.Component] = {}
    with gr.Tabs():
        with gr.Tab("Before and after"):
            ui["compare"] = gr.ImageSlider(
                None if after is None else (before, after),
                label="Drag to compare",
                slider_position=35,
                max_height=1200,  # style.css fits it to the window
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
    """Draw what a run says, and in its place, once it is stopped, what `wire_stop` says."""
    return {
        "status": gr.HTML(sentence(words), elem_classes=["note", "status"], elem_id=elem_id),
        "stopped": gr.HTML("", elem_classes=["note", "status", "stopped"], elem_id=f"{elem_id}-stopped"),
    }


def wire_start(ui: Mapping[str, gr.components.Component], begins: Sequence[Any]) -> None:
    """Where a run begins, take away what Stop said and let it be pressed.

    To be called before what runs is wired to the same events: Gradio comes to the next only when the one before ends.

    Args:
        ui: what `bar` drew.
        begins: what begins a run, such as a button's `click`.
    """
    for begin in begins:
        said = f"() => {{ window.runBegins?.({json.dumps(ui['stop'].elem_id)}); return ['', {_able(True)}] }}"
        begin(None, None, [ui["stopped"], ui["stop"]], js=said, **QUIET)


def wire_stop(ui: Mapping[str, gr.components.Component], words: str, runs: Sequence[Any]) -> None:
    """Let Stop end runs and say so; it can't be pressed again, nor after a run has failed.

    The browser says it by itself and has a place for it: steps that were on their way are drawn after the click, too,
    and would be drawn over an answer in their own place.

    Args:
        ui: what `bar` drew.
        words: what to say.
        runs: the events to cancel.
    """
    said = f"() => [{json.dumps(sentence(words))}, {_able(False)}]"
    ui["stop"].click(None, None, [ui["stopped"], ui["stop"]], js=said, cancels=[*runs], **QUIET)
    wire_failure(ui, runs)


def say_stopping(ui: Mapping[str, gr.components.Component], words: str) -> None:
    """Let Stop say at once, in the browser, that a run will end; what the run itself says afterwards replaces it.

    An answer of the server's could come after the run's last word, and would stay.
    """
    said = f"() => [{json.dumps(sentence(words))}, {_able(False)}]"
    ui["stop"].click(None, None, [ui["status"], ui["stop"]], js=said, **QUIET)


def wire_failure(ui: Mapping[str, gr.components.Component], runs: Sequence[Any]) -> None:
    """Where runs fail, there is nothing to stop any more."""
    for run in runs:
        run.failure(None, None, ui["stop"], js=f"() => [{_able(False)}]", **QUIET)


def waiting(words: str, refused: bool) -> dict[str, Any]:
    """Return what is shown while a run waits, or where it may not even wait."""
    return {"status": sentence(words, refused), "stop": gr.update(interactive=not refused)}


def turns(
    ui: Mapping[str, gr.components.Component], view: type[Any], limits: Limits, unsent: Sequence[str] = ()
) -> tuple[Callable[[Run, Runs], Callable[..., Any]], dict[str, Any]]:
    """Return what makes a handler of a run, and what an event that begins one takes beside its handler.

    A handler reads the tab's components as values by name, takes its turn in a lane, and shows views.

    Args:
        ui: the tab's components by name, without the button that runs.
        view: the named tuple of what a run shows, of which `status` and `stop` say that it waits.
        limits: the server's.
        unsent: names of what a run isn't given, beside what it shows.

    Returns:
        A function of a run and of what gives the options that it will run with; both take values and limits. And
        `inputs`, `outputs` and options of the event.
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

        return lanes.in_turn(start, expected, lambda *said: view(**waiting(*said)))

    inputs = {component for name, component in ui.items() if name not in hidden}
    return in_turn, {"inputs": inputs, "outputs": [ui[name] for name in view._fields], **COMPUTE}


def stoppable(run: Iterator[Any]) -> Iterator[Any]:
    """Let Stop be pressed as long as a run goes on; it yields named tuples that have a field `stop`.

    Pictures that may lie in a closed tab are given again with each step, since Gradio patches in place what it was
    given before, and would so lose them.
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
    """Return what the status says where a picture is refused; the alert itself stands beside the picture's field."""
    return {"status": f'<p class="refused">{escape(f"No picture was made. {error}")}</p>'}


class Progress:
    """How far a run is, and how long it still takes by what its last steps took.

    Args:
        clock: gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seen: deque[tuple[float, float]] = deque(maxlen=RECENT)  # when how much was done

    def left(self, done: float, of: float) -> float | None:
        """Return the seconds that are left once some of the work is done; None as long as nobody can tell."""
        self.seen.append((self.clock(), done))
        (then, before), (now, _) = self.seen[0], self.seen[-1]
        if len(self.seen) < FEW or done <= before:
            return None
        return (now - then) / (done - before) * (of - done)

    def words(self, said: str, done: float, of: float) -> str:
        """Return as HTML a bar, a sentence without its stop, and the time that is left."""
        left = self.left(done, of)
        said += "." if left is None or done >= of else f", about {max(1, round(left))} s left."
        return filled(said, done / of)


def filled(said: str, share: float) -> str:
    """Return as HTML a sentence, and the bar above it filled by a share from 0 to 1."""
    return f'<div class="progress" style="width:{100 * share:.1f}%" aria-hidden="true"></div>{sentence(said)}'


def follow(run: Iterator[Result], name: str) -> Iterator[dict[str, Any]]:
    """Return what each step of a run shows, by `outcome`'s names and with the status, and at last how long it took.

    Args:
        run: of adain_core.run.
        name: of the picture's file.
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
