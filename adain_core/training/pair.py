"""Joint training of the compact encoder and decoder, with every loss measured by a larger network.

    L = w_c (L_c / L_c*)^p + w_f (L_f / L_f*)^p + w_s (L_s / L_s*)^p + w_k L_k + w_l L_l
        + w_h L_h + w_i L_i + w_r L_r + w_d L_d + w_p L_p

L_c and L_s are the paper's losses (Eqs. 12 and 13, squared errors) in the judge's features. L_f is L_c with the
photograph's own features as the target, divided by their standard deviation so that large, smooth crops count as much
as small ones; the benchmark measures it as well. L_c*, L_f*, and L_s* are the losses of the full-size pair on the same
kind of crops, so a ratio of 1 means "as good as the paper's network". An exponent of p = 1/2 per picture turns squared
errors into norms, as the paper writes them, and keeps a few styles with extreme statistics from dominating; the
benchmark uses p = 1. L_k compares the means and standard deviations of the colors, relative to the style's own: a trace
of the photograph's color in a gray painting's style barely changes L_s, but it is obvious to the eye. L_l is the
lattice that upsampling leaves, and L_h the halos beside strong edges. L_i is the distance to the full-size pair's
output in the teacher's features. L_r is the error of reconstructing a photograph from itself, scaled to 1 at 24 dB. L_d
continues the distillation, because other methods use the encoder as their perceptual network, and L_p does the same on
stylized pictures and on Probes, where optimization exposes the encoder's blind spots.

The decoder's gains (see compact.py) are trained jointly but with their own learning rate: which statistics a channel
needs so that the picture ends up with the painting's is a different question from how features become pixels.

The judge is the perceptual network, at a third of the cost of VGG-19, which takes every fourth turn so that the pair
does not learn to please the former alone. If the encoder is frozen, its own predictions can replace the teacher. L_c
and L_s are then approximations, but each step sees five times as many pictures, and the decoder learns most of what it
needs that way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import Field
from torch import Tensor, nn

from adain_core.contracts import Params
from adain_core.losses.gram import gram, gram_matrix
from adain_core.losses.lattice import LUMINANCE, lattice_loss
from adain_core.normalization import restyle, statistics
from adain_core.training.distill import Unexplained
from adain_core.training.loop import samples_sheet
from adain_core.training.teacher import DEEPEST, LAYERS, Features, Teacher, all_statistics, content_loss, style_loss

GOAL = 10**-2.4  # mean squared error at 24 dB
BESIDE = 48  # pixels, side of the windows in which the luminance beside an edge is measured
HALO = 15  # pixels, width of the box that blurs the unsharp mask, twice
EDGE = 0.12  # standard deviation of the photograph's luminance above which a window has a strong edge
IMITATED = ("relu2_1", "relu3_1", "relu4_1")


class Judge(Protocol):
    """A network that measures content and style."""

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return features at LAYERS."""


class Yardstick(NamedTuple):
    """What measures content and style, and what the full-size pair's own outputs have there."""

    judge: Judge
    reference: Mapping[str, float]  # losses named content, fidelity and style


class Weights(Params):
    """Weights of the pair's losses."""

    style: float = Field(2.5, ge=0, le=1000, description="Weight of the style loss.")
    content: float = Field(1.0, ge=0, le=1000, description="Weight of the content loss, whose target is AdaIN's.")
    fidelity: float = Field(0.0, ge=0, le=1000, description="Weight of the distance to the photograph's own features.")
    imitation: float = Field(0.0, ge=0, le=1000, description="Weight of the distance to the full-size pair's picture.")
    color: float = Field(0.0, ge=0, le=1000, description="Weight of the color means and standard deviations.")
    lattice: float = Field(1.0, ge=0, le=1000, description="Weight of the lattice that upsampling leaves.")
    halo: float = Field(0.0, ge=0, le=1000, description="Weight of the halos beside the photograph's edges.")
    reconstruction: float = Field(0.1, ge=0, le=1000, description="Weight of reconstructing a photograph from itself.")
    distillation: float = Field(2.0, ge=0, le=1000, description="Weight of predicting the teacher's features.")
    probing: float = Field(2.0, ge=0, le=1000, description="Weight of the same on stylized and optimized pictures.")
    encoder: float = Field(0.3, ge=0, le=1, description="The encoder's rate, relative to the decoder's; 0 freezes it.")
    gains: float = Field(3.0, ge=0, le=100, description="The gains' learning rate, relative to the decoder's.")
    styles: int = Field(2, ge=1, le=64, description="Styles paired with each photograph per step.")
    power: float = Field(0.5, gt=0, le=1, description="Exponent of each picture's style and content losses.")


class Predictions:
    """The teacher's features as an encoder predicts them, used in place of the teacher.

    Args:
        encoder: a frozen encoder; it computes in its own precision.
    """

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.dtype = next(encoder.parameters()).dtype

    def features(self, image: Tensor) -> dict[str, Tensor]:
        """Return predictions at LAYERS; image [N,3,H,W], RGB in [0,1]."""
        with torch.autocast(image.device.type, enabled=False):  # it would pad in float32
            return self.encoder.predict(self.encoder(image.to(self.dtype), LAYERS))


class Probes(nn.Module):
    """Photographs being optimized toward a painting's Gram matrices in the features that the student predicts.

    Each one takes signed gradient steps of decreasing size until it is replaced. Two of them advance per training step,
    in rotation. They are stored as buffers, so a resumed run continues with them.

    Args:
        size: side length in pixels.
    """

    count, each, rate = 16, 2, 0.04

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("image", torch.zeros(self.count, 3, size, size))
        self.register_buffer("style", torch.zeros(self.count, 3, size, size))
        self.register_buffer("life", 30 + 6 * torch.arange(self.count))  # varied, to stagger replacement
        self.register_buffer("age", self.get_buffer("life").clone())

    def advance(self, encoder: Any, batch: tuple[Tensor, Tensor], step: int) -> tuple[Tensor, Tensor]:
        """Advance two pictures by one step and return them before and after it, [2,3,H,W] each."""
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
    """The second stage, which trains the encoder and the decoder jointly.

    Args:
        encoder: already distilled.
        decoder: takes the encoder's features at its levels.
        teacher: the full-size pair that defines the targets.
        weights: weights of the losses.
        yardsticks: what measures content and style; they take turns, one step each.
        size: side length of a crop in pixels.
        samples: photographs and paintings for the sheet, [N,3,H,W] each.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        teacher: Teacher,
        weights: Weights,
        yardsticks: Sequence[Yardstick],
        size: int,
        samples: tuple[Tensor, Tensor],
    ) -> None:
        if not weights.encoder:
            encoder.requires_grad_(False)
        self.student: Any = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
        parts = {"unexplained": Unexplained(teacher.widths), "probes": Probes(size)}
        self.helpers: Any = nn.ModuleDict(parts).to(next(encoder.parameters()).device)
        self.teacher, self.yardsticks = teacher, yardsticks
        self.weights = weights
        self.samples = samples

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """The encoder is already distilled, so it learns more slowly or not at all; the gains learn faster."""
        named = [*self.student.named_parameters()]
        rates = {"encoder.conv": self.weights.encoder * rate, "decoder.gains": self.weights.gains * rate, "": rate}
        found: dict[str, list[Any]] = {first: [] for first in rates}
        for name, each in named:
            if each.requires_grad:
                found[next(first for first in rates if name.startswith(first))].append(each)
        return [{"params": each, "lr": rates[first]} for first, each in found.items() if each]

    def losses(self, batch: tuple[Tensor, Tensor], step: int) -> Mapping[str, Tensor]:
        """Stylize each content crop in several styles, and reconstruct one of them from itself."""
        contents, paintings = batch
        count = len(contents)
        judge, reference = self.yardsticks[step % len(self.yardsticks)]
        with torch.no_grad():
            truth = judge.features(torch.cat([contents, paintings]))
        encoder, power = self.student["encoder"], self.weights.power
        with torch.set_grad_enabled(self.weights.encoder > 0):
            own = encoder(torch.cat([contents, paintings]), LAYERS)
        met = self.weights.styles
        first = [*range(count)] * met  # indices of the contents and of the styles they are paired with
        second = [count + (index + turn) % count for turn in range(met) for index in range(count)]
        itself = step % count
        picture = self.stylize(own, [*first, itself], [*second, itself])
        stylized, again = picture[:-1], picture[-1]
        with torch.no_grad():
            content, style = _pick(truth, first), _pick(truth, second)
            target, goal = self.teacher.target(content, style), all_statistics(style)
        found = judge.features(stylized)
        terms = {
            "style": (style_loss(all_statistics(found), goal) / reference["style"]).pow(power).mean(),
            "content": (content_loss(found, target) / reference["content"]).pow(power).mean(),
            "fidelity": (fidelity_loss(found, content) / reference["fidelity"]).pow(power).mean(),
            "reconstruction": (again - contents[itself]).square().mean() / GOAL,
        }
        if self.weights.color:
            gaps = color_loss(stylized, paintings[[index - count for index in second]])
            terms["color"] = (gaps + 1e-4).sqrt().mean()
        if self.weights.lattice:
            terms["lattice"] = lattice_loss(stylized)
        if self.weights.halo:
            terms["halo"] = halo_loss(stylized, contents[first])
        if self.weights.encoder and (self.weights.distillation or self.weights.probing):
            terms |= self.distill(judge, own, truth, stylized[:count].detach(), found, batch, step)
        if self.weights.imitation:
            with torch.no_grad():
                model = self.teacher.features(self.teacher.decode(target).clamp(0, 1))
            terms["imitation"] = torch.stack([_gap(found[layer], model[layer]) for layer in IMITATED]).mean()
        total = sum(getattr(self.weights, name) * value for name, value in terms.items())
        return {**terms, "total": total}

    def distill(
        self,
        judge: Judge,
        own: Features,
        truth: Features,
        stylized: Tensor,
        seen: Features,
        batch: tuple[Tensor, Tensor],
        step: int,
    ) -> dict[str, Tensor]:
        """Return the unexplained share of the teacher's features, on the batch and on stylized pictures and probes."""
        encoder, unexplained = self.student["encoder"], self.helpers["unexplained"]
        known = torch.stack(list(unexplained(encoder, own, truth).values())).mean()
        if not self.weights.probing:
            return {"distillation": known}
        _, probes = self.helpers["probes"].advance(encoder, batch, step)
        with torch.no_grad():
            more = judge.features(probes)
            hard_truth = {layer: torch.cat([seen[layer][: len(stylized)], more[layer]]) for layer in LAYERS}
        hard = encoder(torch.cat([stylized, probes]), LAYERS)
        return {
            "distillation": known,
            "probing": torch.stack(list(unexplained(encoder, hard, hard_truth).values())).mean(),
        }

    def stylize(self, own: Features, contents: list[int], styles: list[int]) -> Tensor:
        """Stylize pictures of the batch in the style of others, both given by their indices in it."""
        decoder = self.student["decoder"]
        chosen = {layer: own[layer] for layer in decoder.levels}
        return _decode(decoder, _pick(chosen, contents), _pick(chosen, styles))

    @torch.no_grad()
    def sheet(self, student: Any) -> Image.Image:
        """Draw every sample photograph in every sample style, with the full-size pair's output below the student's."""
        encoder, decoder = student["encoder"], student["decoder"]

        def stylize(content: Tensor, styles: Tensor) -> Tensor:
            return _decode(decoder, encoder(content, decoder.levels), encoder(styles, decoder.levels))

        def model(content: Tensor, styles: Tensor) -> Tensor:
            target = self.teacher.target(self.teacher.features(content), self.teacher.features(styles))
            return self.teacher.decode(target)

        return samples_sheet(self.samples, [stylize, model])


def reference(teacher: Teacher, batches: Iterable[tuple[Tensor, Tensor]], judges: Sequence[Judge]) -> list[Yardstick]:
    """Measure the losses of the full-size pair on crops, in the features of each judge."""
    rows: list[list[dict[str, float]]] = [[] for _ in judges]
    with torch.no_grad():
        for photos, paintings in batches:
            made = teacher.decode(teacher.target(teacher.features(photos), teacher.features(paintings)))
            for judge, measured in zip(judges, rows, strict=True):
                content, style, found = (judge.features(each) for each in (photos, paintings, made))
                losses = {
                    "content": content_loss(found, teacher.target(content, style)),
                    "fidelity": fidelity_loss(found, content),
                    "style": style_loss(all_statistics(found), all_statistics(style)),
                }
                measured.append({name: float(each.mean()) for name, each in losses.items()})
    means = [{name: fmean(row[name] for row in measured) for name in measured[0]} for measured in rows]
    return [Yardstick(*each) for each in zip(judges, means, strict=True)]


def fidelity_loss(own: Features, photo: Features) -> Tensor:
    """Return the mean squared error at relu4_1 between a picture and the photograph, over the latter's deviation.

    Args:
        own: features of the picture, [N,C,h,w] at each layer.
        photo: features of the photograph, shaped like `own`; a standard deviation below 0.1 counts as 0.1.

    Returns:
        [N].
    """
    goal = photo[DEEPEST].float()
    deviation = goal.var((2, 3), correction=0).mean(1).sqrt()
    return content_loss(own, goal) / deviation.clamp_min(0.1)


def halo_loss(image: Tensor, photo: Tensor) -> Tensor:
    """Return the share of the luminance beside strong edges that is a sharpened photograph's.

    In each window, the luminance is regressed on the photograph's, and what is left on the photograph's unsharp mask: a
    positive slope is a halo on both sides of the edge. The painting's finer strokes are averaged out first.

    Args:
        image: [N,3,H,W], RGB; at least 48 pixels on a side.
        photo: of the same shape.

    Returns:
        The mean share over windows of 48 pixels with a strong edge, 0 to 1; 0 if there is none.
    """
    light = torch.cat([image, photo]).float().clamp(0, 1)
    light = torch.einsum("nchw,c->nhw", light, light.new_tensor(LUMINANCE))[:, None]
    own, plain = _blur(light, 3).chunk(2)
    mask = plain - _blur(_blur(plain, HALO), HALO)
    own, plain, mask = (_windows(each) for each in (own, plain, mask))  # [N,1,h,w,K]
    variance = _mean(plain * plain)
    rest, sharp = (x - _mean(x * plain) / (variance + 1e-6) * plain for x in (own, mask))
    slope = _mean(rest * sharp) * _mean(own * plain).sign()
    share = slope.clamp_min(0).square() / (_mean(sharp * sharp) * _mean(own * own) + 1e-6)
    where = (variance > EDGE**2).float()
    return (share * where).sum() / where.sum().clamp_min(1)


def _blur(x: Tensor, side: int) -> Tensor:
    return F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False)


def _windows(x: Tensor) -> Tensor:
    """Cut half-overlapping windows and subtract their means, [N,1,H,W] -> [N,1,h,w,K]."""
    windows = x.unfold(2, BESIDE, BESIDE // 2).unfold(3, BESIDE, BESIDE // 2).flatten(-2)
    return windows - _mean(windows)


def _mean(x: Tensor) -> Tensor:
    return x.mean(-1, keepdim=True)


def color_loss(own: Tensor, style: Tensor) -> Tensor:
    """Compare the means and standard deviations of lightness, red-green, and yellow-blue, over the style's deviations.

    Args:
        own: [N,3,H,W], RGB in [0,1].
        style: shaped like `own`.

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
    """Return the mean squared error divided by the variance of `truth`."""
    spread = (truth - truth.mean((0, 2, 3), keepdim=True)).float().square().mean()
    return (own - truth).float().square().mean() / spread


def _pick(features: Features, indices: list[int]) -> dict[str, Tensor]:
    return {layer: x[indices] for layer, x in features.items()}
