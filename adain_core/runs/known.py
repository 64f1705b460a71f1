"""Styles that methods know: given by name in place of a picture, or recognized in a picture."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from torch import Tensor

from adain_core import images, methods
from adain_core.contracts import KnownStyle, Method
from adain_core.networks.generators import thumbnail

ALIKE = 6.0  # levels of 255; thumbnails of the same painting, scaled and saved again, differ less on average


def every() -> dict[str, KnownStyle]:
    """Return the styles that methods know, by name."""
    return {style.name: style for method in methods.find().values() for style in method.known_styles or ()}


def name_in(source: images.Source, names: Collection[str]) -> str | None:
    """Return a source that is a style's name, or None if it is a picture.

    Raises:
        ValueError: it can only be a name, but is not among `names`; the message suggests similar ones.
    """
    if not names or not isinstance(source, str | os.PathLike) or os.path.exists(source):
        return None
    name = os.fspath(source)
    if name in names:
        return name
    if not re.fullmatch(r"[\w-]+", name):
        return None
    raise ValueError(f"{name} is neither a picture nor the name of a style; {_nearest(name, names)}")


def check(name: str) -> str:
    """Return the name of a known style.

    Raises:
        ValueError: there is no such style; the nearest ones are offered.
    """
    if name not in (styles := every()):
        raise ValueError(f"{name} is not the name of a known style; {_nearest(name, styles)}")
    return name


def picture(source: images.Source) -> images.Source:
    """Return the file of a style given by name, and other sources unchanged.

    Raises:
        ValueError: the painting isn't on this machine, or see `name_in`.
    """
    if (name := name_in(source, styles := every())) is None:
        return source
    if (path := styles[name].picture) is None:
        raise ValueError(f"The painting {name} is not on this machine; give its file.")
    return path


def recognize(painting: Tensor, method: Method, known: Mapping[str, Tensor]) -> str:
    """Return the name of the known style whose painting is shown in a picture.

    Args:
        painting: [1,3,H,W], RGB in [0,1].
        method: the method that knows the styles.
        known: thumbnails by name.

    Raises:
        ValueError: it shows none of them.
    """
    seen = thumbnail(painting).float()
    gaps = {name: float((each.cpu().float() - seen).abs().mean()) for name, each in known.items()}
    name = min(gaps, key=lambda each: gaps[each])
    if gaps[name] > ALIKE:
        raise ValueError(
            f"{method.title} doesn't know this painting; choose one of {', '.join(known)}, teach it this one with"
            " python -m adain_core teach, or choose adain, which takes any."
        )
    return name


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name.lower(), names, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(names)}."


def file_of(name: str) -> Path | None:
    """Return the file of a known style's painting, if there is one on this machine."""
    return styles[name].picture if name in (styles := every()) else None
