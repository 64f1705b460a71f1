"""AdaIN: arbitrary style transfer in real time (Huang & Belongie, ICCV 2017).

Departs from the paper where the networks do: with `vgg19` AdaIN acts at relu4_1 alone, as in Eq. 9; with `compact` it
acts at relu4_1, relu3_1 and relu2_1, because 128 channels at an eighth of the resolution can't hold a picture, and the
painting's statistics are approached by learned gains, mostly a little beyond (`Networks.aim`).
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Method, MethodParams, Region, Space, Step, Stopwatch, Style
from adain_core.controls import regions, tiles
from adain_core.controls.strength import blend
from adain_core.feature_space import transfer
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics, merge, restyle


class Params(MethodParams):
    """How strongly to stylize."""

    alpha: float = Field(
        1.0, ge=0, le=1, title="Strength", description="0 keeps the photograph, 1 gives the full style."
    )


def run(
    content: Tensor, styles: Sequence[Style], params: Params, networks: Networks, space: Space | None = None
) -> Generator[Step, None, None]:
    """Stylize in one pass: T(c, s) = g((1 - alpha) f(c) + alpha sum_k w_k AdaIN(f(c), f(s_k))) (Eqs. 8-10, 14, 15).

    Yields:
        One Step, its seconds by stage; by tiles or with regions see `run_places`.
    """
    if space is not None:
        yield from run_places(content, styles, params, networks, space)
        return
    clock = Stopwatch(networks.device)
    with torch.inference_mode():
        with clock("encode content"):
            encoded = networks.encode(content)
            own = encoded.statistics
        with clock("encode style"):
            target = transfer.style_statistics(styles, networks)
        with clock("AdaIN"):
            full = networks.restyle(encoded.features, own, target)
            stylized = {layer: blend(x, full[layer], params.alpha) for layer, x in encoded.features.items()}
        with clock("decode"):
            image = networks.decode(stylized, content.shape[2:])
    yield Step(image, seconds=clock.seconds)


def run_places(
    content: Tensor, styles: Sequence[Style], params: Params, networks: Networks, space: Space
) -> Generator[Step, None, None]:
    """Stylize each region by its own styles and each tile with the statistics of the whole.

    Args:
        content: [1,3,H,W]; uint8 in [0,255] saves memory, and the picture comes back so.
        styles: of what the regions leave; none to leave it as it is.
        params: as for `run`.
        networks: as for `run`.
        space: regions, strength and tiles.

    Yields:
        A Step without a picture for each tile and pass but the last; then the picture.
    """
    clock = Stopwatch(networks.device)
    height, width = content.shape[2:]
    view = View(content, styles, params, networks, space)
    reach = networks.reach - networks.encoder.reach  # the decoder's
    plan = tiles.plan(height, width, space.side, networks.encoder.reach)
    keep = len(plan) == 1 or tiles.kept(len(plan), networks.feature_bytes * height * width) > 0
    with torch.inference_mode(), clock("encode style"):
        looks = [transfer.style_statistics(each.styles, networks) for each in view.areas]
        goal = {layer: regions.stack(looks, layer) for layer in networks.levels}
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
    aim = networks.aim(own, goal)
    image = torch.empty_like(content)
    plan = tiles.plan(height, width, space.side, reach if keep else networks.reach)
    for number, tile in enumerate(plan, start=steps - len(plan) + 1):
        with torch.inference_mode(), clock("encode content"):
            features = _cut(whole, tile.padded) if keep else view.encode(tile.padded)
        with torch.inference_mode(), clock("AdaIN"):
            amounts = view.weigh(tile.padded)
            stylized = {
                layer: blend(x, restyle(x, own[layer], aim[layer]), params.alpha)
                if amounts is None
                else regions.restyle(x, own[layer], aim[layer], regions.pool(amounts, layer))
                for layer, x in features.items()
            }
        with torch.inference_mode(), clock("decode"):
            found = networks.decode(stylized, tile.size)[:, :, *tile.inner()]
            image[:, :, *tile.core] = found if image.is_floating_point() else found.mul(255).round()
        if number < steps:
            yield Step(None, number, steps, seconds=clock.seconds)
    yield Step(image, steps, steps, seconds=clock.seconds)


class View:
    """What a run sees at a place of the picture; parameters as for `run_places`.

    Attributes:
        areas: the regions that take styles; what they leave comes last, if it does.
    """

    def __init__(
        self, content: Tensor, styles: Sequence[Style], params: Params, networks: Networks, space: Space
    ) -> None:
        self.content, self.networks, self.space = content, networks, space
        every = [*space.regions, Region(torch.empty(0), styles)]
        self.areas = [each for each in every if each.styles]
        self._used = [bool(each.styles) for each in every]
        self._strengths = torch.tensor([params.alpha * each.strength for each in self.areas]).view(-1, 1, 1, 1)

    def encode(self, place: tiles.Place) -> dict[str, Tensor]:
        """Return the features; those of a whole picture are remembered, for the next stroke of the brush."""
        seen = self.content[:, :, *place]
        whole = seen.shape == self.content.shape and seen.is_floating_point()
        return self.networks.encode(seen).features if whole else self.networks.features(seen)

    def share(self, place: tiles.Place) -> Tensor | None:
        """Return each area's share of every pixel, [R,1,h,w], at half the resolution; None where one has it all."""
        if not self.space.regions and self.space.strength is None:
            return None
        halved = [regions.halve(each.mask[:, :, *place]) for each in self.space.regions]
        size = tiles.measure(tiles.scale(place, 2))
        return regions.cover(halved, size)[self._used].to(self.networks.device)

    def weigh(self, place: tiles.Place) -> Tensor | None:
        """Return the shares times the strength."""
        if (shares := self.share(place)) is None:
            return None
        strength = self._strengths
        if self.space.strength is not None:
            strength = strength * regions.halve(self.space.strength[:, :, *place])
        return shares * strength.to(shares.device)


def _cut(whole: dict[str, Tensor], place: tiles.Place) -> dict[str, Tensor]:
    return {layer: x[:, :, *tiles.scale(place, regions.step(layer))] for layer, x in whole.items()}


def _lay(
    cores: dict[str, Tensor], whole: dict[str, Tensor], place: tiles.Place, size: Sequence[int]
) -> dict[str, Tensor]:
    """Lay a tile's features at its place among the whole picture's, for which there is room from the first one on."""
    for layer, x in cores.items():
        if layer not in whole:
            height, width = (-(-side // regions.step(layer)) for side in size)
            shape = (1, x.shape[1], height, width)
            room = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
            whole[layer] = room
        whole[layer][:, :, *tiles.scale(place, regions.step(layer))] = x
    return whole


METHOD = Method(
    name="adain",
    title="AdaIN",
    paper="Huang & Belongie 2017",
    summary="One pass: gives the photograph's features the painting's mean and standard deviation, channel by channel.",
    params=Params,
    run=run,
    spatial=True,
)
