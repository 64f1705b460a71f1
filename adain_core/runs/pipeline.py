"""A run: read, plan, stylize, finish, and record. The page, the command line, and the Python API all use it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

from PIL import Image
from torch import Tensor

from adain_core import images, methods
from adain_core.contracts import UNLIMITED, Limits, Region, Spatial, Step, Steps, Stopwatch, Style
from adain_core.controls import color, strokes
from adain_core.networks.model import Networks
from adain_core.runs import inputs, memory, origins, record
from adain_core.runs.inputs import Area, Inputs
from adain_core.runs.inputs import PictureError as PictureError
from adain_core.runs.plan import Plan, Task, plan, timed
from adain_core.runs.plan import forecast as forecast
from adain_core.runs.plan import lent_seconds as lent_seconds
from adain_core.runs.plan import networks_for as networks_for
from adain_core.runs.settings import MAX_SIZE as MAX_SIZE
from adain_core.runs.settings import Settings as Settings
from adain_core.runs.settings import parse_options as parse_options
from adain_core.system import machine
from adain_core.weights import taught


@dataclass(frozen=True)
class Result:
    """An intermediate or final picture of a run.

    Attributes:
        image: RGB, or RGBA if the content has transparency, at the size of the content (after `size`). Its
            `info["adain"]` holds the record as JSON, which images.save writes to the file. With `bits=16`,
            `info["exact"]` holds all 16 bits, [H,W,3] or [H,W,4], for images.save with `bits=16`. None for a mere
            progress report.
        content: the content at the same size.
        record: what the run was given, how it computed, and what it measured, as docs/records.md says. JSON types only.
        iteration: number of this picture, from 1.
        iterations: maximum number of iterations.
        notes: sentences for the user about changes made to the pictures.
        doubt: why this picture can't be trusted if it ends up being the last one; also in the notes of the last one.
        progress: fraction of the work done, 0 to 1.
    """

    image: Image.Image | None
    content: Image.Image
    record: dict[str, Any]
    iteration: int
    iterations: int
    notes: tuple[str, ...]
    doubt: str = ""
    progress: float = 1.0


@memory.checked
def run(
    content: images.Source,
    styles: Sequence[images.Source] = (),
    *,
    style_masks: Sequence[images.Source | None] | None = None,
    regions: images.Source | Mapping[int, images.Source] | None = None,
    style_for: Mapping[int, images.Source | Sequence[images.Source] | None] | None = None,
    region_strength: Mapping[int, float] | None = None,
    mask: images.Source | None = None,
    strength_map: images.Source | None = None,
    style_weights: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = (),
    networks: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    limits: Limits = UNLIMITED,
    **options: Any,
) -> Generator[Result, None, None]:
    """Stylize a picture and yield the results: one for a feed-forward method, many for an optimization.

    Args:
        content: a file or a PIL image.
        styles: files, PIL images, or names of known styles; may be empty if regions have their own styles.
        style_masks: for each style a grayscale picture, white in the part to take the style from, or None.
        regions: a label map in which each value or color is a region (see images.load_labels), or grayscale masks by
            label, white inside, which may be soft and may overlap. Masks and maps need the content's aspect ratio, but
            not its size.
        style_for: by label, a region's style, several styles to mix equally, or None to leave the region unchanged.
            Other regions and uncovered parts use `styles`, or are left unchanged if there are none.
        region_strength: by label, a factor from 0 to 1 for the method's strength.
        mask: grayscale; white parts are stylized, black and transparent parts are left unchanged.
        strength_map: grayscale, white for full strength.
        style_weights: files of styles that were taught; their names may be given as styles, and are the styles if no
            others are given. The method is that of the first one by default.
        networks: the networks to use instead of the option `model`, or instead of those of a method that knows a set of
            styles.
        weights_dir: folder to search for weights first.
        download: whether to download missing weights from the Hub.
        limits: limits of the server.
        options: fields of Settings and of the method's parameters.

    Raises:
        PictureError: a picture is refused.
        ValueError: an option is out of bounds, weights don't match the styles, the picture is too large for the model,
            or memory runs out.
        weights.WeightsError: the weights are missing or can't be trusted.
    """
    learned = [taught.read(each) for each in _several(style_weights)]
    if learned:
        options, styles = {"method": learned[0].method, **options}, styles or [each.name for each in learned]
    settings, params = parse_options(options, limits)
    method, clock = methods.get(settings.method), Stopwatch()
    sources = inputs.Sources(styles, style_masks, regions, style_for, region_strength, mask, strength_map)
    shares = inputs.check(sources, settings, method)
    with clock("read"):
        picture = inputs.load("content", content, settings.size)
    with clock("load model"):
        networks = reduce(taught.add, learned, networks_for(settings, method, networks, weights_dir, download))
    task = Task(picture.size, settings, params, method, networks, sources.masks, len(styles))
    chosen = plan(task, limits)
    machine.reuse_memory(all(level.side is None for level in chosen.levels))
    with clock("read"):
        given = inputs.read(picture, sources, shares, settings, method, networks)
        facts = record.begin(task, given, origins.of(content, sources))
    with clock("color"):
        seen, spatial, mixed = _prepare(settings, given)

    def smaller(size: tuple[int, int]) -> Image.Image:
        """Read the content once more, so that it is what a run at this size sees."""
        read = inputs.load("content", content, max(size)).rgb
        return color.prepare_content(settings, read if read.size == size else read.resize(size))

    untouched = inputs.untouched(spatial.regions, bool(mixed))
    reconstructs = not task.repaints and (method.reconstructs(params) or list(styles) == [content])
    finished = -math.inf
    with contextlib.closing(timed(_steps(task, chosen, given, seen, mixed, spatial, smaller), task)) as steps:
        for step in steps:
            image, now = None, record.at(step, facts, clock.seconds)
            last = step.iteration == step.iterations or bool(step.note)
            if step.image is not None and (last or time.monotonic() - finished >= settings.interval):
                finished = time.monotonic()
                image = _finish(settings, picture, step.image, untouched)
                now |= record.measured(picture.rgb, image.convert("RGB"), reconstructs)
                image.info[images.RECORD] = json.dumps(now)
            notes = (*given.notes, *filter(None, (step.used, step.note, step.doubt if last else "")))
            yield Result(image, picture.rgb, now, step.iteration, step.iterations, notes, step.doubt, step.done)


def stylize(content: images.Source, style: images.Source | Sequence[images.Source] = (), **options: Any) -> Image.Image:
    """Render a photograph in the style of a painting.

    Args:
        content: the photograph, a file or a PIL image.
        style: the painting or the name of a known style, or several to mix.
        options: `alpha` (strength, 0 to 1), `weights` (one per style), `size` (longer side in pixels), `style_scale`
            (stroke size), `color` and `color_strength`, `regions`, `style_for`, `region_strength`, `mask`,
            `style_masks`, `strength_map`, `style_weights`, `model` ("compact" or "vgg19"), `method`, `seed`, `device`,
            `weights_dir`, `networks`; see `run` and Settings.

    Returns:
        RGB, or RGBA if the photograph has transparency, at the photograph's size or at `size`.

    Raises:
        ValueError: see `run`.
    """
    return next(stylize_all([content], style, **options))


def stylize_all(
    contents: Iterable[images.Source], style: images.Source | Sequence[images.Source] = (), **options: Any
) -> Iterator[Image.Image]:
    """Stylize photographs of any size one after another; the styles are encoded only once.

    Parameters and errors are the same as for `stylize`.
    """
    several = isinstance(style, Sequence) and not isinstance(style, str | bytes)
    styles: Any = style if several else [style]
    for content in contents:
        picture = deque(run(content, styles, **options), maxlen=1).pop().image
        assert picture is not None  # only earlier results may lack a picture
        yield picture


def _several(paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> Sequence[str | os.PathLike[str]]:
    return [paths] if isinstance(paths, str | os.PathLike) else paths


def _finish(settings: Settings, picture: images.Picture, made: Tensor, untouched: Image.Image | None) -> Image.Image:
    """Turn a method's output into the final picture: restore colors, unchanged parts, and transparency."""
    if settings.bits == 16:
        levels = color.finish_levels(settings, picture.rgb, images.to_levels(made))
        if untouched is not None:
            images.keep(levels, picture.rgb, untouched)
        return images.to_picture(levels, picture.alpha)
    image = color.finish(settings, picture.rgb, images.to_image(made))
    if untouched is not None:
        image.paste(picture.rgb, mask=untouched)
    if picture.alpha is not None:
        image.putalpha(picture.alpha)
    return image


def _prepare(settings: Settings, given: Inputs) -> tuple[Image.Image, Spatial, list[Style]]:
    """Prepare colors; return the content, the regions with their settings, and the styles outside them."""
    content = given.content.rgb
    pictures = [*given.styles, *(style for area in given.areas for style in area.styles)]
    colored = {id(style): color.prepare_style(settings, style.rgb, content) for style in pictures}

    def mixed(of: Inputs | Area, names: Sequence[str]) -> list[Style]:
        each = zip(of.styles, of.weights, of.style_masks, names, strict=True)
        return [Style(images.to_tensor(colored[id(style)]), weight, mask, name) for style, weight, mask, name in each]

    areas = [Region(area.mask, mixed(area, [""] * len(area.styles)), area.strength) for area in given.areas]
    return color.prepare_content(settings, content), Spatial(areas, given.strength), mixed(given, given.names)


def _steps(
    task: Task,
    chosen: Plan,
    given: Inputs,
    content: Image.Image,
    styles: Sequence[Style],
    spatial: Spatial,
    smaller: Callable[[tuple[int, int]], Image.Image],
) -> Steps:
    """Start the method, at each size that it makes the picture at, or the recoloring in palette mode.

    `smaller` makes the content at a smaller size than the result's.

    Raises:
        ValueError: the method doesn't support regions, masks, or tiles.
    """
    if task.repaints:
        return _repaint(task.settings, given.content.rgb, given.styles, given.weights)
    tiled = any(level.side is not None for level in chosen.levels)
    if (given.spatial or tiled) and not task.method.spatial:
        raise ValueError(
            f"{task.method.title} doesn't support regions, masks, or tiles; leave them out, or choose adain."
        )

    def contents() -> Iterator[Tensor]:
        for level in chosen.levels:
            picture = content if level.size == task.size else smaller(level.size)
            yield images.to_tensor(picture, exact=level.side is not None and task.settings.bits == 8)

    def start(seen: Tensor, number: int) -> Steps:
        level = chosen.levels[number]
        own = [strokes.enlarge_style(style, level.growth) for style in styles]
        if not given.spatial and level.side is None:
            return task.method.run(seen, own, task.params, task.networks)
        reduced = strokes.reduce_spatial(spatial, level.size, level.growth)
        return task.method.run(seen, own, task.params, task.networks, replace(reduced, side=level.side))

    if len(chosen.levels) == 1:
        return start(next(contents()), 0)
    return strokes.coarse_to_fine(contents(), [math.prod(level.size) for level in chosen.levels], start)


def _repaint(
    settings: Settings, content: Image.Image, styles: Sequence[images.Picture], weights: Sequence[float]
) -> Steps:
    clock, so_far = Stopwatch(), 0.0
    mixed = content
    with clock("color"):
        for style, share in sorted(zip(styles, weights, strict=True), key=lambda each: -each[1]):
            so_far += share  # never 0, because negative shares come last
            mixed = Image.blend(mixed, color.repaint(settings, content, style.rgb), share / so_far)
    yield Step(images.to_tensor(mixed, exact=True), seconds=clock.seconds)
