"""The parameters of an optimization: its objective and its optimizer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from adain_core.contracts import Limited, MethodParams


class ObjectiveParams(MethodParams):
    """Parameters of the objective."""

    content_weight: float = Field(
        0.03, ge=0, le=1e6, title="Content weight", description="Higher keeps more of the photograph's content."
    )
    style_weight: float = Field(
        1.0, ge=0, le=1e6, title="Style weight", description="Higher brings in more of the painting's style."
    )
    tv_weight: float = Field(
        0.4, ge=0, le=1e6, title="Smoothness", description="Higher removes more fine noise (total variation loss)."
    )
    layers: str = Field(
        "",
        max_length=200,
        title="Layers",
        description="Network layers to compare, with weights, such as relu3_1=2, relu4_1. Empty uses the defaults.",
    )
    pooling: Literal["own", "average"] = Field(
        "own",
        title="Pooling",
        description="Average pooling gives smoother pictures (Gatys et al.); compact has no pooling.",
    )
    units: Literal["relative", "absolute"] = Field(
        "relative",
        title="Units of losses",
        description="Relative makes a weight of 1 mean the same for every loss; absolute follows the papers.",
    )
    reduction: Literal["mean", "sum"] = Field(
        "mean", title="Reduction", description="With absolute units: average the squared errors, or sum them."
    )
    shifts: int = Field(
        8,
        ge=1,
        le=8,
        title="Grid shifts",
        description="Shifts the picture a little at each step to avoid a grid pattern; 1 turns this off. Adam only.",
    )


class OptimizationParams(ObjectiveParams):
    """Parameters of the objective and the optimizer."""

    steps: Annotated[int, Limited("steps")] = Field(
        120, ge=1, le=2000, title="Steps", description="Number of optimization steps. More steps take longer."
    )
    optimizer: Literal["adam", "lbfgs"] = Field(
        "adam",
        title="Optimizer",
        description="Adam is robust; L-BFGS improves more per step, but takes longer.",
    )
    rate: float = Field(
        0.01,
        gt=0,
        le=1,
        title="Step size",
        description="How much each step may change the picture. Adam only; too high is unstable.",
    )
    pyramid: int = Field(
        5,
        ge=1,
        le=8,
        title="Pyramid",
        description="Number of resolutions optimized jointly; 1 optimizes the pixels alone.",
    )
    start: Literal["content", "noise", "colors", "adain"] = Field(
        "content",
        title="Start",
        description="Starting picture: photograph, noise, photograph in the painting's colors, or AdaIN's result.",
    )
    scales: int = Field(
        1,
        ge=1,
        le=6,
        title="Scales",
        description="Sizes to work through, from coarse to fine. More scales give larger brush strokes.",
    )
    average: float = Field(
        0.9,
        ge=0,
        lt=1,
        title="Averaging",
        description="Averages recent steps to reduce noise; 0 shows each step as it is.",
    )
    seconds: Annotated[float, Limited("seconds")] = Field(
        300.0, gt=0, le=3600, title="Time limit", description="Seconds after which the optimization stops."
    )
    patience: int = Field(
        0,
        ge=0,
        le=2000,
        title="Patience",
        description="Ends a scale, and finally the run, after this many steps without improvement; 0 turns this off.",
    )
