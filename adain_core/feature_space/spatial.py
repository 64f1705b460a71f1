"""Regions, strength maps, and tiles, for methods that change the mean and standard deviation of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from adain_core.contracts import Region, Spatial, Step, Steps, Stopwatch, Style
from adain_core.controls import regions, tiles
from adain_core.controls.strength import blend
from adain_core.feature_space.transfer import style_statistics
from adain_core.networks import cost
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics, merge, restyle

Target = Callable[[Mapping[str, Statistics], Mapping[str, Statistics]], Mapping[str, Statistics]]


def transfer_spatially(
    content: Tensor, styles: Sequence[Style], alpha: float, networks: Networks, spatial: Spatial, target: Target
) -> Steps:
    """Stylize each region with its own styles, and each tile with the statistics of the whole picture.

    Args:
        content: [1,3,H,W], RGB in [0,1], or uint8 in [0,255] to save memory; the result has the same type.
        styles: styles of everything outside the regions; without any, it is left unchanged.
        alpha: strength, 0 to 1.
        networks: the encoder and its decoder.
        spatial: regions, strength map, and tiles.
        target: maps the statistics of the content and the style, by level, to those that the features take (Eq. 8).

    Yields:
        A Step without a picture for each tile and pass except the last; then the picture.
    """
    clock = Stopwatch(networks.device)
    height, width = content.shape[2:]
    view = View(content, styles, alpha, networks, spatial)
    reach = networks.reach - networks.encoder.reach  # of the decoder
    plan = tiles.plan(height, width, spatial.side, networks.encoder.reach)
    keep = len(plan) == 1 or tiles.kept(len(plan), cost.feature_bytes(networks) * height * width) > 0
    with torch.inference_mode(), clock("encode style"):
        found = [style_statistics(each.styles, networks) for each in view.areas]
        style = {layer: regions.stack(found, layer) for layer in networks.levels}
    steps = 1 if len(plan) == 1 else 2 * len(plan)
    parts: dict[str, list[tuple[Tensor, Statistics]]] = {layer: [] for layer in networks.levels}
    whole: dict[str, Tensor] = {}
    for number, tile in enumerate(plan, start=1):
        with torch.inference_mode(), clock("encode content"):
            features = view.encode(tile.padded)
        with torch.inference_mode(), clock("AdaIN"):
            shares = view.share(tile.core)
            cores = {layer: x[:, :, *tile.inner(regions.step(layer))] for layer, x in features.items()}
            for layer, x in cores.items():
                parts[layer].append(regions.measure(x, shares, layer))
            if keep:
                whole = features if len(plan) == 1 else _lay(cores, whole, tile.core, (height, width))
        if number < steps:
            yield Step(None, number, steps, seconds=clock.seconds)
    own = {layer: merge(each) for layer, each in parts.items()}
    wanted = target(own, style)
    image = torch.empty_like(content)
    plan = tiles.plan(height, width, spatial.side, reach if keep else networks.reach)
    for number, tile in enumerate(plan, start=steps - len(plan) + 1):
        with torch.inference_mode(), clock("encode content"):
            features = _cut(whole, tile.padded) if keep else view.encode(tile.padded)
        with torch.inference_mode(), clock("AdaIN"):
            amounts = view.weigh(tile.padded)
            stylized = {
                layer: blend(x, restyle(x, own[layer], wanted[layer]), alpha)
                if amounts is None
                else regions.restyle(x, own[layer], wanted[layer], regions.pool(amounts, layer))
                for layer, x in features.items()
            }
        with torch.inference_mode(), clock("decode"):
            part = networks.decode(stylized, tile.size)[:, :, *tile.inner()]
            image[:, :, *tile.core] = part if image.is_floating_point() else part.mul(255).round()
        if number < steps:
            yield Step(None, number, steps, seconds=clock.seconds)
    yield Step(image, steps, steps, seconds=clock.seconds)


class View:
    """Features and shares of regions within rectangles of the picture; parameters as for `transfer_spatially`.

    Attributes:
        areas: the regions with styles, followed by the remaining area if it has styles.
    """

    def __init__(
        self, content: Tensor, styles: Sequence[Style], alpha: float, networks: Networks, spatial: Spatial
    ) -> None:
        self.content, self.networks, self.spatial = content, networks, spatial
        every = [*spatial.regions, Region(torch.empty(0), styles)]
        self.areas = [each for each in every if each.styles]
        self._used = [bool(each.styles) for each in every]
        self._strengths = torch.tensor([alpha * each.strength for each in self.areas]).view(-1, 1, 1, 1)

    def encode(self, box: tiles.Box) -> dict[str, Tensor]:
        """Return the features; those of a whole picture are cached, for the next brush stroke."""
        seen = self.content[:, :, *box]
        whole = seen.shape == self.content.shape and seen.is_floating_point()
        return self.networks.encode(seen).features if whole else self.networks.features(seen)

    def share(self, box: tiles.Box) -> Tensor | None:
        """Return each area's share of every pixel at half resolution, [R,1,h,w]; None if there is only one area."""
        if not self.spatial.regions and self.spatial.strength is None:
            return None
        halved = [regions.halve(each.mask[:, :, *box]) for each in self.spatial.regions]
        size = tiles.measure(tiles.scale(box, 2))
        return regions.cover(halved, size)[self._used].to(self.networks.device)

    def weigh(self, box: tiles.Box) -> Tensor | None:
        """Return the shares multiplied by the strength."""
        if (shares := self.share(box)) is None:
            return None
        strength = self._strengths
        if self.spatial.strength is not None:
            strength = strength * regions.halve(self.spatial.strength[:, :, *box])
        return shares * strength.to(shares.device)


def _cut(whole: dict[str, Tensor], box: tiles.Box) -> dict[str, Tensor]:
    return {layer: x[:, :, *tiles.scale(box, regions.step(layer))] for layer, x in whole.items()}


def _lay(cores: dict[str, Tensor], whole: dict[str, Tensor], box: tiles.Box, size: Sequence[int]) -> dict[str, Tensor]:
    """Write a tile's features into those of the whole picture, which are allocated on first use."""
    for layer, x in cores.items():
        if layer not in whole:
            height, width = (-(-side // regions.step(layer)) for side in size)
            shape = (1, x.shape[1], height, width)
            room = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
            whole[layer] = room
        whole[layer][:, :, *tiles.scale(box, regions.step(layer))] = x
    return whole
