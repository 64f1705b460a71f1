"""Distillation: the compact encoder's features learn to predict the teacher's, each layer by a 1x1 convolution.

The loss of a layer is the share of the teacher's variance that is not explained, averaged over the teacher's channels:
1 is what a constant reaches, 0 is perfect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from adain_core import images
from adain_core.normalization import double
from adain_core.training.teacher import LAYERS, Features, Teacher

# Every fourth or second row and column is compared: neighbors are much alike.
SPARSE = {"relu1_1": 4, "relu2_1": 2, "relu3_1": 1, "relu4_1": 1}
FLOOR = 0.05  # of a layer's mean variance, added to each channel's: channels that hardly vary don't count more


class Unexplained(nn.Module):
    """The share of the teacher's variance that a student's prediction leaves; keeps the variances, averaged over steps.

    Args:
        widths: the teacher's channels at LAYERS.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        for layer, width in zip(LAYERS, widths, strict=True):
            self.register_buffer(layer, torch.zeros(width))

    def forward(self, encoder: Any, own: Features, teacher: Features) -> dict[str, Tensor]:
        """Return each layer's share, by what `encoder` predicts from its `own` features."""
        predicted, shares = encoder.predict(_sparse(own)), {}
        for layer, target in _sparse(teacher).items():
            variance = self.get_buffer(layer)
            if self.training:
                now = target.detach().float().var((0, 2, 3))
                variance.copy_(torch.where(variance.any(), variance.lerp(now, 0.02), now))
            error = (predicted[layer].float() - target.float()).square().mean((0, 2, 3))
            shares[layer] = (error / (variance + FLOOR * variance.mean())).mean()
        return shares


@torch.no_grad()
def fit(heads: Any, own: Features, teacher: Features) -> None:
    """Set the convolutions `heads` of a compact encoder to the least-squares regression on these features."""
    own, teacher = _sparse(own), _sparse(teacher)
    for layer in LAYERS:
        weight, bias = regress(rows(own[layer]), rows(teacher[layer]))
        heads[layer].weight.copy_(weight[:, :, None, None])
        heads[layer].bias.copy_(bias)


def _sparse(features: Features) -> dict[str, Tensor]:
    return {layer: features[layer][..., :: SPARSE[layer], :: SPARSE[layer]] for layer in LAYERS}


def rows(x: Tensor) -> Tensor:
    """Lay features out by position, [N,C,H,W] -> [NHW,C] in float32."""
    return x.float().permute(0, 2, 3, 1).flatten(0, 2)


def regress(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Fit y = x weight' + bias by least squares, in float64, with a ridge of a millionth.

    Args:
        x: [K,I], K observations.
        y: [K,O].

    Returns:
        weight [O,I] and bias [O].
    """
    device, x, y = x.device, double(x), double(y)
    mean_x, mean_y = x.mean(0), y.mean(0)
    x, y = x - mean_x, y - mean_y
    moments = x.T @ x
    ridge = 1e-6 * moments.diagonal().mean() * torch.eye(len(moments), dtype=x.dtype, device=x.device)
    weight = torch.linalg.solve(moments + ridge, x.T @ y).T
    return weight.to(device), (mean_y - weight @ mean_x).to(device)


class Distill:
    """The first stage: the encoder alone.

    Args:
        encoder: what to train, a CompactEncoder; on the teacher's device.
        teacher: whose features to predict.
        samples: pictures for the sheet, [N,3,H,W].
    """

    role = "encoder"  # what the weights that are saved are named

    def __init__(self, encoder: nn.Module, teacher: Teacher, samples: Tensor) -> None:
        self.student: Any = nn.ModuleDict({self.role: encoder})
        self.helpers: Any = Unexplained(teacher.widths)
        self.teacher = teacher
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Everything learns at one rate."""
        return [{"params": [*self.student.parameters()], "lr": rate}]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Return the unexplained shares, and their mean as `total`."""
        image = torch.cat(batch)
        with torch.no_grad():
            target = self.teacher.features(image)
        encoder = self.student[self.role]
        shares = self.helpers(encoder, encoder(image, LAYERS), target)
        return {**shares, "total": torch.stack(list(shares.values())).mean()}

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw, for each sample, three channels of relu3_1: the teacher's beside the prediction."""
        layer = "relu3_1"
        truth = self.teacher.features(self.samples)[layer].float()
        encoder = student[self.role]
        own = encoder.predict(encoder(self.samples, [layer]))[layer].float()
        chosen = truth.var((0, 2, 3)).topk(3).indices
        scale = truth[:, chosen].amax((0, 2, 3), keepdim=True)
        shown = [(x[:, chosen] / scale).clamp(0, 1) for x in (truth, own)]
        pictures = [images.to_image(each[None].cpu()) for pair in zip(*shown, strict=True) for each in pair]
        return images.sheet(pictures, columns=8)
