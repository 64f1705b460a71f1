"""Teaching a painting to a method that knows a set of styles (Dumoulin, Shlens & Kudlur 2017, section 4).

A network of many styles learns one more by its gamma and beta alone, about a thousand numbers; the rest of it stays as
it is. A network of one style is copied, and all of it learns. Either starts with the known style that is nearest by the
objective of optimization/feedforward.py.

Departure from the paper: it takes a fixed number of steps, an eighth of the first training's; here the seconds are
fixed, and the rate falls to zero along a cosine while they pass.
"""

from __future__ import annotations

import math
import time
from collections import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core import images, weights
from adain_core.contracts import Features, Params, SizeError, parse
from adain_core.networks import cost
from adain_core.networks.generators import Generator, Generators, check_name, thumbnail
from adain_core.networks.model import Networks
from adain_core.optimization import feedforward
from adain_core.optimization.feedforward import SHORT, Weights
from adain_core.runs import inputs, memory
from adain_core.system import machine
from adain_core.weights import taught

TRIED = 128  # pixels of the crops on which known styles are tried
TRYING = 0.2  # share of the time after which no more are tried
MOST = 32  # photographs to learn on


class TeachParams(Params):
    """How long and how fast to learn."""

    seconds: float | None = Field(
        None, gt=0, le=86_400, description="Time to learn; 60 by default, or 600 for a network of one style."
    )
    steps: int = Field(100_000, ge=1, le=10_000_000, description="Steps after which to end before the time is up.")
    rate: float | None = Field(
        None, gt=0, le=1, description="Adam's learning rate; 0.05 by default, or 0.001 for a network of one style."
    )
    batch: int = Field(2, ge=1, le=64, description="Crops of photographs per step.")
    size: int = Field(192, ge=64, le=256, description="Side of a crop, in pixels.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Random seed of the crops.")


@dataclass(frozen=True)
class Lesson:
    """What has been learned so far.

    Attributes:
        step: number of the step, from 1.
        progress: share of the time that has passed, 0 to 1.
        losses: terms of the objective in this step.
        style: the style as it is now.
    """

    step: int
    progress: float
    losses: Mapping[str, float]
    style: taught.Taught


@memory.checked
def teach(
    painting: images.Source,
    name: str,
    photos: Sequence[images.Source],
    networks: Networks,
    params: TeachParams,
    judge: Networks | None = None,
    objective: Weights | None = None,
) -> abc.Generator[Lesson, None, None]:
    """Learn a painting's style and yield what has been learned after every step.

    Args:
        painting: a file or a PIL image.
        name: name of the style.
        photos: photographs to learn on, of which the first 32 are used.
        networks: those of the method, which aren't changed.
        params: how long and how fast.
        judge: the loss network; the perceptual network by default.
        objective: weights of the objective.

    Raises:
        PictureError: a picture is refused.
        ValueError: the name can't be a style's, the painting has no style to learn, or there are no photographs.
        SizeError: there is too little memory.
    """
    check_name(name)
    start = time.monotonic()
    judge = judge or weights.load("perceptual", device=networks.device.type)
    _check_memory(params, judge)
    shown = images.to_tensor(inputs.load("style", painting, 2 * SHORT[-1]).rgb)
    inputs.refusing("style", 0, lambda: feedforward.check(shown))
    practice = Practice(shown, photos, judge, objective or parse(Weights, {}), params.seed)
    whole = isinstance(networks.generator, Generators)
    seconds = params.seconds or (600.0 if whole else 60.0)
    nearest = practice.nearest(networks.generator, start + TRYING * seconds)
    generator = _renamed(*nearest, name, thumbnail(shown)).to(judge.device)
    generator.requires_grad_(whole).styles.requires_grad_(True)
    learning = [each for each in generator.parameters() if each.requires_grad]
    rate = params.rate or (1e-3 if whole else 5e-2)
    adam = torch.optim.Adam(learning, rate)
    number, done = 0, 0.0
    while done < 1:
        number += 1
        adam.param_groups[0]["lr"] = rate * (1 + math.cos(math.pi * done)) / 2
        found = practice.losses(generator, name, number, params.size, params.batch)
        adam.zero_grad()
        found["total"].backward()  # type: ignore[no-untyped-call]
        adam.step()
        done = max((time.monotonic() - start) / seconds, number / params.steps)
        values = {key: float(value.detach()) for key, value in found.items()}
        yield Lesson(number, min(1.0, done), values, taught.of(networks, name, generator))


class Practice:
    """What is painted while learning, and what it is measured by.

    Args:
        painting: [1,3,H,W], RGB in [0,1].
        photos: files or PIL images.
        judge: the loss network.
        objective: weights of the objective.
        seed: seed of the crops.

    Raises:
        ValueError: there are no photographs.
    """

    def __init__(
        self, painting: Tensor, photos: Sequence[images.Source], judge: Networks, objective: Weights, seed: int
    ) -> None:
        self.judge, self.objective, self.seed = judge, objective, seed
        self.contents = _read(photos)
        self.goals = feedforward.goals(painting.to(judge.device), self.look)

    def look(self, image: Tensor) -> Features:
        """Return the features that are compared."""
        return self.judge.perceptual(image, feedforward.LAYERS)

    def losses(self, generator: Generator, style: str, number: int, size: int, count: int) -> dict[str, Tensor]:
        """Return the terms of the objective for a style, on `count` crops of a step, `size` pixels on a side."""
        turn, drawn = number % len(SHORT), torch.Generator().manual_seed(self.seed + number)
        photos = self.contents[turn]
        chosen = [photos[index] for index in torch.randint(len(photos), (count,), generator=drawn)]
        content = torch.cat([_crop(each, size, drawn) for each in chosen]).to(self.judge.device)
        with torch.autocast(self.judge.device.type, torch.bfloat16, enabled=self.judge.dtype == torch.bfloat16):
            painted = generator(content, {style: 1.0})
        return feedforward.losses(painted, content, self.goals[turn], self.objective, self.look)

    @torch.no_grad()
    def nearest(self, known: Any, until: float = math.inf) -> tuple[Generator, str]:
        """Return the known style with the lowest objective, and the generator that paints in it.

        Args:
            known: a Generator or Generators.
            until: time.monotonic() after which no more styles are tried.
        """
        one = isinstance(known, Generator)
        found = [(known if one else known[name], name) for name in known.known]

        def distance(candidate: tuple[Generator, str]) -> float:
            if time.monotonic() > until:
                return math.inf
            generator, name = _renamed(*candidate, candidate[1]).to(self.judge.device), candidate[1]
            return sum(float(self.losses(generator, name, turn, TRIED, 1)["total"]) for turn in range(len(SHORT)))

        return min(found, key=distance)


def _renamed(generator: Generator, style: str, name: str, seen: Tensor | None = None) -> Generator:
    """Return a copy in float32 with one of the styles alone, under another name."""
    own = Generator([], generator.widths, generator.blocks)
    own.load_state_dict(generator.state_dict(), strict=False)
    own.add(name, generator.styles[style].detach().float().clone(), seen)
    return own.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _read(photos: Sequence[images.Source]) -> list[list[Tensor]]:
    """Return the photographs at each size of SHORT.

    Raises:
        ValueError: there are none.
    """
    if not photos:
        raise ValueError("There are no photographs to learn on; give some.")
    both = []
    for index, photo in enumerate(photos[:MOST]):
        image = images.to_tensor(inputs.load("content", photo, 2 * SHORT[-1], index).rgb)
        both.append([feedforward.scaled(image, short) for short in SHORT])
    return [list(each) for each in zip(*both, strict=True)]


def _crop(photo: Tensor, size: int, generator: torch.Generator) -> Tensor:
    top, left = (int(torch.randint(max(1, side - size + 1), (), generator=generator)) for side in photo.shape[2:])
    crop = photo[..., top : top + size, left : left + size]
    return F.interpolate(crop, (size, size)) if min(crop.shape[2:]) < size else crop  # of a very long photograph


def _check_memory(params: TeachParams, judge: Networks) -> None:
    needed = int(params.batch * params.size**2 * 2 * cost.loss_bytes(judge))
    if needed > (free := machine.free_on(judge.device)):
        raise SizeError(
            f"Learning a painting needs about {needed / 1e9:.1f} GB of memory, but {free / 1e9:.1f} GB is free; close"
            " other programs."
        )
