"""One pair: a photograph and a painting, chosen in any tab and shown in all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ui import examples
from ui.components.widgets import QUIET, Offered, check, field, note, pick, strip
from ui.serving import lanes

LABELS = {"content": ("Photograph", "Your photograph"), "style": ("Painting", "The painting")}
STRIPS = {"content": ("Photographs to try", examples.photos), "style": ("Paintings to try", examples.styles)}


class Pair:
    """What every tab works on. To be made inside a gr.Blocks, and wired once all tabs are there.

    A choice goes from a tab's field to the state, and from the state to every tab's field. Only what a visitor does is
    a choice, so nothing goes round.
    """

    def __init__(self) -> None:
        first = examples.pairs()[0]
        self.paths = {"content": gr.State(first.photo.path), "style": gr.State(first.style.path)}
        self.said = {name: gr.State("") for name in self.paths}  # of the choice, such as why it was refused
        self.fields: dict[str, list[gr.components.Component]] = {name: [] for name in self.paths}
        self.notes: dict[str, list[gr.components.Component]] = {name: [] for name in self.paths}
        self._chosen: dict[str, list[Any]] = {name: [] for name in self.paths}
        self._followers: dict[str, list[tuple[Callable[[str | None], Any], Sequence[Any]]]] = {
            name: [] for name in self.paths
        }

    def draw(
        self, ui: dict[str, gr.components.Component], name: str, prefix: str, height: int, strip_id: str
    ) -> tuple[Any, Any]:
        """Draw a tab's field of the photograph, "content", or of the painting, "style", and a strip to choose from.

        Args:
            ui: gets the state, `name`, from which a run takes the picture's path, and `name_note`.
            name: which of them.
            prefix: of the field's elem_id.
            height: in pixels.
            strip_id: elem_id of the strip.

        Returns:
            The events of an upload and of a choice from the strip, to go on from with `then`.
        """
        label, alt_text = LABELS[name]
        words, offered = STRIPS[name]
        shown = field(f"{prefix}{name}", label, alt_text, self.paths[name].value, height)
        ui[name], ui[f"{name}_note"] = self.paths[name], note(f"{prefix}{name}-note")
        self.fields[name].append(shown)
        self.notes[name].append(ui[f"{name}_note"])
        outputs = [self.paths[name], self.said[name], ui[f"{name}_note"], shown]
        uploaded = shown.upload(lanes.aside(_take), shown, outputs, trigger_mode="multiple", **QUIET)
        picked = self.offer(strip(offered(), words, strip_id), {name: offered()}, [shown])
        self._chosen[name] += [uploaded]
        return uploaded, picked

    def offer(
        self, gallery: gr.Gallery, pictures: dict[str, Sequence[Offered]], shown: Sequence[gr.components.Component] = ()
    ) -> Any:
        """Let a click on a gallery choose its photograph, its painting, or both; return the event.

        Args:
            gallery: what is clicked.
            pictures: by name those that its thumbnails stand for.
            shown: by name the field beside it, which needn't wait for the others.
        """
        picks = [pick(offered) for offered in pictures.values()]

        def picked(event: gr.SelectData) -> list[Any]:
            paths = [each(event) for each in picks]
            return [*paths, *([""] * len(paths)), *paths[: len(shown)]]

        outputs = [*(self.paths[name] for name in pictures), *(self.said[name] for name in pictures), *shown]
        event = gallery.select(picked, None, outputs, **QUIET)
        for name in pictures:
            self._chosen[name].append(event)
        return event

    def follow(self, name: str, change: Callable[[str | None], Any], outputs: Sequence[Any]) -> None:
        """Change with the photograph or the painting what belongs to it, such as its masks."""
        self._followers[name].append((change, outputs))

    def wire(self) -> None:
        """Show every choice in every tab."""
        for name, path in self.paths.items():
            hub, fields, notes = [path, self.said[name]], self.fields[name], self.notes[name]
            followers = self._followers[name]

            def show(path: str | None, said: str, count: int = len(fields), followers: Any = followers) -> list[Any]:
                changed = [value for change, _ in followers for value in change(path)]
                return [path] * count + [said] * count + changed

            outputs = [*fields, *notes, *(each for _, changed in followers for each in changed)]
            for chosen in self._chosen[name]:
                chosen.then(lanes.aside(show), hub, outputs, **QUIET)
            clears = [each.clear for each in fields]
            gr.on(clears, lambda: (None, ""), None, hub, **QUIET)
            taken = f"() => {json.dumps([None] * len(fields) + [''] * len(notes))}"  # before the next upload is there
            gr.on(clears, None, None, [*fields, *notes], js=taken, **QUIET)


def _take(path: str | None) -> tuple[Any, ...]:
    """Take an upload, or refuse it: then nothing is chosen, and the sentence stays."""
    said, taken = check(path)
    return taken, said, said, gr.skip() if taken == path else taken
