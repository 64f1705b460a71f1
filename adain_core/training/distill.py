"""Distillation: the compact encoder learns features from which 1x1 convolutions predict the teacher's.

The loss of a layer is the unexplained share of the teacher's variance, averaged over the teacher's channels: 1 for a
constant prediction, 0 for a perfect one.
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

# Stride of the compared positions: neighbors are similar.
SPARSE = {"relu1_1": 4, "relu2_1": 2, "relu3_1": 1, "relu4_1": 1}
FLOOR = 0.05  # share of a layer's mean variance added to each channel's, so that almost constant ones don't dominate


class Unexplained(nn.Module):
    """The share of the teacher's variance that the student's predictions leave unexplained.

    The variances are moving averages over training steps, stored as buffers.

    Args:
        widths: the teacher's channels at LAYERS.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        for layer, width in zip(LAYERS, widths, strict=True):
            self.register_buffer(layer, torch.zeros(width))

    def forward(self, encoder: Any, own: Features, teacher: Features) -> dict[str, Tensor]:
        """Return the unexplained share by layer, where `encoder` predicts from its `own` features."""
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
    """Set an encoder's heads to the least-squares regression of the teacher's features on its own."""
    own, teacher = _sparse(own), _sparse(teacher)
    for layer in LAYERS:
        weight, bias = regress(rows(own[layer]), rows(teacher[layer]))
        heads[layer].weight.copy_(weight[:, :, None, None])
        heads[layer].bias.copy_(bias)


def _sparse(features: Features) -> dict[str, Tensor]:
    return {layer: features[layer][..., :: SPARSE[layer], :: SPARSE[layer]] for layer in LAYERS}


def rows(x: Tensor) -> Tensor:
    """Flatten the positions of features, [N,C,H,W] -> [NHW,C] in float32."""
    return x.float().permute(0, 2, 3, 1).flatten(0, 2)


def regress(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Fit y = x weight' + bias by ridge regression in float64, with a relative ridge of 1e-6.

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
    """The first stage, which trains only the encoder.

    Args:
        encoder: the CompactEncoder to train, on the teacher's device.
        teacher: the network whose features it predicts.
        samples: pictures for the sheet, [N,3,H,W].
    """

    role = "encoder"  # prefix of the tensors' names in the saved weights

    def __init__(self, encoder: nn.Module, teacher: Teacher, samples: Tensor) -> None:
        self.student: Any = nn.ModuleDict({self.role: encoder})
        self.helpers: Any = Unexplained(teacher.widths)
        self.teacher = teacher
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Use the same learning rate for all parameters."""
        return [{"params": [*self.student.parameters()], "lr": rate}]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:  # noqa: ARG002
        """Return the unexplained share of each layer, and their mean as `total`."""
        image = torch.cat(batch)
        with torch.no_grad():
            target = self.teacher.features(image)
        encoder = self.student[self.role]
        shares = self.helpers(encoder, encoder(image, LAYERS), target)
        return {**shares, "total": torch.stack(list(shares.values())).mean()}

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw three channels of relu3_1 for each sample, the teacher's next to the predicted ones."""
        layer = "relu3_1"
        truth = self.teacher.features(self.samples)[layer].float()
        encoder = student[self.role]
        own = encoder.predict(encoder(self.samples, [layer]))[layer].float()
        chosen = truth.var((0, 2, 3)).topk(3).indices
        scale = truth[:, chosen].amax((0, 2, 3), keepdim=True)
        shown = [(x[:, chosen] / scale).clamp(0, 1) for x in (truth, own)]
        pictures = [images.to_image(each[None].cpu()) for pair in zip(*shown, strict=True) for each in pair]
        return images.sheet(pictures, columns=8)
