"""The record of a run: its inputs, settings, program, times, and measurements.

docs/records.md describes the layout. A picture of any layout can be read back into the options that make it again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from PIL import Image

from adain_core import images, methods
from adain_core.contracts import Limited, Step, marked
from adain_core.controls import color, regions, scale, strokes, tiles
from adain_core.images import metrics
from adain_core.runs.inputs import Inputs
from adain_core.runs.origins import program
from adain_core.runs.plan import Task
from adain_core.runs.settings import Settings, parse_options

CONTROLS = (color.ColorParams, scale.ScaleParams, strokes.StrokeParams, regions.RegionParams, tiles.TileParams)
LAYOUT = 2  # the first layout has no number
LONGEST = 200_000  # characters of a record; a real one has about 2000
DAMAGED = "The record in this file is damaged, so its settings can't be read."
MEASURED = 1024  # side length in pixels of the central crop in which a reconstruction is measured


def begin(task: Task, given: Inputs, origins: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of the record that is known before the method starts; JSON types only.

    Args:
        task: the run.
        given: its inputs, read.
        origins: names and hashes of its inputs.
    """
    settings = task.settings
    record = {
        "layout": LAYOUT,
        **program(task.networks),
        "inputs": dict(origins),
        "method": task.method.name,
        "preset": settings.preset,
        "model": task.networks.name,
        **({"loss_network": task.networks.loss_name} if task.iterations > 1 else {}),
        "device": task.networks.device.type,
        "size": settings.size,
        "content_size": list(task.size),
        "style_sizes": [list(style.size) for style in given.styles],
        "weights": list(given.weights),
        "bits": settings.bits,
        **settings.model_dump(mode="json", include={name for each in CONTROLS for name in each.model_fields}),
        "strokes": task.strokes,
        **task.params.model_dump(mode="json"),
    }
    if given.areas:
        record["regions"] = {each.name: {"styles": len(each.styles), "strength": each.strength} for each in given.areas}
    return record


def at(step: Step, record: dict[str, Any], seconds: dict[str, float]) -> dict[str, Any]:
    """Return the record at a step; `seconds` are the times of the stages before the method."""
    return {
        **record,
        "used": step.used,
        "note": step.note,
        "doubt": step.doubt,
        "iteration": step.iteration,
        "losses": dict(step.losses),
        "seconds": {name: round(value, 4) for name, value in {**seconds, **step.seconds}.items()},
    }


def measured(content: Image.Image, image: Image.Image, reconstructs: bool) -> dict[str, Any]:
    """Measure a result: its color shift, and its error if it is only a reconstruction."""
    found: dict[str, Any] = {"color_shift": round(color.color_shift(content, image), 2)}
    if reconstructs:
        left, top = (max(0, side - MEASURED) // 2 for side in content.size)
        box = (left, top, min(left + MEASURED, content.width), min(top + MEASURED, content.height))
        one, other = (images.to_tensor(each.crop(box)) for each in (content, image))
        levels = 255 * float((one - other).abs().mean())
        found["reconstruction"] = {"ssim": round(float(metrics.ssim(one, other)), 4), "difference": round(levels, 2)}
    return found


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the record in a picture that a run made, or in a JSON file beside it.

    Raises:
        ValueError: the file holds no record, or a damaged one, or can't be read.
    """
    text = images.read_record(path)
    if text is None:
        raise ValueError("This file holds no record; drop a picture that was made here, as it was downloaded.")
    return parse(text)


def parse(text: str) -> dict[str, Any]:
    """Return a record from its JSON.

    Raises:
        ValueError: it is damaged, or its layout is newer than this program.
    """
    try:
        found = json.loads(text) if len(text) <= LONGEST else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("method"), str):
        raise ValueError(DAMAGED)
    layout = found.get("layout", 1)
    if not isinstance(layout, int) or layout < 1:
        raise ValueError(DAMAGED)
    if layout > LAYOUT:
        raise ValueError(
            f"This record has layout {layout}, but this version reads layouts up to {LAYOUT}; update the program."
        )
    return found


def strengths(record: Mapping[str, Any]) -> dict[int, float]:
    """Return the strengths of a record's regions, by label."""
    areas = record.get("regions")
    found = areas.items() if isinstance(areas, dict) and all(isinstance(each, dict) for each in areas.values()) else ()
    return {int(label): area.get("strength", 1.0) for label, area in found if label.isdecimal()}


def pictures(record: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the role, the name, and the SHA-256 of every picture that a run was given, each "" if it isn't recorded.

    Roles are in words: "photograph", "painting 1", "style mask 1", "label map", "style of region 1", and so on.
    """
    inputs = record.get("inputs")
    inputs = inputs if isinstance(inputs, dict) else {}
    words = {"content": "photograph", "styles": "painting", "style_masks": "style mask", "style_for": "style of region"}
    words |= {"regions": "label map", "mask": "mask", "strength_map": "strength map"}
    found = []
    for role, title in words.items():
        given = inputs.get(role)
        each = dict(enumerate(given, 1)) if isinstance(given, list) else given
        if not isinstance(each, dict):
            continue
        if all(isinstance(value, str) for value in each.values()):
            each = {"": each}
        title = "mask of region" if role == "regions" and "" not in each else title
        for label, several in each.items():
            for one in several if isinstance(several, list) else [several]:
                if isinstance(one, dict):
                    name, digest = (one.get(fact, "") for fact in ("name", "sha256"))
                    found.append((f"{title} {label}".strip()[:60], str(name)[:100], str(digest)[:64]))
    return found


def options(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of `run` that make the picture of a record again, without its pictures.

    Settings that later layouts added keep their defaults, except strokes, which used to be native. The size is None if
    the picture has the photograph's.

    Raises:
        ValueError: the record names a method or a setting that doesn't exist here, or a value out of bounds.
    """
    method = methods.get(record["method"])
    left_out = {"preset", "device", "interval", "weights", *(("model",) if method.known_styles is not None else ())}
    left_out.update(marked(method.params, Limited("seconds")))  # the entry `seconds` tells the times of the stages
    fields = [name for name in (*Settings.model_fields, *method.params.model_fields) if name not in left_out]
    found = {"strokes": "native", **{name: record[name] for name in fields if name in record}}
    size, weights = record.get("content_size"), record.get("weights")
    if not (isinstance(size, list) and len(size) == 2 and all(type(side) is int for side in size)):
        raise ValueError(DAMAGED)
    found.setdefault("size", max(size))
    if isinstance(weights, list) and weights:
        found["weights"] = tuple(weights)
    parse_options(found)
    return found
