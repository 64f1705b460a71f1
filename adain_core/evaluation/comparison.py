"""Several methods on the same pair, one after the other, prepared, timed and measured alike.

It keeps raw pictures and settings; adain_core/evaluation/report.py measures the pictures afterwards.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import platform
from collections.abc import Container, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from PIL import Image

from adain_core import images, weights
from adain_core import methods as known
from adain_core.contracts import UNLIMITED, Limited, Limits, bounds, count, marked, parse
from adain_core.controls import scale
from adain_core.evaluation.judge import Judge
from adain_core.evaluation.meter import Meter
from adain_core.networks.cache import Memory
from adain_core.networks.model import Networks
from adain_core.runs import inputs, memory, pipeline
from adain_core.system.machine import shortage

Mode = Literal["each", "equal-time", "equal-loss"]
State = Literal["waiting", "running", "done", "stopped", "failed"]
FIRST = ("adain", "gatys", "style_swap")  # what is compared where nothing is chosen
REFERENCE = "adain"  # whose loss the others are to reach
EVERY = 20  # iterations at the start after each of which the judge looks at the picture
GROWTH = 1.05  # of the iterations from one look to the next beyond these


class Point(NamedTuple):
    """The judge's mean-std loss on the way."""

    iteration: int
    seconds: float
    mean_std: float


@dataclass(frozen=True)
class Output:
    """What one method made so far.

    Attributes:
        method: its name.
        state: waiting, running, done, stopped because nobody wanted it any more, or failed.
        sentence: why it ended so, or what is to be known about it.
        image: its last picture, as it came out.
        iteration: counts from 1 to `iterations`.
        seconds: of the method alone.
        memory: its peak in bytes above rest.
        curve: the judge's mean-std loss on the way.
        record: of the run, with its settings and its own losses.
    """

    method: str
    state: State = "waiting"
    sentence: str = ""
    image: Image.Image | None = None
    iteration: int = 0
    iterations: int = 0
    seconds: float = 0.0
    memory: int = 0
    curve: tuple[Point, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The method's, for people."""
        return known.get(self.method).title

    @property
    def optimized(self) -> bool:
        """Whether it went down step by step, so that it could have taken more or less time."""
        return len(self.curve) > 1 or bool(self.record.get("losses"))


@dataclass(frozen=True)
class Comparison:
    """Everything so far: the pair as every method got it, the settings, and the outputs in the order they are made in.

    `changed` is the method whose output is new, `judge` what looks at the pictures; neither is there once it is loaded.
    """

    content: Image.Image
    styles: tuple[Image.Image, ...]
    settings: Mapping[str, Any]
    outputs: Mapping[str, Output]
    changed: str | None = None
    judge: Judge | None = None

    @property
    def goal(self) -> float | None:
        """AdaIN's mean-std loss, by the judge."""
        reference = self.outputs.get(REFERENCE)
        return reference.curve[-1].mean_std if reference and reference.curve else None


class End(NamedTuple):
    """When a run ends: after seconds, at a loss, or once its name is in `skip`."""

    mode: Mode
    seconds: float
    goal: float | None
    skip: Container[str]


@memory.checked
def compare(
    content: images.Source,
    styles: images.Source | Sequence[images.Source],
    methods: Sequence[str] = FIRST,
    *,
    size: int = 256,
    seconds: float = 30.0,
    mode: Mode = "each",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    judge: str = "",
    model: str = "compact",
    device: str = "auto",
    skip: Container[str] = (),
    networks: Networks | None = None,
    judge_networks: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    limits: Limits = UNLIMITED,
) -> Generator[Comparison, None, None]:
    """Run methods on one pair and yield the whole comparison whenever something changed; the last one is the result.

    Methods run one after the other, so that none takes another's time, single passes first. None finds what another has
    encoded. Closing the generator stops the work.

    Args:
        content: the photograph, a file or a PIL image.
        styles: the painting, or several to mix in equal shares.
        methods: names, as in `methods.find()`.
        size: pixels of the photograph's longer side.
        seconds: bound on each optimization, of its own time.
        mode: `each` leaves every method its own number of steps, within the bound; with `equal-time` optimizations take
            steps until the bound; with `equal-loss` until the judge's mean-std loss is AdaIN's, within the bound.
        options: parameters by method.
        judge: the model whose loss network measures; its layers must be those of the paper. Empty for `best_judge`.
        model: which networks the methods use.
        device: where to compute.
        skip: names that aren't wanted any more; it is looked at between steps, so the caller may add to it.
        networks: for the methods, in place of `model`.
        judge_networks: for the judge, in place of `judge`.
        weights_dir: where to look for weights before the Hub.
        download: whether to fetch from the Hub weights that are not here.
        limits: of the server.

    Raises:
        PictureError: a picture is refused.
        ValueError: there is no such method, model or mode, a parameter is out of bounds, weights can't be had, or
            memory runs out.
    """
    names = arrange([methods] if isinstance(methods, str) else methods, mode)
    if unknown := [name for name in options or {} if name not in names]:
        raise ValueError(f"There are options for {unknown[0]}, which is not compared; there are {', '.join(names)}.")
    given = {name: (options or {}).get(name, {}) for name in names}
    chosen = {name: prepare(name, given[name], mode, model, device, limits) for name in names}
    if not isinstance(seconds, int | float) or not 0 < seconds <= 3600:
        raise ValueError(f"seconds is {seconds}, but it must be above 0 and at most 3600.")
    seconds = min(seconds, limits.seconds)
    settings = parse(pipeline.Settings, {"size": size}, limits)
    sources: Any = styles if isinstance(styles, Sequence) and not isinstance(styles, str | bytes) else [styles]
    if not sources:
        raise ValueError("Give at least one style.")
    pair = inputs.load("content", content, size).rgb
    paintings = [inputs.load("style", each, scale.longest(settings), index).rgb for index, each in enumerate(sources)]
    exact = any(str(each.get("bits")) == "16" for each in chosen.values())
    networks = networks or weights.load(model, device, weights_dir, download, exact)
    if judge_networks is None:
        judge_networks = weights.load(judge or best_judge(weights_dir), device, weights_dir, download)
    judging = Judge(judge_networks, pair, paintings)
    _ = networks.pace.rate  # tries them once, which is slower than ever after
    names.sort(key=lambda name: iterations(chosen[name], networks, limits) > 1)  # single passes first
    about: dict[str, Any] = {
        "mode": mode,
        "seconds": seconds,
        "size": list(pair.size),
        "model": networks.name,
        "judge": judging.name,
    }
    about |= {"style_sizes": [list(each.size) for each in paintings], **machine(networks)}
    now = Comparison(pair, tuple(paintings), about, {name: Output(name) for name in names}, judge=judging)
    yield now
    for name in names:
        end = End(mode, seconds, now.goal if name != REFERENCE else None, skip)
        with closing(_run(name, now, chosen[name], networks, judging, end)) as outputs:
            for output in outputs:
                now = replace(now, outputs={**now.outputs, name: output}, changed=name)
                yield now


def arrange(methods: Sequence[str], mode: Mode) -> list[str]:
    """Return the names to compare: those given, and the one whose loss is to be reached, if it is.

    Raises:
        ValueError: none is given, one is unknown or given twice, or there is no such mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"There is no mode {mode}; there are {', '.join(get_args(Mode))}.")
    if not methods:
        raise ValueError("Choose at least one method.")
    if twice := [name for index, name in enumerate(methods) if name in methods[:index]]:
        raise ValueError(f"{twice[0]} is given twice; each method runs once.")
    if mode == "equal-loss" and REFERENCE not in methods:
        methods = [REFERENCE, *methods]
    return list(methods)


def prepare(
    name: str, options: Mapping[str, Any], mode: Mode, model: str, device: str, limits: Limits = UNLIMITED
) -> dict[str, Any]:
    """Return a run's options: time is bounded by `compare` itself, and steps by it alone where time or loss is equal.

    Steps that don't simply continue, as from coarse to fine, stay as many as they are.

    Raises:
        ValueError: a parameter is unknown or out of bounds.
    """
    given = {**options, "method": name, "model": model, "device": device}
    _, params = pipeline.parse_options(given, limits)
    method = known.get(name)
    fields = method.params.model_fields
    for each in marked(params, Limited("seconds")):
        given[each] = bounds(fields[each])[1]
    if mode != "each" and method.extensible(params):
        for each in marked(params, Limited("steps")):
            given[each] = min(bounds(fields[each])[1] or math.inf, limits.steps)
    return given


def iterations(options: Mapping[str, Any], networks: Networks, limits: Limits = UNLIMITED) -> int:
    """Return how many steps a run with these options takes at most; 1 for a single pass."""
    settings, params = pipeline.parse_options(options, limits)
    return known.get(settings.method).iterations(params, networks)


def best_judge(weights_dir: str | os.PathLike[str] | None = None) -> str:
    """Return the most faithful judge that is here: the full-size VGG-19, or the perceptual network."""
    return "vgg19" if weights.here(weights.get("vgg19"), weights_dir) else "perceptual"


def machine(networks: Networks) -> dict[str, Any]:
    """Say what a comparison ran on."""
    device = torch.cuda.get_device_name() if networks.device.type == "cuda" else platform.machine()
    threads, kind = torch.get_num_threads(), str(networks.dtype).removeprefix("torch.")
    return {
        "device": f"{networks.device.type} ({device})",
        "threads": threads,
        "dtype": kind,
        "torch": torch.__version__,
    }


def _run(
    name: str, pair: Comparison, options: dict[str, Any], networks: Networks, judging: Judge, end: End
) -> Generator[Output, None, None]:
    """Run one method and yield its output at every step; whatever goes wrong stays in its cell."""
    output = Output(name)
    if name in end.skip:
        yield replace(output, state="stopped", sentence="Stopped before it began.")
        return
    yield replace(output, state="running")
    try:
        with closing(_steps(output, pair, options, networks, judging, end)) as steps:
            for output in steps:
                yield output
    except ValueError as error:
        yield replace(output, state="failed", sentence=str(error))
    except Exception as error:  # a method's own fault must not take the others along
        words = shortage(error)
        if words is None:
            logging.getLogger(__name__).exception("%s failed", name)
        yield replace(output, state="failed", sentence=words or f"It failed unexpectedly ({type(error).__name__}).")


def _steps(
    output: Output,
    pair: Comparison,
    options: dict[str, Any],
    networks: Networks,
    judging: Judge,
    end: End,
) -> Generator[Output, None, None]:
    meter, curve, due, own_losses = Meter(networks.device), list[Point](), 1, False
    with closing(_results(pair, options, _forgetful(networks))) as results:
        while True:
            with meter():
                result = next(results, None)
            if result is None:  # it ended by itself before its last step, and said why
                yield replace(output, state="done")
                return
            if result.image is None:  # there is only progress to tell
                continue
            ended = _ended(output.method, result, meter.seconds, end)
            if result.iteration >= due or ended is not None:
                loss = judging.mean_std(result.image)
                if math.isfinite(loss):
                    curve.append(Point(result.iteration, round(meter.seconds, 4), loss))
                every = result.iteration < EVERY or end.mode == "equal-loss"
                due = result.iteration + 1 if every else math.ceil(result.iteration * GROWTH)
                ended = _reached(curve, end) or ended
            own_losses = own_losses or bool(result.record["losses"])
            if result.notes and own_losses and not result.record["losses"]:
                ended = "failed", ""  # it diverged
            state, sentence = ended or ("running", "")
            if sentence and state != "failed":  # no step was the method's own last one, which would have told
                sentence = f"{sentence} {result.doubt}".strip()
            output = replace(
                output, state=state, sentence=sentence or " ".join(result.notes), image=result.image,
                iteration=result.iteration, iterations=result.iterations, seconds=meter.seconds, memory=meter.bytes,
                curve=tuple(curve), record=result.record,
            )  # fmt: skip
            yield output
            if ended is not None:
                return


def _results(pair: Comparison, options: dict[str, Any], networks: Networks) -> Generator[pipeline.Result, None, None]:
    yield from pipeline.run(pair.content, pair.styles, networks=networks, interval=0.0, **options)


def _ended(name: str, result: pipeline.Result, seconds: float, end: End) -> tuple[State, str] | None:
    """Say how a run ends here, and why if not by itself; None where it goes on."""
    if result.iteration == result.iterations:
        missed = end.mode == "equal-loss" and end.goal is not None and result.iterations > 1
        return "done", "AdaIN's loss was not reached by the last step." if missed else ""
    if name in end.skip:
        return "stopped", f"Stopped after {result.iteration} of {result.iterations} steps."
    if seconds < end.seconds:
        return None
    if end.mode == "equal-loss":
        return "done", f"AdaIN's loss was not reached within {end.seconds:g} s."
    return "done", f"The bound of {end.seconds:g} s was reached after {count(result.iteration, 'step')}."


def _reached(curve: Sequence[Point], end: End) -> tuple[State, str] | None:
    goal = end.goal if end.mode == "equal-loss" else None
    if goal is None or not curve or curve[-1].mean_std > goal:
        return None
    return "done", f"AdaIN's loss was reached in {curve[-1].seconds:.1f} s, after {count(curve[-1].iteration, 'step')}."


def _forgetful(networks: Networks) -> Networks:
    """Return the same networks with an empty memory of their own, so that every method encodes for itself."""
    own = copy.copy(networks)
    own.memory = Memory()
    return own
