"""The perceptual encoder: VGG-19 at about half its width, made to be optimized through.

It keeps what an optimization through VGG-19 depends on: the layers, max pooling, reflection padding. 1x1 convolutions
predict VGG-19's own features from its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from adain_core.networks.vgg import Encoder

WIDTHS = (40, 96, 176, 352)
PREDICTED = (64, 128, 256, 512)  # VGG-19's widths
LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")


class PerceptualEncoder(Encoder):
    """VGG-19 up to relu4_1, narrower, with a 1x1 convolution, the head, for each of LAYERS.

    Args:
        widths: channels of each of the four blocks.
        predicted: the teacher's, for the heads.
    """

    def __init__(self, widths: Sequence[int] = WIDTHS, predicted: Sequence[int] = PREDICTED) -> None:
        super().__init__(widths, LAYERS[-1])
        sizes = zip(LAYERS, widths, predicted, strict=True)
        self.heads = nn.ModuleDict({layer: nn.Conv2d(own, other, 1) for layer, own, other in sizes})

    @property
    def layers(self) -> list[str]:
        """Names of the features that `predict` gives."""
        return list(self.heads)

    def predict(self, features: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Predict VGG-19's features from one's own, at any of LAYERS."""
        return {layer: self.heads[layer](x) for layer, x in features.items()}
