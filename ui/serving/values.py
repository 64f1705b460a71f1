"""What values a component accepts, in words."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import gradio as gr

from ui.serving.uploads import SafeImage


def unmet(block: Any, value: Any) -> str:
    """Return what a value for a component must be, such as "a number", or "" if the component accepts it.

    Gradio checks less, and its messages don't name the component.
    """
    if isinstance(block, SafeImage):
        return "" if isinstance(value, Mapping | None) else "an uploaded picture"
    if isinstance(block, gr.Number | gr.Slider):
        return _unmet_number(value, block.minimum, block.maximum)
    if isinstance(block, gr.Checkbox):
        return "" if isinstance(value, bool) else "true or false"
    if isinstance(block, gr.Textbox) and block.max_length is not None:
        fits = isinstance(value, str) and len(value) <= block.max_length
        return "" if fits else f"text of at most {block.max_length} characters"
    if isinstance(block, gr.CheckboxGroup):
        if not isinstance(value, list):
            return "a list"
        return "" if all(_chosen(each, block) for each in value) else f"a list of {_choices(block)}"
    if isinstance(block, gr.Dropdown | gr.Radio):
        return "" if _chosen(value, block) else f"one of {_choices(block)}"
    return ""


def shown(value: Any) -> str:
    """Return a value as shown in a message."""
    return "missing" if value is None else f"{value!r:.40}"


def _unmet_number(value: Any, low: float | None, high: float | None) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return "a number"
    if (low is None or low <= value) and (high is None or value <= high):
        return ""
    if low is None or high is None:
        return f"at most {high:.10g}" if low is None else f"at least {low:.10g}"
    return f"from {low:.10g} to {high:.10g}"


def _chosen(value: Any, block: Any) -> bool:
    return any(value == choice and type(value) is type(choice) for _, choice in block.choices)


def _choices(block: Any) -> str:
    return ", ".join(str(choice) for _, choice in block.choices)
