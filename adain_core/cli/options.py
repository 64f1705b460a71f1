"""Options shared by several commands, and parsing of their values."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from adain_core import methods, weights
from adain_core.contracts import Params, describe
from adain_core.runs import pipeline
from adain_core.system import console

EVERY = "Any method"
NAMES = {"begin": "from", "end": "to"}  # options whose names Python keeps for itself
LONGEST = 4096  # bytes of a path with its terminating one, the limit on Linux, which is the highest


def path(text: str | Path) -> Path:
    """Parse a path; an empty one is refused, because it is usually an unset shell variable."""
    if not str(text):
        raise typer.BadParameter("It is empty; give a file or a folder.")
    if (count := len(os.fsencode(text))) >= LONGEST:
        raise typer.BadParameter(f"It has {count} bytes, more than a path can have.")
    return Path(text)


WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of weights, searched before the Hub.",
        envvar=weights.FOLDER_VARIABLE,
        parser=path,
        metavar="FOLDER",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Overwrite existing files.")]


def with_parameters(command: Callable[..., Any], *models: type[Params]) -> Callable[..., Any]:
    """Give a command an option for every field of Settings and of each method's parameters, in its argument `options`.

    `--help` groups them by method. `models` are further parameters of the command.
    """
    found = methods.find().values()
    shared: list[type[Params]] = [*models, pipeline.Settings]
    fields = {name: {"": info} for model in shared for name, info in model.model_fields.items()}
    for method in found:
        for name, info in method.params.model_fields.items():
            fields.setdefault(name, {})[method.name] = info
    drawn = []
    for name, infos in fields.items():
        panel = EVERY if "" in infos or len(infos) == len(found) else f"Parameters of {', '.join(infos)}"
        option = typer.Option(f"--{NAMES.get(name, name).replace('_', '-')}", help=_help(infos), rich_help_panel=panel)
        kind = Annotated[str | None, option]
        drawn.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind))
    return console.with_options(command, sorted(drawn, key=_panel))


def _panel(option: inspect.Parameter) -> tuple[bool, str]:
    panel = option.annotation.__metadata__[0].rich_help_panel
    return panel != EVERY, panel


def _help(infos: Mapping[str, FieldInfo]) -> str:
    """Return the help of a parameter from the first method that has it, and other methods' defaults if they differ."""
    first, *others = infos.items()
    differ = [
        f" For {name}, the default is {info.default}." for name, info in others if info.default != first[1].default
    ]
    return describe(first[1]).replace("[", r"\[") + "".join(differ)  # rich takes [default own] for markup


def by_region(given: list[str] | None, name: str, read: Callable[[str], Any]) -> dict[int, list[Any]]:
    """Parse values by region, such as 1=value.

    Raises:
        ValueError: a value has another form.
    """
    found: dict[int, list[Any]] = {}
    for text in given or []:
        label, _, value = text.partition("=")
        try:
            found.setdefault(int(label), []).append(read(value))
        except (ValueError, typer.BadParameter):
            raise ValueError(f"--{name} is {text}; give a region's number and its value, such as 1=...") from None
    return found


def by_method(given: list[str] | None) -> dict[str, dict[str, str]]:
    """Parse parameters by method, such as gatys.steps=300.

    Raises:
        ValueError: a parameter has another form.
    """
    found: dict[str, dict[str, str]] = {}
    for text in given or []:
        key, _, value = text.partition("=")
        method, _, name = key.partition(".")
        if not (value and name):
            raise ValueError(
                f"--option is {text}; give a method, its parameter and the value, such as gatys.steps=300."
            )
        found.setdefault(method, {})[name] = value
    return found


def numbers(text: str) -> tuple[float, ...]:
    """Parse comma-separated weights.

    Raises:
        ValueError: a weight is not a number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"The weights are {text}; give comma-separated numbers, such as 0.7,0.3.") from None
