"""The compact encoder and decoder: VGG-19's layer names at a quarter of its width, made for two CPU cores.

They depart from VGG-19 where a CPU gains: two convolutions a block, the second of which has stride 2 in place of
pooling, so that only the first layer and the last work at full resolution; on the way up AdaIN's features join in at
relu3_1 and relu2_1, where the paper's decoder sees relu4_1 alone; pairs of convolutions, past which shortcuts lead,
work where they are cheap, at an eighth and a quarter of the resolution; the last step up is a pixel shuffle. And
AdaIN's means and deviations go further than to the painting's own, or less far, by learned gains.

Features at relu2_1 make a picture by themselves, and a decoder that has them from the start learns to do without the
rest. Here they come by a 1x1 convolution that begins at 0 once the way up from below is trained.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adain_core.normalization import Statistics

WIDTHS = (16, 32, 64, 128)
PREDICTED = (64, 128, 256, 512)  # VGG-19's widths
LEVELS = ("relu4_1", "relu3_1", "relu2_1")
SHUFFLED = 8  # channels at full resolution on the way up


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, padding_mode="reflect")


class CompactEncoder(nn.Module):
    """Eight 3x3 convolutions; features of the same names and sizes as VGG-19's at relu1_1, 2_1, 3_1 and 4_1.

    Args:
        widths: channels of each of the four blocks.
        predicted: the teacher's, for the 1x1 convolutions `heads` that predict its features.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, predicted: Sequence[int] = PREDICTED) -> None:
        super().__init__()
        self.widths = tuple(widths)
        a, b, c, d = widths
        self.conv1_1 = _convolution(3, a)
        self.conv1_2 = _convolution(a, b, stride=2)
        self.conv2_1 = _convolution(b, b)
        self.conv2_2 = _convolution(b, c, stride=2)
        self.conv3_1 = _convolution(c, c)
        self.conv3_2 = _convolution(c, d, stride=2)
        self.conv4_1 = _convolution(d, d)
        self.plan = [name for name, _ in self.named_children()]
        layers = [f"relu{block}_1" for block in range(1, 5)]
        self.heads = nn.ModuleDict(
            {layer: nn.Conv2d(i, o, 1) for layer, i, o in zip(layers, widths, predicted, strict=True)}
        )

    @property
    def reach(self) -> int:
        """How far a pixel's change reaches at most, in pixels."""
        return sum(2 ** (int(name[4]) - 1) for name in self.plan)

    def forward(self, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the features of an image at `layers`.

        Args:
            image: [N,3,H,W], RGB in [0,1]; at least 9 pixels on each side for relu4_1.
            layers: names such as `relu4_1`; nothing is computed beyond the deepest.

        Returns:
            By name [N,C,h,w]; h and w are halved from block to block and rounded up.

        Raises:
            ValueError: a layer that this encoder lacks.
        """
        known = [name.replace("conv", "relu") for name in self.plan]
        if missing := [layer for layer in layers if layer not in known]:
            raise ValueError(f"The encoder has no layer {missing[0]}; it has {', '.join(known)}.")
        found: dict[str, Tensor] = {}
        x = image
        for name in self.plan:
            x = self.get_submodule(name)(x).relu_()
            if (layer := name.replace("conv", "relu")) in layers:
                found[layer] = x
            if len(found) == len(set(layers)):
                break
        return found

    @property
    def layers(self) -> list[str]:
        """Names of the features that `predict` gives."""
        return list(self.heads)

    def predict(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Predict VGG-19's features from one's own, at any of relu1_1, 2_1, 3_1 and 4_1."""
        return {layer: self.heads[layer](x) for layer, x in features.items()}


class CompactInverse(nn.Module):
    """The way up from relu3_1 alone: an inverse network for features that were changed there, as style swap does.

    Args:
        widths: as the encoder's.
    """

    levels: tuple[str, ...] = ("relu3_1",)
    slope = 0.0  # of the rectifiers below 0, at an eighth and a quarter of the resolution

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        _, b, c, _ = widths
        self.conv3_6 = _convolution(c, c)
        self.conv3_5 = _convolution(c, c)
        self.conv3_4 = _convolution(c, c)
        self.conv3_3 = _convolution(c, c)
        self.conv3_2 = _convolution(c, c)
        self.conv3_1 = _convolution(c, b)
        self.conv2_2 = _convolution(b, b)
        self.conv2_1 = _convolution(b, 4 * SHUFFLED)
        self.conv1_1 = _convolution(SHUFFLED, 3)

    @property
    def reach(self) -> int:
        """How far a feature's change reaches at most, in pixels."""
        return sum(2 ** (int(name[4]) - 1) for name, _ in self.named_children() if name.startswith("conv"))

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Turn features into an image.

        Args:
            features: at every one of `levels`, [N,C,h,w].

        Returns:
            [N,3,H,W], not yet clamped; up to three pixels larger than the encoded image, at the right and the bottom.
        """
        return self.upsample(features["relu3_1"])

    def upsample(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """Go up from relu3_1 to the image; features `beside` join in at relu2_1."""
        x = self.residual(x, self.conv3_6, self.conv3_5)
        x = self.residual(x, self.conv3_4, self.conv3_3)
        x = F.leaky_relu_(self.conv3_2(x), self.slope)
        x = _up(self.conv3_1(x), beside).relu_()
        x = self.conv2_2(x).relu_()
        x = F.pixel_shuffle(self.conv2_1(x), 2).relu_()
        return self.conv1_1(x)

    def residual(self, x: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
        """Put features through a pair of convolutions with a shortcut."""
        return F.leaky_relu_(x + second(F.leaky_relu_(first(x), self.slope)), self.slope)


class Gains(nn.Module):
    """How far each mean and standard deviation goes from the photograph's to the painting's, and beyond.

        target = own + (1 + tanh g(own, style)) (style - own)

    AdaIN is g = 0, where training begins. A quarter of VGG-19's channels with the right statistics don't make a picture
    with the right statistics in all of VGG-19's; how much is missing depends on both pictures. Between equal ones
    there is nothing to go, so a picture in its own style stays what it is.

    Args:
        widths: channels of each of LEVELS.
    """

    hidden = 192
    middle: Tensor
    spread: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        count = 2 * sum(widths)
        self.register_buffer("middle", torch.zeros(count))  # of pictures' statistics, so that they come at one scale
        self.register_buffer("spread", torch.zeros(count))
        self.first = nn.Linear(2 * count, self.hidden)
        self.second = nn.Linear(self.hidden, count)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> dict[str, Statistics]:
        """Return the statistics to give to the features; all are [N,C,1,1], or N is 1 in `own` or in `style`."""
        here, there = torch.broadcast_tensors(self._row(own), self._row(style))  # type: ignore[no-untyped-call]
        known = torch.cat([(each - self.middle) / self.spread.clamp_min(1e-3) for each in (here, there)], 1)
        gains = self.second(F.relu(self.first(known.to(self.first.weight.dtype)))).float().tanh()
        means, stds = (here + (1 + gains) * (there - here))[..., None, None].tensor_split(2, 1)
        parts = zip(means.split(self.widths, 1), stds.clamp_min(0).split(self.widths, 1), strict=True)
        return {level: Statistics(*part) for level, part in zip(LEVELS, parts, strict=True)}

    def settle(self, seen: Iterable[Mapping[str, Statistics]]) -> None:
        """Learn what statistics pictures have, from some, [N,C,1,1] each."""
        rows = torch.cat([self._row(each) for each in seen])
        self.middle.copy_(rows.mean(0))
        self.spread.copy_(rows.std(0))

    def _row(self, found: Mapping[str, Statistics]) -> Tensor:
        """Lay means and then deviations one after another, [N,2C]."""
        return torch.cat([found[level][which].float() for which in (0, 1) for level in LEVELS], 1)[..., 0, 0]


class CompactDecoder(CompactInverse):
    """The way up from three levels, those from below up-sampled and added to the next level's.

    Args:
        widths: as the encoder's.
    """

    levels = LEVELS
    slope = 0.1  # a shut rectifier would cut a level off for good, since those above it make a picture, too

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(widths)
        c, d = widths[2:]
        self.conv4_5 = _convolution(d, d)
        self.conv4_4 = _convolution(d, d)
        self.conv4_3 = _convolution(d, d)
        self.conv4_2 = _convolution(d, d)
        self.conv4_1 = _convolution(d, c)
        self.join2_1 = nn.Conv2d(widths[1], widths[1], 1)
        self.gains = Gains([widths[int(level[4]) - 1] for level in LEVELS])

    def target(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> dict[str, Statistics]:
        """Return the statistics that features with `own` take for a picture in `style`: AdaIN's, with gains."""
        return self.gains(own, style)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Turn features into an image; as CompactInverse, but at most one pixel larger than the encoded image."""
        x = features["relu4_1"]  # uncut, as relu3_1's: AdaIN's go below 0, too
        x = x + self.conv4_4(F.leaky_relu_(self.conv4_5(x), self.slope))
        x = self.residual(x, self.conv4_3, self.conv4_2)
        x = _up(self.conv4_1(x), features["relu3_1"])
        return self.upsample(x, self.join2_1(features["relu2_1"]))


def _up(x: Tensor, beside: Tensor | None) -> Tensor:
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    return x if beside is None else x[..., : beside.shape[2], : beside.shape[3]] + beside
