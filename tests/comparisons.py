"""Methods that approach, refuse, break and diverge, and comparisons of them on tiny networks."""

import itertools
from types import SimpleNamespace
from typing import Annotated

import pytest
import torch
from conftest import picture
from PIL import Image
from pydantic import Field

from adain_core import compare, methods
from adain_core.contracts import Limited, Method, MethodParams, Step
from adain_core.evaluation import meter
from adain_core.evaluation.comparison import Comparison


class StepParams(MethodParams):
    steps: Annotated[int, Limited("steps")] = Field(40, ge=1, le=200, description="How many.")
    seconds: Annotated[float, Limited("seconds")] = Field(300.0, gt=0, le=3600, description="At most.")
    rate: float = Field(0.05, ge=0, le=1, description="How far toward the painting's mean color a step goes.")


def approach(content, styles, params, _networks):
    """Go toward the painting's mean color, step by step."""
    goal = styles[0].image.mean((2, 3), keepdim=True)
    for number in range(1, params.steps + 1):
        yield Step(content.lerp(goal, min(1, params.rate * number)), number, params.steps, {"total": 1 / number})


def refuse(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    raise ValueError("The painting is too dark.")


def break_down(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    raise RuntimeError("/home/someone/secret.py broke")


def diverge(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    yield Step(content, 3, params.steps, {}, note="The optimization diverged; the last good picture is kept.")


def give_up(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    yield Step(content, 3, params.steps, {"total": 1.0}, note="Stopped: no improvement in 2 steps.")


def make(name, run, params=StepParams):
    abilities = {"iterations": lambda params, _: params.steps, "extensible": lambda _: True}
    own = abilities if params is StepParams else {}
    return Method(name, name.capitalize(), "ours", "For tests.", params, run, **own)


@pytest.fixture
def ours(monkeypatch):
    """The methods, and some of ours."""
    runs = {"approach": approach, "refuse": refuse, "break": break_down, "diverge": diverge, "give_up": give_up}
    found = {**methods.find(), **{name: make(name, run) for name, run in runs.items()}}
    monkeypatch.setattr(methods, "find", lambda: found)
    return found


@pytest.fixture
def ticks(monkeypatch):
    """A clock by which every piece of work takes half a second."""
    count = itertools.count(step=0.5)
    monkeypatch.setattr(meter, "time", SimpleNamespace(perf_counter=lambda: next(count)))


def run(names, tiny, **options):
    given = {"size": 64, "networks": tiny, "judge_networks": tiny, **options}
    return compare(picture(80, 60, 1), picture(50, 70, 2), names, **given)


def last(names, tiny, **options) -> Comparison:
    *_, found = run(names, tiny, **options)
    return found


class Plain:
    """An encoder whose every layer is the picture itself."""

    name, loss_name, dtype, device = "plain", "plain", torch.float32, torch.device("cpu")

    def perceptual(self, image, layers):
        return dict.fromkeys(layers, image)


def flat(level, size=(60, 40)):
    return Image.new("RGB", size, (level, level, level))
