"""A picture parameterized as a pyramid whose levels sum to it."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from adain_core.optimization.params import OptimizationParams

Loss = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]  # maps an image to the total and its terms
Moments = list[tuple[float, Tensor, Tensor]]


class Pyramid:
    """A picture being optimized, parameterized as a pyramid whose levels sum to it.

    Args:
        picture: initial picture, [1,3,H,W] in [0,1].
        params: number of levels, optimizer, and learning rate.
        moments: Adam's moments from a coarser scale, or None.
    """

    def __init__(self, picture: Tensor, params: OptimizationParams, moments: Moments | None) -> None:
        coarse = [picture.detach().clone(memory_format=torch.contiguous_format)]  # L-BFGS flattens
        while len(coarse) < params.pyramid and min(coarse[-1].shape[2:]) >= 8:
            coarse.append(resize(coarse[-1], 0.5, least=1))
        rest = [fine - enlarge(small, fine) for fine, small in zip(coarse, coarse[1:], strict=False)]
        self.levels = [each.requires_grad_() for each in (*rest, coarse[-1])]
        self.picture = picture.detach()
        self.sum = self.assemble()
        self.optimizer: torch.optim.Optimizer
        if params.optimizer == "lbfgs":
            self.optimizer = torch.optim.LBFGS(self.levels, max_iter=1, history_size=10)
        else:
            self.optimizer = torch.optim.Adam(self.levels, params.rate, betas=(0.9, 0.99), fused=True)
            for level, (step, *each) in zip(self.levels, moments or [], strict=False):
                first, second = (enlarge(x, level) for x in each)
                self.optimizer.state[level] = {
                    "step": torch.tensor(step, device=level.device),
                    "exp_avg": first,
                    "exp_avg_sq": second,
                }

    def assemble(self) -> Tensor:
        """Sum the levels, [1,3,H,W]; differentiable."""
        image = self.levels[-1]
        for level in reversed(self.levels[:-1]):
            image = enlarge(image, level) + level
        return image

    def improve(self, loss: Loss) -> dict[str, float]:
        """Take a step, clamp the picture to [0,1], and return the losses before the step."""
        found: dict[str, float] = {}

        def closure() -> float:
            self.optimizer.zero_grad()
            total, terms = loss(image := self.picture.detach().requires_grad_())
            (slope,) = torch.autograd.grad(total, image)
            torch.autograd.backward(self.sum, slope, retain_graph=True)  # linear, so the same graph at every step
            if not found:
                found.update({name: float(value.detach()) for name, value in terms.items()})
            return float(total.detach())

        self.optimizer.step(closure)
        with torch.no_grad():
            image = self.assemble()
            self.picture = image.clamp(0, 1)
            self.levels[0] += self.picture - image
        return found

    def finite(self) -> bool:
        """Return whether the picture is finite; clamping carries non-finite values to the finest level."""
        return bool(self.levels[0].sum().isfinite())

    def moments(self) -> Moments:
        """Return Adam's moments of each level; empty for L-BFGS."""
        states = [self.optimizer.state[level] for level in self.levels]
        return [(float(state["step"]), state["exp_avg"], state["exp_avg_sq"]) for state in states if "exp_avg" in state]


def resize(image: Tensor, factor: float, least: int = 16) -> Tensor:
    """Scale an image by a factor, keeping at least `least` pixels per side."""
    if factor == 1:
        return image
    size = [max(least, round(side * factor)) for side in image.shape[2:]]
    return F.interpolate(image, size, mode="bilinear", antialias=True, align_corners=False)


def enlarge(image: Tensor, to: Tensor) -> Tensor:
    """Enlarge an image to the size of another."""
    return F.interpolate(image, to.shape[2:], mode="bilinear", align_corners=False)
