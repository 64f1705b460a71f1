"""VGG encoders of any width, and the decoder that mirrors them.

Layers are named as in VGG-19: `conv3_2` is the second convolution of the third block, and `relu3_2` is its output.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from adain_core.contracts import SizeError
from adain_core.normalization import Statistics

DEPTHS = (2, 2, 4, 4, 4)  # convolutions per block of VGG-19; every block but the first begins with pooling
WIDTHS = (64, 128, 256, 512, 512)


class Convolution(NamedTuple):
    """The name and channels of a 3x3 convolution."""

    name: str
    inputs: int
    outputs: int

    @property
    def block(self) -> int:
        """Number of the block, from 1."""
        return int(self.name[4])

    @property
    def relu(self) -> str:
        """Name of its output after the rectifier."""
        return self.name.replace("conv", "relu")


def convolutions(widths: Sequence[int], last: str) -> list[Convolution]:
    """List VGG-19's convolutions in order, up to the one whose output is `last`.

    Raises:
        ValueError: there is no such layer.
    """
    plan, inputs = [], 3
    for block, (width, depth) in enumerate(zip(widths, DEPTHS, strict=False), start=1):
        for number in range(1, depth + 1):
            plan.append(Convolution(f"conv{block}_{number}", inputs, width))
            inputs = width
            if plan[-1].relu == last:
                return plan
    raise ValueError(f"There is no layer {last}; there are {', '.join(each.relu for each in plan)}.")


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="reflect")


class Encoder(nn.Module):
    """VGG-19 of any width, with reflection padding and an initial 1x1 convolution that takes RGB in [0,1].

    Args:
        widths: channels of each block.
        last: the deepest layer, `relu4_1` for AdaIN.
    """

    poolings: Mapping[str, Callable[..., Tensor]] = {"max": F.max_pool2d, "average": F.avg_pool2d}

    def __init__(self, widths: Sequence[int] = WIDTHS, last: str = "relu4_1") -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.plan = convolutions(widths, last)
        self.conv0 = nn.Conv2d(3, 3, 1)
        for each in self.plan:
            self.add_module(each.name, _convolution(each.inputs, each.outputs))

    @property
    def reach(self) -> int:
        """How far a change of the input affects the output, in pixels, by convolutions and by pooling or upsampling."""
        return sum(2 ** (each.block - 1) for each in self.plan) + 2 ** (max(each.block for each in self.plan) - 1)

    def forward(self, image: Tensor, layers: Collection[str], pooling: str = "max") -> dict[str, Tensor]:
        """Return the features of an image at `layers`.

        Args:
            image: [N,3,H,W], RGB in [0,1]; at least 9 pixels on each side for relu4_1.
            layers: names such as `relu4_1`; nothing beyond the deepest one is computed.
            pooling: one of `poolings`.

        Returns:
            Features by layer, [N,C,h,w]; each pooling halves h and w and rounds up.

        Raises:
            ValueError: the encoder lacks one of the layers.
            SizeError: the picture is too small for one of the layers.
        """
        known = [each.relu for each in self.plan]
        if missing := [layer for layer in layers if layer not in known]:
            raise ValueError(f"The encoder has no layer {missing[0]}; it has {', '.join(known)}.")
        least = 2 ** max([0, *(each.block - 1 for each in self.plan if each.relu in layers)]) + 1
        if min(image.shape[2:]) < least:
            width, height = image.shape[3], image.shape[2]
            raise SizeError(f"A picture of {width}x{height} pixels is too small for {max(layers)}; it needs {least}.")
        found: dict[str, Tensor] = {}
        pool = self.poolings[pooling]
        x, block = self.conv0(image), 1
        for each in self.plan:
            if each.block > block:
                x, block = pool(x, 2, ceil_mode=True), each.block
            x = self.get_submodule(each.name)(x).relu_()
            if each.relu in layers:
                found[each.relu] = x
            if len(found) == len(set(layers)):
                break
        return found

    @property
    def layers(self) -> list[str]:
        """Names of all layers."""
        return [each.relu for each in self.plan]

    def predict(self, features: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Return the features unchanged: they are the ones that other encoders predict."""
        return features


class Decoder(nn.Module):
    """The encoder in reverse, with inputs and outputs swapped and nearest-neighbor upsampling in place of pooling.

    Args:
        widths: channels of each of the encoder's blocks.
        last: the layer whose features it takes.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, last: str = "relu4_1") -> None:
        super().__init__()
        self.levels = (last,)
        self.plan = [Convolution(each.name, each.outputs, each.inputs) for each in reversed(convolutions(widths, last))]
        for each in self.plan:
            self.add_module(each.name, _convolution(each.inputs, each.outputs))

    @property
    def reach(self) -> int:
        """How far a change of the input affects the output, in pixels, by convolutions and by pooling or upsampling."""
        return sum(2 ** (each.block - 1) for each in self.plan) + 2 ** (max(each.block for each in self.plan) - 1)

    def target(self, own: Mapping[str, Statistics], style: Mapping[str, Statistics]) -> Mapping[str, Statistics]:  # noqa: ARG002
        """Return the style's statistics, as in Eq. 8."""
        return style

    def forward(self, features: Mapping[str, Tensor]) -> Tensor:
        """Turn features into an image.

        Args:
            features: features at the only one of `levels`, [N,C,h,w].

        Returns:
            [N,3,H,W], not clamped; up to 7 pixels larger than the encoded image on the right and at the bottom.
        """
        x, block = features[self.levels[0]], self.plan[0].block
        for each in self.plan:
            if each.block < block:
                x, block = F.interpolate(x, scale_factor=2, mode="nearest"), each.block
            x = self.get_submodule(each.name)(x)
            if each is not self.plan[-1]:
                x = x.relu_()
        return x
