"""Blocks that validate everything a visitor sends, and report every failure in one sentence."""

from __future__ import annotations

import inspect
import sys
from typing import Any

import gradio as gr

from ui.serving.guard import log_error
from ui.serving.sessions import Light
from ui.serving.uploads import own


class Page(Light):
    """Blocks whose functions, however they are called, receive only uploaded files and values of the declared types."""

    async def preprocess_data(
        self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False
    ) -> list[Any]:
        """Return a function's validated inputs.

        Raises:
            gr.Error: a value is refused.
        """
        try:
            updated = state or {}  # components that a handler has changed, as by gr.update
            blocks = [updated[each._id] if each._id in updated else each for each in block_fn.inputs]
            given = [checked(value, block) for block, value in zip(blocks, inputs, strict=False)]
            return await super().preprocess_data(block_fn, given, state, explicit_call)
        except gr.Error:
            raise
        except Exception as error:
            raise gr.Error(log_error(error, sent=True)[0], print_exception=False) from None

    async def process_api(self, *given: Any, **named: Any) -> dict[str, Any]:
        """Run a function.

        Raises:
            gr.Error: for any failure, with one sentence.
        """
        try:
            return await super().process_api(*given, **named)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception as error:
            function = named.get("block_fn") or given[0]
            clicked = "SelectData" in str(inspect.signature(function.fn)) if function.fn else False
            sent = not function.fn or clicked and isinstance(error, KeyError | IndexError | TypeError)
            raise gr.Error(log_error(error, sent)[0], print_exception=False) from None


def checked(value: Any, block: Any) -> Any:
    """Return the value sent for a component.

    Raises:
        gr.Error: it is a file that was not uploaded, not of the component's type, or none of its choices.
    """
    if rule := broken(value, block):
        raise gr.Error(f"{block.label} is {shown(value)}, but it must be {rule}.", print_exception=False)
    if block.data_model is not None and isinstance(value, str):
        value = {"path": value}
    return own(value)


def broken(value: Any, block: Any) -> str:
    """Return what a number or a choice must be and isn't, which Gradio would say in Python's words; "" if it fits."""
    if isinstance(block, gr.Number | gr.Slider):
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
            return "a number"
        low, high = block.minimum, block.maximum
        if (low is not None and value < low) or (high is not None and value > high):
            if high is None:
                return f"at least {low:.10g}"
            return f"at most {high:.10g}" if low is None else f"from {low:.10g} to {high:.10g}"
    if isinstance(block, gr.Dropdown | gr.Radio | gr.CheckboxGroup):
        several = isinstance(block, gr.CheckboxGroup) or bool(getattr(block, "multiselect", False))
        if several and not isinstance(value, list):
            return "a list"
        choices = [choice for _, choice in block.choices]
        if any(each not in choices for each in (value if several else [value])) and value is not None:
            return f"{'some' if several else 'one'} of {', '.join(map(str, choices))}"
    return ""


def shown(value: Any) -> str:
    """Return a value as shown in a message."""
    return "missing" if value is None else f"{value!r:.40}"
