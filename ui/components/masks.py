"""Masks: loaded ones keep their size and soft edges, and paint is laid over them at the canvas's size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from adain_core import images
from ui.components.painting import BRUSHES, SIDE, to_gray, to_labels

NEAREST = Image.Resampling.NEAREST


class Source(NamedTuple):
    """The source of a region's mask: a gray picture, or one label of a label map."""

    path: str
    label: int | None = None


class Loaded(NamedTuple):
    """The loaded masks by region, the labels shown on the canvas, and notes for the visitor."""

    sources: Mapping[int, Source]
    shown: Image.Image
    notes: tuple[str, ...] = ()


def load_map(path: str, size: tuple[int, int]) -> Loaded:
    """Load a label map for a canvas of the given size.

    Raises:
        ValueError: as images.load_labels; a label above 8.
    """
    values, notes = _values(path)
    images.check_shape((values.shape[1], values.shape[0]), size)
    sources = {label: Source(path, label) for label in BRUSHES if (values == label).any()}
    return Loaded(sources, merge(_read_all(sources, max(size)), size), notes)


def load_masks(
    paths: Sequence[str], sources: Mapping[int, Source], free: Sequence[int], size: tuple[int, int]
) -> Loaded:
    """Load gray masks in addition to the existing ones, for the free regions in the given order.

    Raises:
        ValueError: as images.load; there are more masks than free regions.
    """
    if len(paths) > len(free):
        raise ValueError(
            f"Masks: {len(paths)}, but free regions: {len(free)} of {len(BRUSHES)}; erase some regions, or load fewer."
        )
    notes: list[str] = []
    for label, path in zip(free, paths, strict=False):
        mask, found = images.load_mask(path)
        images.check_shape(mask.size, size)
        notes += [f"Mask of region {label}: {note}" for note in found]
    sources = {**sources, **{label: Source(path) for label, path in zip(free, paths, strict=False)}}
    return Loaded(sources, merge(_read_all(sources, max(size)), size), tuple(notes))


def compose(loaded: Loaded | None, painted: Image.Image, longest: int) -> dict[int, Image.Image]:
    """Return every region's mask: as loaded, and as painted wherever the canvas has changed since.

    Args:
        loaded: the loaded masks, or None.
        painted: the canvas's labels.
        longest: maximum longer side in pixels; larger masks are downscaled.

    Returns:
        Masks by label, mode L, of different sizes; masks without any white are omitted.

    Raises:
        ValueError: as images.load.
    """
    labels = np.asarray(painted)
    masks = {} if loaded is None else _read_all(loaded.sources, longest)
    changed = None if loaded is None else _white(labels != np.asarray(loaded.shown))
    found = {}
    for label in BRUSHES:
        own = _white(labels == label)
        if label in masks and changed is not None:
            mask = masks[label]
            mask.paste(own.resize(mask.size, NEAREST), mask=changed.resize(mask.size, NEAREST))
            own = mask
        if own.getbbox() is not None:
            found[label] = own
    return found


def merge(masks: Mapping[int, Image.Image], size: tuple[int, int]) -> Image.Image:
    """Merge masks into a label map of the given size: the region with the highest value above one half, else 0."""
    labels, best = np.zeros(size[::-1], np.uint8), np.full(size[::-1], 127, np.uint8)
    for label, mask in masks.items():
        levels = np.asarray(mask.resize(size, Image.Resampling.BILINEAR) if mask.size != size else mask)
        labels[levels > best] = label
        best = np.maximum(best, levels)
    return Image.fromarray(labels)


def lay(painted: Image.Image, before: Loaded | None, after: Loaded) -> Image.Image:
    """Return a canvas's labels after loading masks: existing paint stays, except under new masks."""
    labels, shown = np.asarray(painted), np.asarray(after.shown)
    old = np.zeros_like(labels) if before is None else np.asarray(before.shown)
    new = [label for label in after.sources if before is None or label not in before.sources]
    return Image.fromarray(np.where((labels != old) & ~np.isin(shown, new), labels, shown))


def read_gray(layers: Sequence[Image.Image], picture: str, uploaded: str | None, ground: int) -> images.Source | None:
    """Return a gray mask: the paint over the uploaded mask, or over a uniform background.

    Args:
        layers: the canvas's layers.
        picture: the picture under them.
        uploaded: a mask file, which is returned if nothing is painted.
        ground: background level, 0 to 255, if nothing was uploaded.

    Raises:
        ValueError: as images.load, for the uploaded file.
    """
    grays, painted = to_gray(layers, images.measure(picture, SIDE))
    if painted.getbbox() is None:
        return uploaded
    mask = Image.new("L", grays.size, ground) if uploaded is None else images.load_mask(uploaded)[0]
    mask.paste(grays.resize(mask.size, NEAREST), mask=painted.resize(mask.size, NEAREST))
    return mask


def labels(layers: Sequence[Image.Image], picture: str) -> Image.Image:
    """Return the labels painted on a picture, at the canvas's size."""
    return to_labels(layers, images.measure(picture, SIDE))


def _read_all(sources: Mapping[int, Source], longest: int) -> dict[int, Image.Image]:
    maps = {path: _values(path)[0] for path, label in sources.values() if label is not None}
    return {
        label: _gray(path, longest) if own is None else _reduce(_white(maps[path] == own), longest)
        for label, (path, own) in sources.items()
    }


def _gray(path: str, longest: int) -> Image.Image:
    return _reduce(images.load_mask(path)[0], longest)


def _reduce(mask: Image.Image, longest: int) -> Image.Image:
    if max(mask.size) <= longest:
        return mask
    size = [max(1, round(side * longest / max(mask.size))) for side in mask.size]
    return mask.resize((size[0], size[1]), Image.Resampling.BOX)


def _values(path: str) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Return a label map's values, [H,W], and notes on it."""
    values, notes = images.load_labels(path)
    if values.max() > len(BRUSHES):
        raise ValueError(
            f"This label map has a region {values.max()}, but the page accepts 0 for the rest and 1 to {len(BRUSHES)};"
            ' use "Load masks" for gray masks that are white inside.'
        )
    return values.astype(np.uint8), tuple(notes)


def _white(where: NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(np.where(where, 255, 0).astype(np.uint8))
