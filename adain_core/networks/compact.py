"""The compact encoder and decoder: VGG-19's layer names at a quarter of its width, designed for two CPU cores.

Departures from VGG-19 and the paper's decoder, all for speed on a CPU except the last:
- Each block has two convolutions, and the second one uses stride 2 instead of pooling, so only the first and the last
  layer run at full resolution.
- The decoder receives AdaIN's features at relu3_1 and relu2_1 as well as at relu4_1.
- Residual blocks run where they are cheap, at 1/8 and 1/4 of the resolution.
- The last upsampling step is a pixel shuffle.
- Learned gains move the means and standard deviations beyond the painting's, or not all the way to them.

The features at relu2_1 are enough to reconstruct a picture, so a decoder that has them from the start learns to ignore
the deeper ones. They enter through a 1x1 convolution that starts at zero after the rest of the decoder is trained.
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
    """Eight 3x3 convolutions, with features named and sized like VGG-19's at relu1_1, relu2_1, relu3_1, and relu4_1.

    Args:
        widths: channels of each of the four blocks.
        predicted: channels of the teacher's features, which the 1x1 convolutions in `heads` predict.
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
        """Radius of the receptive field in pixels."""
        return sum(2 ** (int(name[4]) - 1) for name in self.plan)

    def forward(self, image: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """Return the features of an image at `layers`.

        Args:
            image: [N,3,H,W], RGB in [0,1]; at least 9 pixels on each side for relu4_1.
            layers: names such as `relu4_1`; nothing beyond the deepest one is computed.

        Returns:
            Features by layer, [N,C,h,w]; each block halves h and w and rounds up.

        Raises:
            ValueError: the encoder lacks one of the layers.
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
        """Names of the layers that `predict` accepts."""
        return list(self.heads)

    def predict(self, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Predict VGG-19's features from this encoder's, at any of `layers`."""
        return {layer: self.heads[layer](x) for layer, x in features.items()}


class CompactInverse(nn.Module):
    """Decodes an image from relu3_1 alone: an inverse network for methods that change features there, like style swap.

    Args:
        widths: the encoder's widths.
    """

    levels: tuple[str, ...] = ("relu3_1",)
    slope = 0.0  # negative slope of the rectifiers at 1/8 and 1/4 of the resolution

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
        """How far the effect of one feature extends, in pixels."""
        return sum(2 ** (int(name[4]) - 1) for name, _ in self.named_children() if name.startswith("conv"))

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Turn features into an image.

        Args:
            features: features at all `levels`, [N,C,h,w].

        Returns:
            [N,3,H,W], not clamped; up to three pixels larger than the encoded image on the right and at the bottom.
        """
        return self.upsample(features["relu3_1"])

    def upsample(self, x: Tensor, skip: Tensor | None = None) -> Tensor:
        """Decode features at relu3_1; those in `skip` are added at relu2_1."""
        x = self.residual(x, self.conv3_6, self.conv3_5)
        x = self.residual(x, self.conv3_4, self.conv3_3)
        x = F.leaky_relu_(self.conv3_2(x), self.slope)
        x = _up(self.conv3_1(x), skip).relu_()
        x = self.conv2_2(x).relu_()
        x = F.pixel_shuffle(self.conv2_1(x), 2).relu_()
        return self.conv1_1(x)

    def residual(self, x: Tensor, first: nn.Module, second: nn.Module) -> Tensor:
        """Apply a residual block of two convolutions."""
        return F.leaky_relu_(x + second(F.leaky_relu_(first(x), self.slope)), self.slope)


class Gains(nn.Module):
    """How far each mean and standard deviation moves from the photograph's toward the painting's, or beyond it.

        target = own + (1 + tanh g(own, style)) (style - own)

    AdaIN corresponds to g = 0, the initial state. Matching the statistics of a quarter of VGG-19's channels does not
    match those of all its channels in the decoded picture, and the gap depends on both pictures. When `own` equals
    `style`, nothing changes, so a picture in its own style is only reconstructed.

    Args:
        widths: channels at each of LEVELS.
    """

    hidden = 320
    middle: Tensor
    spread: Tensor

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        count = 2 * sum(widths)
        self.register_buffer("middle", torch.zeros(count))  # mean of the inputs over pictures, to standardize them
        self.register_buffer("spread", torch.zeros(count))  # and their standard deviation
        self.first = nn.Linear(2 * count, self.hidden)
        self.second = nn.Linear(self.hidden, count)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> dict[str, Statistics]:
        """Return the statistics that the features should take; all are [N,C,1,1], and N may be 1 in one argument."""
        here, there = torch.broadcast_tensors(self._row(own), self._row(style))  # type: ignore[no-untyped-call]
        inputs = torch.cat([(each - self.middle) / self.spread.clamp_min(1e-3) for each in (here, there)], 1)
        gains = self.second(F.relu(self.first(inputs.to(self.first.weight.dtype)))).float().tanh()
        means, stds = (here + (1 + gains) * (there - here))[..., None, None].tensor_split(2, 1)
        parts = zip(means.split(self.widths, 1), stds.clamp_min(0).split(self.widths, 1), strict=True)
        return {level: Statistics(*part) for level, part in zip(LEVELS, parts, strict=True)}

    def standardize(self, seen: Iterable[Mapping[str, Statistics]]) -> None:
        """Set the mean and standard deviation of the inputs from the statistics of some pictures, [N,C,1,1] each."""
        rows = torch.cat([self._row(each) for each in seen])
        self.middle.copy_(rows.mean(0))
        self.spread.copy_(rows.std(0))

    def _row(self, found: Mapping[str, Statistics]) -> Tensor:
        """Concatenate the means of all levels, then the standard deviations, [N,2C]."""
        return torch.cat([found[level][which].float() for which in (0, 1) for level in LEVELS], 1)[..., 0, 0]


class CompactDecoder(CompactInverse):
    """Decodes features at three levels: each level is upsampled and added to the next shallower one.

    Args:
        widths: the encoder's widths.
    """

    levels = LEVELS
    slope = 0.1  # dead rectifiers would disable a level for good, because shallower levels suffice for a picture

    def __init__(self, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__(widths)
        c, d = widths[2:]
        self.conv4_7 = _convolution(d, d)
        self.conv4_6 = _convolution(d, d)
        self.conv4_5 = _convolution(d, d)
        self.conv4_4 = _convolution(d, d)
        self.conv4_3 = _convolution(d, d)
        self.conv4_2 = _convolution(d, d)
        self.conv4_1 = _convolution(d, c)
        self.join2_1 = nn.Conv2d(widths[1], widths[1], 1)
        self.gains = Gains([widths[int(level[4]) - 1] for level in LEVELS])

    def target(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> dict[str, Statistics]:
        """Return the statistics that features with statistics `own` take to get `style`: AdaIN's, with gains."""
        return self.gains(own, style)

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Turn features into an image; like CompactInverse, but at most one pixel larger than the encoded image."""
        x = features["relu4_1"]  # not rectified, nor is relu3_1: AdaIN makes features negative
        x = x + self.conv4_6(F.leaky_relu_(self.conv4_7(x), self.slope))
        x = x + self.conv4_4(F.leaky_relu_(self.conv4_5(x), self.slope))
        x = self.residual(x, self.conv4_3, self.conv4_2)
        x = _up(self.conv4_1(x), features["relu3_1"])
        return self.upsample(x, self.join2_1(features["relu2_1"]))


def _up(x: Tensor, skip: Tensor | None) -> Tensor:
    x = F.interpolate(x, scale_factor=2, mode="nearest")
    return x if skip is None else x[..., : skip.shape[2], : skip.shape[3]] + skip
