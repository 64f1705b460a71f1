"""Options that several commands have, and how the texts that they are given are read."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from adain_core import methods, weights
from adain_core.contracts import describe
from adain_core.runs import pipeline

LONGEST = 4096  # bytes of a path, with the one at its end; what Linux takes, and more than others do


def path(text: str | Path) -> Path:
    """Read a path; an empty one would be the current folder, and is mostly a variable that isn't set."""
    if not str(text):
        raise typer.BadParameter("It is empty; name a file or a folder.")
    if (count := len(os.fsencode(text))) >= LONGEST:
        raise typer.BadParameter(f"It has {count} bytes, more than a path can have.")
    return Path(text)


WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of weights, looked into before the Hub.",
        envvar=weights.FOLDER_VARIABLE,
        parser=path,
        metavar="FOLDER",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")]


def declared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every field of Settings and of each method's parameters, in place of `options`."""
    fields: dict[str, tuple[FieldInfo, str]] = {}
    for name, info in pipeline.Settings.model_fields.items():
        fields[name] = (info, "")
    for method in methods.find().values():
        for name, info in method.params.model_fields.items():
            only = "" if name == "seed" else f" ({method.name})"
            fields.setdefault(name, (info, only))
    signature = inspect.signature(command, eval_str=True)
    given = [each for each in signature.parameters.values() if each.name != "options"]
    for name, (info, only) in fields.items():
        option = typer.Option(f"--{name.replace('_', '-')}", help=describe(info) + only)
        kind = Annotated[str | None, option]
        given.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind))

    def wrapper(**values: Any) -> Any:
        options = {name: values.pop(name) for name in fields}
        return command(**values, options={name: value for name, value in options.items() if value is not None})

    wrapper.__doc__, wrapper.__name__ = command.__doc__, command.__name__
    wrapper.__signature__ = signature.replace(parameters=given)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in given}
    return wrapper


def by_region(given: list[str] | None, name: str, read: Callable[[str], Any]) -> dict[int, list[Any]]:
    """Read values by region, each as in 1=value.

    Raises:
        ValueError: one isn't of this form.
    """
    found: dict[int, list[Any]] = {}
    for text in given or []:
        label, _, value = text.partition("=")
        try:
            found.setdefault(int(label), []).append(read(value))
        except (ValueError, typer.BadParameter):
            raise ValueError(f"--{name} is {text}; give a region's number and its value, as in 1=...") from None
    return found


def by_method(given: list[str] | None) -> dict[str, dict[str, str]]:
    """Read parameters by method, each as in gatys.steps=300.

    Raises:
        ValueError: one isn't of this form.
    """
    found: dict[str, dict[str, str]] = {}
    for text in given or []:
        place, _, value = text.partition("=")
        method, _, name = place.partition(".")
        if not (value and name):
            raise ValueError(f"--option is {text}; give a method, its parameter and the value, as in gatys.steps=300.")
        found.setdefault(method, {})[name] = value
    return found


def numbers(text: str) -> tuple[float, ...]:
    """Read weights.

    Raises:
        ValueError: one is no number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"The weights are {text}; give numbers with commas between, as in 0.7,0.3.") from None
