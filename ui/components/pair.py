"""The pair: a photograph and a painting, chosen in any tab and shared by all tabs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ui import examples
from ui.components.widgets import QUIET, Offered, check, field, note, pick, strip
from ui.serving import lanes

CLOCK = "performance.now()"  # in the browser
LABELS = {"content": ("Photograph", "Your photograph"), "style": ("Painting", "The painting")}
STRIPS = {"content": ("Photographs to try", examples.photos), "style": ("Paintings to try", examples.styles)}


class Pair:
    """The photograph and painting that every tab works on; create it inside a gr.Blocks and wire it after all tabs.

    A choice is copied from a tab's field to the state, and from the state to every tab's field. Only a visitor's action
    counts as a choice, so there are no cycles. The browser sends the time of each action, so that a removal that the
    server handles late does not undo a later choice.
    """

    def __init__(self) -> None:
        first = examples.pairs()[0]
        self.paths = {"content": gr.State(first.photo.path), "style": gr.State(first.style.path)}
        self.messages = {name: gr.State("") for name in self.paths}  # notes on the choice, such as why it was refused
        self.chosen_at = {name: gr.State(0.0) for name in self.paths}  # when it was chosen, by the browser's clock
        self.now = gr.Number(0, visible=False)  # receives the browser's clock with each action
        self.fields: dict[str, list[gr.components.Component]] = {name: [] for name in self.paths}
        self.notes: dict[str, list[gr.components.Component]] = {name: [] for name in self.paths}
        self._chosen: dict[str, list[Any]] = {name: [] for name in self.paths}
        self._followers: dict[str, list[tuple[Callable[[str | None], Any], Sequence[Any]]]] = {
            name: [] for name in self.paths
        }

    def draw(
        self, ui: dict[str, gr.components.Component], name: str, prefix: str, height: int, strip_id: str
    ) -> tuple[Any, Any]:
        """Draw a tab's field for the photograph ("content") or the painting ("style"), and a strip of examples.

        Args:
            ui: receives `name`, the state with the picture's path for runs, and `name_note`.
            name: "content" or "style".
            prefix: prefix of the field's elem_id.
            height: the field's height in pixels.
            strip_id: the strip's elem_id.

        Returns:
            The events of an upload and of a choice from the strip, for chaining with `then`.
        """
        label, alt_text = LABELS[name]
        words, offered = STRIPS[name]
        shown = field(f"{prefix}{name}", label, alt_text, self.paths[name].value, height)
        ui[name], ui[f"{name}_note"] = self.paths[name], note(f"{prefix}{name}-note")
        self.fields[name].append(shown)
        self.notes[name].append(ui[f"{name}_note"])
        outputs = [self.paths[name], self.messages[name], self.chosen_at[name], ui[f"{name}_note"], shown]
        uploaded = shown.upload(
            lanes.aside(_take),
            [shown, self.now],
            outputs,
            js=f"(picture) => [picture, {CLOCK}]",
            trigger_mode="multiple",
            **QUIET,
        )
        picked = self.offer(strip(offered(), words, strip_id), {name: offered()}, [shown])
        self._chosen[name] += [uploaded]
        return uploaded, picked

    def offer(
        self, gallery: gr.Gallery, pictures: dict[str, Sequence[Offered]], shown: Sequence[gr.components.Component] = ()
    ) -> Any:
        """Let a click on a gallery choose a photograph, a painting, or both; return the event.

        Args:
            gallery: the gallery.
            pictures: by name, the pictures that its thumbnails stand for.
            shown: the adjacent fields in the same order, which are updated without waiting for the other tabs.
        """
        picks = [pick(offered) for offered in pictures.values()]

        def picked(now: float, event: gr.SelectData) -> list[Any]:
            paths = [each(event) for each in picks]
            return [*paths, *([""] * len(paths)), *([now] * len(paths)), *paths[: len(shown)]]

        states = [state[name] for state in (self.paths, self.messages, self.chosen_at) for name in pictures]
        event = gallery.select(picked, self.now, [*states, *shown], js=f"() => [{CLOCK}]", **QUIET)
        for name in pictures:
            self._chosen[name].append(event)
        return event

    def follow(self, name: str, change: Callable[[str | None], Any], outputs: Sequence[Any]) -> None:
        """Update components that depend on the photograph or the painting, such as its masks, when it changes."""
        self._followers[name].append((change, outputs))

    def wire(self) -> None:
        """Show every choice in every tab."""
        for name, path in self.paths.items():
            hub, fields, notes = [path, self.messages[name]], self.fields[name], self.notes[name]
            followers = self._followers[name]

            def show(path: str | None, message: str, count: int = len(fields), followers: Any = followers) -> list[Any]:
                changed = [value for change, _ in followers for value in change(path)]
                return [path] * count + [message] * count + changed

            outputs = [*fields, *notes, *(each for _, changed in followers for each in changed)]
            for chosen in self._chosen[name]:
                chosen.then(lanes.aside(show), hub, outputs, **QUIET)
            clears = [each.clear for each in fields]
            gr.on(clears, _remove, [self.now, self.chosen_at[name]], hub, js=f"(_, then) => [{CLOCK}, then]", **QUIET)
            taken = f"() => {json.dumps([None] * len(fields) + [''] * len(notes))}"  # before the next upload arrives
            gr.on(clears, None, None, [*fields, *notes], js=taken, **QUIET)


def _take(path: str | None, now: float) -> tuple[Any, ...]:
    """Accept an upload, or refuse it: then nothing is chosen, and the reason is shown."""
    message, taken = check(path)
    return taken, message, now, message, gr.skip() if taken == path else taken


def _remove(now: float, chosen_at: float) -> tuple[Any, Any]:
    """Remove the choice, unless it was made after the removal."""
    return (gr.skip(), gr.skip()) if now < chosen_at else (None, "")
