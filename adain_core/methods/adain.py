"""AdaIN: arbitrary style transfer in real time (Huang & Belongie, ICCV 2017).

Departs from the paper where the networks do: with `vgg19` AdaIN acts at relu4_1 alone, as in Eq. 9; with `compact` it
acts at relu4_1, relu3_1 and relu2_1, because 128 channels at an eighth of the resolution can't hold a picture.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Method, MethodParams, Region, Space, Step, Stopwatch, Style
from adain_core.controls import regions, tiles
from adain_core.controls.mixing import mix
from adain_core.controls.strength import blend
from adain_core.networks import Networks
from adain_core.normalization import Statistics, merge, restyle, weighted_statistics

KEEP = 768 * 2**20  # bytes of features that are kept from the first pass over tiles for the second


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
            target = look(styles, networks)
        with clock("AdaIN"):
            stylized = {
                layer: blend(x, restyle(x, own[layer], target[layer]), params.alpha)
                for layer, x in encoded.features.items()
            }
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
    plan = tiles.plan(content.shape[2], content.shape[3], space.side, networks.reach)
    areas = [each for each in (*space.regions, Region(torch.empty(0), styles)) if each.styles]  # the rest comes last
    with torch.inference_mode(), clock("encode style"):
        looks = [look(each.styles, networks) for each in areas]
        goal = {layer: regions.stack(looks, layer) for layer in networks.levels}
    used = [bool(each.styles) for each in space.regions] + [bool(styles)]
    masks = [each.mask for each in space.regions]
    strengths = torch.tensor([params.alpha * each.strength for each in areas], device=networks.device).view(-1, 1, 1, 1)

    def see(tile: tiles.Tile) -> Seen:
        with torch.inference_mode(), clock("encode content"):
            if len(plan) == 1 and content.is_floating_point():
                features = networks.encode(content).features  # remembered, for the next stroke of the brush
            else:
                features = networks.features(content[:, :, *tile.padded])
            if not masks and space.strength is None:
                return Seen(features, {}, {})
            rows, columns = tile.padded
            halved = [regions.halve(each[..., rows, columns]) for each in masks]
            size = [-(-side // 2) for side in tile.size]
            covered = regions.cover(halved, size)[used].to(networks.device)
            shares = {layer: regions.pool(covered, layer) for layer in features}
            if space.strength is None:
                return Seen(features, shares, {layer: strengths * share for layer, share in shares.items()})
            amounts = strengths * covered * regions.halve(space.strength[..., rows, columns]).to(networks.device)
            return Seen(features, shares, {layer: regions.pool(amounts, layer) for layer in features})

    passes = 2 if len(plan) > 1 else 1  # a whole picture is one step
    steps, kept, keep = passes * len(plan), list[Seen](), False
    parts: dict[str, list[tuple[Tensor, Statistics]]] = {layer: [] for layer in networks.levels}
    for number, tile in enumerate(plan, start=1):
        seen = see(tile)
        with torch.inference_mode(), clock("AdaIN"):
            for layer, x in seen.features.items():
                inner = tile.inner(regions.step(layer))
                weights = seen.shares[layer][:, :, *inner] if seen.shares else None
                parts[layer].append(regions.measure(x[:, :, *inner], weights))
        keep = keep or (number == 1 and (len(plan) == 1 or seen.bytes * len(plan) <= KEEP))
        if keep:
            kept.append(seen)
        if len(plan) > 1:
            yield Step(None, number, steps, seconds=clock.seconds)
    own = {layer: merge(each) for layer, each in parts.items()}
    image = torch.empty_like(content)
    for number, tile in enumerate(plan, start=steps - len(plan) + 1):
        seen = kept.pop(0) if kept else see(tile)
        with torch.inference_mode(), clock("AdaIN"):
            stylized = {
                layer: regions.restyle(x, own[layer], goal[layer], seen.amounts[layer])
                if seen.amounts
                else blend(x, restyle(x, own[layer], goal[layer]), params.alpha)
                for layer, x in seen.features.items()
            }
        with torch.inference_mode(), clock("decode"):
            found = networks.decode(stylized, tile.size)[:, :, *tile.inner()]
            image[:, :, *tile.core] = found if image.is_floating_point() else found.mul(255).round()
        if number < steps:
            yield Step(None, number, steps, seconds=clock.seconds)
    yield Step(image, steps, steps, seconds=clock.seconds)


class Seen(NamedTuple):
    """A tile's features; by layer each region's share of every pixel, and that times its strength. None of a whole."""

    features: dict[str, Tensor]
    shares: dict[str, Tensor]
    amounts: dict[str, Tensor]

    @property
    def bytes(self) -> int:
        """Memory that they take."""
        return sum(x.nbytes for each in self for x in each.values())


def look(styles: Sequence[Style], networks: Networks) -> dict[str, Statistics]:
    """Return the mixed statistics of some styles by layer (Eq. 15), of their masked parts where they have masks."""
    found = []
    for style in styles:
        if style.mask is None:
            found.append(networks.statistics(style.image))
        else:
            features = networks.encode(style.image).features
            halved = regions.halve(style.mask).to(networks.device)
            masks = {layer: regions.pool(halved, layer) for layer in features}
            found.append({layer: weighted_statistics(x, masks[layer]) for layer, x in features.items()})
    weights = [style.weight for style in styles]
    return {layer: mix([each[layer] for each in found], weights) for layer in networks.levels}


METHOD = Method(
    name="adain",
    title="AdaIN",
    paper="Huang & Belongie 2017",
    summary="One pass: gives the photograph's features the painting's mean and standard deviation, channel by channel.",
    params=Params,
    run=run,
    spatial=True,
)
