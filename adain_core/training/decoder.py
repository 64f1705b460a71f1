"""The paper's training of a decoder for a fixed VGG-19 (Huang & Belongie 2017, Eqs. 11-13).

Departures from the paper, as in pytorch-AdaIN: losses are squared errors averaged over channels, and the style weight
is 10 for averages (in the released code 1e-2 for sums).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Params
from adain_core.training.loop import Settings, samples_sheet
from adain_core.training.teacher import DEEPEST, Teacher, all_statistics, content_loss, style_loss


class PaperSettings(Settings):
    """The paper's recipe: 160,000 batches of 8 crops of 256 px from pictures of 512 px, without variations."""

    steps: int = Field(160_000, ge=1, le=10_000_000, description="Total steps, including those before a resume.")
    batch: int = Field(8, ge=1, le=1024, description="Content crops per step, and as many style crops.")
    size: int = Field(256, ge=32, le=1024, description="Side of a crop, in pixels.")
    rate: float = Field(1e-4, gt=0, le=1, description="Adam's initial learning rate.")
    decay: float = Field(
        5e-5, ge=0, le=1, description="Rate decay, 1 / (1 + decay * step); 0 for a one-cycle schedule."
    )
    smallest: float = Field(1.0, gt=0, le=8, description="Smallest scale of a crop relative to its picture.")
    largest: float = Field(1.0, gt=0, le=8, description="Largest scale of a crop relative to its picture.")
    varied: float = Field(0.0, ge=0, le=1, description="Share of crops made gray, dark, flat and so on.")


class Weights(Params):
    """Weights of the paper's two losses."""

    style: float = Field(10.0, ge=0, le=1000, description="Weight of the style loss, relative to the content loss.")


class PaperDecoder:
    """The stage that trains a decoder for the teacher's frozen encoder.

    Args:
        decoder: the decoder to train.
        teacher: the full-size networks.
        weights: weights of the losses.
        samples: photographs and paintings for the sheet, [N,3,H,W] each.
    """

    def __init__(self, decoder: nn.Module, teacher: Teacher, weights: Weights, samples: tuple[Tensor, Tensor]) -> None:
        self.student: Any = nn.ModuleDict({"decoder": decoder})
        self.helpers: Any = nn.Module()
        self.teacher = teacher
        self.weights = weights
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Use the same learning rate for all parameters."""
        return [{"params": [*self.student.parameters(), *self.helpers.parameters()], "lr": rate}]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Return content and style loss, and their weighted sum as `total`."""
        with torch.no_grad():
            content, style = (self.teacher.features(each) for each in batch)
            target, goal = self.teacher.target(content, style), all_statistics(style)
        found = self.teacher.features(self.student["decoder"]({DEEPEST: target}))
        terms = {
            "content": content_loss(found, target).mean(),
            "style": style_loss(all_statistics(found), goal).mean(),
        }
        return {**terms, "total": terms["content"] + self.weights.style * terms["style"]}

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw every sample photograph in every sample style."""

        def stylize(content: Tensor, styles: Tensor) -> Tensor:
            target = self.teacher.target(self.teacher.features(content), self.teacher.features(styles))
            return student["decoder"]({DEEPEST: target})

        return samples_sheet(self.samples, [stylize])
