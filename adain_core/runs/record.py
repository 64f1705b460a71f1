"""What is written down of a run: its settings, its times, and how far a reconstruction is from the content."""

from __future__ import annotations

from typing import Any

from PIL import Image

from adain_core import images
from adain_core.contracts import Step
from adain_core.controls import color, regions, scale, tiles
from adain_core.images import metrics
from adain_core.runs.inputs import Inputs
from adain_core.runs.plan import Task

CONTROLS = (color.ColorParams, scale.ScaleParams, regions.RegionParams, tiles.TileParams)
MEASURED = 1024  # pixels of a side, in the middle, in which a reconstruction is measured


def begin(task: Task, given: Inputs) -> dict[str, Any]:
    """Return what is known before the method begins; JSON types only."""
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
        **task.params.model_dump(mode="json"),
    }
    if given.areas:
        record["regions"] = {each.name: {"styles": len(each.styles), "strength": each.strength} for each in given.areas}
    return record


def at(step: Step, record: dict[str, Any], seconds: dict[str, float]) -> dict[str, Any]:
    """Return the record with what a step adds; `seconds` are those before the method."""
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
    """Return what is measured of a result, whose reconstruction is measured where it is nothing else."""
    found: dict[str, Any] = {"color_shift": round(color.color_shift(content, image), 2)}
    if reconstructs:
        left, top = (max(0, side - MEASURED) // 2 for side in content.size)
        box = (left, top, min(left + MEASURED, content.width), min(top + MEASURED, content.height))
        one, other = (images.to_tensor(each.crop(box)) for each in (content, image))
        levels = 255 * float((one - other).abs().mean())
        found["reconstruction"] = {"ssim": round(float(metrics.ssim(one, other)), 4), "difference": round(levels, 2)}
    return found
