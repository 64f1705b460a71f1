"""Endpoints: what a tab does, as a typed function for programs: gradio_client, curl, and MCP tools."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import aclosing, closing
from typing import Any, TypeVar

import gradio as gr

from adain_core.contracts import Limits, Method
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
    """Give a generator function an endpoint, inside a gr.Blocks: it waits in a lane, refusals are sentences.

    The run ends when it is cancelled, when the program hangs up, and when it never listens.

    Args:
        function: its parameters but for `limits`, their defaults and its docstring are what a program reads; the last
            value is the answer, and between those before it the run can be stopped.
        name: of the endpoint.
        fields: by parameter the component that checks and describes its values.
        outputs: one for each value of the answer.
        runs: of the values and the limits to the options of every run of the core.
        limits: of the server.
        least: seconds that it is expected to take, whatever these are.
    """
    signature = inspect.signature(function)
    signature = signature.replace(parameters=[each for each in signature.parameters.values() if each.name != "limits"])
    names = [*signature.parameters]

    def expected(values: Mapping[str, Any]) -> float:
        return max(least, seconds(values.get("content"), runs(values, limits), limits))

    @on_gpu(runs)
    def call(values: Mapping[str, Any], limits: Limits) -> Iterator[Any]:
        try:
            yield from function(**values, limits=limits)
        except ValueError as error:  # here already: of other errors on a lent GPU nothing but their class comes back
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

    answer.__name__, answer.__signature__ = name, signature  # the tool's
    gr.Button(visible=False).click(
        answer,
        [fields[each] for each in names],
        [*outputs],
        api_name=name,
        concurrency_limit=None,
    )


def last(steps: Iterator[T]) -> Generator[None, None, T]:
    """Let a run be stopped between its steps, and return the last one."""
    with closing(steps):
        for step in steps:
            result = step
            yield
    return result


def named(values: Any, what: str) -> dict[str, Any]:
    """Return values by name, none where nothing was given.

    Raises:
        ValueError: they have no names.
    """
    if not isinstance(values or {}, Mapping):
        raise ValueError(f'{what} must be values by name, as in {{"steps": 60}}.')
    return dict(values or {})


def own_options(method: Method, options: Any) -> dict[str, Any]:
    """Return the parameters that a program chose for a method.

    Raises:
        ValueError: they have no names; there is one that the method lacks, or that the server sets.
    """
    known, options = drawn(method), named(options, "options")
    if unknown := [name for name in options if name not in known]:
        raise ValueError(f"{method.title} has no option {unknown[0]}; it has {', '.join(known) or 'none'}.")
    return options


def picture(label: str) -> SafeImage:
    """Return a field for an uploaded picture that the page doesn't show."""
    return SafeImage(visible=False, label=label)


def size(largest: int, value: int) -> gr.components.Component:
    """Return a field for the longer side of a picture; the page's choices are only some."""
    return draw_field("size", Settings.model_fields["size"], minimum=64, maximum=largest, value=value, visible=False)


def made(label: str) -> gr.Image:
    """Return a field for a picture that is returned."""
    return gr.Image(format="png", visible=False, label=label)


class Facts(gr.JSON):
    """Values by name that the page doesn't show."""

    is_template = True

    def api_info(self) -> dict[str, Any]:
        """Say so in words that JSON Schema has, as Gradio's own don't."""
        return {"type": "object", "properties": {}, "description": "values by name"}


def facts(label: str) -> Facts:
    """Return a field for values by name."""
    return Facts(None, visible=False, label=label)
