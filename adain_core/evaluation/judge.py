"""One fixed encoder that measures every picture alike, whatever made it."""

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

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")  # the paper's, Eq. 13
SUBJECT = "relu4_1"  # where content is compared
MAPPED = {"relu3_1": 4, "relu4_1": 8}  # layers of the map of what is left, and pixels to one of their features
NEAR = 40  # pixels of a window's side in that map, at most
TINY = 1e-12
KEPT = 32  # pictures whose measurements a judge remembers
NONE = 0.01  # of the statistics: a distance between them below which two pictures are alike in style


class Judge:
    """One fixed encoder that measures every picture against the same photograph and the same paintings, in float32.

    Args:
        networks: whose loss network judges; its layers must be those of VGG-19, or predicted ones.
        content: the photograph.
        styles: the paintings, in equal shares.
    """

    def __init__(self, networks: Networks, content: Image.Image, styles: Sequence[Image.Image]) -> None:
        self.name = networks.loss_name
        self.content = content
        self._measured: LRUCache[int, tuple[Image.Image, dict[str, float]]] = LRUCache(KEPT)  # by id, which it keeps
        self._networks = networks
        if networks.dtype != torch.float32:  # so that a table doesn't depend on what the machine multiplies
            self._networks = Networks(networks.name, copy.deepcopy(networks.parts), networks.device)
        looks = [self._see(style) for style in styles]
        self._goals = [{layer: (statistics(x), gram_matrix(x)) for layer, x in look.items()} for look in looks]
        own = self._see(content)
        self._subject = own[SUBJECT]
        self._spread = float(spread(self._subject)) + TINY
        self._units = {layer: max(float(self._far(layer, own[layer]).mean()), self._least(layer)) for layer in MAPPED}

    def mean_std(self, picture: Image.Image) -> float:
        """Return the style loss of Eq. 13, squared errors averaged over channels, summed over four layers."""
        return self._mean_std(self._see(picture))

    def measure(self, picture: Image.Image) -> dict[str, float]:
        """Measure a picture of the photograph's size; it is measured once.

        Returns:
            `content`: the mean squared difference from the photograph's features at relu4_1, over their variance,
            for which a flat photograph's has a least (normalization.spread);
            `mean_std` as above; `gram`: the mean squared difference of Gram matrices, summed over four layers; `ssim`
            to the photograph; `color_shift`: mean Delta E from it.
        """
        if id(picture) not in self._measured:
            self._measured[id(picture)] = picture, self._measure(picture)
        return dict(self._measured[id(picture)][1])

    def _measure(self, picture: Image.Image) -> dict[str, float]:
        features, goals = self._see(picture), self._goals
        matrices = {layer: gram_matrix(x) for layer, x in features.items()}
        squares = [gram(matrices[layer], goal[layer][1]) for goal in goals for layer in LAYERS]
        one, other = (images.to_tensor(each.convert("RGB")) for each in (self.content, picture))
        return {
            "content": float((features[SUBJECT] - self._subject).square().mean()) / self._spread,
            "mean_std": self._mean_std(features),
            "gram": float(torch.cat(squares).sum()) / len(goals),
            "ssim": float(metrics.ssim(one, other)),
            "color_shift": color_shift(self.content, picture.convert("RGB")),
        }

    def left(self, picture: Image.Image) -> NDArray[np.float32]:
        """Map where a picture is still far from the style, [H,W].

        At each place the mean and the standard deviation of the features within a window of 40 pixels are compared with
        those of the whole painting, as in Eq. 13; relu3_1 and relu4_1 are averaged. 1 is as far as the photograph
        is on the whole, or, where that is next to nothing, a hundredth of the painting's own statistics.
        """
        features, size = self._see(picture), picture.size[::-1]
        maps = [self._far(layer, features[layer])[:, None] / self._units[layer] for layer in MAPPED]
        large = [F.interpolate(each, size, mode="bilinear", align_corners=False) for each in maps]
        return np.asarray(torch.cat(large, 1).mean(1)[0].cpu().numpy(), np.float32)

    @torch.no_grad()
    def _see(self, picture: Image.Image) -> dict[str, Tensor]:
        return dict(self._networks.perceptual(images.to_tensor(picture.convert("RGB")), LAYERS))

    def _mean_std(self, features: dict[str, Tensor]) -> float:
        own = {layer: statistics(x) for layer, x in features.items()}
        parts = [mean_std(own[layer], goal[layer][0]) for goal in self._goals for layer in LAYERS]
        return float(torch.cat(parts).sum()) / len(self._goals)

    def _least(self, layer: str) -> float:
        goals = [each[layer][0] for each in self._goals]
        return NONE * sum(float((g.mean.square() + g.std.square()).mean()) for g in goals) / len(goals) + TINY

    def _far(self, layer: str, x: Tensor) -> Tensor:
        """Compare the statistics about each place with the styles', [1,C,h,w] -> [1,h,w]."""
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
