"""The judge of a comparison: one fixed encoder that measures the results of all methods."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from cachetools import LRUCache
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from adain_core import images
from adain_core.controls.color import color_shift
from adain_core.images import metrics
from adain_core.losses.gram import gram, gram_matrix
from adain_core.losses.mean_std import mean_std
from adain_core.networks.model import Networks
from adain_core.normalization import EPS, Statistics, spread, statistics

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # as in the paper, Eq. 13
CONTENT_LAYER = "relu4_1"
MAPPED = {"relu3_1": 4, "relu4_1": 8}  # layers of the map of remaining style, and pixels per side of one feature
NEAR = 40  # largest side length of a window in that map, in pixels
TINY = 1e-12
KEPT = 32  # pictures whose measurements are cached
FLOOR = 0.01  # lower bound of that map's unit, relative to the paintings' statistics


class Judge:
    """Measures pictures against one photograph and its paintings with one encoder, in float32.

    Args:
        networks: networks whose loss network is the encoder; its features must be VGG-19's or predictions of them.
        content: the photograph.
        styles: the paintings, with equal weights.
    """

    def __init__(self, networks: Networks, content: Image.Image, styles: Sequence[Image.Image]) -> None:
        self.name = networks.loss_name
        self.content = content
        self._measured: LRUCache[int, tuple[Image.Image, dict[str, float]]] = LRUCache(KEPT)  # by id
        self._networks = networks
        if networks.dtype != torch.float32:  # tables must not depend on the machine's precision
            self._networks = Networks(networks.name, copy.deepcopy(networks.parts), networks.device)
        seen = [self._features(style) for style in styles]
        self._goals = [{layer: (statistics(x), gram_matrix(x)) for layer, x in each.items()} for each in seen]
        own = self._features(content)
        self._content_features = own[CONTENT_LAYER]
        self._spread = float(spread(self._content_features)) + TINY
        self._units = {layer: max(float(self._far(layer, own[layer]).mean()), self._least(layer)) for layer in MAPPED}

    def mean_std(self, picture: Image.Image) -> float:
        """Return the style loss of Eq. 13, with squared errors averaged over channels and summed over four layers."""
        return self._mean_std(self._features(picture))

    def measure(self, picture: Image.Image) -> dict[str, float]:
        """Measure a picture of the photograph's size; results are cached.

        Returns:
            `content`: mean squared difference from the photograph's features at relu4_1, over their variance, which has
            a lower bound (normalization.spread); `mean_std`: see the method of this name; `gram`: mean squared
            difference of Gram matrices, summed over four layers; `ssim`: similarity to the photograph; `color_shift`:
            mean Delta E from the photograph.
        """
        if id(picture) not in self._measured:
            self._measured[id(picture)] = picture, self._measure(picture)
        return dict(self._measured[id(picture)][1])

    def _measure(self, picture: Image.Image) -> dict[str, float]:
        features, goals = self._features(picture), self._goals
        matrices = {layer: gram_matrix(x) for layer, x in features.items()}
        squares = [gram(matrices[layer], goal[layer][1]) for goal in goals for layer in LAYERS]
        one, other = (images.to_tensor(each.convert("RGB")) for each in (self.content, picture))
        return {
            "content": float((features[CONTENT_LAYER] - self._content_features).square().mean()) / self._spread,
            "mean_std": self._mean_std(features),
            "gram": float(torch.cat(squares).sum()) / len(goals),
            "ssim": float(metrics.ssim(one, other)),
            "color_shift": color_shift(self.content, picture.convert("RGB")),
        }

    def left(self, picture: Image.Image) -> NDArray[np.float32]:
        """Map the remaining distance to the style at each pixel, [H,W].

        At each position, the mean and standard deviation of the features in a window of 40 pixels are compared with
        those of the whole painting, as in Eq. 13, and relu3_1 and relu4_1 are averaged. The unit is the photograph's
        average distance, but at least a hundredth of the painting's statistics.
        """
        features, size = self._features(picture), picture.size[::-1]
        maps = [self._far(layer, features[layer])[:, None] / self._units[layer] for layer in MAPPED]
        large = [F.interpolate(each, size, mode="bilinear", align_corners=False) for each in maps]
        return np.asarray(torch.cat(large, 1).mean(1)[0].cpu().numpy(), np.float32)

    @torch.no_grad()
    def _features(self, picture: Image.Image) -> dict[str, Tensor]:
        return dict(self._networks.perceptual(images.to_tensor(picture.convert("RGB")), LAYERS))

    def _mean_std(self, features: dict[str, Tensor]) -> float:
        own = {layer: statistics(x) for layer, x in features.items()}
        parts = [mean_std(own[layer], goal[layer][0]) for goal in self._goals for layer in LAYERS]
        return float(torch.cat(parts).sum()) / len(self._goals)

    def _least(self, layer: str) -> float:
        goals = [each[layer][0] for each in self._goals]
        return FLOOR * sum(float((g.mean.square() + g.std.square()).mean()) for g in goals) / len(goals) + TINY

    def _far(self, layer: str, x: Tensor) -> Tensor:
        """Compare the statistics around each position with the styles', [1,C,h,w] -> [1,h,w]."""
        near = [(min(NEAR // MAPPED[layer], side) - 1) // 2 * 2 + 1 for side in x.shape[2:]]  # odd

        def blur(values: Tensor) -> Tensor:
            edges = [side // 2 for side in near]
            return F.avg_pool2d(values, near, stride=1, padding=edges, count_include_pad=False)

        mean = blur(x)
        own = Statistics(mean, ((blur(x * x) - mean * mean).clamp_min(0) + EPS).sqrt())
        found = [
            ((own.mean - goal.mean).square() + (own.std - goal.std).square()).mean(1)
            for goal, _ in (each[layer] for each in self._goals)
        ]
        return torch.stack(found).mean(0)
