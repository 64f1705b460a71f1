"""What methods, pipeline and page agree on: parameters, styles, steps and methods."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from torch import Tensor


class Params(BaseModel):
    """Frozen, bounded settings, each declared once with its type, default, bounds and help."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MethodParams(Params):
    """What every method takes; a method adds its own fields."""

    seed: int = Field(
        0, ge=0, le=2**31 - 1, description="Starting point of the random numbers: the same seed makes the same picture."
    )


P = TypeVar("P", bound=Params)


def bounds(info: FieldInfo) -> tuple[float | None, float | None]:
    """Return the lowest and the highest value that a parameter may take, None where there is no bound."""
    found = {
        name: getattr(rule, name) for rule in info.metadata for name in ("ge", "gt", "le", "lt") if hasattr(rule, name)
    }
    return found.get("ge", found.get("gt")), found.get("le", found.get("lt"))


def describe(info: FieldInfo) -> str:
    """Return a parameter's help with its bounds and default, as the command line shows it."""
    low, high = bounds(info)
    parts = [f"{low} to {high}"] if low is not None and high is not None else []
    parts += [f"default {info.default}"] if info.default is not None else []
    return f"{info.description} [{'; '.join(parts)}]" if parts else str(info.description)


LIMITS: dict[str, float] = {}  # a public server's own bounds on parameters, by name


def parse(model: type[P], values: Mapping[str, Any]) -> P:
    """Build parameters from values; of LIMITS, `seconds` only ends a run earlier, and others are refused.

    Raises:
        ValueError: one sentence that holds the first value out of bounds and what it may be.
    """
    try:
        found = model(**values)
        most = {name: each for name, each in LIMITS.items() if (getattr(found, name, None) or 0) > each}
        for name, each in most.items():
            if name in values and name != "seconds":
                raise ValueError(f"{name} is {getattr(found, name)}, but this server takes at most {each:g}.")
        return found.model_copy(update=most)
    except ValidationError as error:
        first = error.errors()[0]
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        raise ValueError(f"There is no setting {name}; there are {', '.join(model.model_fields)}.")
    low, high = bounds(model.model_fields[name])
    rule = f"must be from {low} to {high}" if low is not None and high is not None else first["msg"].lower()
    raise ValueError(f"{name.replace('_', ' ')} is {first['input']}, but it {rule}.".replace("it input", "it"))


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
        weight: its share; the pipeline makes the weights of a run sum to 1.
        mask: [1,1,h,w], in [0,1], or uint8 in [0,255], how much of each pixel gives the style; None for all of it.
    """

    image: Tensor
    weight: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class Region:
    """A part of the content and what it becomes.

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
class Space:
    """What differs from place to place in a run.

    Attributes:
        regions: parts with styles of their own; what they leave takes the run's styles.
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
            only tells that there is progress.
        iteration: counts from 1; `iterations` is how many there will be at most.
        losses: by name, as the method minimizes them; empty where it minimizes nothing.
        seconds: by stage, since the run began.
        note: a sentence for the user, such as why the run stopped early.
        used: a sentence on what it takes of the networks, such as layers.
        doubt: a sentence on why this picture is no result to go by, should it be the last one.
    """

    image: Tensor | None
    iteration: int = 1
    iterations: int = 1
    losses: Mapping[str, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    used: str = ""
    doubt: str = ""


@dataclass(frozen=True)
class Method:
    """A way of style transfer.

    Attributes:
        name: how it is called; its file's name.
        title: how the page names it.
        paper: authors and year.
        summary: what it does, in one line of plain words.
        params: its parameters, a subclass of MethodParams.
        run: `run(content, styles, params, networks)` yields Steps. `content` is [N,3,H,W], RGB in [0,1]; the styles'
            weights sum to 1; `networks` is a networks.Networks. Closing the generator stops the work. One that is
            `spatial` is called with a Space as well.
        random: whether the seed changes the picture.
        spatial: whether it knows regions and tiles.
        styled: whether the styles change the picture.
        cost: guess of what a single pass takes for a pixel beside encoding and decoding it, over these.
        pairs: whether that grows with the style's pixels, too; then `cost` is for a pixel of each.
        presets: by name, values of parameters that go together, such as a paper's own.
    """

    name: str
    title: str
    paper: str
    summary: str
    params: type[MethodParams]
    run: Callable[..., Generator[Step, None, None]]
    random: bool = False
    spatial: bool = False
    styled: bool = True
    cost: float = 0.0
    pairs: bool = False
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class StyleLoss:
    """How far features are from a style's, at one layer.

    Attributes:
        name: how it is called; its file's name.
        title: how the page names it.
        paper: authors and year.
        summary: what it compares, in one line of plain words.
        make: `make(style, generator, reduction)` takes a style's features, [1,C,h,w] in float32, keeps what it needs of
            them, and returns a function of an image's features, [1,C,H,W], to a scalar through which gradients pass.
            Random choices come from `generator`, a torch.Generator on the CPU. `reduction` is "mean" or "sum", of
            squared errors. It raises ValueError for a style that is too small.
        layers: where it is used by default.
        hold: what the content weight is multiplied by, so that each makes a fair picture at the same weights.
        smooth: what the weight of total variation is multiplied by, for the same reason.
        bytes_per_pixel: memory that it takes beside the features, for a pixel of photograph or painting.
        learns: whether it changes on the way, so that its value at the end can't be compared with that at the start.
    """

    name: str
    title: str
    paper: str
    summary: str
    make: Callable[[Tensor, torch.Generator, str], Callable[[Tensor], Tensor]]
    layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
    hold: float = 1.0
    smooth: float = 1.0
    bytes_per_pixel: float = 0.0
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
