"""The objective of a network that paints in given styles (Johnson et al. 2016; Dumoulin et al. 2017).

    L = mean_l |G_l(y) - G_l(s)|^2 / |G_l(s)|^2 + w_c |F(y) - F(c)|^2 / |F(c)|^2 + w_tv TV(y) + w_l L_lattice(y)

for a picture y painted from a photograph c in the style of a painting s: G_l are the Gram matrices at relu1_1, 2_1,
3_1, and 4_1, and F the features at relu4_1. Departures from the papers:
- Each term is relative to its target's own energy, so that all paintings count the same and none needs settings of its
  own.
- The layers are those of Huang & Belongie; both papers use VGG-16's relu1_2, 2_2, 3_3, and 4_3, with the content at
  relu2_2 or relu3_3.
- A painting is seen whole and at two sizes. A network that has seen it at one size paints badly at another.
- The lattice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Features, Params
from adain_core.losses.gram import gram_matrix
from adain_core.losses.lattice import lattice_loss
from adain_core.losses.total_variation import total_variation

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
SHORT = (256, 512)  # pixels of the shorter side at which photographs and paintings are seen, in turn
LEAST = 64  # pixels of a painting's shorter side
FLAT = 3 / 255  # standard deviation below which a painting is of one color
Look = Callable[[Tensor], Features]  # features at LAYERS of images [N,3,H,W]


class Weights(Params):
    """Weights of the terms beside the style's."""

    content: float = Field(0.25, ge=0, le=1000, description="Weight of the distance to the photograph's features.")
    smoothness: float = Field(0.02, ge=0, le=1000, description="Weight of total variation.")
    lattice: float = Field(0.2, ge=0, le=1000, description="Weight of the lattice that upsampling leaves.")


def check(painting: Tensor) -> None:
    """Check that a painting has a style to learn.

    Raises:
        ValueError: it is too small or flat.
    """
    if min(painting.shape[2:]) < LEAST:
        words = f"The painting has {painting.shape[3]}x{painting.shape[2]} pixels"
        raise ValueError(f"{words}; learning its style takes at least {LEAST} on each side.")
    if float(painting.std((2, 3)).max()) < FLAT:
        raise ValueError("The painting is nearly of one color, so there is no style to learn; choose another one.")


@torch.no_grad()
def goals(painting: Tensor, look: Look) -> list[Features]:
    """Return a painting's Gram matrices for each size of SHORT, by layer, [1,C,C] each.

    Args:
        painting: [1,3,H,W], RGB in [0,1].
        look: features of an image.
    """
    found: list[Features] = []
    for short in SHORT:
        found.append({layer: gram_matrix(x.float()) for layer, x in look(scaled(painting, short)).items()})
    return found


def scaled(image: Tensor, short: int) -> Tensor:
    """Scale an image, [1,3,H,W], so that its shorter side has `short` pixels, or fewer if it is very long."""
    height, width = image.shape[2:]
    factor = min(short / min(height, width), 2 * short / (height * width) ** 0.5)
    return F.interpolate(image, [round(height * factor), round(width * factor)], mode="bicubic", antialias=True).clamp(
        0, 1
    )


def losses(painted: Tensor, content: Tensor, goal: Features, weights: Weights, look: Look) -> dict[str, Tensor]:
    """Return the terms of the objective, averaged over the pictures, and their weighted sum as `total`.

    Args:
        painted: [N,3,H,W], RGB in [0,1].
        content: the photographs, shaped like `painted`.
        goal: Gram matrices of the styles by layer, [N,C,C], or [1,C,C] for all pictures.
        weights: weights of the terms.
        look: features of an image.
    """
    found, deepest = look(painted), LAYERS[-1]
    with torch.no_grad():
        target = look(content)[deepest].float()
    with torch.autocast(painted.device.type, enabled=False):  # sums of products need float32
        style = [relative(gram_matrix(found[layer].float()), goal[layer]) for layer in LAYERS]
        terms = {
            "style": torch.stack(style).mean(),
            "content": relative(found[deepest].float(), target).mean(),
            "smoothness": total_variation(painted).mean(),
            "lattice": lattice_loss(painted),
        }
    total: Any = sum(getattr(weights, name) * term for name, term in terms.items() if name != "style")
    return {**terms, "total": terms["style"] + total}


def relative(own: Tensor, target: Tensor) -> Tensor:
    """Return the squared error over the target's squared norm, [N,...] and [N,...] or [1,...] -> [N]."""
    return (own - target).square().flatten(1).sum(1) / target.square().flatten(1).sum(1).clamp_min(1e-12)
