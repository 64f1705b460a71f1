"""Reading and checking the pictures of a run: content, styles, regions, and masks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from cachetools import LRUCache
from PIL import Image
from torch import Tensor

from adain_core import images
from adain_core.contracts import Method, Region
from adain_core.controls import mixing, regions, scale
from adain_core.networks.model import Networks
from adain_core.runs import known
from adain_core.runs.settings import Settings

T = TypeVar("T")
EMPTY = {  # sentences about a mask or map that is black everywhere, by its role
    "style mask": "It is black or transparent everywhere; leave some of the style white.",
    "strength map": "It is black or transparent everywhere, so nothing is stylized.",
}
STRAY = 16  # a label map with more regions than this that have no settings is suspect
ROWS = 128  # processed at a time, to bound memory and stay in the CPU caches
DECODED: LRUCache[Hashable, images.Picture] = LRUCache(  # bytes
    2**25, getsizeof=lambda each: 4 * each.rgb.width * each.rgb.height
)
LOCK = threading.Lock()  # for DECODED


class PictureError(ValueError):
    """A picture was refused. `role` is its role, such as "content" or "style", and `index` its number from 0."""

    def __init__(self, role: str, index: int, sentence: str) -> None:
        super().__init__(f"{role.capitalize()}{f' {index + 1}' if index else ''}: {sentence}")
        self.role, self.index, self.sentence = role, index, sentence


@dataclass(frozen=True)
class Sources:
    """The inputs of a run besides the content, not yet read; see `pipeline.run`."""

    styles: Sequence[images.Source]
    style_masks: Sequence[images.Source | None] | None = None
    regions: images.Source | Mapping[int, images.Source] | None = None
    style_for: Mapping[int, images.Source | Sequence[images.Source] | None] | None = None
    region_strength: Mapping[int, float] | None = None
    mask: images.Source | None = None
    strength_map: images.Source | None = None

    @property
    def masks(self) -> int:
        """Number of masks and maps for the content."""
        maps = sum(each is not None for each in (self.mask, self.strength_map))
        return len({*(self.style_for or ()), *(self.region_strength or ())}) + maps


class Area(NamedTuple):
    """A region before its colors are prepared."""

    name: str
    mask: Tensor
    styles: Sequence[images.Picture]
    weights: Sequence[float]
    style_masks: Sequence[Tensor | None]
    strength: float = 1.0


@dataclass(frozen=True)
class Inputs:
    """The inputs of a run, read and checked.

    Attributes:
        content: the photograph.
        styles: styles of everything outside the regions.
        weights: weights of these styles, which sum to 1.
        style_masks: masks of these styles, or None.
        names: names of these styles, for a method that knows a set of styles; otherwise "".
        areas: the regions.
        strength: the strength map, [1,1,H,W], or None.
        notes: sentences about changes made to the pictures.
    """

    content: images.Picture
    styles: Sequence[images.Picture]
    weights: Sequence[float]
    style_masks: Sequence[Tensor | None]
    names: Sequence[str]
    areas: Sequence[Area]
    strength: Tensor | None
    notes: tuple[str, ...]

    @property
    def spatial(self) -> bool:
        """Whether the stylization varies across the picture."""
        return bool(self.areas) or self.strength is not None


def check(sources: Sources, settings: Settings, method: Method) -> Sequence[float]:
    """Check that there are styles if the method needs one; return their weights, which sum to 1.

    Raises:
        ValueError: a style is missing, or the weights don't match the styles.
    """
    if not sources.styles and method.needs_style and not any((sources.style_for or {}).values()):
        raise ValueError("Give at least one style.")
    return mixing.normalize(settings.weights, len(sources.styles)) if sources.styles else ()


def read(
    content: images.Picture,
    sources: Sources,
    weights: Sequence[float],
    settings: Settings,
    method: Method,
    networks: Networks,
) -> Inputs:
    """Read all inputs of a run besides the content.

    Raises:
        PictureError: a picture is refused.
        ValueError: a label doesn't exist, a strength is out of bounds, or the method doesn't support an input.
    """
    notes: list[str] = []
    longest = scale.longest(settings)
    if method.known_styles is None:
        styles = [load("style", style, longest, index) for index, style in enumerate(sources.styles)]
        names = [""] * len(styles)
    else:
        every = [_load_known(style, longest, index, method, networks) for index, style in enumerate(sources.styles)]
        styles, names = [style for style, _ in every], [name for _, name in every]
        notes += _without_effect(settings, method)
    masks = _read_style_masks(sources.style_masks, styles, notes)
    rest = Area("", torch.empty(0), styles, weights, masks)
    areas = _read_areas(content.size, settings.feather, longest, rest, sources, notes)
    map_ = sources.strength_map
    strength = None if map_ is None else read_mask("strength map", map_, content.size, notes)
    if strength is not None and not strength.any():
        notes.append(f"Strength map: {EMPTY['strength map']}")
    if any(mask is not None for mask in masks) and not method.spatial:
        raise ValueError(f"{method.title} doesn't support style masks; leave them out, or choose adain.")
    if settings.color == "palette" and (areas or strength is not None or sources.style_masks):
        raise ValueError("The palette color mode recolors the whole picture; leave out regions and masks.")
    of_styles = [f"Style {number}: {note}" for number, style in enumerate(styles, 1) for note in style.notes]
    return Inputs(content, styles, weights, masks, names, areas, strength, (*content.notes, *of_styles, *notes))


def _load_known(
    source: images.Source, longest: int, index: int, method: Method, networks: Networks
) -> tuple[images.Picture, str]:
    """Load the painting of a style that networks know, and return it with its name."""
    thumbnails = networks.generator.known
    name = refusing("style", index, lambda: known.name_in(source, thumbnails))
    if name is None:
        picture = load("style", source, longest, index)
        return picture, refusing(
            "style", index, lambda: known.recognize(images.to_tensor(picture.rgb), method, thumbnails)
        )
    if (path := known.file_of(name)) is not None:
        return load("style", path, longest, index), name
    return images.Picture(images.to_image(thumbnails[name][None])), name


def _without_effect(settings: Settings, method: Method) -> list[str]:
    """Say which settings change nothing, because the networks don't see the painting."""
    fields = (*scale.ScaleParams.model_fields, "color")
    changed = [name for name in fields if getattr(settings, name) != Settings.model_fields[name].default]
    if settings.color in ("luminance", "palette"):  # which work without a painting that the networks see
        changed.remove("color")
    words = " and ".join(name.replace("_", " ") for name in changed)
    return [f"{method.title} doesn't look at the painting, so {words} changed nothing."] if changed else []


def _read_areas(
    size: tuple[int, int], feather: float, longest: int, rest: Area, sources: Sources, notes: list[str]
) -> list[Area]:
    """Read the regions at the size of the content.

    Args:
        size: width and height of the content.
        feather: softness of the masks' edges in pixels.
        longest: longer side of a style in pixels.
        rest: the source of styles for regions that have none of their own.
        sources: label map or masks, styles, strengths, and mask.
        notes: receives sentences about anything unusual.
    """
    for name, each in {"style_for": sources.style_for, "region_strength": sources.region_strength}.items():
        if each is not None and not isinstance(each, Mapping):
            raise ValueError(f"{name} is {each!r}, but it must be a dict keyed by label.")
    style_for, strengths = dict(sources.style_for or {}), dict(sources.region_strength or {})
    masks = _read_regions(sources.regions, size, notes)
    _check_labels(masks, style_for, strengths)
    if masks and not style_for and not strengths:
        notes.append("No region has a style or strength of its own, so the regions change nothing.")
    open_ = None if sources.mask is None else read_mask("mask", sources.mask, size, notes, feather)
    chosen = [label for label in masks if label in style_for or label in strengths]
    if chosen and not isinstance(sources.regions, Mapping) and len(masks) - len(chosen) > STRAY:
        notes.append(
            f"{len(masks) - len(chosen)} of the {len(masks)} regions have no style or strength of their own. If the"
            " label map was scaled, softened, or saved as JPEG, save it as PNG with hard edges."
        )
    areas = []
    for label in chosen:
        mask = regions.fit(masks[label](), size, feather)
        area = rest._replace(name=str(label), strength=float(strengths.get(label, 1.0)))
        if label in style_for:
            own = [load(f"style of region {label}", source, longest) for source in _several(style_for[label])]
            notes += [f"Style of region {label}: {note}" for style in own for note in style.notes]
            area = area._replace(styles=own, weights=[1 / len(own) for _ in own], style_masks=[None] * len(own))
        areas.append(area._replace(mask=mask if open_ is None else regions.cut(mask, open_)))
    notes += [f"Region {each.name} is empty." for each in areas if not each.mask.any()]
    if open_ is not None:
        areas.append(Area("mask", 255 - open_, [], [], []))
        if not open_.any():
            notes.append("The mask is empty (black or transparent everywhere), so the picture is unchanged.")
    return areas


def _several(sources: images.Source | Sequence[images.Source] | None) -> Sequence[images.Source]:
    if sources is None:
        return []
    return sources if isinstance(sources, Sequence) and not isinstance(sources, str | bytes) else [sources]


def _read_regions(
    given: images.Source | Mapping[int, images.Source] | None, size: tuple[int, int], notes: list[str]
) -> Mapping[int, Callable[[], Image.Image]]:
    """Return functions that make the masks of the regions, by label."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {
            label: partial(_gray, f"mask of region {label}", source, size, notes) for label, source in given.items()
        }
    labels = refusing("label map", 0, lambda: images.load_labels(given))
    notes += labels.notes
    _check_shape("label map", given, (labels.values.shape[1], labels.values.shape[0]), size, notes)
    return regions.split(labels.values)


def _check_labels(masks: Mapping[int, Any], style_for: Mapping[int, Any], strengths: Mapping[int, Any]) -> None:
    for label in (*style_for, *strengths):
        if label not in masks:
            known = f"there are {', '.join(map(str, masks))}" if masks else "no label map or masks were given"
            raise ValueError(f"There is no region {label!r}; {known}.")
    for label, value in strengths.items():
        if not isinstance(value, (int, float, np.floating)) or not 0 <= value <= 1:
            raise ValueError(f"The strength of region {label} is {value!r:.40}, but it must be from 0 to 1.")


def _read_style_masks(
    given: Sequence[images.Source | None] | None, styles: Sequence[images.Picture], notes: list[str]
) -> list[Tensor | None]:
    """Read the masks of styles that have one, at the size of the style; `notes` receives anything unusual."""
    if isinstance(given, str | os.PathLike | Image.Image):
        given = [given]
    given = [None] * len(styles) if given is None else list(given)
    if len(given) != len(styles):
        raise ValueError(f"Styles: {len(styles)}, but style masks: {len(given)}; give one per style, or none.")
    found = [
        None if each is None else read_mask("style mask", each, style.size, notes, 0, index)
        for index, (each, style) in enumerate(zip(given, styles, strict=True))
    ]
    for index, each in enumerate(found):
        if each is not None and not each.any():
            raise PictureError("style mask", index, EMPTY["style mask"])
    return found


def untouched(painted: Sequence[Region], styles: bool) -> Image.Image | None:
    """Return a mask of the unchanged part, 255 where a pixel is fully unchanged; None if there is none."""
    chosen = [not each.styles for each in painted] + [not styles]
    if not painted or not any(chosen):
        return None
    height, width = painted[0].mask.shape[2:]
    found = torch.empty(height, width, dtype=torch.uint8)
    for rows in (slice(top, top + ROWS) for top in range(0, height, ROWS)):
        masks = [each.mask[:, :, rows] for each in painted]
        shares = regions.cover(masks, masks[0].shape[2:])[chosen].sum(0)
        found[rows] = shares[0].mul(255).round().to(torch.uint8)
    return Image.fromarray(found.numpy())


def load(role: str, source: images.Source, longest: int | None, index: int = 0) -> images.Picture:
    """Load a picture for a role; a style that would be too narrow at its size is loaded larger.

    Raises:
        PictureError: the picture is refused.
    """
    if longest is None or not role.startswith("style"):
        return refusing(role, index, lambda: _decoded(source, longest))
    source = refusing(role, index, lambda: known.picture(source))
    least = refusing(role, index, lambda: images.least_side(images.measure(source)))
    picture = refusing(role, index, lambda: _decoded(source, max(longest, least)))
    if least <= longest:
        return picture
    note = f"This picture is narrow, so it is scaled to {least} pixels, not {longest}."
    return replace(picture, notes=(*picture.notes, note))


def read_mask(
    role: str, source: images.Source, size: tuple[int, int], notes: list[str], feather: float = 0, index: int = 0
) -> Tensor:
    """Load a mask for a picture of some size, white inside; `notes` receives anything unusual.

    Raises:
        PictureError: the mask is refused, possibly because its aspect ratio differs from the picture's.
    """
    return regions.fit(_gray(role, source, size, notes, index), size, feather)


def _gray(role: str, source: images.Source, size: tuple[int, int], notes: list[str], index: int = 0) -> Image.Image:
    mask, found = refusing(role, index, lambda: images.load_mask(source))
    notes += [f"{role.capitalize()}: {each}" for each in found]
    _check_shape(role, source, mask.size, size, notes, index)
    return mask


def _check_shape(
    role: str, source: images.Source, own: tuple[int, int], size: tuple[int, int], notes: list[str], index: int = 0
) -> None:
    """Refuse a mask whose aspect ratio differs from the picture's; add a note if a file is enlarged."""
    refusing(role, index, lambda: images.check_shape(own, size))
    if own[0] < size[0] and not isinstance(source, Image.Image) and role != "style mask":  # styles are enlarged as well
        notes.append(f"{role.capitalize()}: it has {own[0]}x{own[1]} pixels and was enlarged to {size[0]}x{size[1]}.")


def _decoded(source: images.Source, longest: int | None) -> images.Picture:
    """Load a picture; recently loaded files are cached by size, unless they have changed."""
    if not isinstance(source, (str, os.PathLike)) or longest is None:
        return images.load(source, longest)
    try:
        file = os.stat(source)
    except (OSError, ValueError):
        return images.load(source, longest)  # raises the right error
    key = (os.path.abspath(source), longest, file.st_ino, file.st_size, file.st_mtime_ns)
    with LOCK:
        found = DECODED.get(key)
    if found is None:
        found = images.load(source, longest)
        with LOCK, suppress(ValueError):  # too large for the cache
            DECODED[key] = found
    return replace(found, rgb=found.rgb.copy())  # the caller may draw on it


def refusing(role: str, index: int, read: Callable[[], T]) -> T:
    """Read a picture, and turn an error into a PictureError that says which picture it was."""
    try:
        return read()
    except ValueError as error:
        raise PictureError(role, index, str(error)) from None
    except OSError as error:
        raise PictureError(role, index, f"This file can't be read: {error.strerror or 'the disk fails'}.") from None
