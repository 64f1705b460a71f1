"""The compact pair: encoder and decoder trained together, every loss measured by the full-size teacher.

    L = w_c sqrt(L_c / L_c*) + w_s sqrt(L_s / L_s*) + w_i L_i + w_r L_r + w_d L_d

L_c and L_s are the paper's (Eqs. 12, 13, squared errors) in the teacher's features; L_c* and L_s* are what the
full-size pair itself reaches on such crops, so that 1 means "as good as the paper's network". A root for each picture,
as the paper writes norms: the few styles with extreme statistics would drown the others otherwise. L_i is the distance
to the full-size pair's picture, in the teacher's features; L_r reconstructs a photograph from itself, 1 at 24 dB; L_d
goes on distilling, since other methods use the encoder as their perceptual network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Params
from adain_core.normalization import adain
from adain_core.training.distill import Heads
from adain_core.training.loop import samples_sheet
from adain_core.training.teacher import LAYERS, Features, Teacher, all_statistics, content_loss, style_loss

GOAL = 10**-2.4  # mean squared error at 24 dB
SLOW = 0.3  # the encoder's learning rate, over the decoder's
IMITATED = ("relu2_1", "relu3_1", "relu4_1")


class Weights(Params):
    """Weights of the pair's losses."""

    style: float = Field(2.5, ge=0, le=1000, description="Of the style loss.")
    content: float = Field(1.0, ge=0, le=1000, description="Of the content loss.")
    imitation: float = Field(0.0, ge=0, le=1000, description="Of the distance to the full-size pair's picture.")
    reconstruction: float = Field(0.1, ge=0, le=1000, description="Of reconstructing a photograph from itself.")
    distillation: float = Field(2.0, ge=0, le=1000, description="Of predicting the teacher's features.")


class Pair:
    """The second stage: encoder and decoder together.

    Args:
        encoder: distilled already.
        decoder: of the encoder's levels.
        heads: as distilled with the encoder.
        teacher: the yardstick.
        weights: of the losses.
        reference: the full-size pair's own losses on such crops, as `reference` returns.
        samples: photographs and paintings for the sheet, [N,3,H,W] each.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        heads: Heads,
        teacher: Teacher,
        weights: Weights,
        reference: Mapping[str, float],
        samples: tuple[Tensor, Tensor],
    ) -> None:
        self.student: Any = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        self.helpers: Any = heads
        self.teacher = teacher
        self.weights = weights
        self.reference = reference
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """The encoder, distilled already, learns slower."""
        rest = [*self.student["decoder"].parameters(), *self.helpers.parameters()]
        return [{"params": [*self.student["encoder"].parameters()], "lr": SLOW * rate}, {"params": rest, "lr": rate}]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:
        """Each content crop meets two styles, and one of them itself."""
        contents, paintings = batch
        count = len(contents)
        with torch.no_grad():
            truth = self.teacher.features(torch.cat([contents, paintings]))
        own = self.student["encoder"](torch.cat([contents, paintings]), LAYERS)
        first = [*range(count)] * 2  # indices of contents, and of the styles that they meet
        second = [*range(count, 2 * count), *range(count + 1, 2 * count), count]
        itself = step % count
        picture = self.stylize(own, [*first, itself], [*second, itself])
        stylized, again = picture[:-1], picture[-1]
        with torch.no_grad():
            content, style = _pick(truth, first), _pick(truth, second)
            target, goal = self.teacher.target(content, style), all_statistics(style)
        found = self.teacher.features(stylized)
        terms = {
            "style": (style_loss(all_statistics(found), goal) / self.reference["style"]).sqrt().mean(),
            "content": (content_loss(found, target) / self.reference["content"]).sqrt().mean(),
            "reconstruction": (again - contents[itself]).square().mean() / GOAL,
            "distillation": torch.stack(list(self.helpers.unexplained(own, truth).values())).mean(),
        }
        if self.weights.imitation:
            with torch.no_grad():
                model = self.teacher.features(self.teacher.decode(target).clamp(0, 1))
            terms["imitation"] = torch.stack([_gap(found[layer], model[layer]) for layer in IMITATED]).mean()
        total = sum(getattr(self.weights, name) * value for name, value in terms.items())
        return {**terms, "total": total}

    def stylize(self, own: Features, contents: list[int], styles: list[int]) -> Tensor:
        """Decode AdaIN of some pictures' features with others', by their places in the batch."""
        decoder = self.student["decoder"]
        chosen = {layer: own[layer] for layer in decoder.levels}
        return _decode(decoder, _pick(chosen, contents), _pick(chosen, styles))

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw every sample photograph in every sample style, the full-size pair's picture under the student's."""
        encoder, decoder = student["encoder"], student["decoder"]

        def stylize(content: Tensor, styles: Tensor) -> Tensor:
            return _decode(decoder, encoder(content, decoder.levels), encoder(styles, decoder.levels))

        def model(content: Tensor, styles: Tensor) -> Tensor:
            target = self.teacher.target(self.teacher.features(content), self.teacher.features(styles))
            return self.teacher.decode(target)

        return samples_sheet(self.samples, [stylize, model])


def reference(teacher: Teacher, batches: list[tuple[Tensor, Tensor]]) -> dict[str, float]:
    """Measure the full-size pair's own content and style loss on crops."""
    content, style = 0.0, 0.0
    with torch.no_grad():
        for photos, paintings in batches:
            own = teacher.features(paintings)
            target = teacher.target(teacher.features(photos), own)
            found = teacher.features(teacher.decode(target))
            content += float(content_loss(found, target).mean()) / len(batches)
            style += float(style_loss(all_statistics(found), all_statistics(own)).mean()) / len(batches)
    return {"content": content, "style": style}


def _decode(decoder: Any, content: Features, style: Features) -> Tensor:
    stylized = {layer: adain(content[layer].float(), style[layer].float()) for layer in decoder.levels}
    return decoder(stylized).float()


def _gap(own: Tensor, truth: Tensor) -> Tensor:
    """Return the mean squared error over the truth's variance."""
    spread = (truth - truth.mean((0, 2, 3), keepdim=True)).float().square().mean()
    return (own - truth).float().square().mean() / spread


def _pick(features: Features, places: list[int]) -> dict[str, Tensor]:
    return {layer: x[places] for layer, x in features.items()}
