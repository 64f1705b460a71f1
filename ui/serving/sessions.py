"""Lightweight sessions: no copy of the page's config, and no component rebuilt for an unchanged output.

Gradio 6.31 gives every session, and every API call, a copy of all component configs, which only its deep links need:
1.1 MB and 64 ms for this page. It also rebuilds the component of every output, even an unchanged one: 16 ms for a view
of 14.
"""

from __future__ import annotations

import copy
from typing import Any

import gradio as gr
from gradio import blocks, route_utils, state_holder
from gradio.block_function import BlockFunction

KEPT = 1000  # sessions kept, 25 kB each; the state of older ones is reset


class Session(state_holder.SessionState):
    """A visitor's server-side session: state values and changed components."""

    def __init__(self, page: gr.Blocks) -> None:
        self.blocks_config = copy.copy(page.default_config)
        self.config_values = {}
        self.state_data = {}
        self._state_ttl = {}
        self.is_closed = False
        self.STATE_TTL_WHEN_CLOSED = 3600  # seconds

    def __setitem__(self, key: int, value: Any) -> None:
        """Store a state's value or a changed component."""
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        """Do nothing; no config is kept."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Do nothing; no config is kept."""


class Light(gr.Blocks):
    """Blocks with lightweight sessions."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for module in (state_holder, route_utils, blocks):
            module.SessionState = Session  # type: ignore[attr-defined]

    async def postprocess_data(self, block_fn: BlockFunction, predictions: Any, state: Any) -> list[Any]:
        """Convert a handler's results for sending, skipping unchanged outputs."""
        outputs = list(block_fn.outputs)
        if isinstance(predictions, dict) and predictions in ({}, gr.skip()) and len(outputs) > 1:
            predictions = [gr.skip()] * len(outputs)
        elif isinstance(predictions, dict) and predictions:
            predictions = blocks.convert_component_dict_to_list(outputs, predictions)
        if block_fn.batch or not isinstance(predictions, list | tuple) or not len(predictions) == len(outputs) > 1:
            return await super().postprocess_data(block_fn, predictions, state)
        changed = [at for at, value in enumerate(predictions) if not (isinstance(value, dict) and value == gr.skip())]
        data = [None if output.stateful else gr.skip() for output in outputs]
        if changed:
            fewer, values = copy.copy(block_fn), [predictions[at] for at in changed]
            fewer.outputs = [outputs[at] for at in changed]
            made = await super().postprocess_data(fewer, values if len(values) > 1 else values[0], state)
            for at, value in zip(changed, made, strict=True):
                data[at] = value
        return data
