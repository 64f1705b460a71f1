"""Style swap: each patch of the photograph's features becomes the painting's most similar one (Chen & Schmidt 2016).

Patches are swapped at relu3_1, and the picture is made by an inverse network (adain_core/training/inverse.py trains the
one of `compact`) or by optimization; the paper has both.

Departures from the paper: matches are found by summing products of pixels along diagonals (`nearest`) instead of by
one convolution, which gives the same result with bounded memory; the optimization uses optimization/loop.py. Other
layers can be swapped as well: the picture is then made by AdaIN's decoder, with AdaIN at the remaining levels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Cost, Limited, Method, Step, Steps, Stopwatch, Style, parse
from adain_core.controls.strength import blend
from adain_core.feature_space import transfer
from adain_core.losses.mrf import TINY, check, patches
from adain_core.networks.model import Networks
from adain_core.normalization import adain
from adain_core.optimization.loop import optimize
from adain_core.optimization.method import step_cost
from adain_core.optimization.objective import ContentTarget
from adain_core.optimization.params import OptimizationParams

CHUNK = 2**23  # products computed at once, to bound memory at 32 MiB


class StyleSwapParams(transfer.TransferParams):
    """Parameters of style swap: strength, patches, and how the picture is made."""

    patch: int = Field(
        3,
        ge=1,
        le=7,
        title="Patch size",
        description="Side of the swapped patches, in feature pixels. Larger patches copy larger details.",
    )
    stride: int = Field(
        1, ge=1, le=7, title="Stride", description="Distance between patches. Larger is faster and coarser."
    )
    layer: Literal["relu3_1", "relu4_1", "relu3_1+relu4_1"] = Field(
        "relu3_1",
        title="Swapped layer",
        description="Network layer at which patches are swapped. Deeper layers copy larger details.",
    )
    by: Literal["auto", "network", "optimization"] = Field(
        "auto",
        title="Made by",
        description="Makes the picture with a network (fast) or by optimization (slow); auto prefers the network.",
    )
    iterations: Annotated[int, Limited("steps")] = Field(
        100,
        ge=1,
        le=2000,
        title="Iterations",
        description="Optimization steps, if the picture is made by optimization.",
    )
    seconds: Annotated[float, Limited("seconds")] = Field(
        300.0, gt=0, le=3600, title="Time limit", description="Seconds after which the optimization stops."
    )


def swap(x: Tensor, style: Tensor, size: int = 3, stride: int = 1) -> Tensor:
    """Replace each patch by the style's of highest normalized cross-correlation; overlaps are averaged.

    Args:
        x: features, [N,C,H,W].
        style: features, [1,C,h,w].
        size: side length of a patch in pixels, reduced to the size of the features if they are smaller.
        stride: step between patches of the content, at most `size`; every patch of the style is considered.

    Returns:
        [N,C,H,W]; pixels at the border that no patch covers keep their features.
    """
    size = min(size, *x.shape[2:], *style.shape[2:])
    stride, target = min(stride, size), patches(style, size)
    ones = torch.ones(1, size * size, nearest_count(x, size, stride), device=x.device, dtype=x.dtype)
    covered = F.fold(ones, x.shape[2:], size, stride=stride)  # [1,1,H,W]
    found = []
    for each in x.split(1):  # type: ignore[no-untyped-call]
        chosen = target[nearest(each, style, size, stride)]
        found.append(F.fold(chosen.T[None], x.shape[2:], size, stride=stride) / covered.clamp_min(1))
    return torch.where(covered > 0, torch.cat(found), x)


def nearest(x: Tensor, style: Tensor, size: int = 3, stride: int = 1) -> Tensor:
    """Find the style patch with the highest normalized cross-correlation for each patch.

    A patch's correlation is the sum of its pixels', so pixels are multiplied once and summed along diagonals, which
    saves a factor of the number of pixels in a patch. Rows are processed in chunks to bound memory.

    Args:
        x: features, [1,C,H,W].
        style: features, [1,C,h,w].
        size: side of a patch in pixels.
        stride: step between patches of `x`.

    Returns:
        [P]: for each patch of `x`, as `patches` returns them, the index of its match in `style`, at stride 1.

    Raises:
        ValueError: either set of features is smaller than a patch.
    """
    check(x, size)
    check(style, size)
    height, width = style.shape[2:]
    pixels = style[0].flatten(1)  # [C,hw]
    energy = pixels.square().sum(0).view(1, 1, height, width)
    lengths = F.avg_pool2d(energy, size, 1).flatten().clamp_min(TINY).sqrt()  # x's norms don't affect the ranking
    tops = range(0, x.shape[2] - size + 1, stride)
    rows = max(1, CHUNK // (x.shape[3] * pixels.shape[1]) // stride)
    found = []
    for first in range(0, len(tops), rows):
        part = tops[first : first + rows]
        seen = x[0, :, part[0] : part[-1] + size]  # [C,r,W]
        products = (seen.flatten(1).T @ pixels).view(*seen.shape[1:], height, width)
        for axis in (0, 1):  # rows of both pictures, then columns of both
            own, other = seen.shape[1 + axis] - size + 1, style.shape[2 + axis] - size + 1
            products = sum(
                products.narrow(axis, shift, own).narrow(axis + 2, shift, other) for shift in range(1, size)
            ) + products.narrow(axis, 0, own).narrow(axis + 2, 0, other)
        chosen = products[::stride, ::stride].flatten(2).flatten(0, 1) / lengths  # [patches,patches of style]
        found.append(chosen.argmax(1))
    return torch.cat(found)


def nearest_count(x: Tensor, size: int, stride: int) -> int:
    """Return the number of patches of features."""
    height, width = ((side - size) // stride + 1 for side in x.shape[2:])
    return height * width


def run(content: Tensor, styles: Sequence[Style], params: StyleSwapParams, networks: Networks) -> Steps:
    """Stylize; yields one Step with a network, or one per iteration with an optimization.

    Raises:
        ValueError: a network is requested, but none can decode the swapped layer.
    """
    layers = _layers(params)

    def mixed(own: Tensor, each: Sequence[Tensor]) -> Tensor:
        swapped = [swap(own, x, params.patch, params.stride) for x in each]
        parts = [style.weight * x for style, x in zip(styles, swapped, strict=True)]
        return blend(own, torch.stack(parts).sum(0), params.alpha)

    if params.by == "network" and not _has_network(layers, networks):
        levels = networks.levels if networks.decoder is not None else ()
        raise ValueError(
            f"{networks.name} has no network that decodes {params.layer}, only"
            f" {', '.join(levels) or 'none'}; choose another layer, or optimization."
        )
    if optimizes(params, networks):

        def make(own: Mapping[str, Tensor], each: Sequence[Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
            return {layer: mixed(own[layer], [one[layer] for one in each]) for layer in layers}

        return optimize(content, styles, {}, _optimization(params), networks, ContentTarget([layers], make))
    if _inverts(layers, networks):
        return _invert(content, styles, layers[0], mixed, networks)

    def transform(x: Tensor, style: Tensor, layer: str) -> Tensor:
        return swap(x, style, params.patch, params.stride) if layer in layers else adain(x, style)

    return transfer.transfer(content, styles, params, networks, transform)


def _invert(
    content: Tensor,
    styles: Sequence[Style],
    layer: str,
    mixed: Callable[[Tensor, Sequence[Tensor]], Tensor],
    networks: Networks,
) -> Steps:
    clock = Stopwatch(networks.device)
    with torch.inference_mode():
        with clock("encode content"):
            own = networks.encode(content).features[layer]
        with clock("encode style"):
            each = [networks.encode(style.image).features[layer].float() for style in styles]
        with clock("swap"):
            swapped = mixed(own.float(), each).to(own.dtype)
        with clock("decode"):
            image = networks.invert({layer: swapped}, content.shape[2:])
    yield Step(image, seconds=clock.seconds, used=f"Swapped at {layer}; an inverse network made the picture.")


def optimizes(params: StyleSwapParams, networks: Networks) -> bool:
    """Return whether the picture is made by optimization, because of `by` or because no network can."""
    return params.by == "optimization" or (params.by == "auto" and not _has_network(_layers(params), networks))


def _layers(params: StyleSwapParams) -> tuple[str, ...]:
    return tuple(params.layer.split("+"))


def _inverts(layers: tuple[str, ...], networks: Networks) -> bool:
    return networks.inverse is not None and layers == networks.inverse.levels


def _has_network(layers: tuple[str, ...], networks: Networks) -> bool:
    levels = networks.levels if networks.decoder is not None else ()
    return _inverts(layers, networks) or all(layer in levels for layer in layers)


def _optimization(params: StyleSwapParams) -> OptimizationParams:
    given = {"steps": params.iterations, "seconds": params.seconds, "seed": params.seed}
    return parse(OptimizationParams, {**given, "content_weight": 1.0, "tv_weight": 1.0, "shifts": 1})  # one swap


def cost(params: StyleSwapParams, networks: Networks) -> Cost:
    """Return the cost; in a single pass, the search grows with the product of both pictures' pixels."""
    return step_cost({}, 1, networks) if optimizes(params, networks) else Cost(passes=0.0, pairs=7e-5)


METHOD = Method(
    name="style_swap",
    title="Style swap",
    paper="Chen & Schmidt 2016",
    summary="Replaces each patch of the photograph's features with the most similar patch of the painting.",
    params=StyleSwapParams,
    run=run,
    iterations=lambda params, networks: params.iterations if optimizes(params, networks) else 1,
    extensible=lambda _: True,
    reconstructs=transfer.unchanged,
    proportional=True,
    cost=cost,
)
