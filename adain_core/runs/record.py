"""The record of a run: its settings, times, and measurements."""

from __future__ import annotations

from typing import Any

from PIL import Image

from adain_core import images
from adain_core.contracts import Step
from adain_core.controls import color, regions, scale, strokes, tiles
from adain_core.images import metrics
from adain_core.runs.inputs import Inputs
from adain_core.runs.plan import Task

CONTROLS = (color.ColorParams, scale.ScaleParams, strokes.StrokeParams, regions.RegionParams, tiles.TileParams)
MEASURED = 1024  # side length in pixels of the central crop in which a reconstruction is measured


def begin(task: Task, given: Inputs) -> dict[str, Any]:
    """Return the part of the record that is known before the method starts; JSON types only."""
    settings = task.settings
    record = {
        "method": task.method.name,
        "preset": settings.preset,
        "model": task.networks.name,
        **({"loss_network": task.networks.loss_name} if task.iterations > 1 else {}),
        "device": task.networks.device.type,
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
