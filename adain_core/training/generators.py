"""Training of generators: one network for many styles (`conditional`), or for one (`johnson`).

The objective is that of optimization/feedforward.py, on crops of photographs. Departures from Johnson et al. (2016) and
Dumoulin et al. (2017), besides those of the objective and of networks/generators.py:
- The loss network is the perceptual network, not VGG-16.
- Photographs are seen at the same two sizes as the paintings, one size per step.
- A share of the crops is enlarged until they are almost flat. Instance normalization amplifies the little that is left
  in them, and a network that has never seen this paints blobs into a sky.
- Gammas and betas learn at a higher rate; otherwise the styles look alike for a long time.
- A cosine schedule, and the weights' moving average, which is what is saved.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Features
from adain_core.networks.generators import BLOCKS, WIDTHS, Generator, Generators, thumbnail
from adain_core.optimization import feedforward
from adain_core.optimization.feedforward import SHORT, Look, Weights
from adain_core.system import files
from adain_core.training import pictures
from adain_core.training.loop import Batch, Schedule, samples_sheet

FLAT = (4.0, 8.0)  # how far an almost flat crop is enlarged
SHOWN = 6  # styles on the sheet of samples


class GeneratorSettings(Schedule):
    """How long and how fast to train a generator, and its size."""

    steps: int = Field(3000, ge=1, le=10_000_000, description="Total steps, including those before a resume.")
    batch: int = Field(4, ge=1, le=1024, description="Crops per step, each painted in a style of its own.")
    size: int = Field(192, ge=64, le=1024, description="Side of a crop, in pixels.")
    rate: float = Field(2e-3, gt=0, le=1, description="Adam's learning rate: the peak of the one-cycle schedule.")
    warm_up: float = Field(0.05, gt=0, lt=1, description="Share of the one-cycle schedule spent warming up.")
    styles: float = Field(5.0, ge=0, le=1000, description="Rate of gammas and betas, relative to the convolutions'.")
    flat: float = Field(0.1, ge=0, le=1, description="Share of crops enlarged until they are almost flat.")
    width: int = Field(WIDTHS[1], ge=8, le=256, description="Channels at a quarter of the resolution; half at half.")
    blocks: int = Field(BLOCKS, ge=1, le=16, description="Residual blocks.")


class Painting:
    """The stage that trains a generator.

    Args:
        student: what is trained and saved.
        paintings: the painting of each style by name, [1,3,H,W], RGB in [0,1].
        look: features of images, in the loss network.
        weights: weights of the objective.
        settings: for the seed and the rates.
        samples: photographs for the sheet, [N,3,H,W].
    """

    def __init__(
        self,
        student: Generator | Generators,
        paintings: Mapping[str, Tensor],
        look: Look,
        weights: Weights,
        settings: GeneratorSettings,
        samples: Tensor,
    ) -> None:
        self.student: Any = student
        self.helpers: Any = nn.Module()
        self.look, self.weights, self.settings = look, weights, settings
        self.names = list(paintings)
        each = [feedforward.goals(painting, look) for painting in paintings.values()]
        self.goals: list[Features] = [  # of every style, [S,C,C] by layer
            {layer: torch.cat([one[layer] for one in at_size]) for layer in feedforward.LAYERS}
            for at_size in zip(*each, strict=True)
        ]
        shown = [F.interpolate(paintings[name], samples.shape[2:], mode="area") for name in self.names[:SHOWN]]
        self.samples = samples, torch.cat(shown)

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Each style is painted rarely, so its gammas and betas learn faster than the convolutions."""
        named = [*self.student.named_parameters()]
        styles = [each for name, each in named if "styles." in name]
        others = [each for name, each in named if "styles." not in name]
        return [{"params": others, "lr": rate}, {"params": styles, "lr": self.settings.styles * rate}]

    def losses(self, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """Paint each crop in a style that is drawn at random."""
        contents, _ = batch
        chosen = random.Random(f"{self.settings.seed} {step}").choices(range(len(self.names)), k=len(contents))
        painted = paint(self.student, contents, [self.names[index] for index in chosen])
        goal = {layer: x[chosen] for layer, x in self.goals[(step - 1) % len(SHORT)].items()}
        return feedforward.losses(painted, contents, goal, self.weights, self.look)

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw every sample photograph in the first styles."""
        return samples_sheet(self.samples, [lambda photos, _: paint(student, photos, self.names[: len(photos)])])


def paint(student: Any, contents: Tensor, names: Sequence[str]) -> Tensor:
    """Paint each picture in the style of the same place in `names`; several generators take one style at a time."""
    generator = student if isinstance(student, Generator) else student[names[0]]
    return generator.paint(contents, torch.stack([generator.styles[name] for name in names]))


def remember(student: Generator | Generators, paintings: Mapping[str, Tensor]) -> None:
    """Store the paintings' thumbnails, by which they are recognized."""
    for name, each in student.known.items():
        each.copy_(thumbnail(paintings[name]))


def begin(student: Generator | Generators, trunk: Mapping[str, Tensor], path: Path) -> None:
    """Begin with the weights of a generator of many styles; a style that it lacks begins as the mean of its styles.

    Args:
        student: what begins.
        trunk: tensors of a Generator by name.
        path: their file, for messages.

    Raises:
        ValueError: they are not those of a generator of this size.
    """
    known = {name: each for name, each in trunk.items() if name.startswith("styles.")}
    convolutions = {name: each for name, each in trunk.items() if name not in known and "thumbnails." not in name}
    every: Any = [student] if isinstance(student, Generator) else student.values()
    for generator in every:
        own = generator.state_dict()
        if not known or any(name not in own or own[name].shape != each.shape for name, each in convolutions.items()):
            raise ValueError(
                f"{files.shown(path)} is not a run of conditional with this --width and these --blocks; start with one."
            )
        middle = torch.stack(list(known.values())).mean(0)
        styles = {f"styles.{name}": known.get(f"styles.{name}", middle) for name in generator.styles}
        generator.load_state_dict({**own, **convolutions, **styles})


def batches(photos: Sequence[Image.Image], settings: GeneratorSettings, steps: range) -> Iterator[Batch]:
    """Yield the crops of each step, at one of the sizes of SHORT in turn; there are no crops of paintings."""

    def draw(step: int) -> Batch:
        rng = random.Random(f"{settings.seed} {step}")
        parts = []
        for photo in rng.choices(photos, k=settings.batch):
            scale = SHORT[step % len(SHORT)] / min(photo.size)
            scale *= rng.uniform(*FLAT) if rng.random() < settings.flat else 1
            parts.append(pictures.crops([photo], 1, settings.size, rng, (scale, scale)))
        return torch.cat(parts), torch.empty(0, dtype=torch.uint8)

    return pictures.ahead(draw, steps)
