"""The perceptual encoder: VGG-19 at about half its width, trained to serve as a loss network.

It keeps the properties of VGG-19 that matter to an optimization: its layers, max pooling, and reflection padding. 1x1
convolutions predict VGG-19's features from its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from adain_core.networks.vgg import Encoder

WIDTHS = (40, 96, 176, 352)
PREDICTED = (64, 128, 256, 512)  # VGG-19's widths
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class PerceptualEncoder(Encoder):
    """A narrower VGG-19 up to relu4_1, with a 1x1 convolution (head) for each of LAYERS.

    Args:
        widths: channels of each of the four blocks.
        predicted: channels of the teacher's features, which the heads predict.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, predicted: Sequence[int] = PREDICTED) -> None:
        super().__init__(widths, LAYERS[-1])
        sizes = zip(LAYERS, widths, predicted, strict=True)
        self.heads = nn.ModuleDict({layer: nn.Conv2d(own, other, 1) for layer, own, other in sizes})

    @property
    def layers(self) -> list[str]:
        """Names of the layers that `predict` accepts."""
        return list(self.heads)

    def predict(self, features: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Predict VGG-19's features from this encoder's, at any of LAYERS."""
        return {layer: self.heads[layer](x) for layer, x in features.items()}
