"""Files of taught styles: each adds one style to a method that knows a set of styles.

For a network of many styles, such a file contains the gamma and beta of the new style (networks/generators.py) and the
checksum of their trunk; for networks of one style each, it contains a whole network.
"""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from adain_core.networks.generators import Generator, Generators, check_name
from adain_core.networks.model import Networks
from adain_core.system import files
from adain_core.weights.layouts import WeightsError, checksum, readable


class Taught(NamedTuple):
    """A style that was taught.

    Attributes:
        method: name of the method that it belongs to.
        name: name of the style.
        tensors: gamma and beta as `style` and the painting's thumbnail as `thumbnail`, or a Generator's by name.
        trunk: `trunk_checksum` of the network that gamma and beta belong to, or "".
        sha256: hash of its file, once there is one.
    """

    method: str
    name: str
    tensors: Mapping[str, Tensor]
    trunk: str = ""
    sha256: str = ""


def trunk_checksum(generator: Generator) -> str:
    """Return the checksum of everything that a generator's styles share, in bfloat16, as some machines compute."""
    tensors = generator.state_dict()
    return checksum({name: x.bfloat16() for name, x in tensors.items() if not name.startswith(("styles.", "thumb"))})


def write(path: Path, style: Taught) -> None:
    """Write a style to a file."""
    facts = {"method": style.method, "style": style.name, "trunk": style.trunk}
    files.write(path, save({name: each.cpu().contiguous() for name, each in style.tensors.items()}, facts))


def read(path: str | os.PathLike[str]) -> Taught:
    """Read a style from a file.

    Raises:
        WeightsError: there is no such file, or it doesn't hold a style.
    """
    path = Path(path)
    try:
        with readable(path), path.open("rb"), safe_open(path, "pt") as stream:
            facts = stream.metadata() or {}
            tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        check_name(facts["style"])
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        found = Taught(facts["method"], facts["style"], tensors, facts["trunk"], own)
    except (SafetensorError, KeyError, ValueError) as error:
        if isinstance(error, WeightsError):
            raise
        raise WeightsError(f"{path.name} holds no style that was taught; use a file written by teach.") from None
    if not all(each.isfinite().all() for each in tensors.values()):
        raise WeightsError(f"{path.name} holds numbers that aren't finite; teach the style again.")
    return found


def add(networks: Networks, style: Taught) -> Networks:
    """Return the networks of a method with one more style, which replaces one of the same name.

    Raises:
        WeightsError: the style belongs to another method or network.
    """
    generator = copy.deepcopy(networks.generator)
    if style.method != networks.name or not isinstance(generator, Generator | Generators):
        raise WeightsError(f"The style {style.name} was taught to {style.method}; choose that method.")
    try:
        if isinstance(generator, Generators):
            own = Generator([style.name], generator.widths, generator.blocks)
            own.load_state_dict(style.tensors)
            generator[style.name] = own
        else:
            if style.trunk != trunk_checksum(generator):
                raise RuntimeError
            generator.add(style.name, _shaped(style.tensors["style"], generator), style.tensors["thumbnail"])
    except (RuntimeError, KeyError):
        raise WeightsError(
            f"The style {style.name} was taught to another network of {style.method} than this one; teach it again."
        ) from None
    hashes = {**networks.hashes, style.name: style.sha256}
    return Networks(networks.name, {"generator": generator}, networks.device, networks.dtype, hashes)


def _shaped(style: Tensor, generator: Generator) -> Tensor:
    if style.shape != (2, sum(generator.channels)):
        raise RuntimeError
    return style


def of(networks: Networks, name: str, generator: Generator) -> Taught:
    """Return a style that `generator` has learned, to be written.

    Args:
        networks: the networks of the method that it is for.
        name: name of the style.
        generator: has the style; its trunk is that of `networks`, unless these have one network for each style.
    """
    if isinstance(networks.generator, Generators):
        tensors = {key: x.bfloat16() if x.is_floating_point() else x for key, x in generator.state_dict().items()}
        return Taught(networks.name, name, {key: x.clone() for key, x in tensors.items()})
    own = {"style": generator.styles[name].detach().clone(), "thumbnail": generator.known[name].clone()}
    return Taught(networks.name, name, own, trunk_checksum(networks.generator))
