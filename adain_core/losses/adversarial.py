"""The Markovian adversarial loss (Li & Wand, ECCV 2016): a discriminator of feature patches, trained beside the image.

    image: E max(0, 1 - D(x)); discriminator: E max(0, 1 - D(s)) + E max(0, 1 + D(x)), one step of Adam per call

Departures from the paper, which trains a feed-forward network against D and uses batch normalization: features are
normalized by the style's mean and standard deviation in every channel, D has a receptive field of 5x5, its kernels have
spectral norm 1, and by default there is one D at each of four layers, not only at relu3_1. If the style is larger than
the image, each step uses a random crop of the image's size.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from adain_core.contracts import Cost, StyleLoss
from adain_core.normalization import statistics

WIDTH = 32  # channels of the discriminator
RATE = 2e-3  # learning rate of its Adam
FIRST = 10  # steps that the discriminator trains ahead of the image


def discriminator(channels: int, generator: torch.Generator) -> nn.Module:
    """Return a network from features [N,C,H,W] to scores [N,1,H,W], with weights drawn by the generator."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch.randint(2**31, (), generator=generator)))
        layers = nn.Conv2d(channels, WIDTH, 1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.Conv2d(WIDTH, 1, 3, padding=1)
        a, b, c = (spectral_norm(each) for each in layers)
    return nn.Sequential(a, nn.LeakyReLU(0.2), b, nn.LeakyReLU(0.2), c)


def make(style: Tensor, generator: torch.Generator, reduction: str = "mean") -> Callable[[Tensor], Tensor]:
    """Return the loss, which keeps the style's features and a new discriminator; see StyleLoss."""
    middle, spread = statistics(style)
    real = (style - middle) / spread
    network = discriminator(style.shape[1], generator).to(style.device)
    optimizer = torch.optim.Adam(network.parameters(), RATE, betas=(0.5, 0.99))
    ahead = FIRST

    def learn(fake: Tensor) -> None:
        optimizer.zero_grad()
        with torch.enable_grad():
            objective = F.relu(1 - network(_crop(real, fake, generator))).mean() + F.relu(1 + network(fake)).mean()
            objective.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    def loss(x: Tensor) -> Tensor:
        nonlocal ahead
        fake = (x - middle) / spread
        for _ in range(ahead):
            learn(fake.detach())
        ahead = 1
        network.requires_grad_(False)
        found = F.relu(1 - network(fake))
        network.requires_grad_(True)
        return found.mean() if reduction == "mean" else found.sum()

    return loss


def _crop(real: Tensor, fake: Tensor, generator: torch.Generator) -> Tensor:
    """Crop the real features to the size of the fake ones, at a random position."""
    for dim in (2, 3):
        length = min(real.shape[dim], fake.shape[dim])
        first = int(torch.randint(real.shape[dim] - length + 1, (), generator=generator))
        real = real.narrow(dim, first, length)
    return real


LOSS = StyleLoss(
    name="adversarial",
    title="Adversarial (Markovian)",
    paper="Li & Wand 2016 (MGAN)",
    summary="Whether a small network, trained along the way, can tell the picture's patches from the painting's.",
    make=make,
    cost=Cost(passes=14.0, bytes=600.0),
    random=True,
    learns=True,
)
