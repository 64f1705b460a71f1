"""A run on a sequence of pictures, for a method that carries state from one to the next."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from adain_core import images, methods
from adain_core.contracts import UNLIMITED, Limits, Style, run_frames
from adain_core.controls import color
from adain_core.networks.model import Networks
from adain_core.runs import inputs, memory
from adain_core.runs.plan import Task, networks_for, plan
from adain_core.runs.settings import parse_options


@memory.checked
def run(
    contents: Iterable[Image.Image],
    styles: Sequence[images.Source],
    *,
    earlier: tuple[Image.Image, Image.Image] | None = None,
    networks: Networks | None = None,
    limits: Limits = UNLIMITED,
    **options: Any,
) -> Generator[tuple[int, Image.Image | None], None, None]:
    """Stylize pictures of one size in order, with the colors of the styles prepared for the first one.

    Args:
        contents: RGB; each is taken when the method needs it.
        styles: as for `pipeline.run`.
        earlier: the last picture and the last result of an interrupted sequence that is to be continued.
        networks: as for `pipeline.run`.
        limits: limits of the server.
        options: fields of Settings and of the method's parameters.

    Yields:
        The index of a picture and its result, RGB; or None after a step in between.

    Raises:
        ValueError: as for `pipeline.run`, or an option works only for single pictures.
    """
    settings, params = parse_options(options, limits)
    method = methods.get(settings.method)
    if settings.color == "palette":
        raise ValueError("The palette color mode works frame by frame; choose another one, or the method adain.")
    networks = networks_for(settings, method, networks)
    rest = iter(contents)
    first = next(rest, None)
    if first is None:
        return
    sources = inputs.Sources(styles)
    shares = inputs.check(sources, settings, method)
    plan(Task(first.size, settings, params, method, networks, 0, len(styles)), limits)
    given = inputs.read(images.Picture(first), sources, shares, settings, method, networks)
    mixed = [
        Style(images.to_tensor(color.prepare_style(settings, style.rgb, first)), share, name=name)
        for style, share, name in zip(given.styles, given.weights, given.names, strict=True)
    ]
    held: list[Image.Image] = []

    def seen() -> Iterator[Tensor]:
        for content in itertools.chain([first], rest):
            held.append(content)
            yield images.to_tensor(color.prepare_content(settings, content))

    before = None if earlier is None else (images.to_tensor(earlier[0]), images.to_tensor(earlier[1]))
    finished = 0
    with contextlib.closing(run_frames(method, seen(), mixed, params, networks, before)) as steps:
        for step in steps:
            if step.image is None or (step.iteration < step.iterations and not step.note):
                yield step.frame, None
                continue
            content = held.pop(step.frame - finished)
            finished += 1
            yield step.frame, color.finish(settings, content, images.to_image(step.image))
