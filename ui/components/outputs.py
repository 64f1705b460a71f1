"""The Compare tab's view of a comparison: new values by component name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from adain_core import methods
from adain_core.contracts import count
from adain_core.evaluation import report
from adain_core.evaluation.comparison import Comparison, Output
from ui.components import curves, scores
from ui.components.stage import filled
from ui.components.widgets import keep, sentence, sentences

STATES = {"waiting": "waiting", "stopped": "stopped", "failed": "failed"}
PAIR = {"The photograph": "content", "The painting": "style-1"}


def clean(now: Comparison) -> dict[str, Any]:
    """Clear the last comparison from the page."""
    view: dict[str, Any] = {f"{name}.cell": gr.update(visible=name in now.outputs) for name in methods.find()}
    for output in now.outputs.values():
        view |= cell(output, None)
    off = gr.update(interactive=False)
    return {**view, "plot": plot(now), "details": "", "found": "", "table": "", "csv": off, "json": off, "sheet": off}


def show(folder: Path, name: str | None = None) -> dict[str, Any]:
    """Show a comparison saved in a folder; all its files are served, so Gradio tracks them for deletion.

    With a name, the names of the downloads begin with it.
    """
    now = report.load(folder)
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    made = [output for output in now.outputs.values() if output.image is not None]
    view: dict[str, Any] = {f"{name}.cell": gr.update(visible=name in now.outputs) for name in methods.find()}
    for output in now.outputs.values():
        view |= cell(output, None if output.image is None else str(folder / f"{output.method}.png"))
    paths = {title: str(folder / f"{name}.png") for title, name in PAIR.items()}
    paths |= {output.title: str(folder / f"{output.method}.png") for output in made}
    one, other = (made[0].title, made[-1].title) if made else tuple(PAIR)
    maps: dict[str, Any] = {"all": [(path, title) for title, path in paths.items()]}
    for kind in ("left", "difference"):
        maps[kind] = [(str(folder / f"{output.method}-{kind}.png"), output.title) for output in made]
    files = {"csv": "table.csv", "json": "results.json", "sheet": "sheet.png"}
    if name is not None:
        for kind, file in files.items():
            files[kind] = f"{name}-{file}"
            shutil.copyfile(folder / file, folder / files[kind])
    return {
        **view,
        "status": sentence("Done."),
        "details": sentence(about(now)),
        "plot": plot(now),
        "found": sentences(results["found"]),
        "table": scores.draw(results["rows"]),
        "paths": paths,
        "one": gr.update(choices=list(paths), value=one),
        "other": gr.update(choices=list(paths), value=other),
        **show_two(paths, one, other),
        **maps,
        **{name: gr.update(value=str(folder / file), interactive=True) for name, file in files.items()},
    }


def show_two(paths: Mapping[str, str], one: str, other: str) -> dict[str, Any]:
    """Show two of a comparison's pictures."""
    if one not in paths or other not in paths:
        return {}
    first, second = paths[one], paths[other]
    return {
        "slider": gr.update(value=(first, second), label=f"{one}, and to the right {other}"),
        "first": gr.update(value=first, label=one),
        "second": gr.update(value=second, label=other),
    }


def about(now: Comparison) -> str:
    """Return a sentence on its size, model, judge, and device."""
    about, size = now.settings, "x".join(map(str, now.settings["size"]))
    return (
        f"{size} pixels; methods on {about['model']} ({about['dtype']}), judged by the encoder of {about['judge']};"
        f" {about['device']}, {count(about['threads'], 'thread')}."
    )


def plot(now: Comparison) -> str:
    """Draw the optimizations' loss curves."""
    found = {each.title: each.curve for each in now.outputs.values() if each.optimized}
    return curves.draw(found, now.goal, "seconds" if now.settings["mode"] == "equal-time" else "iteration")


def cell(output: Output, picture: str | None) -> dict[str, Any]:
    """Show one method's picture and caption, and its Stop button while it runs."""
    on = output.state in ("waiting", "running")
    caption = f"<p><b>{escape(output.title)}</b> {escape(state(output))}</p>"
    if output.sentence:
        refused = output.state == "failed"
        caption += sentence(output.sentence, refused)
    return {
        f"{output.method}.picture": picture,
        f"{output.method}.caption": caption,
        f"{output.method}.stop": gr.update(visible=on, interactive=on),
    }


def progress(now: Comparison, limit: float) -> str:
    """Return a comparison's progress as HTML; `limit` is the maximum seconds per optimization."""
    output = now.outputs[now.changed or ""]
    ended, share, words = sum(each.state not in ("waiting", "running") for each in now.outputs.values()), 0.0, ""
    if output.state == "running" and output.iteration:
        left = limit - output.seconds
        if now.settings["mode"] != "equal-time":
            left = min(left, output.seconds * (output.iterations / output.iteration - 1))
        share = output.seconds / (output.seconds + max(left, 0.1))
        words = f" · about {max(1, round(left))} s left"
    return filled(f"{output.title}: {state(output)}{words}", (ended + share) / len(now.outputs))


def state(output: Output) -> str:
    """Return a method's progress in words."""
    if not output.seconds:
        return STATES.get(output.state, "running…")
    loss = f" · mean-std loss {output.curve[-1].mean_std:.3f}" if output.curve else ""
    steps = f" · {output.iteration} of {output.iterations} steps" if output.iterations > 1 else ""
    ended = f" · {STATES[output.state]}" if output.state in STATES else ""
    return f"{output.seconds:.2f} s{steps}{loss}{ended}"


def picture(output: Output) -> Any:
    """Save a method's picture, if any, where the page can show it."""
    return None if output.image is None else keep(output.image, f"{output.method}.jpg")
