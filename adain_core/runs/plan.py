"""Planning a run: tiles, memory, and time, and whether they are within the limits."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch

from adain_core import images, methods, weights
from adain_core.contracts import UNLIMITED, Cost, Limited, Limits, Method, MethodParams, SizeError, Steps, marked
from adain_core.controls import scale, strokes, tiles
from adain_core.networks import cost
from adain_core.networks.model import Networks
from adain_core.runs import inputs
from adain_core.runs.settings import MAX_SIZE, Settings, parse_options
from adain_core.system import machine

MANY = 16  # above this number of tiles, larger ones are used, because many allocations fragment the memory
LARGE = 700_000_000  # bytes that such a larger tile may need
WHOLE = 2  # largest picture that is processed in one piece, in areas of a tile
EXACT = 48  # bytes per pixel of a 16-bit result: floats before and after, levels, and the file
FOLLOWS = 9  # bytes per pixel while a picture follows a smaller one, after its tiles are done
LENT = 0.012 / 512**2  # seconds per pass and pixel on a lent GPU, with a margin


class Task(NamedTuple):
    """A run before its pictures are read.

    Attributes:
        size: width and height of the result in pixels.
        settings: settings shared by all methods.
        params: parameters of the method.
        method: the method.
        networks: networks that it uses.
        masks: number of masks and maps, including those of regions.
        styles: number of styles.
    """

    size: tuple[int, int]
    settings: Settings
    params: MethodParams
    method: Method
    networks: Networks
    masks: int = 0
    styles: int = 1

    @property
    def pixels(self) -> int:
        """Pixels of the result."""
        return math.prod(self.size)

    @property
    def style_pixels(self) -> int:
        """Maximum number of pixels of all styles."""
        return self.styles * round(scale.longest(self.settings) * self.growth) ** 2

    @property
    def strokes(self) -> str:
        """The kind of strokes: proportional or native."""
        able = self.method.proportional and self.iterations == 1 and not self.repaints
        return "proportional" if able and self.settings.strokes != "native" else "native"

    @property
    def sizes(self) -> Sequence[tuple[int, int]]:
        """Sizes at which the picture is made, the result's last."""
        return strokes.sizes(self.size) if self.strokes == "proportional" else [self.size]

    @property
    def growth(self) -> float:
        """Factor by which the paintings are enlarged above the first size; a search would take its square longer."""
        return strokes.GROWTH if len(self.sizes) > 1 and not self.cost.pairs else 1.0

    @property
    def iterations(self) -> int:
        """Steps of an optimization; 1 for a single pass."""
        return 1 if self.repaints else self.method.iterations(self.params, self.networks)

    @property
    def repaints(self) -> bool:
        """Whether only colors change, without using the method and its networks."""
        return self.settings.color == "palette"

    @property
    def cost(self) -> Cost:
        """Time and memory of the method."""
        return self.method.cost(self.params, self.networks)

    @property
    def key(self) -> str:
        """The method and the parameters that may affect the time per step."""
        others = {"seed", *marked(self.params, Limited("steps")), *marked(self.params, Limited("seconds"))}
        return f"{self.method.name}:{self.params.model_dump_json(exclude=others)}"


class Level(NamedTuple):
    """One of the sizes at which a picture is made.

    Attributes:
        size: width and height in pixels.
        side: side length of a tile in pixels, or None to process the picture in one piece.
        tiles: the tiles.
        growth: factor by which the paintings are enlarged.
    """

    size: tuple[int, int]
    side: int | None
    tiles: Sequence[tiles.Tile]
    growth: float = 1.0


class Plan(NamedTuple):
    """How a run processes its picture.

    Attributes:
        levels: the sizes at which the picture is made, the result's last.
        bytes: memory in addition to what the process holds already.
    """

    levels: Sequence[Level]
    bytes: int


class Forecast(NamedTuple):
    """The expected time and memory of a run.

    Attributes:
        seconds: time, from this machine's speed per pixel and step.
        bytes: memory in addition to what the process holds already.
        tiles: number of tiles; 1 if the picture is processed in one piece.
        size: width and height of the result in pixels.
        steps: steps of an optimization; 1 for a single pass.
    """

    seconds: float
    bytes: int
    tiles: int
    size: tuple[int, int]
    steps: int


def plan(task: Task, limits: Limits = UNLIMITED) -> Plan:
    """Choose the tiles of a run.

    Raises:
        SizeError: the picture is too large for the server, the networks, or the free memory.
        ValueError: the networks can't produce 16 bits per channel, or the method can't make proportional strokes.
    """
    if task.settings.strokes == "proportional" != task.strokes:
        able = ", ".join(name for name, method in methods.find().items() if method.proportional)
        raise ValueError(
            f"{task.method.title} can't make proportional strokes in this way; leave out strokes, or choose a method"
            f" that makes a picture in a single pass: {able}."
        )
    if task.settings.bits == 16 and task.networks.dtype != torch.float32:
        raise ValueError("These networks produce 8 bits per channel; load them with exact=True, or leave out bits.")
    first, *larger = (_level(task._replace(size=size), limits) for size in task.sizes)
    levels = [first, *(each._replace(growth=task.growth) for each in larger)]
    needed, free = _bytes(task, levels), machine.free_on(task.networks.device)
    if needed > free:
        raise SizeError(
            f"A picture of {task.size[0]}x{task.size[1]} pixels needs about {needed / 1e9:.1f} GB of memory, but"
            f" {free / 1e9:.1f} GB is free; choose a smaller size."
        )
    return Plan(levels, needed)


def forecast(
    content: images.Source,
    *,
    masks: int = 0,
    networks: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    limits: Limits = UNLIMITED,
    **options: Any,
) -> Forecast:
    """Estimate the time and memory of `run` with these options and one style, whose encoding isn't counted.

    The first call measures this machine's speed by running the networks on 256x256 pixels.

    Args:
        content: see `run`.
        masks: number of masks and maps, including regions with a style or a strength.
        networks: see `run`.
        weights_dir: see `run`.
        limits: see `run`.
        options: see `run`.

    Raises:
        ValueError: the content's header or the options are invalid, as for `run`, or there is too little memory.
    """
    settings, params = parse_options(options, limits)
    method = methods.get(settings.method)
    size = inputs.refusing("content", 0, lambda: images.measure(content, settings.size))
    networks = networks_for(settings, method, networks, weights_dir, False)
    task = Task(size, settings, params, method, networks, masks)
    found = plan(task, limits)
    return Forecast(_seconds(task, found.levels), found.bytes, len(found.levels[-1].tiles), size, task.iterations)


def networks_for(
    settings: Settings,
    method: Method,
    given: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Networks:
    """Return the networks of a run: those that the method knows styles by, or else the given or chosen ones.

    Raises:
        WeightsError: they can't be had.
    """
    known = method.known_styles
    if given is not None and (given.generator is None) == (known is None):
        return given
    name = settings.model if known is None else known[0].model
    return weights.load(name, settings.device, weights_dir, download, settings.bits == 16)


def lent_seconds(options: Mapping[str, Any], limits: Limits = UNLIMITED) -> float:
    """Return the seconds on a lent GPU for a run on the largest picture with these options.

    Raises:
        ValueError: the options are invalid, as for `run`.
    """
    settings, params = parse_options(options, limits)
    method = methods.get(settings.method)
    networks = networks_for(settings, method, download=False)
    side = settings.size or scale.longest(settings)
    task = Task((side, side), settings, params, method, networks)
    pixels = sum(map(math.prod, task.sizes))
    found = LENT * pixels * (1 + (task.cost.passes + task.cost.pairs * task.style_pixels) * task.iterations)
    return min(found, _time_limit(task))


def timed(steps: Steps, task: Task) -> Steps:
    """Pass on a method's steps and record how long they take, without the time the caller spends between them."""
    spent, seen = 0.0, list[tuple[float, float]]()  # seconds, and the fraction of the work done by then
    try:
        while True:
            start = time.perf_counter()
            step = next(steps, None)
            spent += time.perf_counter() - start
            if step is None:
                return
            seen.append((spent, step.done))
            if step.iterations == 1 and not task.repaints:
                _learn(task, sum(took for stage, took in step.seconds.items() if not _networks(stage)))
            yield step
    finally:
        steps.close()
        if task.iterations > 1 and len(seen) > 1:  # the first step includes preparation
            (began, at_first), (ended, at_last) = seen[0], seen[-1]
            _learn(task, (ended - began) / (at_last - at_first) / task.iterations)


def _networks(stage: str) -> bool:
    return stage.startswith(("encode", "decode", "generate"))


def _learn(task: Task, seconds: float) -> None:
    task.networks.pace.learn(task.key, task.cost, task.pixels, task.style_pixels, seconds)


def _seconds(task: Task, levels: Sequence[Level]) -> float:
    seconds = 0.0
    for level in levels:
        again = len(level.tiles) > 1 and not _kept(task, len(level.tiles))  # tiles are encoded once or twice
        seconds += task.networks.pace.rate * sum(tile.area for tile in level.tiles) * (1.5 if again else 1)
    if task.repaints:
        return seconds
    pixels = sum(math.prod(level.size) for level in levels)
    each = task.networks.pace.expect(task.key, task.cost, pixels, task.style_pixels)
    return min(seconds + each * task.iterations, _time_limit(task))


def _time_limit(task: Task) -> float:
    """Return the time limit of an optimization in seconds."""
    if task.iterations == 1:
        return math.inf
    return min((getattr(task.params, name) for name in marked(task.params, Limited("seconds"))), default=math.inf)


def _level(task: Task, limits: Limits) -> Level:
    side = _side(task, limits)
    return Level(task.size, side, tiles.plan(task.size[1], task.size[0], side, task.networks.reach))


def _side(task: Task, limits: Limits) -> int | None:
    """Return the side length of tiles, or None to process the picture in one piece."""
    (width, height), pixels, networks, tile = task.size, task.pixels, task.networks, task.settings.tile
    if max(task.size) > limits.size:
        words = f"this server accepts sizes up to {limits.size:g}."
        raise SizeError(f"The picture has {width}x{height} pixels; {words}")
    if tile == "on" or (tile == "auto" and task.method.spatial and pixels > WHOLE * cost.TILE**2):
        if pixels <= MANY * cost.TILE**2:
            return cost.TILE
        seen = int((LARGE / cost.bytes_per_pixel(networks)) ** 0.5)
        return max(cost.TILE, min(2 * cost.TILE, seen - 2 * networks.reach))
    if pixels > (most := cost.max_pixels(networks)):
        longest = int(max(task.size) * (most / pixels) ** 0.5)
        raise SizeError(
            f"The picture has {width}x{height} pixels, too many for {networks.name} at once; choose a size of at most"
            f" {min(longest, MAX_SIZE)}{', or tiles' if task.method.spatial else ''}."
        )
    return None


def _bytes(task: Task, levels: Sequence[Level]) -> int:
    """Return the bytes of memory that a run needs; the largest size needs most."""
    cut = levels[-1].tiles
    pixels, largest = task.pixels, max(tile.area for tile in cut)
    needed = largest * cost.bytes_per_pixel(task.networks) + _kept(task, len(cut))
    needed = max(needed, FOLLOWS * pixels if len(levels) > 1 else 0) + 16 * pixels  # the picture, before and after
    needed += EXACT * pixels if task.settings.bits == 16 else 0
    needed += task.masks * (2 * pixels + 8 * largest)  # two copies at first; a tile's shares are floats
    needed += task.cost.bytes * (pixels + task.style_pixels)
    return int(needed)


def _kept(task: Task, count: int) -> int:
    """Return the bytes of features kept from the first pass over the tiles."""
    return 0 if task.networks.decoder is None else tiles.kept(count, cost.feature_bytes(task.networks) * task.pixels)
