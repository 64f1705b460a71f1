"""Feed-forward generators: networks that paint a photograph in a style that they were trained for.

The trunk is Johnson's network (Johnson, Alahi & Fei-Fei 2016) with instance normalization (Ulyanov et al. 2017). Every
gamma and beta of it belongs to a style (Dumoulin et al. 2017; Huang & Belongie 2017, Eq. 7), so a trunk with one style
is Johnson's network, a trunk with 32 is Dumoulin's, and styles mix by their gammas and betas.

Departures from these papers:
- 24 and 48 channels instead of 32, 64, and 128, for two CPU cores.
- No 9x9 convolution at full resolution, where both papers spend most of their time on a CPU: the first convolution is
  5x5 with stride 2, and the last one is 3x3.
- Nearest-neighbor upsampling before a convolution, as in Dumoulin et al.; Johnson's transposed convolutions leave
  checkerboards.
- At full resolution there is only the last convolution and a sigmoid. A rectifier there would respond differently to
  the pixels that upsampling makes of one, and leave a lattice.
- Rectifiers saturate at 6, and eps is 1e-3. A very large activation at one place survives instance normalization as a
  constant and returns as a blob at the same place of every picture.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adain_core.normalization import conditional_instance_norm

WIDTHS = (24, 48)  # channels at half and at a quarter of the resolution
BLOCKS = 5
EPS = 1e-3
SIDE = 16  # pixels, of the thumbnails by which paintings are recognized


class Generator(nn.Module):
    """One trunk and the styles that it paints in.

    Args:
        names: names of the styles, without dots.
        widths: channels at half and at a quarter of the resolution.
        blocks: number of residual blocks, at a quarter of the resolution.

    Attributes:
        styles: gamma and beta of every normalization by style, [2,C] each; about a thousand numbers.
        thumbnails: `thumbnail` of each style's painting.
    """

    def __init__(self, names: Iterable[str], widths: Sequence[int] = WIDTHS, blocks: int = BLOCKS) -> None:
        super().__init__()
        self.widths, self.blocks = tuple(widths), blocks
        half, quarter = widths
        self.down1 = _convolution(3, half, 5, stride=2)
        self.down2 = _convolution(half, quarter, stride=2)
        self.residual = nn.ModuleList(_convolution(quarter, quarter) for _ in range(2 * blocks))
        self.up2 = _convolution(quarter, half)
        self.up1 = nn.Conv2d(half, 3, 3, padding=1, padding_mode="reflect")
        self.channels = [half, *[quarter] * (1 + 2 * blocks), half]  # of each normalization, in order
        self.styles = nn.ParameterDict()
        self.thumbnails = nn.Module()
        for name in names:
            self.add(name, torch.stack([torch.ones(sum(self.channels)), torch.zeros(sum(self.channels))]))

    def add(self, name: str, style: Tensor, seen: Tensor | None = None) -> None:
        """Add a style, or replace the one of that name.

        Args:
            name: name of the style, without dots.
            style: gamma and beta, [2,C].
            seen: `thumbnail` of its painting.
        """
        self.styles[name] = nn.Parameter(style)
        self.thumbnails.register_buffer(name, torch.zeros(3, SIDE, SIDE, dtype=torch.uint8) if seen is None else seen)

    @property
    def known(self) -> dict[str, Tensor]:
        """The thumbnail of each style's painting, [3,SIDE,SIDE] in uint8."""
        return dict(self.thumbnails.named_buffers())

    @property
    def reach(self) -> int:
        """Radius of the receptive field in pixels, apart from the normalizations' means and standard deviations."""
        return 8 + 4 * len(self.residual)

    def forward(self, image: Tensor, shares: Mapping[str, float]) -> Tensor:
        """Paint images in a mixture of styles.

        Args:
            image: [N,3,H,W], RGB in [0,1]; at least 5 pixels on a side.
            shares: the share of each style in the mixture; they sum to 1.

        Returns:
            [N,3,H,W], RGB in [0,1], float32.
        """
        return self.paint(image, self.mixed(shares))

    def mixed(self, shares: Mapping[str, float]) -> Tensor:
        """Return the gammas and betas of a mixture, the weighted sum of its styles', [1,2,C]."""
        return torch.stack([share * self.styles[name].float() for name, share in shares.items()]).sum(0)[None]

    def paint(self, image: Tensor, style: Tensor) -> Tensor:
        """Paint images with given gammas and betas, [1,2,C] for all images or [N,2,C]; see `forward`."""
        norms = self._norms(style)
        x = F.relu6(next(norms)(self.down1(image)))  # [N,a,H/2,W/2], rounded up
        size = x.shape[2:]
        x = F.relu6(next(norms)(self.down2(x)))  # [N,b,H/4,W/4]
        for first, second in zip(self.residual[::2], self.residual[1::2], strict=True):
            x = x + next(norms)(second(F.relu6(next(norms)(first(x)))))
        x = F.relu6(next(norms)(self.up2(_double(x, size))))  # [N,a,H/2,W/2]
        return self.up1(_double(x, image.shape[2:])).float().sigmoid()

    def _norms(self, style: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
        """Yield the conditional instance normalizations (Eq. 7) of gammas and betas, in order."""
        rows = torch.arange(len(style))
        for gamma, beta in zip(*(torch.split(each, self.channels, 1) for each in style.unbind(1)), strict=True):
            yield partial(conditional_instance_norm, gamma=gamma, beta=beta, style=rows, eps=EPS)


class Generators(nn.ModuleDict):
    """Generators of one style each, by the name of the style."""

    def __init__(self, names: Iterable[str], widths: Sequence[int] = WIDTHS, blocks: int = BLOCKS) -> None:
        super().__init__({name: Generator([name], widths, blocks) for name in names})

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at half and at a quarter of the resolution."""
        return self._first.widths

    @property
    def blocks(self) -> int:
        """Number of residual blocks."""
        return self._first.blocks

    @property
    def known(self) -> dict[str, Tensor]:
        """The thumbnail of each style's painting, [3,SIDE,SIDE] in uint8."""
        generators: Any = self
        return {name: each.known[name] for name, each in generators.items()}

    @property
    def reach(self) -> int:
        """Radius of the receptive field in pixels; see Generator."""
        return self._first.reach

    @property
    def _first(self) -> Any:
        return next(iter(self.values()))

    def forward(self, image: Tensor, shares: Mapping[str, float]) -> Tensor:
        """Paint images in one style; see Generator."""
        (name,) = shares
        return self[name](image, shares)


def restored(tensors: Mapping[str, Tensor]) -> Generator | Generators:
    """Build what a state dictionary belongs to, with its weights.

    Raises:
        ValueError: it isn't that of a Generator or of Generators.
    """
    names = [name.partition(".")[0] for name in tensors]
    try:
        if "down1" in names:
            half, quarter = tensors["down1.weight"].shape[0], tensors["down2.weight"].shape[0]
            styles = [name.removeprefix("styles.") for name in tensors if name.startswith("styles.")]
            found: Generator | Generators = Generator(styles, (half, quarter), names.count("residual") // 2)
        else:
            first = {name.partition(".")[2]: x for name, x in tensors.items() if name.startswith(f"{names[0]}.")}
            one = restored(first)
            found = Generators(dict.fromkeys(names), one.widths, one.blocks)
        found.load_state_dict(tensors)
    except (KeyError, IndexError, RuntimeError, RecursionError):
        raise ValueError(
            "These are not the weights of a generator; use those of a run of conditional or johnson."
        ) from None
    return found


def check_name(name: str) -> None:
    """Check that a style can have a name.

    Raises:
        ValueError: it can't.
    """
    if not re.fullmatch(r"[A-Za-z]\w*", name) or hasattr(nn.ModuleDict(), name) or hasattr(nn.ParameterDict(), name):
        raise ValueError(f"{name} can't be the name of a style; use a word of letters, digits, and underscores.")


def thumbnail(picture: Tensor) -> Tensor:
    """Shrink a picture to recognize it by, from [1,3,H,W], RGB in [0,1], to [3,SIDE,SIDE] in uint8."""
    return F.adaptive_avg_pool2d(picture, SIDE)[0].mul(255).round().to(torch.uint8)


def _convolution(inputs: int, outputs: int, side: int = 3, stride: int = 1) -> nn.Conv2d:
    """A convolution without a bias, which the normalization after it would remove."""
    return nn.Conv2d(inputs, outputs, side, stride, padding=side // 2, padding_mode="reflect", bias=False)


def _double(x: Tensor, size: Sequence[int]) -> Tensor:
    """Double the resolution and crop to a size, which may be odd."""
    return F.interpolate(x, scale_factor=2, mode="nearest")[..., : size[0], : size[1]]
