"""A run, once: read, plan, stylize, finish, record. The page, the command line and Python share it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image
from torch import Tensor

from adain_core import images, methods, weights
from adain_core.contracts import UNLIMITED, Limits, Region, Spatial, Step, Steps, Stopwatch, Style
from adain_core.controls import color
from adain_core.networks.model import Networks
from adain_core.runs import inputs, memory, record
from adain_core.runs.inputs import Area, Inputs
from adain_core.runs.inputs import PictureError as PictureError
from adain_core.runs.plan import Plan, Task, plan, timed
from adain_core.runs.plan import forecast as forecast
from adain_core.runs.plan import lent_seconds as lent_seconds
from adain_core.runs.settings import MAX_SIZE as MAX_SIZE
from adain_core.runs.settings import Settings as Settings
from adain_core.runs.settings import parse_options as parse_options
from adain_core.system import machine


@dataclass(frozen=True)
class Result:
    """A picture on the way, or the last one.

    Attributes:
        image: RGB, or RGBA where the content is transparent, of the content's size (after `size`). Its `info["adain"]`
            holds the record as JSON, and images.save writes it into a PNG; with `bits=16`, `info["exact"]` holds all
            16 bits, [H,W,3] or [H,W,4], and images.save writes these with `bits=16`. None where there is only progress
            to tell.
        content: what the method got, of the same size.
        record: settings, model, seconds by stage, `color_shift` (mean Delta E against the content); where strength is 0
            or the content its own style, `reconstruction` with `ssim` and the mean `difference` in levels of 255. JSON
            types only.
        iteration: counts from 1 to `iterations`.
        notes: sentences for the user on what was done to the pictures.
        doubt: why the picture is no result to go by, should it be the last one; the notes of the last one have it, too.
        progress: share of the work that is done, 0 to 1.
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
    networks: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    limits: Limits = UNLIMITED,
    **options: Any,
) -> Generator[Result, None, None]:
    """Stylize a picture and yield it as it comes: once for a feed-forward method, many times for an optimization.

    Args:
        content: a file or a PIL image.
        styles: files or PIL images; they may be none where regions have styles of their own.
        style_masks: for each style a gray picture, white where the style is taken from, or None.
        regions: a label map, in which each value or each color is a region (see images.load_labels), or gray masks by
            label, white inside, which may be soft and overlap. Masks and maps have the content's shape, at any size.
        style_for: by label the style of a region, several to mix in equal shares, or None to leave it as it is. Labels
            that aren't named, and what no region covers, take `styles`; without these they stay as they are.
        region_strength: by label, 0 to 1, times the method's own.
        mask: gray, white where the picture is stylized; where it is black or transparent it stays as it is.
        strength_map: gray, white for full strength.
        networks: an encoder and its decoder; those of the option `model` where not given.
        weights_dir: where to look for weights before the Hub.
        download: whether to fetch from the Hub weights that are not here.
        limits: of the server.
        options: fields of Settings and of the method's parameters.

    Raises:
        PictureError: a picture is refused.
        ValueError: an option is out of bounds, weights don't fit the styles, the picture is too large for the model, or
            memory runs out.
        weights.WeightsError: the weights can't be had.
    """
    settings, params = parse_options(options, limits)
    method, clock = methods.get(settings.method), Stopwatch()
    sources = inputs.Sources(styles, style_masks, regions, style_for, region_strength, mask, strength_map)
    shares = inputs.check(sources, settings, method)
    with clock("read"):
        picture = inputs.load("content", content, settings.size)
    with clock("load model"):
        networks = networks or weights.load(settings.model, settings.device, weights_dir, download, settings.bits == 16)
    inputs.check_known(sources, method, networks)
    task = Task(picture.size, settings, params, method, networks, sources.masks, len(styles))
    chosen = plan(task, limits)
    machine.reuse_memory(chosen.side is None)
    with clock("read"):
        given = inputs.read(picture, sources, shares, settings, method)
    facts = record.begin(task, given)
    with clock("color"):
        seen, spatial, mixed = _prepare(settings, given, chosen)
    untouched = inputs.untouched(spatial.regions, bool(mixed))
    reconstructs = not task.repaints and (method.reconstructs(params) or list(styles) == [content])
    finished = -math.inf
    with contextlib.closing(timed(_steps(task, given, seen, mixed, spatial), task)) as steps:
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
    """Show a photograph in a painting's style.

    Args:
        content: the photograph, a file or a PIL image.
        style: the painting, or several to mix.
        options: `alpha` (strength, 0 to 1), `weights` (one a style), `size` (pixels of the longer side), `style_scale`
            (stroke size), `color` and `color_strength`, `regions`, `style_for`, `region_strength`, `mask`,
            `style_masks`, `strength_map`, `model` ("compact" or "vgg19"), `method`, `seed`, `device`, `weights_dir`,
            `networks`; see `run` and Settings.

    Returns:
        RGB, or RGBA where the photograph is transparent, of the photograph's size or of `size`.

    Raises:
        ValueError: as `run`.
    """
    return next(stylize_all([content], style, **options))


def stylize_all(
    contents: Iterable[images.Source], style: images.Source | Sequence[images.Source] = (), **options: Any
) -> Iterator[Image.Image]:
    """Stylize photographs of any sizes one after the other; the styles are encoded once.

    Parameters and errors are those of `stylize`.
    """
    several = isinstance(style, Sequence) and not isinstance(style, str | bytes)
    styles: Any = style if several else [style]
    for content in contents:
        picture = deque(run(content, styles, **options), maxlen=1).pop().image
        assert picture is not None  # progress comes before
        yield picture


def _finish(settings: Settings, picture: images.Picture, made: Tensor, untouched: Image.Image | None) -> Image.Image:
    """Turn what a method made into the picture, with the photograph's colors, parts and transparency put back."""
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


def _prepare(settings: Settings, given: Inputs, chosen: Plan) -> tuple[Tensor, Spatial, list[Style]]:
    """Prepare colors; return the content, what varies over it, and the styles of what the regions leave."""
    content = given.content.rgb
    pictures = [*given.styles, *(style for area in given.areas for style in area.styles)]
    colored = {id(style): color.prepare_style(settings, style.rgb, content) for style in pictures}

    def mixed(of: Inputs | Area) -> list[Style]:
        each = zip(of.styles, of.weights, of.style_masks, strict=True)
        return [Style(images.to_tensor(colored[id(style)]), weight, mask) for style, weight, mask in each]

    areas = [Region(area.mask, mixed(area), area.strength) for area in given.areas]
    exact = chosen.side is not None and settings.bits == 8
    seen = images.to_tensor(color.prepare_content(settings, content), exact=exact)
    return seen, Spatial(areas, given.strength, chosen.side), mixed(given)


def _steps(task: Task, given: Inputs, content: Tensor, styles: Sequence[Style], spatial: Spatial) -> Steps:
    """Begin what makes the picture."""
    if task.repaints:
        return _repaint(task.settings, given.content.rgb, given.styles, given.weights)
    if not given.spatial and spatial.side is None:
        return task.method.run(content, styles, task.params, task.networks)
    if task.method.spatial:
        return task.method.run(content, styles, task.params, task.networks, spatial)
    raise ValueError(f"{task.method.title} doesn't support regions, masks or tiles; leave them out, or choose adain.")


def _repaint(
    settings: Settings, content: Image.Image, styles: Sequence[images.Picture], weights: Sequence[float]
) -> Steps:
    clock, so_far = Stopwatch(), 0.0
    mixed = content
    with clock("color"):
        for style, share in sorted(zip(styles, weights, strict=True), key=lambda each: -each[1]):
            so_far += share  # never 0: those that are negative come last
            mixed = Image.blend(mixed, color.repaint(settings, content, style.rgb), share / so_far)
    yield Step(images.to_tensor(mixed, exact=True), seconds=clock.seconds)
