"""Settings stored in the visitor's browser (never pictures), and the data for marking outdated results.

Stored settings that are no longer valid are ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gradio as gr

from ui.components.widgets import QUIET
from ui.serving.uploads import SafeImage
from ui.serving.values import unmet

KEY = "adain-settings"
SETTINGS = (gr.Slider, gr.Number, gr.Radio, gr.Dropdown, gr.Checkbox, gr.CheckboxGroup, gr.Textbox)
VIEWS = {"compare-one", "compare-other"}  # they select what to view, not how to run


def settings(page: gr.Blocks) -> dict[str, gr.components.Component]:
    """Return a page's settings by elem_id."""
    found = [block for block in page.blocks.values() if isinstance(block, SETTINGS) and block.visible is True]
    return {block.elem_id: block for block in found if block.elem_id and block.elem_id not in VIEWS}


def remember(page: gr.Blocks) -> None:
    """Store every changed setting in the browser, and restore the settings when the page is opened."""
    known = settings(page)
    stored = gr.JSON(visible=False)

    def restore(found: Any) -> list[Any]:
        found = found if isinstance(found, dict) else {}
        fitting = {name: found[name] for name in known if name in found and not unmet(known[name], found[name])}
        return [gr.update(value=fitting[name]) if name in fitting else gr.skip() for name in known]

    read = f"() => {{ try {{ return [JSON.parse(localStorage.getItem('{KEY}'))] }} catch {{ return [null] }} }}"
    page.load(restore, stored, [*known.values()], js=read, **QUIET)
    pairs = f"Object.fromEntries({json.dumps([*known])}.map((name, index) => [name, values[index]]))"
    write = (
        f"(...values) => {{ try {{ localStorage.setItem('{KEY}', JSON.stringify({pairs})) }} catch {{}} return [] }}"
    )
    gr.on([each.change for each in known.values()], None, [*known.values()], None, js=write, **QUIET)


def track(page: gr.Blocks, tab: gr.Tab, name: str) -> None:
    """Send a tab's settings and pictures to memory.js whenever one changes, so that it can mark outdated results.

    Args:
        page: the page; they are also sent when it is opened.
        tab: the tab.
        name: the tab's name.
    """
    known = {id(setting) for setting in settings(page).values()}
    found = [block for block in within(tab) if id(block) in known or isinstance(block, SafeImage)]
    events = [page.load, tab.select, *(each.change for each in found)]
    gr.on(events, None, found, None, js=f"(...values) => window.settingsAre?.({json.dumps(name)}, ...values)", **QUIET)


def within(block: Any) -> Iterator[Any]:
    """Yield a block's descendants."""
    for child in getattr(block, "children", ()):
        yield child
        yield from within(child)
