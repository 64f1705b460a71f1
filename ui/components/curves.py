"""Loss curves on a logarithmic scale as SVG: light and dark, narrow and wide, and in words for screen readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal, NamedTuple

from adain_core.evaluation.comparison import Point
from adain_core.evaluation.report import crossing

WIDTH, HEIGHT = 460, 310
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 42  # margins
LINE = 18  # from one line of text to the next
LETTER = 8.3  # width of one on a phone, where letters are largest beside the drawing
LEAST = 1e-9  # of a loss that has a logarithm
PAINTS = ("#3b7dd8", "#c9622b", "#2f9583", "#a35cc0", "#a8841a", "#7a7f87")  # to be seen on light and on dark
DASHES = ("none", "9 4", "2 4", "12 4 2 4", "5 3", "16 5")
By = Literal["iteration", "seconds"]


class Scale(NamedTuple):
    """Where values lie in the drawing: up to `far` from left to right, logarithms from `high` at `top` to `low`."""

    top: float
    far: float
    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the place across."""
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.far

    def y(self, loss: float) -> float:
        """Return the place from the top."""
        share = (self.high - math.log10(max(loss, LEAST))) / (self.high - self.low)
        return self.top + (HEIGHT - self.top - BOTTOM) * share


def draw(curves: Mapping[str, Sequence[Point]], goal: float | None = None, by: By = "iteration") -> str:
    """Draw the judge's mean-std loss along optimizations.

    Args:
        curves: by title; those without a point are left out.
        goal: AdaIN's loss, a level line; where a curve first comes down to it there is a mark.
        by: what the horizontal axis is.

    Returns:
        HTML; a sentence where there is nothing to draw.
    """
    curves = {title: points for title, points in curves.items() if points}
    if not curves:
        return '<p class="hint">Loss curves come with the first optimization.</p>'
    losses = [point.mean_std for points in curves.values() for point in points] + ([] if goal is None else [goal])
    far = max(getattr(points[-1], by) for points in curves.values())
    low, high = (math.log10(max(edge(losses), LEAST)) for edge in (min, max))
    scale = Scale(TOP + LINE * (len(curves) + 1), far or 1, low - 0.1, high + 0.1)
    parts = [_axes(scale, by)]
    for place, (title, points) in enumerate(curves.items()):
        line = " ".join(f"{scale.x(getattr(point, by)):.1f},{scale.y(point.mean_std):.1f}" for point in points)
        parts.append(f'<polyline points="{line}" {_stroke(place)}/>{_legend(place, title, _stroke(place))}')
    if goal is not None:
        level = f'y1="{scale.y(goal):.1f}" y2="{scale.y(goal):.1f}"'
        parts.append(f'<line class="goal" x1="{LEFT}" x2="{WIDTH - RIGHT}" {level}/>')
        parts.append(_legend(len(curves), f"AdaIN's loss, {goal:.3g}", 'class="goal"'))
        parts += _marks(curves, goal, scale, by)
    words = f"Mean-std loss on a logarithmic scale. {' '.join(_words(curves, goal))}"
    return (
        f'<svg class="curves" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(words)}">'
        f"{''.join(parts)}</svg>"
    )


def _axes(scale: Scale, by: By) -> str:
    parts = []
    for power in range(math.floor(scale.low), math.ceil(scale.high) + 1):
        for digit in (1, 2, 5):
            value = digit * 10.0**power
            if scale.low <= math.log10(value) <= scale.high:
                y = scale.y(value)
                parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
                parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    rough = 10 ** math.floor(math.log10(scale.far))
    steps = [part * rough for part in (0.2, 0.5, 1, 2, 5) if by == "seconds" or part * rough >= 1]
    step = next(step for step in steps if scale.far / step <= 6)
    for number in range(int(scale.far / step + 1e-9) + 1):
        x, low = scale.x(number * step), HEIGHT - BOTTOM
        parts.append(f'<text x="{x:.1f}" y="{low + LINE}" text-anchor="middle">{number * step:g}</text>')
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{HEIGHT - BOTTOM}" y2="{HEIGHT - BOTTOM}"/>')
    title = "iterations" if by == "iteration" else "seconds"
    return "".join([*parts, f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 6}" text-anchor="end">{title}</text>'])


def _stroke(place: int) -> str:
    return f'stroke="{PAINTS[place % len(PAINTS)]}" stroke-dasharray="{DASHES[place % len(DASHES)]}"'


def _legend(place: int, title: str, stroke: str) -> str:
    """Write a line of the legend, above the curves."""
    y = TOP + 14 + LINE * place
    return (
        f'<text x="{WIDTH - RIGHT - 44}" y="{y}" text-anchor="end">{escape(title)}</text>'
        f'<line x1="{WIDTH - RIGHT - 36}" x2="{WIDTH - RIGHT}" y1="{y - 5}" y2="{y - 5}" {stroke}/>'
    )


def _marks(curves: Mapping[str, Sequence[Point]], goal: float, scale: Scale, by: By) -> list[str]:
    """Mark where curves meet AdaIN's loss: to the right above the line, or to the left below it, where nothing is."""
    parts, y = [], scale.y(goal)
    for place, (title, points) in enumerate(curves.items()):
        met = crossing(points, goal)
        if met is None:
            continue
        x = scale.x(met.at if by == "iteration" else met.seconds)
        words = f"AdaIN = {met.iteration} iteration{'' if met.iteration == 1 else 's'} of {title}"
        width, down = LETTER * len(words), LINE * len(parts) // 2
        if x + 10 + width <= WIDTH:
            label = f'x="{x + 10:.1f}" y="{y - 8 - down:.1f}"'
        else:
            label = f'x="{max(x - 10, LEFT + width):.1f}" y="{y + 16 + down:.1f}" text-anchor="end"'
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{PAINTS[place % len(PAINTS)]}"/>')
        parts.append(f'<text class="met" {label}>{escape(words)}</text>')
    return parts


def _words(curves: Mapping[str, Sequence[Point]], goal: float | None) -> list[str]:
    told = []
    for title, points in curves.items():
        first, last = points[0], points[-1]
        told.append(f"{title}: from {first.mean_std:.3g} to {last.mean_std:.3g} in {last.iteration} iterations.")
        if goal is not None:
            met = crossing(points, goal)
            never = f"{title} does not come down to AdaIN's loss."
            told.append(never if met is None else f"It comes down to AdaIN's loss after {met.iteration}.")
    return told
