"""The types that all other modules share: parameters, a server's limits, styles, steps, methods, and style losses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor

Features = Mapping[str, Tensor]  # by layer, [N,C,H,W] each
P = TypeVar("P", bound="Params")


@dataclass(frozen=True)
class Limits:
    """Upper limits for one run on a server.

    Attributes:
        size: longer side of a picture in pixels.
        steps: steps of an optimization.
        seconds: time after which an optimization stops and returns its current picture.
    """

    size: float = math.inf
    steps: float = math.inf
    seconds: float = math.inf


UNLIMITED = Limits()


@dataclass(frozen=True)
class Limited:
    """Marks a parameter that a server limits, as in `Annotated[int, Limited("steps")]`."""

    by: Literal["size", "steps", "seconds"]


@dataclass(frozen=True)
class Strength:
    """Marks the parameter that controls how strongly to stylize; the page shows it first."""


class Params(BaseModel):
    """Frozen, bounded settings, each declared once with its type, default, bounds, and help."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MethodParams(Params):
    """Parameters that every method has; a method adds its own fields."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Random seed: the same seed gives the same picture.")


def marked(params: type[Params] | Params, mark: object) -> list[str]:
    """Return the names of the parameters annotated with a mark, such as Limited("steps") or Strength()."""
    model = params if isinstance(params, type) else type(params)
    return [name for name, info in model.model_fields.items() if mark in info.metadata]


def bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the lower and upper bound of a parameter, None for a missing one."""
    found = _rules(info)
    return found.get("ge", found.get("gt")), found.get("le", found.get("lt"))


def describe(info: FieldInfo) -> str:
    """Return a parameter's help with its bounds and default, as the command line shows it."""
    parts = [each] if (each := _range(info, "{} to {}")) else []
    parts += [f"default {info.default}"] if info.default not in (None, "") else []
    return f"{info.description} [{'; '.join(parts)}]" if parts else str(info.description)


def parse(model: type[P], values: Mapping[str, Any], limits: Limits = UNLIMITED) -> P:
    """Build parameters from values.

    Args:
        model: the class of the parameters.
        values: values by name.
        limits: defaults and time limits above them are lowered; other values above them are refused.

    Raises:
        ValueError: a value is out of bounds; one sentence names the first such value and the allowed range.
    """
    try:
        found = model(**values)
    except ValidationError as error:
        raise ValueError(_sentence(model, error)) from None
    lowered: dict[str, Any] = {}
    for by in ("size", "steps", "seconds"):
        most = getattr(limits, by)
        for name in marked(model, Limited(by)):
            if (getattr(found, name) or 0) > most:
                if name in values and by != "seconds":
                    raise ValueError(f"{name} is {getattr(found, name)}, but this server allows at most {most:g}.")
                lowered[name] = most
    return found.model_copy(update=lowered)


def _sentence(model: type[Params], error: ValidationError) -> str:
    first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        return f"There is no setting {name}; there are {', '.join(model.model_fields)}."
    allowed, given = _range(model.model_fields[name], "from {} to {}"), first["input"]
    what = {"int": "a whole number ", "float": "a number "}.get(first["type"].partition("_")[0], "")
    rule = f"must be {what}{allowed}" if allowed else first["msg"].lower()
    shown = "empty" if isinstance(given, str) and not given else given
    return f"{name.replace('_', ' ')} is {shown}, but it {rule}.".replace("it input", "it")


def _rules(info: FieldInfo) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt")
    return {name: getattr(rule, name) for rule in info.metadata for name in names if hasattr(rule, name)}


def _range(info: FieldInfo, closed: str) -> str:
    """Describe the allowed range, with the template `closed` if both bounds are inclusive; "" if either is missing."""
    found, (low, high) = _rules(info), bounds(info)
    if low is None or high is None:
        return ""
    if "ge" in found and "le" in found:
        return closed.format(low, high)
    return f"{'at least' if 'ge' in found else 'above'} {low} and {'at most' if 'le' in found else 'below'} {high}"


def count(number: int, what: str) -> str:
    """Return a number with its noun, as in "1 step" and "2 steps"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


class SizeError(ValueError):
    """A picture is too large or too small for the requested operation; another one may fit."""


@dataclass(frozen=True)
class Style:
    """One style picture and its share in the mix.

    Attributes:
        image: [1,3,h,w], RGB in [0,1], any size.
        weight: its share in the mix; the weights of a run sum to 1.
        mask: weight of each pixel, [1,1,h,w] in [0,1] or uint8 in [0,255]; None weights all pixels equally.
        name: its name, for a method that knows a set of styles.
    """

    image: Tensor
    weight: float = 1.0
    mask: Tensor | None = None
    name: str = ""


@dataclass(frozen=True)
class KnownStyle:
    """A style that a method was trained for.

    Attributes:
        name: its name, which can be given in place of a picture.
        picture: file of its painting; None if that isn't on this machine.
        model: row of the table of weights with the networks that paint in it.
    """

    name: str
    picture: Path | None
    model: str


@dataclass(frozen=True)
class Region:
    """A region of the content and its styles.

    Attributes:
        mask: [1,1,H,W] in [0,1] or uint8 in [0,255], the size of the content; masks that sum to more than 1 at a pixel
            share it.
        styles: their weights sum to 1; a region without styles is left unchanged.
        strength: 0 to 1, multiplies the method's strength.
    """

    mask: Tensor
    styles: Sequence[Style]
    strength: float = 1.0


@dataclass(frozen=True)
class Spatial:
    """Settings that vary across a picture, and its tiling.

    Attributes:
        regions: regions with their own styles; everything outside them uses the run's styles.
        strength: [1,1,H,W] in [0,1] or uint8 in [0,255], multiplies the method's strength; None for 1 everywhere.
        side: side length of a tile in pixels, or None to process the picture in one piece.
    """

    regions: Sequence[Region] = ()
    strength: Tensor | None = None
    side: int | None = None


@dataclass(frozen=True)
class Step:
    """An intermediate or final picture of a run.

    Attributes:
        image: [N,3,H,W], RGB in [0,1], or uint8 in [0,255] if the content was uint8; the size of the content; None if
            the step only reports progress.
        iteration: number of this step, from 1.
        iterations: maximum number of steps.
        losses: the losses being minimized, by name; empty if the method minimizes none.
        seconds: seconds since the start of the run, by stage.
        note: a sentence for the user, such as why the run stopped early.
        used: a sentence on which parts of the networks are used, such as layers.
        doubt: a sentence on why this picture can't be trusted if it ends up being the last one.
        progress: fraction of the work done, 0 to 1; None if every iteration takes equally long.
        frame: index of the content in a sequence, from 0.
    """

    image: Tensor | None
    iteration: int = 1
    iterations: int = 1
    losses: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    used: str = ""
    doubt: str = ""
    progress: float | None = None
    frame: int = 0

    @property
    def done(self) -> float:
        """Fraction of the work done, 0 to 1."""
        return self.iteration / self.iterations if self.progress is None else self.progress


Steps = Generator[Step, None, None]


@dataclass(frozen=True)
class Cost:
    """Time and memory that a method needs, per step of an optimization or per pass, besides encoding and decoding.

    Time is counted in passes. One pass is the time the networks take to encode and decode one pixel, which
    networks/cost.py estimates from every run.

    Attributes:
        passes: passes per content pixel.
        pairs: passes per pair of a content pixel and a style pixel.
        bytes: bytes per pixel of content and styles.
    """

    passes: float = 0.05
    pairs: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Return the combined cost."""
        return Cost(self.passes + other.passes, self.pairs + other.pairs, self.bytes + other.bytes)


@dataclass(frozen=True)
class Method:
    """A style transfer method with its declared abilities, which nothing else infers from its parameters.

    Attributes:
        name: name of its file.
        title: name shown on the page.
        paper: authors and year.
        summary: one plain sentence on what it does.
        params: class of its parameters, a subclass of MethodParams.
        run: `run(content, styles, params, networks)` yields Steps. `content` is [N,3,H,W], RGB in [0,1]; the styles'
            weights sum to 1; `networks` is a networks.model.Networks. Closing the generator stops the work. A method
            that is `spatial` also accepts a Spatial as a fifth argument.
        presets: sets of parameter values by name, such as those of the paper.
        iterations: maps parameters and networks to the number of steps of an optimization; 1 for a single pass.
        extensible: whether more steps with these parameters only continue a run with fewer.
        random: whether the seed affects the result with these parameters; None if it never does.
        reconstructs: whether these parameters only reconstruct the content, without stylizing it.
        needs_style: whether the method uses the styles.
        known_styles: the only styles that it was trained for, all in one row of the table of weights, which it uses
            instead of the model that the user chooses; None if it takes any painting.
        spatial: whether it supports regions, strength maps, tiles, and style masks.
        proportional: whether its single pass can make a large picture from a small one, so that strokes grow with the
            picture (controls/strokes.py).
        cost: maps parameters and networks to time and memory.
        frames: like `run`, but takes an iterable of contents, for a method whose local variables carry state such as
            the last output from frame to frame; None if frames are independent. To continue an interrupted sequence, it
            takes its last content and output as a fifth argument.
    """

    name: str
    title: str
    paper: str
    summary: str
    params: type[MethodParams]
    run: Callable[..., Steps]
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    iterations: Callable[[Any, Any], int] = lambda *_: 1
    extensible: Callable[[Any], bool] = lambda _: False
    random: Callable[[Any], bool] | None = None
    reconstructs: Callable[[Any], bool] = lambda _: False
    needs_style: bool = True
    known_styles: Sequence[KnownStyle] | None = None
    spatial: bool = False
    proportional: bool = False
    cost: Callable[[Any, Any], Cost] = lambda *_: Cost()
    frames: Callable[..., Steps] | None = None


def run_frames(
    method: Method,
    contents: Iterable[Tensor],
    styles: Sequence[Style],
    params: MethodParams,
    networks: Any,
    earlier: tuple[Tensor, Tensor] | None = None,
) -> Steps:
    """Run a method on a sequence of contents, [1,3,H,W] each; `frame` of each step is the index of its content.

    `earlier` is the last content and output of an interrupted sequence that is to be continued.
    """
    if method.frames is not None:
        yield from method.frames(contents, styles, params, networks, *([] if earlier is None else [earlier]))
        return
    for number, content in enumerate(contents):
        for step in method.run(content, styles, params, networks):
            yield replace(step, frame=number)


@dataclass(frozen=True)
class StyleLoss:
    """A distance between features and those of a style, at one layer (`make`) or across several (`make_across`).

    Attributes:
        name: name of its file.
        title: name shown on the page.
        paper: authors and year.
        summary: one plain sentence on what it compares.
        make: `make(style, generator, reduction)` takes a style's features, [1,C,h,w] in float32, and returns a
            differentiable function that maps an image's features, [1,C,H,W], to a scalar. Random choices come from
            `generator`, a torch.Generator on the CPU. `reduction`, "mean" or "sum", applies to squared errors. Raises
            ValueError if the style is too small.
        layers: default layers.
        make_across: `make_across(style, content, generator, reduction)` takes the features of a style and of the
            content by layer, and returns a function that maps an image's features by layer to a scalar.
        views: function that maps a style's image, [1,3,h,w], to further views of it, such as scaled ones; `make` then
            takes their features as a fourth argument, an iterable that is consumed once.
        cost: cost per step in addition to the networks', in passes of `compact`; features have VGG-19's widths in
            every model.
        random: whether the seed affects it.
        learns: whether the loss itself changes during a run, so that its values at the start and the end can't be
            compared.
    """

    name: str
    title: str
    paper: str
    summary: str
    make: Callable[..., Callable[[Tensor], Tensor]] | None = None
    layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    make_across: Callable[[Features, Features, torch.Generator, str], Callable[[Features], Tensor]] | None = None
    views: Callable[[Tensor], Iterable[Tensor]] | None = None
    cost: Cost = Cost(0.0)
    random: bool = False
    learns: bool = False


def synchronize(device: torch.device | str) -> None:
    """Wait until a device has finished its work; CUDA and MPS run asynchronously."""
    if torch.device(device).type != "cpu":
        torch.accelerator.synchronize()


class Stopwatch:
    """Accumulates seconds per stage; waits for the device to finish before it reads the clock."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time the body of the `with` statement as `stage`."""
        start = time.perf_counter()
        yield
        synchronize(self._device)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start
