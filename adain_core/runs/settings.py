"""The settings that all methods share, and parsing of options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from adain_core import methods, weights
from adain_core.contracts import UNLIMITED, Limited, Limits, MethodParams, parse
from adain_core.controls import color, regions, scale, strokes, tiles
from adain_core.images import MAX_SIZE as MAX_SIZE


def _number(value: Any) -> Any:
    """Convert text from the command line to a number."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


class Settings(color.ColorParams, scale.ScaleParams, strokes.StrokeParams, regions.RegionParams, tiles.TileParams):
    """Settings of a run that don't depend on the method, including those of the controls."""

    method: str = Field("adain", description="Style transfer method, such as adain or gatys.")
    preset: str | None = Field(None, description="Named set of the method's parameters, such as paper for gatys.")
    model: str = Field("compact", description="Network to use: compact is fast; vgg19 is the paper's network.")
    size: Annotated[int | None, Limited("size")] = Field(
        None,
        ge=64,
        le=MAX_SIZE,
        title="Size",
        description="Longer side of the picture in pixels.",
    )
    interval: float = Field(
        0.5,
        ge=0,
        le=3600,
        description="Seconds between pictures of an optimization; steps in between report only their losses.",
    )
    weights: tuple[float, ...] | None = Field(None, description="Weight of each style; normalized to sum to 1.")
    bits: Annotated[Literal[8, 16], BeforeValidator(_number)] = Field(
        8, description="Bits per channel in a PNG or TIFF: 8, or 16 for smooth gradients, computed in float32."
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="Device to run on.")


def parse_options(options: Mapping[str, Any], limits: Limits = UNLIMITED) -> tuple[Settings, MethodParams]:
    """Split options into the shared settings and the parameters of the method, and check them.

    Args:
        options: options by name.
        limits: limits of the server.

    Raises:
        ValueError: an option is unknown or out of bounds, or there is no such method or model.
    """
    shared = {name: value for name, value in options.items() if name in Settings.model_fields}
    settings = parse(Settings, shared, limits)
    method = methods.get(settings.method)
    params = method.params
    if settings.preset is not None and settings.preset not in method.presets:
        names = ", ".join(method.presets) or "none"
        raise ValueError(f"{method.name} has no preset {settings.preset}; there are {names}.")
    if unknown := [name for name in options if name not in {**Settings.model_fields, **params.model_fields}]:
        names = ", ".join({**Settings.model_fields, **params.model_fields})
        raise ValueError(f"{settings.method} has no option {unknown[0]}; there are {names}.")
    if weights.get(settings.model).styles:
        raise ValueError(f"{settings.model} is the network of a method; choose the method {settings.model} instead.")
    if settings.bits == 16 and settings.color == "palette":
        raise ValueError("The palette color mode supports only 8 bits; choose another mode, or leave out bits.")
    preset = {} if settings.preset is None else method.presets[settings.preset]
    given = {name: value for name, value in options.items() if name in params.model_fields}
    return settings, parse(params, {**preset, **given}, limits)
