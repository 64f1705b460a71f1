"""Distillation of a perceptual encoder: VGG-19's features, and its Gram matrices, of whatever an optimization visits.

It starts without a gradient, layer by layer: the teacher's channels that explain the others best, each fitted by least
squares from what the student has so far. Then it trains on photographs and paintings, of which a share is spoiled as
pictures under optimization are, and on Probes, pictures under optimization in the student's own predictions.
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

ROWS = 100_000  # positions to which a convolution is fitted
ROUNDS = 16  # of fitting what is left once the rectifier has cut


class Weights(Params):
    """Weights of the distillation's losses."""

    gram: float = Field(0.5, ge=0, le=1000, description="Of the Gram matrices' relative error.")
    response: float = Field(0.5, ge=0, le=1000, description="Of how the features change as a probe takes a step.")
    spoiled: float = Field(0.5, ge=0, le=1, description="Share of crops made noisy, mixed, sharpened or blocky.")


def spoil(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Spoil a share of pictures as optimizations do: noise, mixtures, sharpening, blocks.

    Args:
        images: [N,3,H,W], RGB in [0,1].
        share: of the pictures.
        generator: what draws, on the CPU.

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
    for place, x in enumerate(images):
        drawn, kind, amount = torch.rand(3, generator=generator).tolist()
        if drawn < share:
            made[place] = kinds[int(len(kinds) * kind)](x, amount)
    return made.clamp_(0, 1)


class Perceptual(Distill):
    """The stage that trains a perceptual encoder, begun by `begin_by_least_squares`.

    Args:
        encoder: what to train, on the teacher's device.
        teacher: whose features to predict.
        weights: of the losses.
        size: pixels of a crop's side.
        samples: pictures for the sheet, [N,3,H,W].
    """

    role = "perceptual"

    def __init__(self, encoder: nn.Module, teacher: Teacher, weights: Weights, size: int, samples: Tensor) -> None:
        super().__init__(encoder, teacher, samples)
        parts = {"unexplained": Unexplained(teacher.widths), "probes": Probes(size)}
        self.helpers: Any = nn.ModuleDict(parts).to(samples.device)
        self.weights = weights

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:
        """Return the unexplained shares, the Gram matrices' relative error, and what is unexplained of a response."""
        encoder, generator = self.student[self.role], torch.Generator().manual_seed(step)
        crops = spoil(torch.cat(batch), self.weights.spoiled, generator)
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
    """Return by how much the last features differ from those as many places before."""
    return x[-count:] - x[-2 * count : -count]


def relative(own: Tensor, goal: Tensor) -> Tensor:
    """Squared error over the goal's energy, [N,...] each -> [N]."""
    return (own - goal).square().flatten(1).sum(1) / goal.square().flatten(1).sum(1).clamp_min(1e-12)


@torch.no_grad()
def begin_by_least_squares(encoder: Any, teacher: Any, images: Tensor, generator: torch.Generator) -> None:
    """Set a perceptual encoder's weights by least squares, layer by layer, so that each follows some of the teacher's.

    Args:
        encoder: a PerceptualEncoder, in float32.
        teacher: VGG-19, on the same device.
        images: what to fit to, [N,3,H,W], RGB in [0,1].
        generator: what chooses positions, on the CPU.
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
    """Choose the channels from which the others are best told: pivoted Cholesky of the channels' second moments.

    Args:
        x: [K,C], K observations.
        count: how many channels.

    Returns:
        [count], from the most to the least telling.
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
    """Fit relu(y) = relu(x weight' + bias) by least squares: where y is below 0, so may be any number below it.

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
