"""Loss curves on a logarithmic scale as SVG, for light and dark themes, any width, and screen readers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Literal, NamedTuple

from adain_core.contracts import count
from adain_core.evaluation.comparison import Point
from adain_core.evaluation.report import crossing

WIDTH, HEIGHT = 460, 310
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 42  # margins
LINE = 18  # line height
LETTER = 8.3  # width of a letter on a phone, where text is largest relative to the drawing
LEAST = 1e-9  # smaller losses are clamped before taking the logarithm
PAINTS = ("#3b7dd8", "#c9622b", "#2f9583", "#a35cc0", "#a8841a", "#7a7f87")  # legible on light and dark backgrounds
DASHES = ("none", "9 4", "2 4", "12 4 2 4", "5 3", "16 5")
By = Literal["iteration", "seconds"]


class Scale(NamedTuple):
    """Maps values to the drawing: 0 to `far` from left to right, log10 losses from `high` at `top` down to `low`."""

    top: float
    far: float
    low: float
    high: float

    def x(self, value: float) -> float:
        """Return the horizontal coordinate."""
        return LEFT + (WIDTH - LEFT - RIGHT) * value / self.far

    def y(self, loss: float) -> float:
        """Return the vertical coordinate, from the top."""
        share = (self.high - math.log10(max(loss, LEAST))) / (self.high - self.low)
        return self.top + (HEIGHT - self.top - BOTTOM) * share


def draw(curves: Mapping[str, Sequence[Point]], goal: float | None = None, by: By = "iteration") -> str:
    """Draw the judge's mean-std loss over the course of optimizations.

    Args:
        curves: points by title; empty curves are omitted.
        goal: AdaIN's loss, drawn as a horizontal line; the point where a curve first reaches it is marked.
        by: the unit of the horizontal axis.

    Returns:
        HTML; a sentence if there is nothing to draw.
    """
    curves = {title: points for title, points in curves.items() if points}
    if not curves:
        return '<p class="hint">Loss curves appear with the first optimization.</p>'
    losses = [point.mean_std for points in curves.values() for point in points] + ([] if goal is None else [goal])
    far = max(getattr(points[-1], by) for points in curves.values())
    low, high = (math.log10(max(edge(losses), LEAST)) for edge in (min, max))
    scale = Scale(TOP + LINE * (len(curves) + 1), far or 1, low - 0.1, high + 0.1)
    parts = [_axes(scale, by)]
    for index, (title, points) in enumerate(curves.items()):
        line = " ".join(f"{scale.x(getattr(point, by)):.1f},{scale.y(point.mean_std):.1f}" for point in points)
        parts.append(f'<polyline points="{line}" {_stroke(index)}/>{_legend(index, title, _stroke(index))}')
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


def _stroke(index: int) -> str:
    return f'stroke="{PAINTS[index % len(PAINTS)]}" stroke-dasharray="{DASHES[index % len(DASHES)]}"'


def _legend(index: int, title: str, stroke: str) -> str:
    """Draw one line of the legend, above the curves."""
    y = TOP + 14 + LINE * index
    return (
        f'<text x="{WIDTH - RIGHT - 44}" y="{y}" text-anchor="end">{escape(title)}</text>'
        f'<line x1="{WIDTH - RIGHT - 36}" x2="{WIDTH - RIGHT}" y1="{y - 5}" y2="{y - 5}" {stroke}/>'
    )


def _marks(curves: Mapping[str, Sequence[Point]], goal: float, scale: Scale, by: By) -> list[str]:
    """Mark where curves reach AdaIN's loss, labeled to the right above the line, or to the left below it."""
    parts, y = [], scale.y(goal)
    for index, (title, points) in enumerate(curves.items()):
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
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{PAINTS[index % len(PAINTS)]}"/>')
        parts.append(f'<text class="met" {label}>{escape(words)}</text>')
    return parts


def _words(curves: Mapping[str, Sequence[Point]], goal: float | None) -> list[str]:
    lines = []
    for title, points in curves.items():
        first, last = points[0], points[-1]
        lines.append(f"{title}: from {first.mean_std:.3g} to {last.mean_std:.3g} in {last.iteration} iterations.")
        if goal is not None:
            met = crossing(points, goal)
            never = f"{title} does not reach AdaIN's loss."
            lines.append(
                never if met is None else f"It reaches AdaIN's loss after {count(met.iteration, 'iteration')}."
            )
    return lines
