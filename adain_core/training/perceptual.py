"""Distillation of a perceptual encoder, which predicts VGG-19's features and Gram matrices during an optimization.

The encoder is initialized without gradients, layer by layer: the teacher's channels that best explain the others are
fitted by least squares to the student's previous layer. It is then trained on photographs and paintings, some of them
degraded like pictures during an optimization, and on Probes, which are optimized in the student's predictions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Params
from adain_core.losses.gram import gram_matrix
from adain_core.training.distill import Distill, Unexplained, fit
from adain_core.training.pair import Probes
from adain_core.training.teacher import LAYERS, Teacher

ROWS = 100_000  # positions that a convolution is fitted to
ROUNDS = 16  # iterations of the fit before a rectifier


class Weights(Params):
    """Weights of the distillation's losses."""

    gram: float = Field(0.5, ge=0, le=1000, description="Weight of the Gram matrices' relative error.")
    response: float = Field(
        0.5, ge=0, le=1000, description="Weight of the error in how features change when a probe takes a step."
    )
    degraded: float = Field(0.5, ge=0, le=1, description="Share of crops made noisy, mixed, sharpened, or blocky.")


def degrade(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Degrade some pictures like optimizations do, by noise, mixtures, sharpening, or blocks.

    Args:
        images: [N,3,H,W], RGB in [0,1].
        share: share of the pictures to degrade.
        generator: source of the random choices, on the CPU.

    Returns:
        [N,3,H,W], RGB in [0,1].
    """

    def noise(x: Tensor, amount: float) -> Tensor:
        return x + 0.3 * amount * torch.randn(x.shape, generator=generator).to(x.device)

    def mixture(x: Tensor, amount: float) -> Tensor:
        uniform = torch.rand(x.shape, generator=generator).to(x.device)
        other = uniform if amount > 0.7 else images[int(torch.randint(len(images), (), generator=generator))]
        return x.lerp(other, amount)

    def sharpening(x: Tensor, amount: float) -> Tensor:
        return x + 4 * amount * (x - F.avg_pool2d(x, 3, 1, 1, count_include_pad=False))

    def blocks(x: Tensor, amount: float) -> Tensor:
        coarse = F.avg_pool2d(x[None], side := 2 + int(5 * amount), ceil_mode=True)
        return F.interpolate(coarse, scale_factor=side)[0, :, : x.shape[1], : x.shape[2]]

    kinds, made = (noise, mixture, sharpening, blocks), images.clone()
    for index, x in enumerate(images):
        drawn, kind, amount = torch.rand(3, generator=generator).tolist()
        if drawn < share:
            made[index] = kinds[int(len(kinds) * kind)](x, amount)
    return made.clamp_(0, 1)


class Perceptual(Distill):
    """The stage that trains a perceptual encoder after `begin_by_least_squares`.

    Args:
        encoder: the encoder to train, on the teacher's device.
        teacher: the network whose features it predicts.
        weights: weights of the losses.
        size: side length of a crop in pixels.
        samples: pictures for the sheet, [N,3,H,W].
    """

    role = "perceptual"

    def __init__(self, encoder: nn.Module, teacher: Teacher, weights: Weights, size: int, samples: Tensor) -> None:
        super().__init__(encoder, teacher, samples)
        parts = {"unexplained": Unexplained(teacher.widths), "probes": Probes(size)}
        self.helpers: Any = nn.ModuleDict(parts).to(samples.device)
        self.weights = weights

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:
        """Return the unexplained shares, and the relative errors of Gram matrices and of responses to a step."""
        encoder, generator = self.student[self.role], torch.Generator().manual_seed(step)
        crops = degrade(torch.cat(batch), self.weights.degraded, generator)
        before, after = self.helpers["probes"].advance(encoder, batch, step)
        image = torch.cat([crops, before, after])
        with torch.no_grad():
            target = self.teacher.features(image)
        predicted = encoder.predict(own := encoder(image, LAYERS))
        shares = self.helpers["unexplained"](encoder, own, target)
        with torch.autocast(image.device.type, enabled=False):  # sums of products need float32
            grams, responses = [], []
            for layer in LAYERS:
                mine, goal = predicted[layer].float(), target[layer].float()
                grams.append((relative(gram_matrix(mine), gram_matrix(goal)) + 1e-8).sqrt().mean())
                responses.append(relative(*(_step(x, len(after)) for x in (mine, goal))).mean())
        terms = {"gram": torch.stack(grams).mean(), "response": torch.stack(responses).mean()}
        total = torch.stack(list(shares.values())).mean()
        return {**shares, **terms, "total": total + sum(getattr(self.weights, name) * x for name, x in terms.items())}


def _step(x: Tensor, count: int) -> Tensor:
    """Subtract the features of the probes before their step from those after it, the last 2 * `count` rows of x."""
    return x[-count:] - x[-2 * count : -count]


def relative(own: Tensor, goal: Tensor) -> Tensor:
    """Squared error over the squared norm of the goal, [N,...] each -> [N]."""
    return (own - goal).square().flatten(1).sum(1) / goal.square().flatten(1).sum(1).clamp_min(1e-12)


@torch.no_grad()
def begin_by_least_squares(encoder: Any, teacher: Any, images: Tensor, generator: torch.Generator) -> None:
    """Initialize a perceptual encoder by least squares, layer by layer, to imitate some of the teacher's channels.

    Args:
        encoder: a PerceptualEncoder in float32.
        teacher: VGG-19 on the same device.
        images: pictures to fit to, [N,3,H,W], RGB in [0,1].
        generator: source of the random positions, on the CPU.
    """
    encoder.conv0.load_state_dict(teacher.conv0.state_dict())
    dtype = teacher.conv0.weight.dtype
    half = torch.autocast(images.device.type, dtype, enabled=dtype == torch.bfloat16)
    own = truth = teacher.conv0(images.to(dtype))
    block, pool = 1, encoder.poolings["max"]
    for each in encoder.plan:
        if each.block > block:
            own, truth, block = pool(own, 2, ceil_mode=True), pool(truth, 2, ceil_mode=True), each.block
        truth = teacher.get_submodule(each.name)(truth)  # [N,C,h,w]
        drawn = torch.randperm(truth[:, 0].numel(), generator=generator)[:ROWS].to(images.device)
        n, y, x = torch.unravel_index(drawn, truth[:, 0].shape)
        goal = truth[n, :, y, x].float()  # [K,C]
        goal = goal[:, pivots(goal.relu(), each.outputs)]
        patches = F.pad(own, (1, 1, 1, 1), "reflect").unfold(2, 3, 1).unfold(3, 3, 1)[n, :, y, x]  # [K,I,3,3]
        kernel = encoder.get_submodule(each.name)
        weight, bias = rectified(patches.flatten(1).float(), goal)
        kernel.weight.copy_(weight.view_as(kernel.weight))
        kernel.bias.copy_(bias)
        with half:
            own, truth = kernel(own).relu_(), truth.relu_()
    with half:
        parts = [(encoder(x, LAYERS), teacher(x.to(dtype), LAYERS)) for x in images.split(16)]  # type: ignore[no-untyped-call]
    both = ({layer: torch.cat([x[layer] for x in side]) for layer in LAYERS} for side in zip(*parts, strict=True))
    fit(encoder.heads, *both)


def pivots(x: Tensor, count: int) -> Tensor:
    """Choose the channels that best predict the others, by pivoted Cholesky decomposition of their second moments.

    Args:
        x: [K,C], K observations.
        count: number of channels to choose.

    Returns:
        [count], indices of channels, the most informative first.
    """
    rest = (x.T @ x / len(x)).double()
    chosen = []
    for _ in range(count):
        chosen.append(int(rest.diagonal().argmax()))
        row = rest[chosen[-1]]
        rest = rest - torch.outer(row, row) / row[chosen[-1]]
        rest[chosen[-1], chosen[-1]] = -1.0
    return torch.tensor(chosen)


def rectified(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Fit relu(y) = relu(x weight' + bias) by least squares; where y is negative, any negative prediction is exact.

    Args:
        x: [K,I], K observations.
        y: [K,O].

    Returns:
        weight [O,I] and bias [O].
    """
    x = torch.cat([x, torch.ones_like(x[:, :1])], 1)
    moments = (x.T @ x).double()
    moments += 1e-5 * moments.diagonal().mean() * torch.eye(len(moments), device=x.device)
    factor, goal = torch.linalg.cholesky(moments), y
    for _ in range(ROUNDS):
        weight = torch.cholesky_solve((x.T @ goal).double(), factor).float()  # [I+1,O]
        goal = torch.where(y > 0, y, (x @ weight).clamp_max(0))
    return weight[:-1].T, weight[-1]
