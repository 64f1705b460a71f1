"""What everything else agrees on: parameters and a server's limits, styles and steps, methods and style losses."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor

Features = Mapping[str, Tensor]  # by layer, [N,C,H,W] each
P = TypeVar("P", bound="Params")


@dataclass(frozen=True)
class Limits:
    """The most that one run may take on a server.

    Attributes:
        size: longer side of a picture, in pixels.
        steps: of an optimization.
        seconds: after which an optimization ends with what it has.
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
    """Marks the parameter that says how strongly to stylize, which a page shows first."""


class Params(BaseModel):
    """Frozen, bounded settings, each declared once with its type, default, bounds and help."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MethodParams(Params):
    """What every method takes; a method adds its own fields."""

    seed: int = Field(0, ge=0, le=2**31 - 1, description="Random seed: the same seed gives the same picture.")


def marked(params: type[Params] | Params, mark: object) -> list[str]:
    """Return the names of the parameters that bear a mark, such as Limited("steps") or Strength()."""
    model = params if isinstance(params, type) else type(params)
    return [name for name, info in model.model_fields.items() if mark in info.metadata]


def bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value of a parameter, None where there is no bound."""
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
        model: the parameters' class.
        values: by name.
        limits: defaults beyond them are lowered, and so is a time limit; other values beyond them are refused.

    Raises:
        ValueError: one sentence with the first value out of bounds and the range allowed.
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
    allowed = _range(model.model_fields[name], "from {} to {}")
    rule = f"must be {allowed}" if allowed else first["msg"].lower()
    return f"{name.replace('_', ' ')} is {first['input']}, but it {rule}.".replace("it input", "it")


def _rules(info: FieldInfo) -> dict[str, Any]:
    names = ("ge", "gt", "le", "lt")
    return {name: getattr(rule, name) for rule in info.metadata for name in names if hasattr(rule, name)}


def _range(info: FieldInfo, closed: str) -> str:
    """Say which values a parameter takes, as `closed` does where both bounds belong to them; "" without both."""
    found, (low, high) = _rules(info), bounds(info)
    if low is None or high is None:
        return ""
    if "ge" in found and "le" in found:
        return closed.format(low, high)
    return f"{'at least' if 'ge' in found else 'above'} {low} and {'at most' if 'le' in found else 'below'} {high}"


def count(number: int, what: str) -> str:
    """Return a number with what it counts, as in 1 step and 2 steps."""
    return f"{number} {what}{'' if number == 1 else 's'}"


class SizeError(ValueError):
    """A picture is too large or too small for what is asked of it, where another one may fit."""


@dataclass(frozen=True)
class Style:
    """One style picture and its share in the mix.

    Attributes:
        image: [1,3,h,w], RGB in [0,1], of any size.
        weight: its share; the weights of a run sum to 1.
        mask: [1,1,h,w], in [0,1], or uint8 in [0,255], how much each pixel counts; None for all of it.
    """

    image: Tensor
    weight: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class Region:
    """A part of the content and its styles.

    Attributes:
        mask: [1,1,H,W], in [0,1], or uint8 in [0,255], of the content's size; where masks sum to more than 1 they
            share the pixel.
        styles: their weights sum to 1; without any, the region stays as it is.
        strength: 0 to 1, times the method's own.
    """

    mask: Tensor
    styles: Sequence[Style]
    strength: float = 1.0


@dataclass(frozen=True)
class Spatial:
    """What varies over a picture, and how it is cut into tiles.

    Attributes:
        regions: parts with styles of their own; the rest takes the run's styles.
        strength: [1,1,H,W], in [0,1], or uint8 in [0,255], times the method's own; None for 1 everywhere.
        side: pixels of a tile's side, or None to take the picture whole.
    """

    regions: Sequence[Region] = ()
    strength: Tensor | None = None
    side: int | None = None


@dataclass(frozen=True)
class Step:
    """A picture on the way, or the last one.

    Attributes:
        image: [N,3,H,W], RGB in [0,1], the content's size; uint8 in [0,255] where the content was; None where a step
            only reports progress.
        iteration: counts from 1; `iterations` is how many there will be at most.
        losses: by name, as the method minimizes them; empty where it minimizes nothing.
        seconds: by stage, since the run began.
        note: a sentence for the user, such as why the run stopped early.
        used: a sentence on what it takes of the networks, such as layers.
        doubt: a sentence on why this picture can't be trusted, should it be the last one.
        progress: share of the work that is done, 0 to 1; None where every iteration takes the same.
        frame: which of a sequence of contents it is of, counted from 0.
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
        """Share of the work that is done, 0 to 1."""
        return self.iteration / self.iterations if self.progress is None else self.progress


Steps = Generator[Step, None, None]


@dataclass(frozen=True)
class Cost:
    """What a method takes of a machine, of a single pass beside encoding and decoding, of an optimization each step.

    A pass is the time that the networks take to encode and decode a pixel; networks/cost.py learns from each run how
    long one takes.

    Attributes:
        passes: for a pixel of the content.
        pairs: passes for each pair of a pixel of the content and a pixel of the styles.
        bytes: for a pixel of content and styles.
    """

    passes: float = 0.05
    pairs: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """Return what both take together."""
        return Cost(self.passes + other.passes, self.pairs + other.pairs, self.bytes + other.bytes)


@dataclass(frozen=True)
class Method:
    """A way of style transfer and what it is able to do; nobody guesses that from its parameters.

    Attributes:
        name: its file's name.
        title: its name on the page.
        paper: authors and year.
        summary: what it does, in one line of plain words.
        params: its parameters, a subclass of MethodParams.
        run: `run(content, styles, params, networks)` yields Steps. `content` is [N,3,H,W], RGB in [0,1]; the styles'
            weights sum to 1; `networks` is a networks.model.Networks. Closing the generator stops the work. One that is
            `spatial` may be called with a Spatial as well.
        presets: by name, values of parameters that go together, such as a paper's own.
        iterations: of parameters and networks to how many steps an optimization takes; 1 for a single pass.
        extensible: whether more steps with these parameters only continue what fewer did.
        random: whether the seed changes the picture with these parameters; None where it never does.
        reconstructs: whether these parameters leave the content as the networks reconstruct it.
        needs_style: whether the styles change the picture.
        known_styles: of networks to the names of the styles they were trained for, one of which the parameters name;
            empty where any picture will do.
        spatial: whether it takes regions, strength maps, tiles and masks of styles.
        cost: of parameters and networks to what it takes of a machine.
        frames: as `run`, of an iterable of contents in place of one, for a method that carries something from frame to
            frame, such as its last output, in the generator's own variables; None where each frame stands by itself.
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
    known_styles: Callable[[Any], Sequence[str]] = lambda _: ()
    spatial: bool = False
    cost: Callable[[Any, Any], Cost] = lambda *_: Cost()
    frames: Callable[..., Steps] | None = None


def run_frames(
    method: Method, contents: Iterable[Tensor], styles: Sequence[Style], params: MethodParams, networks: Any
) -> Steps:
    """Run a method on a sequence of contents, [1,3,H,W] each; a step says by `frame` which one it is of."""
    if method.frames is not None:
        yield from method.frames(contents, styles, params, networks)
        return
    for number, content in enumerate(contents):
        for step in method.run(content, styles, params, networks):
            yield replace(step, frame=number)


@dataclass(frozen=True)
class StyleLoss:
    """How far features are from a style's: at one layer, by `make`, or at several together, by `make_across`.

    Attributes:
        name: its file's name.
        title: its name on the page.
        paper: authors and year.
        summary: what it compares, in one line of plain words.
        make: `make(style, generator, reduction)` takes a style's features, [1,C,h,w] in float32, and returns a function
            of an image's features, [1,C,H,W], to a scalar through which gradients pass. Random choices come from
            `generator`, a torch.Generator on the CPU. `reduction` is "mean" or "sum", of squared errors. It raises
            ValueError for a style that is too small.
        layers: where it is used by default.
        make_across: `make_across(style, content, generator, reduction)` takes the features of a style and of the
            content, and returns a function of an image's features, all by layer.
        cost: of a step, beside the networks' own, in passes of `compact`; features have VGG-19's widths in any model.
        random: whether the seed changes it.
        learns: whether it changes on the way, so that its value at the end can't be compared with that at the start.
    """

    name: str
    title: str
    paper: str
    summary: str
    make: Callable[[Tensor, torch.Generator, str], Callable[[Tensor], Tensor]] | None = None
    layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    make_across: Callable[[Features, Features, torch.Generator, str], Callable[[Features], Tensor]] | None = None
    cost: Cost = Cost(0.0)
    random: bool = False
    learns: bool = False


def synchronize(device: torch.device | str) -> None:
    """Wait until a device has finished its work; CUDA and MPS only queue it."""
    if torch.device(device).type != "cpu":
        torch.accelerator.synchronize()


class Stopwatch:
    """Adds up seconds by stage; waits for a device to finish before it reads the clock."""

    def __init__(self, device: torch.device | str = "cpu") -> None:
        self.seconds: dict[str, float] = {}
        self._device = device

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time what happens inside under the name `stage`."""
        start = time.perf_counter()
        yield
        synchronize(self._device)
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - start
