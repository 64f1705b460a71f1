"""What a run will take, and whether it may: tiles, memory, seconds."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from adain_core import images, methods, weights
from adain_core.contracts import UNLIMITED, Cost, Limited, Limits, Method, MethodParams, SizeError, Steps, marked
from adain_core.controls import scale, tiles
from adain_core.networks import cost
from adain_core.networks.model import Networks
from adain_core.runs import inputs
from adain_core.runs.settings import MAX_SIZE, Settings, parse_options
from adain_core.system import machine

MANY = 16  # tiles beyond which they are made larger: many allocations leave memory in fragments
LARGE = 700_000_000  # bytes that a tile may take then
WHOLE = 2  # tiles' areas that a picture may have and still be taken whole
EXACT = 48  # bytes that 16 bits take for a pixel: floats before and after, levels, and their file
LENT = 0.012 / 512**2  # seconds that a lent GPU takes for a pass of a pixel, with room to spare


class Task(NamedTuple):
    """A run before its pictures are read.

    Attributes:
        size: of the result, width and height in pixels.
        settings: of every run.
        params: of the method.
        method: that makes the picture.
        networks: that it works with.
        masks: how many masks and maps there are, a region's included.
        styles: how many styles there are.
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
        """Of the result."""
        return math.prod(self.size)

    @property
    def style_pixels(self) -> int:
        """Of all styles, at most."""
        return self.styles * scale.longest(self.settings) ** 2

    @property
    def iterations(self) -> int:
        """Steps of an optimization; 1 for a single pass."""
        return 1 if self.repaints else self.method.iterations(self.params, self.networks)

    @property
    def repaints(self) -> bool:
        """Whether only colors change, without the method and its networks."""
        return self.settings.color == "palette"

    @property
    def cost(self) -> Cost:
        """What the method takes."""
        return self.method.cost(self.params, self.networks)

    @property
    def key(self) -> str:
        """The method and those of its parameters that may change how long it takes."""
        others = {"seed", *marked(self.params, Limited("steps")), *marked(self.params, Limited("seconds"))}
        return f"{self.method.name}:{self.params.model_dump_json(exclude=others)}"


class Plan(NamedTuple):
    """How a run goes about its picture.

    Attributes:
        side: of tiles, in pixels, or None to take the picture whole.
        tiles: what they see.
        bytes: of memory, above what the process holds.
    """

    side: int | None
    tiles: Sequence[tiles.Tile]
    bytes: int


class Forecast(NamedTuple):
    """What a run will take.

    Attributes:
        seconds: by what this machine needs for a pixel and for a step.
        bytes: of memory, above what the process holds.
        tiles: how many; 1 where the picture is taken whole.
        size: of the result, width and height in pixels.
        steps: of an optimization; 1 for a single pass.
    """

    seconds: float
    bytes: int
    tiles: int
    size: tuple[int, int]
    steps: int


def plan(task: Task, limits: Limits = UNLIMITED) -> Plan:
    """Choose tiles.

    Raises:
        SizeError: the picture is too large for the server, the networks, or the memory that is free.
        ValueError: the networks can't make 16 bits a channel.
    """
    if task.settings.bits == 16 and task.networks.dtype != torch.float32:
        raise ValueError("These networks produce 8 bits per channel; load them with exact=True, or leave out bits.")
    side = _side(task, limits)
    cut = tiles.plan(task.size[1], task.size[0], side, task.networks.reach)
    needed, free = _bytes(task, cut), machine.free_on(task.networks.device)
    if needed > free:
        raise SizeError(
            f"A picture of {task.size[0]}x{task.size[1]} pixels needs about {needed / 1e9:.1f} GB of memory, but"
            f" {free / 1e9:.1f} GB is free; choose a smaller size."
        )
    return Plan(side, cut, needed)


def forecast(
    content: images.Source,
    *,
    masks: int = 0,
    networks: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    limits: Limits = UNLIMITED,
    **options: Any,
) -> Forecast:
    """Say what `run` with these options will take, with one style, which is small and remembered.

    The first time, the networks are tried on 256x256 pixels to see how fast this machine is.

    Args:
        content: as for `run`.
        masks: how many regions with a style or a strength, masks and maps there will be.
        networks: as for `run`.
        weights_dir: as for `run`.
        limits: as for `run`.
        options: as for `run`.

    Raises:
        ValueError: as `run`, where the picture's head or the options tell; there is too little memory.
    """
    settings, params = parse_options(options, limits)
    method = methods.get(settings.method)
    size = inputs.refusing("content", 0, lambda: images.measure(content, settings.size))
    networks = networks or weights.load(settings.model, settings.device, weights_dir, False, settings.bits == 16)
    task = Task(size, settings, params, method, networks, masks)
    found = plan(task, limits)
    return Forecast(_seconds(task, found.tiles), found.bytes, len(found.tiles), size, task.iterations)


def lent_seconds(options: Mapping[str, Any], limits: Limits = UNLIMITED) -> float:
    """Return the seconds of a lent GPU that a run of the largest picture with these options takes.

    Raises:
        ValueError: as `run`, where the options tell.
    """
    settings, params = parse_options(options, limits)
    networks = weights.load(settings.model, settings.device, None, False, settings.bits == 16)
    side = settings.size or scale.longest(settings)
    task = Task((side, side), settings, params, methods.get(settings.method), networks)
    found = LENT * task.pixels * (1 + (task.cost.passes + task.cost.pairs * task.style_pixels) * task.iterations)
    return min(found, _time_limit(task))


def timed(steps: Steps, task: Task) -> Steps:
    """Pass a method's steps on, and learn from them how long such take; what the caller does between doesn't count."""
    spent, seen = 0.0, list[tuple[float, float]]()  # seconds, and the share of the work that was done by then
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
        if task.iterations > 1 and len(seen) > 1:  # the first one prepares
            (began, at_first), (ended, at_last) = seen[0], seen[-1]
            _learn(task, (ended - began) / (at_last - at_first) / task.iterations)


def _networks(stage: str) -> bool:
    return stage.startswith(("encode", "decode"))


def _learn(task: Task, seconds: float) -> None:
    task.networks.pace.learn(task.key, task.cost, task.pixels, task.style_pixels, seconds)


def _seconds(task: Task, cut: Iterable[tiles.Tile]) -> float:
    areas = [tile.area for tile in cut]
    again = len(areas) > 1 and not _kept(task, len(areas))
    seconds = task.networks.pace.rate * sum(areas) * (1.5 if again else 1)  # tiles are encoded once or twice
    if task.repaints:
        return seconds
    each = task.networks.pace.expect(task.key, task.cost, task.pixels, task.style_pixels)
    return min(seconds + each * task.iterations, _time_limit(task))


def _time_limit(task: Task) -> float:
    """Return the seconds after which an optimization ends."""
    if task.iterations == 1:
        return math.inf
    return min((getattr(task.params, name) for name in marked(task.params, Limited("seconds"))), default=math.inf)


def _side(task: Task, limits: Limits) -> int | None:
    """Return the side of tiles, or None to take the picture whole."""
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


def _bytes(task: Task, cut: Sequence[tiles.Tile]) -> int:
    """Return the bytes that a run takes."""
    pixels, largest = task.pixels, max(tile.area for tile in cut)
    needed = largest * cost.bytes_per_pixel(task.networks) + 16 * pixels  # and the picture itself, before and after
    needed += EXACT * pixels if task.settings.bits == 16 else 0
    needed += task.masks * (2 * pixels + 8 * largest)  # twice while they are made; a tile's are shared out as floats
    needed += task.cost.bytes * (pixels + task.style_pixels)
    return int(needed) + _kept(task, len(cut))


def _kept(task: Task, count: int) -> int:
    """Return the bytes of features that are kept from a first pass of tiles."""
    return 0 if task.networks.decoder is None else tiles.kept(count, cost.feature_bytes(task.networks) * task.pixels)
