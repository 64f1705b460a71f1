"""An inverse network for style swap (Chen & Schmidt 2016): from the compact encoder's relu3_1 back to a picture.

    L = w_r |g(f(c)) - c|^2 + w_f (|f(g(h)) - h|^2 over h = f(c) and h = swap(f(c), f(s))) + w_tv TV + w_l L_l

As in the paper, it is trained on features of pictures and on swapped ones. Departures: the first term, on pixels and
scaled to 1 at 24 dB, is not in the paper, nor is the last one, the lattice that upsampling leaves; and the second one
is divided by the variance of the features.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Params
from adain_core.losses.lattice import lattice_loss
from adain_core.losses.total_variation import total_variation
from adain_core.methods.style_swap import swap
from adain_core.training.loop import samples_sheet
from adain_core.training.pair import GOAL

LAYER = "relu3_1"


class Weights(Params):
    """Weights of the inverse network's losses."""

    pixels: float = Field(1.0, ge=0, le=1000, description="Weight of reconstructing a picture from its features.")
    features: float = Field(1.0, ge=0, le=1000, description="Weight of reproducing the input features.")
    smoothness: float = Field(0.1, ge=0, le=1000, description="Weight of total variation, on swapped features.")
    lattice: float = Field(0.5, ge=0, le=1000, description="Weight of the lattice that upsampling leaves.")


class Inverse:
    """The stage that trains an inverse network for a frozen encoder.

    Args:
        encoder: the encoder whose features are inverted.
        inverse: the network to train.
        weights: weights of the losses.
        samples: photographs and paintings for the sheet, [N,3,H,W] each.
    """

    def __init__(
        self, encoder: nn.Module, inverse: nn.Module, weights: Weights, samples: tuple[Tensor, Tensor]
    ) -> None:
        self.student: Any = nn.ModuleDict({"inverse": inverse})
        self.helpers: Any = nn.Module()
        self.encoder = encoder.requires_grad_(False)
        self.weights = weights
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Use the same learning rate for all parameters."""
        return [{"params": [*self.student.parameters()], "lr": rate}]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Reconstruct photographs and paintings, and decode the photographs' features swapped for their paintings'."""
        contents, paintings = batch
        pictures = torch.cat([contents, paintings])
        with torch.no_grad():
            own = self._features(pictures)
            swapped = _swap_pairs(*own.chunk(2))
            given = torch.cat([own, swapped])
            spread = (own - own.mean((0, 2, 3), keepdim=True)).square().mean()
        made = self.student["inverse"]({LAYER: given}).float()
        terms = {
            "pixels": (made[: len(pictures)] - pictures).square().mean() / GOAL,
            "features": (self._features(made) - given).square().mean() / spread,
            "smoothness": total_variation(made[len(pictures) :]).mean(),
            "lattice": lattice_loss(made),
        }
        return {**terms, "total": sum(getattr(self.weights, name) * value for name, value in terms.items())}

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw every sample photograph with its features swapped for each painting's."""

        def stylize(content: Tensor, styles: Tensor) -> Tensor:
            return student["inverse"]({LAYER: _swap_pairs(self._features(content), self._features(styles))})

        return samples_sheet(self.samples, [stylize])

    def _features(self, image: Tensor) -> Tensor:
        return self.encoder(image, [LAYER])[LAYER].float()


def _swap_pairs(contents: Tensor, styles: Tensor) -> Tensor:
    pairs = zip(contents.split(1), styles.split(1), strict=True)  # type: ignore[no-untyped-call]
    return torch.cat([swap(content, style) for content, style in pairs])
