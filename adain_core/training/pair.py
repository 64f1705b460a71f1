"""The compact pair: encoder and decoder trained together, every loss measured by the full-size teacher.

    L = w_c (L_c / L_c*)^p + w_f (L_f / L_f*)^p + w_s (L_s / L_s*)^p + w_k L_k + w_i L_i + w_r L_r + w_d L_d + w_p L_p

L_c and L_s are the paper's (Eqs. 12, 13, squared errors) in the teacher's features, L_f is L_c with the photograph's
own features as target, which the benchmark measures, over their deviation, so that large crops, which are smooth, count
as much as small ones; L_c*, L_f* and L_s* are what the full-size pair itself reaches on such crops, so that 1 means "as
good as the paper's network". With p = 1/2 for each picture, as the paper writes norms, the few styles with extreme
statistics don't drown the others; p = 1 is what the benchmark measures. L_k compares the colors' means and deviations,
over the style's own: what is left of a photograph's color in a gray painting's style is little to L_s and plain to the
eye. L_i is the distance to the full-size pair's picture, in the teacher's features; L_r reconstructs a photograph from
itself, 1 at 24 dB. L_d goes on distilling, since other methods use the encoder as their perceptual network; L_p does so
on stylized pictures and on Probes, where an optimization finds the encoder's blind spots.

The decoder's gains (see compact.py) learn beside it, at a rate of their own: what a channel's statistics must become
for the picture to have the painting's is another question than how features become pixels.

With an encoder that stays as it is, its own predictions can stand in for the teacher: L_c and L_s are a stand-in then,
but a step sees five times as many pictures, and most of what a decoder has to learn is learned by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any, Protocol

import torch
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Params
from adain_core.losses.gram import gram, gram_matrix
from adain_core.normalization import restyle, statistics
from adain_core.training.distill import Unexplained
from adain_core.training.loop import samples_sheet
from adain_core.training.teacher import DEEPEST, LAYERS, Features, Teacher, all_statistics, content_loss, style_loss

GOAL = 10**-2.4  # mean squared error at 24 dB
IMITATED = ("relu2_1", "relu3_1", "relu4_1")


class Judge(Protocol):
    """What measures content and style."""

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return features at LAYERS."""


class Weights(Params):
    """Weights of the pair's losses."""

    style: float = Field(2.5, ge=0, le=1000, description="Weight of the style loss.")
    content: float = Field(1.0, ge=0, le=1000, description="Weight of the content loss, whose target is AdaIN's.")
    fidelity: float = Field(0.0, ge=0, le=1000, description="Weight of the distance to the photograph's own features.")
    imitation: float = Field(0.0, ge=0, le=1000, description="Weight of the distance to the full-size pair's picture.")
    color: float = Field(0.0, ge=0, le=1000, description="Weight of the color means and standard deviations.")
    reconstruction: float = Field(0.1, ge=0, le=1000, description="Weight of reconstructing a photograph from itself.")
    distillation: float = Field(2.0, ge=0, le=1000, description="Weight of predicting the teacher's features.")
    probing: float = Field(2.0, ge=0, le=1000, description="Weight of the same on stylized and optimized pictures.")
    encoder: float = Field(0.3, ge=0, le=1, description="The encoder's rate, relative to the decoder's; 0 freezes it.")
    gains: float = Field(3.0, ge=0, le=100, description="The gains' learning rate, relative to the decoder's.")
    styles: int = Field(2, ge=1, le=64, description="Styles paired with each photograph per step.")
    power: float = Field(0.5, gt=0, le=1, description="Exponent of each picture's style and content losses.")


class Predictions:
    """Stands in for the teacher: what an encoder predicts of its features.

    Args:
        encoder: which stays as it is.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return predictions at LAYERS; image [N,3,H,W], RGB in [0,1]."""
        return self.encoder.predict(self.encoder(image, LAYERS))


class Probes(nn.Module):
    """Photographs under way to a painting's Gram matrices, in the features that the student predicts.

    Each goes by signed gradient steps that become smaller until it is replaced; two a step, in turns. They are kept as
    buffers, so that a resumed run finds them.

    Args:
        size: pixels of a side.
    """

    count, each, rate = 16, 2, 0.04

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("image", torch.zeros(self.count, 3, size, size))
        self.register_buffer("style", torch.zeros(self.count, 3, size, size))
        self.register_buffer("life", 30 + 6 * torch.arange(self.count))  # of different lengths, to get out of step
        self.register_buffer("age", self.get_buffer("life").clone())

    def advance(self, encoder: Any, batch: tuple[Tensor, Tensor], step: int) -> tuple[Tensor, Tensor]:
        """Take a step with two pictures and return them before and after it, [2,3,H,W] each."""
        first = step * self.each % self.count
        image, style, life, age = (
            self.get_buffer(name)[first : first + self.each] for name in ("image", "style", "life", "age")
        )
        over = age >= life
        for kept, drawn in zip((image, style), batch, strict=True):
            kept.copy_(torch.where(over[:, None, None, None], drawn[torch.arange(self.each) % len(drawn)], kept))
        age.mul_(~over)
        with torch.no_grad():
            goal = _grams(encoder, style)
        current = image.clone().requires_grad_()
        found = _grams(encoder, current)
        loss = torch.stack([gram(found[layer], goal[layer]) for layer in LAYERS]).sum()
        (slope,) = torch.autograd.grad(loss, current)
        rate = self.rate * (1 - age / life)
        image.sub_(rate[:, None, None, None] * slope.sign()).clamp_(0, 1)
        age += 1
        return current.detach(), image.clone()


class Pair:
    """The second stage: encoder and decoder together.

    Args:
        encoder: distilled already.
        decoder: of the encoder's levels.
        teacher: the yardstick.
        weights: of the losses.
        reference: the full-size pair's own losses on such crops, as `reference` returns.
        size: pixels of a crop's side.
        samples: photographs and paintings for the sheet, [N,3,H,W] each.
        judge: what measures content and style; the teacher where not given.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        teacher: Teacher,
        weights: Weights,
        reference: Mapping[str, float],
        size: int,
        samples: tuple[Tensor, Tensor],
        judge: Judge | None = None,
    ) -> None:
        if not weights.encoder:
            encoder.requires_grad_(False)
        self.student: Any = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        parts = {"unexplained": Unexplained(teacher.widths), "probes": Probes(size)}
        self.helpers: Any = nn.ModuleDict(parts).to(next(encoder.parameters()).device)
        self.teacher, self.judge = teacher, judge or teacher
        self.weights = weights
        self.reference = reference
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """The encoder, distilled already, learns slower, or not at all; the gains learn faster."""
        named = [*self.student.named_parameters()]
        rates = {"encoder.conv": self.weights.encoder * rate, "decoder.gains": self.weights.gains * rate, "": rate}
        found: dict[str, list[Any]] = {first: [] for first in rates}
        for name, each in named:
            if each.requires_grad:
                found[next(first for first in rates if name.startswith(first))].append(each)
        return [{"params": each, "lr": rates[first]} for first, each in found.items() if each]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:
        """Each content crop meets some styles, and one of them itself."""
        contents, paintings = batch
        count = len(contents)
        with torch.no_grad():
            truth = self.judge.features(torch.cat([contents, paintings]))
        encoder, power = self.student["encoder"], self.weights.power
        with torch.set_grad_enabled(self.weights.encoder > 0):
            own = encoder(torch.cat([contents, paintings]), LAYERS)
        met = self.weights.styles
        first = [*range(count)] * met  # indices of contents, and of the styles that they meet
        second = [count + (place + turn) % count for turn in range(met) for place in range(count)]
        itself = step % count
        picture = self.stylize(own, [*first, itself], [*second, itself])
        stylized, again = picture[:-1], picture[-1]
        with torch.no_grad():
            content, style = _pick(truth, first), _pick(truth, second)
            target, goal = self.teacher.target(content, style), all_statistics(style)
        found = self.judge.features(stylized)
        terms = {
            "style": (style_loss(all_statistics(found), goal) / self.reference["style"]).pow(power).mean(),
            "content": (content_loss(found, target) / self.reference["content"]).pow(power).mean(),
            "fidelity": (fidelity_loss(found, content) / self.reference["fidelity"]).pow(power).mean(),
            "reconstruction": (again - contents[itself]).square().mean() / GOAL,
        }
        if self.weights.color:
            gaps = color_loss(stylized, paintings[[place - count for place in second]])
            terms["color"] = (gaps + 1e-4).sqrt().mean()
        if self.weights.encoder:
            terms |= self.distill(own, truth, stylized[:count].detach(), found, batch, step)
        if self.weights.imitation:
            with torch.no_grad():
                model = self.teacher.features(self.teacher.decode(target).clamp(0, 1))
            terms["imitation"] = torch.stack([_gap(found[layer], model[layer]) for layer in IMITATED]).mean()
        total = sum(getattr(self.weights, name) * value for name, value in terms.items())
        return {**terms, "total": total}

    def distill(
        self, own: Features, truth: Features, stylized: Tensor, seen: Features, batch: tuple[Tensor, Tensor], step: int
    ) -> dict[str, Tensor]:
        """Return how much of the teacher's features stays unpredicted, of pictures, and of stylized ones and probes."""
        encoder, unexplained = self.student["encoder"], self.helpers["unexplained"]
        _, probes = self.helpers["probes"].advance(encoder, batch, step)
        with torch.no_grad():
            more = self.teacher.features(probes)
            hard_truth = {layer: torch.cat([seen[layer][: len(stylized)], more[layer]]) for layer in LAYERS}
        hard = encoder(torch.cat([stylized, probes]), LAYERS)
        return {
            "distillation": torch.stack(list(unexplained(encoder, own, truth).values())).mean(),
            "probing": torch.stack(list(unexplained(encoder, hard, hard_truth).values())).mean(),
        }

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


def reference(
    teacher: Teacher, batches: Iterable[tuple[Tensor, Tensor]], judge: Judge | None = None
) -> dict[str, float]:
    """Measure the full-size pair's own losses on crops, by the judge or, without one, by itself."""
    judge, rows = judge or teacher, []
    with torch.no_grad():
        for photos, paintings in batches:
            made = teacher.decode(teacher.target(teacher.features(photos), teacher.features(paintings)))
            content, style, found = (judge.features(each) for each in (photos, paintings, made))
            losses = {
                "content": content_loss(found, teacher.target(content, style)),
                "fidelity": fidelity_loss(found, content),
                "style": style_loss(all_statistics(found), all_statistics(style)),
            }
            rows.append({name: float(each.mean()) for name, each in losses.items()})
    return {name: fmean(row[name] for row in rows) for name in rows[0]}


def fidelity_loss(own: Features, photo: Features) -> Tensor:
    """Return how far relu4_1 is from the photograph's own: the mean squared error over its deviation.

    Args:
        own: [N,C,h,w] at each layer.
        photo: as own; a flat one's deviation counts as 0.1.

    Returns:
        [N].
    """
    goal = photo[DEEPEST].float()
    deviation = goal.var((2, 3), correction=0).mean(1).sqrt()
    return content_loss(own, goal) / deviation.clamp_min(0.1)


def color_loss(own: Tensor, style: Tensor) -> Tensor:
    """Compare light, red against green, and yellow against blue: means and deviations, over the style's own deviations.

    Args:
        own: [N,3,H,W], RGB in [0,1].
        style: as own.

    Returns:
        [N].
    """
    mine, goal = statistics(_opponent(own)), statistics(_opponent(style))
    gaps = (mine.mean - goal.mean).square() + (mine.std - goal.std).square()
    return (gaps / (goal.std.square() + 0.02**2)).mean((1, 2, 3))


def _opponent(image: Tensor) -> Tensor:
    red, green, blue = image.float().unbind(1)
    light = (red + green + blue) / 3**0.5
    return torch.stack([light, (red - green) / 2**0.5, (red + green - 2 * blue) / 6**0.5], 1)


def _grams(encoder: Any, image: Tensor) -> dict[str, Tensor]:
    return {layer: gram_matrix(x.float()) for layer, x in encoder.predict(encoder(image, LAYERS)).items()}


def _decode(decoder: Any, content: Features, style: Features) -> Tensor:
    own, goal = ({layer: statistics(each[layer].float()) for layer in decoder.levels} for each in (content, style))
    found = decoder.target(own, goal)
    return decoder(
        {layer: restyle(content[layer].float(), own[layer], found[layer]) for layer in decoder.levels}
    ).float()


def _gap(own: Tensor, truth: Tensor) -> Tensor:
    """Return the mean squared error over the truth's variance."""
    spread = (truth - truth.mean((0, 2, 3), keepdim=True)).float().square().mean()
    return (own - truth).float().square().mean() / spread


def _pick(features: Features, places: list[int]) -> dict[str, Tensor]:
    return {layer: x[places] for layer, x in features.items()}
