"""Blocks that validate everything a visitor sends, and report every failure in one sentence."""

from __future__ import annotations

import inspect
import math
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
            given = [checked(value, block) for block, value in zip(block_fn.inputs, inputs, strict=False)]
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
        gr.Error: it is a file that was not uploaded, or not of the component's type.
    """
    if isinstance(block, gr.Number | gr.Slider):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise gr.Error(f"{block.label} is {shown(value)}, but it must be a number.", print_exception=False)
    if block.data_model is not None and isinstance(value, str):
        value = {"path": value}
    value = own(value)
    if isinstance(block, gr.Dropdown) and not block.multiselect and isinstance(value, list):
        raise gr.Error(f"{block.label} must be one of its choices.", print_exception=False)
    return value


def shown(value: Any) -> str:
    """Return a value as shown in a message."""
    return "missing" if value is None else f"{value!r:.40}"
