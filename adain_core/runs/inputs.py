"""What differs from place to place in a run, read and checked: regions with their styles, masks, style masks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar

import torch
from cachetools import LRUCache
from PIL import Image
from torch import Tensor

from adain_core import images
from adain_core.contracts import Region
from adain_core.controls import regions

T = TypeVar("T")
STRAY = 16  # regions without anything of their own beyond which a label map is suspect
ROWS = 128  # taken at a time, which bounds memory and stays in the caches
DECODED: LRUCache[Hashable, images.Picture] = LRUCache(  # bytes
    2**25, getsizeof=lambda each: 4 * each.rgb.width * each.rgb.height
)
LOCK = threading.Lock()  # of DECODED


class PictureError(ValueError):
    """A picture was refused. `role` is "content" or "style", `index` which style, from 0."""

    def __init__(self, role: str, index: int, sentence: str) -> None:
        super().__init__(f"{role.capitalize()}{f' {index + 1}' if index else ''}: {sentence}")
        self.role, self.index, self.sentence = role, index, sentence


class Part(NamedTuple):
    """A region before its colors are prepared."""

    name: str
    mask: Tensor
    looks: Sequence[images.Picture]
    shares: Sequence[float]
    strength: float


def read_parts(
    size: tuple[int, int],
    feather: float,
    longest: int,
    looks: Sequence[images.Picture],
    shares: Sequence[float],
    given: images.Source | Mapping[int, images.Source] | None,
    style_for: Mapping[int, images.Source | Sequence[images.Source] | None] | None,
    strengths: Mapping[int, float] | None,
    mask: images.Source | None,
) -> tuple[list[Part], list[str]]:
    """Read the regions that `pipeline.run` is given, at the content's size, and say what is odd about them.

    Args:
        size: of the content, width and height.
        feather: of the masks, in pixels.
        longest: side of a style, in pixels.
        looks: the run's styles, which a region without its own takes, and their shares.
        shares: as above.
        given: label map or masks, `style_for`, `strengths` and `mask` as in `run`.
        style_for: as above.
        strengths: as above.
        mask: as above.

    Raises:
        PictureError: a picture is refused.
        ValueError: a label isn't there, or a strength is out of bounds.
    """
    for name, each in {"style_for": style_for, "region_strength": strengths}.items():
        if each is not None and not isinstance(each, Mapping):
            raise ValueError(f"{name} is {each!r}, but it must be a dict by label.")
    style_for, strengths = dict(style_for or {}), dict(strengths or {})
    masks: Mapping[int, Callable[[], Image.Image]] = {}
    notes: list[str] = []
    if isinstance(given, Mapping):
        masks = {
            label: partial(_grey, f"mask of region {label}", source, size, notes) for label, source in given.items()
        }
    elif given is not None:
        labels = refusing("label map", 0, lambda: images.load_labels(given))
        notes += labels.notes
        _check_shape("label map", given, (labels.values.shape[1], labels.values.shape[0]), size, notes)
        masks = regions.split(labels.values)
    for label in (*style_for, *strengths):
        if label not in masks:
            there = f"there are {', '.join(map(str, masks))}" if masks else "no label map or masks were given"
            raise ValueError(f"There is no region {label!r}; {there}.")
    for label, value in strengths.items():
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"The strength of region {label} is {value!r}, but it must be from 0 to 1.")
    if masks and not style_for and not strengths:
        notes.append("No region has a style or strength of its own, so the regions change nothing.")
    open_ = None if mask is None else read_mask("mask", mask, size, notes, feather)
    chosen = [label for label in masks if label in style_for or label in strengths]
    found = []
    if chosen and not isinstance(given, Mapping) and len(masks) - len(chosen) > STRAY:
        notes.append(
            f"{len(masks) - len(chosen)} of the {len(masks)} regions have no style or strength of their own. If the"
            " label map was scaled, softened or saved as JPEG, save it as PNG with hard edges."
        )
    for label in chosen:
        area = regions.fit(masks[label](), size, feather)
        own, part = looks, shares
        if label in style_for:
            sources: Any = style_for[label]
            several = isinstance(sources, Sequence) and not isinstance(sources, str | bytes)
            sources = [] if sources is None else sources if several else [sources]
            own = [load(f"style of region {label}", source, longest) for source in sources]
            notes += [f"Style of region {label}: {note}" for look in own for note in look.notes]
            part = [1 / len(own) for _ in own]
        area = area if open_ is None else regions.cut(area, open_)
        found.append(Part(str(label), area, own, part, strengths.get(label, 1.0)))
    notes += [f"Region {each.name} is empty." for each in found if not each.mask.any()]
    if open_ is not None:
        found.append(Part("mask", 255 - open_, [], [], 1.0))
        if not open_.any():
            notes.append("The mask is empty, black or transparent everywhere, so the picture stays as it is.")
    return found, notes


def read_style_masks(
    given: Sequence[images.Source | None] | None, looks: Sequence[images.Picture], notes: list[str]
) -> list[Tensor | None]:
    """Read each style's mask at its size, where it has one; `notes` gets what is odd; raises as `read_parts`."""
    if isinstance(given, str | os.PathLike | Image.Image):
        given = [given]
    given = [None] * len(looks) if given is None else list(given)
    if len(given) != len(looks):
        raise ValueError(f"Styles: {len(looks)}, but style masks: {len(given)}; give one a style, or none.")
    found = [
        None if each is None else read_mask("style mask", each, look.size, notes, 0, index)
        for index, (each, look) in enumerate(zip(given, looks, strict=True))
    ]
    for index, each in enumerate(found):
        if each is not None and not each.any():
            sentence = "It is black or transparent everywhere; leave some of the style white."
            raise PictureError("style mask", index, sentence)
    return found


def untouched(painted: Sequence[Region], styles: bool) -> Image.Image | None:
    """Return a mask of what stays as it is, 255 for wholly; None where that is nothing."""
    chosen = [not each.styles for each in painted] + [not styles]
    if not any(chosen):
        return None
    height, width = painted[0].mask.shape[2:]
    found = torch.empty(height, width, dtype=torch.uint8)
    for rows in (slice(top, top + ROWS) for top in range(0, height, ROWS)):
        masks = [each.mask[:, :, rows] for each in painted]
        shares = regions.cover(masks, masks[0].shape[2:])[chosen].sum(0)
        found[rows] = shares[0].mul(255).round().to(torch.uint8)
    return Image.fromarray(found.numpy())


def load(role: str, source: images.Source, longest: int | None, index: int = 0) -> images.Picture:
    """Load a picture for a role, or say which was refused.

    A style too narrow for its size is taken as much larger as it must be: there are few pixels in it.
    """
    if longest is None or not role.startswith("style"):
        return refusing(role, index, lambda: _decoded(source, longest))
    least = refusing(role, index, lambda: images.least_side(images.measure(source)))
    picture = refusing(role, index, lambda: _decoded(source, max(longest, least)))
    if least <= longest:
        return picture
    note = f"This picture is narrow, so it is seen at {least} pixels, not {longest}."
    return replace(picture, notes=(*picture.notes, note))


def read_mask(
    role: str, source: images.Source, size: tuple[int, int], notes: list[str], feather: float = 0, index: int = 0
) -> Tensor:
    """Load a mask for a picture of some size, white inside; `notes` gets what is odd about it.

    Raises:
        PictureError: it is refused, also where its shape is not the picture's.
    """
    return regions.fit(_grey(role, source, size, notes, index), size, feather)


def _grey(role: str, source: images.Source, size: tuple[int, int], notes: list[str], index: int = 0) -> Image.Image:
    mask, told = refusing(role, index, lambda: images.load_mask(source))
    notes += [f"{role.capitalize()}: {each}" for each in told]
    _check_shape(role, source, mask.size, size, notes, index)
    return mask


def _check_shape(
    role: str, source: images.Source, own: tuple[int, int], size: tuple[int, int], notes: list[str], index: int = 0
) -> None:
    """Refuse a mask that doesn't have a picture's shape, but for rounding; tell where a file's is scaled up."""
    refusing(role, index, lambda: images.check_shape(own, size))
    if own[0] < size[0] and not isinstance(source, Image.Image) and role != "style mask":  # styles are enlarged, too
        notes.append(f"{role.capitalize()}: it has {own[0]}x{own[1]} pixels and was enlarged to {size[0]}x{size[1]}.")


def _decoded(source: images.Source, longest: int | None) -> images.Picture:
    """Load a picture; a file that was loaded lately at that size isn't decoded again, unless it has changed."""
    if not isinstance(source, (str, os.PathLike)) or longest is None:
        return images.load(source, longest)
    try:
        file = os.stat(source)
    except (OSError, ValueError):
        return images.load(source, longest)  # which says what is wrong
    key = (os.path.abspath(source), longest, file.st_ino, file.st_size, file.st_mtime_ns)
    with LOCK:
        found = DECODED.get(key)
    if found is None:
        found = images.load(source, longest)
        with LOCK, suppress(ValueError):  # too large to keep
            DECODED[key] = found
    return replace(found, rgb=found.rgb.copy())  # whoever gets it may draw on it


def refusing(role: str, index: int, read: Callable[[], T]) -> T:
    """Read a picture; what is refused becomes a PictureError that says which picture it was."""
    try:
        return read()
    except ValueError as error:
        raise PictureError(role, index, str(error)) from None
    except OSError as error:
        raise PictureError(role, index, f"This file can't be read: {error.strerror or 'the disk fails'}.") from None
