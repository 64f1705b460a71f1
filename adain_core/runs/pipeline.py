"""A picture's way, once: load, method, save. The page, the command line and Python differ only in its two ends."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from adain_core import images, methods, weights
from adain_core.contracts import (
    LIMITS,
    Method,
    MethodParams,
    Region,
    SizeError,
    Space,
    Step,
    Stopwatch,
    Style,
)
from adain_core.controls import color, mixing, regions, scale, tiles
from adain_core.images import metrics
from adain_core.networks import costs
from adain_core.networks.model import Networks
from adain_core.runs import inputs
from adain_core.runs.inputs import PictureError as PictureError
from adain_core.runs.settings import MAX_SIZE as MAX_SIZE
from adain_core.runs.settings import Settings as Settings
from adain_core.runs.settings import parse_options as parse_options
from adain_core.system import machine

MANY = 16  # tiles beyond which they are made larger: many allocations leave memory in fragments
LARGE = 700_000_000  # bytes that a tile may take then
WHOLE = 2  # tiles' areas that a picture may have and still be taken whole
EXACT = 48  # bytes that 16 bits take for a pixel: floats before and after, levels, and their file
CONTROLS = (color.Params, scale.Params, regions.Params, tiles.Params)


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
    """

    image: Image.Image | None
    content: Image.Image
    record: dict[str, Any]
    iteration: int
    iterations: int
    notes: tuple[str, ...]
    doubt: str = ""


class Forecast(NamedTuple):
    """What a run will take.

    Attributes:
        seconds: to encode and decode the picture, by what this machine needs for a pixel.
        bytes: of memory, above what the process holds.
        tiles: how many; 1 where the picture is taken whole.
        size: of the result, width and height in pixels.
    """

    seconds: float
    bytes: int
    tiles: int
    size: tuple[int, int]


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
    **options: Any,
) -> Iterator[Result]:
    """Stylize a picture and yield it as it comes: once for a feed-forward method, many times for an optimization.

    Args:
        content: a file or a PIL image.
        styles: files or PIL images; they may be none where regions have styles of their own.
        style_masks: for each style a grey picture, white where the style is taken from, or None.
        regions: a label map, in which each value or each color is a region (see images.load_labels), or grey masks by
            label, white inside, which may be soft and overlap. Masks and maps have the content's shape, at any size.
        style_for: by label the style of a region, several to mix in equal shares, or None to leave it as it is. Labels
            that aren't named, and what no region covers, take `styles`; without these they stay as they are.
        region_strength: by label, 0 to 1, times the method's own.
        mask: grey, white where the picture is stylized; where it is black or transparent it stays as it is.
        strength_map: grey, white for full strength.
        networks: an encoder and its decoder; those of the option `model` where not given.
        weights_dir: where to look for weights before the Hub.
        download: whether to fetch from the Hub weights that are not here.
        options: fields of Settings and of the method's parameters.

    Raises:
        PictureError: a picture is refused.
        ValueError: an option is out of bounds, weights don't fit the styles, the picture is too large for the model.
        weights.WeightsError: the weights can't be had.
    """
    settings, params = parse_options(options)
    method = methods.get(settings.method)
    if not styles and not any(style_for.values() if style_for else ()):
        raise ValueError("Give at least one style.")
    shares = mixing.normalize(settings.weights, len(styles)) if styles else ()
    clock = Stopwatch()
    with clock("read"):
        picture = inputs.load("content", content, settings.size)
    with clock("load model"):
        networks = networks or weights.load(settings.model, settings.device, weights_dir, download, settings.bits == 16)
    if settings.bits == 16 and networks.dtype != torch.float32:
        raise ValueError("These networks make 8 bits a channel; load them with exact=True, or leave out bits.")
    side = _side(picture.size, settings, method, networks)
    machine.keep_freed(side is None)
    plan = tiles.plan(picture.size[1], picture.size[0], side, networks.reach)
    masks = len({*(style_for or ()), *(region_strength or ())}) + sum(each is not None for each in (mask, strength_map))
    _check_memory(picture.size, [tile.area for tile in plan], networks, masks, settings.bits)
    with clock("read"):
        longest = scale.longest(settings)
        looks = [inputs.load("style", style, longest, index) for index, style in enumerate(styles)]
        parts, odd = inputs.read_parts(
            picture.size, settings.feather, longest, looks, shares, regions, style_for, region_strength, mask
        )
        cuts = inputs.read_style_masks(style_masks, looks, odd)
        paint = None if strength_map is None else inputs.read_mask("strength map", strength_map, picture.size, odd)
    if any(cut is not None for cut in cuts) and not method.spatial:
        raise ValueError(f"{method.title} knows no style masks; leave them out, or choose adain.")
    if settings.color == "palette" and (parts or paint is not None or style_masks):
        raise ValueError("The color mode palette paints the whole picture; leave out regions and masks.")
    notes = (
        *picture.notes,
        *(f"Style {n}: {note}" for n, look in enumerate(looks, 1) for note in look.notes),
        *odd,
    )
    record = {
        "method": method.name,
        "preset": settings.preset,
        "model": networks.name,
        "device": networks.device.type,
        "content_size": list(picture.size),
        "style_sizes": [list(look.size) for look in looks],
        "weights": list(shares),
        "bits": settings.bits,
        **settings.model_dump(mode="json", include={name for each in CONTROLS for name in each.model_fields}),
        **params.model_dump(mode="json"),
    }
    if parts:
        record["regions"] = {each.name: {"styles": len(each.looks), "strength": each.strength} for each in parts}
    with clock("color"):
        seen = color.prepare_content(settings, picture.rgb)
        prepared = {id(each): color.prepare_style(settings, each.rgb, picture.rgb) for each in looks}
        prepared |= {
            id(each): color.prepare_style(settings, each.rgb, picture.rgb) for part in parts for each in part.looks
        }

    def styled(looks: Sequence[images.Picture], shares: Sequence[float], cuts: Sequence[Tensor | None]) -> list[Style]:
        each = zip(looks, shares, cuts, strict=True)
        return [Style(images.to_tensor(prepared[id(look)]), share, cut) for look, share, cut in each]

    tensors = styled(looks, shares, cuts)
    painted = [
        Region(part.mask, styled(part.looks, part.shares, [None] * len(part.looks)), part.strength) for part in parts
    ]
    space = Space(painted, paint, side)
    if settings.color == "palette":
        steps = _repaint(settings, picture.rgb, looks, shares)
    elif not painted and paint is None and side is None:
        steps = method.run(images.to_tensor(seen), tensors, params, networks)
    elif method.spatial:
        steps = method.run(
            images.to_tensor(seen, exact=side is not None and settings.bits == 8), tensors, params, networks, space
        )
    else:
        raise ValueError(f"{method.title} knows no regions, masks or tiles; leave them out, or choose adain.")
    itself = getattr(params, "alpha", 1) == 0 or not method.styled or list(styles) == [content]
    untouched = inputs.untouched(painted, bool(tensors))
    finished, before = -math.inf, time.perf_counter()
    with contextlib.closing(steps):
        for step in steps:
            if step.losses and step.iteration > 1:
                networks.learn(method.name, math.prod(picture.size), time.perf_counter() - before)
            elif step.image is not None and step.iterations == 1:
                costs.learn(method, params, networks, math.prod(picture.size), longest, step.seconds)
            image = None
            last = step.iteration == step.iterations or bool(step.note)
            if step.image is not None and (last or time.monotonic() - finished >= settings.interval):
                finished = time.monotonic()
                image = _finish(settings, picture, step.image, untouched)
            seconds = {name: round(value, 4) for name, value in {**clock.seconds, **step.seconds}.items()}
            full = {
                **record,
                "used": step.used,
                "note": step.note,
                "doubt": step.doubt,
                "iteration": step.iteration,
                "losses": dict(step.losses),
                "seconds": seconds,
            }
            if image is not None:
                flat = image.convert("RGB")
                full["color_shift"] = round(color.color_shift(picture.rgb, flat), 2)
                if itself:
                    full["reconstruction"] = _reconstruction(picture.rgb, flat)
                image.info[images.RECORD] = json.dumps(full)
            told = (*notes, *filter(None, (step.used, step.note, step.doubt if last else "")))
            yield Result(image, picture.rgb, full, step.iteration, step.iterations, told, step.doubt)
            before = time.perf_counter()


def forecast(
    content: images.Source,
    *,
    masks: int = 0,
    networks: Networks | None = None,
    weights_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Forecast:
    """Say what `run` with these options will take; styles are left out, since they are small and remembered.

    The first time, the networks are tried on 256x256 pixels to see how fast this machine is.

    Args:
        content: as for `run`.
        masks: how many regions with a style or a strength, masks and maps there will be.
        networks: as for `run`.
        weights_dir: as for `run`.
        options: as for `run`.

    Raises:
        ValueError: as `run`, where the picture's head or the options tell; there is too little memory.
    """
    settings, params = parse_options(options)
    method = methods.get(settings.method)
    size = inputs.refusing("content", 0, lambda: images.measure(content, settings.size))
    networks = networks or weights.load(settings.model, settings.device, weights_dir, False, settings.bits == 16)
    plan = tiles.plan(size[1], size[0], _side(size, settings, method, networks), networks.reach)
    areas = [tile.area for tile in plan]
    again = len(plan) > 1 and not _kept(size[0] * size[1], len(plan), networks)
    seconds = networks.rate * sum(areas) * (1.5 if again else 1)  # tiles are encoded once or twice
    seconds += costs.expect(method, params, networks, size[0] * size[1], scale.longest(settings))
    if steps := _steps(params, networks):
        seconds = min(networks.pace(method.name) * sum(areas) * steps, getattr(params, "seconds", math.inf))
    return Forecast(seconds, _check_memory(size, areas, networks, masks, settings.bits), len(plan), size)


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


def _reconstruction(content: Image.Image, image: Image.Image) -> dict[str, float]:
    """Measure how near the networks come to a picture that they don't stylize, in its middle 1024x1024 pixels."""
    left, top = (max(0, side - 1024) // 2 for side in content.size)
    box = (left, top, min(left + 1024, content.width), min(top + 1024, content.height))
    one, other = (images.to_tensor(each.crop(box)) for each in (content, image))
    levels = 255 * float((one - other).abs().mean())
    return {"ssim": round(float(metrics.ssim(one, other)), 4), "difference": round(levels, 2)}


def _steps(params: MethodParams, networks: Networks) -> int:
    """Return how many steps an optimization has, 0 for a single pass."""
    by = getattr(params, "by", "")  # of style_swap
    optimized = by == "optimization" or (by == "auto" and networks.inverse is None)
    return getattr(params, "iterations" if optimized else "steps", 0)


def _repaint(
    settings: Settings, content: Image.Image, looks: Sequence[images.Picture], shares: Sequence[float]
) -> Generator[Step, None, None]:
    clock, so_far = Stopwatch(), 0.0
    mixed = content
    with clock("color"):
        for look, share in sorted(zip(looks, shares, strict=True), key=lambda each: -each[1]):
            so_far += share  # never 0: those that are negative come last
            mixed = Image.blend(mixed, color.repaint(settings, content, look.rgb), share / so_far)
    yield Step(images.to_tensor(mixed, exact=True), seconds=clock.seconds)


def _side(size: tuple[int, int], settings: Settings, method: Method, networks: Networks) -> int | None:
    """Return the side of tiles, or None to take the picture whole."""
    if max(size) > (most := LIMITS.get("size", MAX_SIZE**2)):
        raise SizeError(f"The picture has {size[0]}x{size[1]} pixels; this server takes a size of at most {most:g}.")
    pixels = size[0] * size[1]
    if settings.tile == "on" or (settings.tile == "auto" and method.spatial and pixels > WHOLE * networks.tile**2):
        if pixels <= MANY * networks.tile**2:
            return networks.tile
        seen = int((LARGE / networks.bytes_per_pixel) ** 0.5)
        return max(networks.tile, min(2 * networks.tile, seen - 2 * networks.reach))
    if pixels > networks.max_pixels:
        side = int(max(size) * (networks.max_pixels / pixels) ** 0.5)
        raise SizeError(
            f"The picture has {size[0]}x{size[1]} pixels, too many for {networks.name} at once; choose a size of at"
            f" most {min(side, MAX_SIZE)}{', or tiles' if method.spatial else ''}."
        )
    return None


def _kept(pixels: int, count: int, networks: Networks) -> int:
    return 0 if networks.decoder is None else tiles.kept(count, networks.feature_bytes * pixels)


def _check_memory(
    size: tuple[int, int], areas: Sequence[int], networks: Networks, masks: int = 0, bits: int = 8
) -> int:
    """Return the bytes that a picture takes, and refuse it if they aren't free."""
    pixels = size[0] * size[1]
    needed = int(max(areas) * networks.bytes_per_pixel + 16 * pixels)  # and the picture itself, before and after
    needed += EXACT * pixels if bits == 16 else 0
    needed += masks * (2 * pixels + 8 * max(areas))  # twice while they are made; a tile's are shared out as floats
    needed += _kept(pixels, len(areas), networks)
    if needed > (free := machine.free_memory()):
        raise SizeError(
            f"A picture of {size[0]}x{size[1]} pixels needs about {needed / 1e9:.1f} GB of memory, but {free / 1e9:.1f}"
            " GB are free; choose a smaller size."
        )
    return needed
