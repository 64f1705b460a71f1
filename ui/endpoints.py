"""Endpoints: each tab's function, typed, for programs: gradio_client, curl, and MCP tools."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, TypeVar

import gradio as gr

from adain_core.contracts import Limits, Method
from adain_core.runs import known
from adain_core.runs.pipeline import Settings
from ui.components.widgets import draw_field, drawn, seconds
from ui.server import Runs, on_gpu
from ui.serving import lanes
from ui.serving.uploads import SafeImage

T = TypeVar("T")


def expose(
    function: Callable[..., Iterator[Any]],
    name: str,
    fields: Mapping[str, gr.components.Component],
    outputs: Sequence[gr.components.Component],
    runs: Runs,
    limits: Limits,
    least: float = 0.0,
) -> None:
    """Expose a generator function as an endpoint, inside a gr.Blocks; it waits in a lane and refuses in sentences.

    The run ends when it is canceled, and when the program disconnects or stops listening.

    Args:
        function: its parameters that have a field, their defaults, and its docstring are the endpoint's documentation;
            the last value it yields is the result, and the run can be stopped at any earlier one.
        name: the endpoint's name.
        fields: the component that validates and describes each parameter.
        outputs: one component per value of the result.
        runs: maps the values and the limits to the options of each core run.
        limits: the server's limits.
        least: the minimum expected duration, in seconds.
    """
    signature = inspect.signature(function)
    signature = signature.replace(parameters=[each for each in signature.parameters.values() if each.name in fields])
    names = [*signature.parameters]

    def expected(values: Mapping[str, Any]) -> float:
        return max(least, seconds(values.get("content"), runs(values, limits), limits))

    @on_gpu(runs)
    def call(values: Mapping[str, Any], limits: Limits) -> Iterator[Any]:
        try:
            yield from function(**values, limits=limits)
        except ValueError as error:  # converted here: ZeroGPU returns only the class of other errors
            raise gr.Error(str(error), print_exception=False) from None

    run = lanes.in_turn(lambda values: call(values, limits), expected)

    @functools.wraps(function)
    async def answer(*given: Any) -> Any:
        result = None
        try:
            async with aclosing(run(dict(zip(names, given, strict=True)))) as steps:
                async for step in steps:
                    result = step
        except lanes.Refused as error:
            raise gr.Error(str(error), print_exception=False) from None
        if result is None:
            raise gr.Error(lanes.NOBODY, print_exception=False)
        return result

    answer.__name__, answer.__signature__ = name, signature  # shown to MCP clients
    gr.Button(visible=False).click(
        answer,
        [fields[each] for each in names],
        [*outputs],
        api_name=name,
        concurrency_limit=None,
    )


def last(steps: Iterator[T]) -> Generator[None, None, T]:
    """Yield between a run's steps so that it can be stopped, and return the last step."""
    with closing(steps):
        for step in steps:
            result = step
            yield
    return result


def named(values: Any, what: str) -> dict[str, Any]:
    """Return a dictionary of values, empty if none were given.

    Raises:
        ValueError: it is not a dictionary.
    """
    if not isinstance(values or {}, Mapping):
        raise ValueError(f'{what} must map names to values, as in {{"steps": 60}}.')
    return dict(values or {})


def own_options(method: Method, options: Any) -> dict[str, Any]:
    """Return the parameters that a program set for a method.

    Raises:
        ValueError: they are not a dictionary, or one is unknown to the method or reserved for the server.
    """
    known, options = drawn(method), named(options, "options")
    if unknown := [name for name in options if name not in known]:
        raise ValueError(f"{method.title} has no option {unknown[0]}; it has {', '.join(known) or 'none'}.")
    return options


def picture(label: str) -> SafeImage:
    """Return a hidden field for an uploaded picture."""
    return SafeImage(visible=False, label=label)


def known_style() -> dict[str, gr.components.Component]:
    """Return a hidden field for the name of a style that methods know, or none if no method knows any."""
    return {"known_style": gr.Textbox("", max_length=64, visible=False, label="Known style")} if known.every() else {}


def size(largest: int, value: int) -> gr.components.Component:
    """Return a hidden field for a picture's longer side, without the page's fixed choices."""
    return draw_field("size", Settings.model_fields["size"], minimum=64, maximum=largest, value=value, visible=False)


def made(label: str) -> gr.Image:
    """Return a hidden field for a resulting picture."""
    return gr.Image(format="png", visible=False, label=label)


class Facts(gr.JSON):
    """A hidden dictionary."""

    is_template = True

    def api_info(self) -> dict[str, Any]:
        """Describe it in valid JSON Schema, unlike Gradio's own description."""
        return {"type": "object", "properties": {}, "description": "values by name"}


def facts(label: str) -> Facts:
    """Return a hidden field for a dictionary."""
    return Facts(None, visible=False, label=label)
