"""AdaIN: arbitrary style transfer in real time (Huang & Belongie, ICCV 2017).

Departs from the paper where the networks do: with `vgg19` AdaIN acts at relu4_1 alone, as in Eq. 9; with `compact` it
acts at relu4_1, relu3_1 and relu2_1, because 128 channels at an eighth of the resolution can't hold a picture.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Method, MethodParams, Space, Step, Stopwatch, Style
from adain_core.controls import regions, tiles
from adain_core.controls.mixing import mix
from adain_core.controls.strength import blend
from adain_core.networks import Networks
from adain_core.normalization import Statistics, merge, restyle, statistics, weighted_statistics

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
        with clock("encode style"):
            target = look(styles, networks)
        with clock("AdaIN"):
            stylized = {
                layer: blend(x, restyle(x, encoded.statistics[layer], target[layer]), params.alpha)
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
    size = content.shape[2:]
    plan = tiles.plan(size[0], size[1], space.side, networks.reach)
    with torch.inference_mode():
        masks = torch.cat([each.mask for each in space.regions]) if space.regions else torch.zeros(0, 1, *size)
        areas = [*((each.styles, each.strength) for each in space.regions), (styles, 1.0)]
        used = [number for number, (chosen, _) in enumerate(areas) if chosen]
        with clock("encode style"):
            targets = [look(areas[number][0], networks) for number in used]
        strengths = torch.tensor([params.alpha * areas[number][1] for number in used])[:, None, None, None]
    whole, keep = len(areas) == 1, False
    kept: list[dict[str, Tensor]] = []
    parts: dict[str, list[tuple[Tensor, Statistics]]] = {layer: [] for layer in networks.levels}
    image = torch.empty_like(content)

    def shares(tile: tiles.Tile, layer: str) -> Tensor:
        return regions.pool(regions.cover(masks[:, :, *tile.padded])[used], layer).to(networks.device)

    passes = 2 if len(plan) > 1 else 1  # a whole picture is one step
    steps = passes * len(plan)
    for number, tile in enumerate(plan, start=1):
        with torch.inference_mode(), clock("encode content"):
            features = _encode(content, tile, networks, len(plan) == 1)
            for layer, x in features.items():
                inner = tile.inner(size_step(layer))
                core = x[:, :, *inner]
                if whole:
                    parts[layer].append((torch.tensor(float(core[0, 0].numel())), statistics(core)))
                else:
                    weights = shares(tile, layer)[:, :, *inner]
                    parts[layer].append((weights.sum((2, 3), keepdim=True), weighted_statistics(core, weights)))
            keep = len(plan) == 1 or sum(x.nbytes for x in features.values()) * len(plan) <= KEEP
            if keep:
                kept.append(features)
        if len(plan) > 1:
            yield Step(None, number, steps, seconds=clock.seconds)
    with torch.inference_mode():
        own = {layer: merge(each) for layer, each in parts.items()}
        goal = {layer: regions.stack(targets, layer) for layer in networks.levels}
    for number, tile in enumerate(plan, start=steps - len(plan) + 1):
        with torch.inference_mode():
            if keep:
                features = kept.pop(0)
            else:
                with clock("encode content"):
                    features = _encode(content, tile, networks, False)
            with clock("AdaIN"):
                stylized = {}
                for layer, x in features.items():
                    if whole and space.strength is None:
                        stylized[layer] = blend(x, restyle(x, own[layer], goal[layer]), params.alpha)
                        continue
                    part = strengths.to(x.device) * shares(tile, layer)
                    if space.strength is not None:
                        part = part * regions.pool(space.strength[:, :, *tile.padded], layer).to(x.device)
                    stylized[layer] = regions.restyle(x, own[layer], goal[layer], part)
            with clock("decode"):
                seen = content[:, :, *tile.padded].shape[2:]
                found = networks.decode(stylized, seen)[:, :, *tile.inner()]
                image[:, :, *tile.core] = found if image.is_floating_point() else found.mul(255).round()
        if number < steps:
            yield Step(None, number, steps, seconds=clock.seconds)
    yield Step(image, steps, steps, seconds=clock.seconds)


def look(styles: Sequence[Style], networks: Networks) -> dict[str, Statistics]:
    """Return the mixed statistics of some styles by layer (Eq. 15), of their masked parts where they have masks."""
    found = []
    for style in styles:
        if style.mask is None:
            found.append(networks.statistics(style.image))
        else:
            features = networks.encode(style.image).features
            masks = {layer: regions.pool(style.mask, layer).to(networks.device) for layer in features}
            found.append({layer: weighted_statistics(x, masks[layer]) for layer, x in features.items()})
    weights = [style.weight for style in styles]
    return {layer: mix([each[layer] for each in found], weights) for layer in networks.levels}


def size_step(layer: str) -> int:
    """Return how many pixels of the picture one of a layer's stands for."""
    return 2 ** (int(layer[4]) - 1)


def _encode(content: Tensor, tile: tiles.Tile, networks: Networks, remember: bool) -> dict[str, Tensor]:
    if remember and content.is_floating_point():
        return networks.encode(content).features
    return networks.features(content[:, :, *tile.padded])


METHOD = Method(
    name="adain",
    title="AdaIN",
    paper="Huang & Belongie 2017",
    summary="One pass: gives the photograph's features the painting's mean and standard deviation, channel by channel.",
    params=Params,
    run=run,
    spatial=True,
)
