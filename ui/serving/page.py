"""Blocks that validate everything a visitor sends, and report every failure in one sentence."""

from __future__ import annotations

import inspect
from typing import Any

import gradio as gr

from ui.serving.guard import log_error
from ui.serving.sessions import Light
from ui.serving.uploads import own
from ui.serving.values import shown, unmet


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
            blocks = [_current(each, state) for each in block_fn.inputs]
            named = zip(inputs, blocks, _names(block_fn), strict=False)
            given = [checked(value, block, name) for value, block, name in named]
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


def _current(block: Any, state: Any) -> Any:
    """Return a component as handlers have changed it in this session; a State, which holds a value, as it is."""
    return state[block._id] if state is not None and not block.stateful and block._id in state else block


def _names(block_fn: Any) -> list[str]:
    """Return what messages call a function's inputs: an endpoint's parameters, and the labels on the page."""
    if block_fn.api_visibility == "public":
        return [*inspect.signature(block_fn.fn).parameters]
    return [block.label or "Value" for block in block_fn.inputs]


def checked(value: Any, block: Any, name: str) -> Any:
    """Return the value sent for a component.

    Raises:
        gr.Error: it contains a file that was not uploaded, or the component does not accept it.
    """
    if block.data_model is not None and isinstance(value, str) and not isinstance(block, gr.JSON):
        value = {"path": value}
    value = own(value)
    if rule := unmet(block, value):
        raise gr.Error(f"{name} is {shown(value)}, but it must be {rule}.", print_exception=False)
    return value
