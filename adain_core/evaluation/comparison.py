"""Runs several methods on the same pair one after another, with the same preparation and timing.

The result holds raw pictures and settings; adain_core/evaluation/report.py measures the pictures afterward.
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
DEFAULT_METHODS = ("adain", "gatys", "style_swap")  # the methods to compare by default
REFERENCE = "adain"  # the method whose loss the others are compared with
EVERY = 20  # iterations at the start that are all measured
GROWTH = 1.05  # factor between measured iterations after that


class Point(NamedTuple):
    """A point on the curve of a run: the judge's mean-std loss at an iteration."""

    iteration: int
    seconds: float
    mean_std: float


@dataclass(frozen=True)
class Output:
    """The output of one method so far.

    Attributes:
        method: name of the method.
        state: waiting, running, done, stopped by the user, or failed.
        sentence: why the run ended, and notes about it.
        image: the latest picture, unmodified.
        iteration: number of the latest iteration, from 1.
        iterations: maximum number of iterations.
        seconds: time of the method, without measuring.
        memory: peak memory in bytes above the initial level.
        curve: the judge's mean-std loss over the run.
        record: record of the run, with its settings and the method's own losses.
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
        """Title of the method."""
        return known.get(self.method).title

    @property
    def optimized(self) -> bool:
        """Whether the method is iterative, so that it could have run for more or less time."""
        return len(self.curve) > 1 or bool(self.record.get("losses"))


@dataclass(frozen=True)
class Comparison:
    """The state of a comparison.

    Attributes:
        content: the photograph as all methods get it.
        styles: the paintings as all methods get them.
        settings: settings and machine of the comparison.
        outputs: outputs by method, in the order in which they run.
        changed: the method whose output has just changed; None if the comparison was loaded.
        judge: measures the pictures; None if the comparison was loaded.
    """

    content: Image.Image
    styles: tuple[Image.Image, ...]
    settings: Mapping[str, Any]
    outputs: Mapping[str, Output]
    changed: str | None = None
    judge: Judge | None = None

    @property
    def goal(self) -> float | None:
        """AdaIN's mean-std loss as measured by the judge, or None if AdaIN hasn't run."""
        reference = self.outputs.get(REFERENCE)
        return reference.curve[-1].mean_std if reference and reference.curve else None


class End(NamedTuple):
    """When to end a run: after some seconds, at a loss, or as soon as its name is in `skip`."""

    mode: Mode
    seconds: float
    goal: float | None
    skip: Container[str]


@memory.checked
def compare(
    content: images.Source,
    styles: images.Source | Sequence[images.Source],
    methods: Sequence[str] = DEFAULT_METHODS,
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
    """Run methods on one pair and yield the comparison after every change; the last one is the result.

    Methods run one at a time, so that they don't slow each other down, single passes first. They don't share cached
    encodings. Closing the generator stops the work.

    Args:
        content: the photograph, a file or a PIL image.
        styles: a painting, a file, a PIL image, or the name of a known style; or several to mix in equal shares.
        methods: names of methods, as in `methods.find()`.
        size: longer side of the photograph in pixels.
        seconds: time limit for each optimization, without measuring.
        mode: with `each`, every method runs its own number of steps; with `equal-time`, optimizations run until the
            time limit; with `equal-loss`, until the judge's mean-std loss reaches AdaIN's. The limit always applies.
        options: parameters by method.
        judge: the model whose loss network judges; it must have the paper's layers. Empty for `best_judge`.
        model: the model that the methods use.
        device: device to compute on.
        skip: names of methods to stop or skip; checked between steps, so the caller may add to it.
        networks: networks for the methods, instead of `model`.
        judge_networks: networks for the judge, instead of `judge`.
        weights_dir: folder to search for weights first.
        download: whether to download missing weights from the Hub.
        limits: limits of the server.

    Raises:
        PictureError: a picture is refused.
        ValueError: there is no such method, model, or mode, a parameter is out of bounds, weights are missing, or
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
    _ = networks.pace.rate  # warms the networks up
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
    """Return the names of the methods to compare: the given ones, and AdaIN if its loss is the goal.

    Raises:
        ValueError: no method is given, one is given twice, or there is no such mode.
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
    """Return the options of a run without a time limit, which `compare` applies itself.

    For equal time or loss, the number of steps is raised to its maximum as well, unless more steps would not simply
    continue the run, as with several scales.

    Raises:
        ValueError: a parameter is unknown or out of bounds.
    """
    given = {"strokes": "native", **options, "method": name, "model": model, "device": device}
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
    """Return the maximum number of steps of a run with these options; 1 for a single pass."""
    settings, params = pipeline.parse_options(options, limits)
    return known.get(settings.method).iterations(params, networks)


def best_judge(weights_dir: str | os.PathLike[str] | None = None) -> str:
    """Return the best judge on this machine: the full-size VGG-19, or the perceptual network."""
    return "vgg19" if weights.here(weights.get("vgg19"), weights_dir) else "perceptual"


def machine(networks: Networks) -> dict[str, Any]:
    """Return the hardware and software that a comparison runs on."""
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
    """Run one method and yield its output at every step; an error becomes a failed output."""
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
    except Exception as error:  # a bug in one method must not end the comparison
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
    settings, _ = pipeline.parse_options(options)
    networks = pipeline.networks_for(settings, known.get(output.method), networks)
    _ = networks.pace.rate  # warms the networks up
    meter, curve, due, own_losses = Meter(networks.device), list[Point](), 1, False
    with closing(_results(pair, options, _forgetful(networks))) as results:
        while True:
            with meter():
                result = next(results, None)
            if result is None:  # it ended before its last step and explained why
                yield replace(output, state="done")
                return
            if result.image is None:  # only a progress report
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
            if sentence and state != "failed":  # the method didn't reach its last step, which reports doubts itself
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
    """Return the final state of a run and why it was ended early, if it was; None if the run continues."""
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
    """Return the same networks with an empty cache, so that every method encodes the pictures itself."""
    own = copy.copy(networks)
    own.memory = Memory()
    return own
