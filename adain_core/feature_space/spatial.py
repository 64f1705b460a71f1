"""Regions, strength maps and tiles, for any method that changes features' means and standard deviations."""

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
    """Stylize each region by its own styles and each tile with the statistics of the whole.

    Args:
        content: [1,3,H,W]; uint8 in [0,255] saves memory, and the picture comes back so.
        styles: of what the regions leave; none to leave it as it is.
        alpha: strength, 0 to 1.
        networks: the encoder and its decoder.
        spatial: regions, strength and tiles.
        target: of the content's own statistics and the style's, by level, to those that its features take (Eq. 8).

    Yields:
        A Step without a picture for each tile and pass but the last; then the picture.
    """
    clock = Stopwatch(networks.device)
    height, width = content.shape[2:]
    view = View(content, styles, alpha, networks, spatial)
    reach = networks.reach - networks.encoder.reach  # the decoder's
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
    """What a run sees of a rectangle of the picture; parameters as for `transfer_spatially`.

    Attributes:
        areas: the regions that take styles; what they leave comes last, if it does.
    """

    def __init__(
        self, content: Tensor, styles: Sequence[Style], alpha: float, networks: Networks, spatial: Spatial
    ) -> None:
        self.content, self.networks, self.spatial = content, networks, spatial
        every = [*spatial.regions, Region(torch.empty(0), styles)]
        self.areas = [each for each in every if each.styles]
        self._used = [bool(each.styles) for each in every]
        self._strengths = torch.tensor([alpha * each.strength for each in self.areas]).view(-1, 1, 1, 1)

    def encode(self, place: tiles.Place) -> dict[str, Tensor]:
        """Return the features; those of a whole picture are remembered, for the next stroke of the brush."""
        seen = self.content[:, :, *place]
        whole = seen.shape == self.content.shape and seen.is_floating_point()
        return self.networks.encode(seen).features if whole else self.networks.features(seen)

    def share(self, place: tiles.Place) -> Tensor | None:
        """Return each area's share of every pixel, [R,1,h,w], at half the resolution; None where one has it all."""
        if not self.spatial.regions and self.spatial.strength is None:
            return None
        halved = [regions.halve(each.mask[:, :, *place]) for each in self.spatial.regions]
        size = tiles.measure(tiles.scale(place, 2))
        return regions.cover(halved, size)[self._used].to(self.networks.device)

    def weigh(self, place: tiles.Place) -> Tensor | None:
        """Return the shares times the strength."""
        if (shares := self.share(place)) is None:
            return None
        strength = self._strengths
        if self.spatial.strength is not None:
            strength = strength * regions.halve(self.spatial.strength[:, :, *place])
        return shares * strength.to(shares.device)


def _cut(whole: dict[str, Tensor], place: tiles.Place) -> dict[str, Tensor]:
    return {layer: x[:, :, *tiles.scale(place, regions.step(layer))] for layer, x in whole.items()}


def _lay(
    cores: dict[str, Tensor], whole: dict[str, Tensor], place: tiles.Place, size: Sequence[int]
) -> dict[str, Tensor]:
    """Write a tile's features into the whole picture's, which are allocated with the first one."""
    for layer, x in cores.items():
        if layer not in whole:
            height, width = (-(-side // regions.step(layer)) for side in size)
            shape = (1, x.shape[1], height, width)
            room = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
            whole[layer] = room
        whole[layer][:, :, *tiles.scale(place, regions.step(layer))] = x
    return whole
