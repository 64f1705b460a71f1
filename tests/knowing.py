"""Methods that know a set of styles, on tiny random generators."""

import hashlib
from dataclasses import replace

import pytest
import torch
from conftest import picture
from safetensors.torch import save

from adain_core import images, methods, weights
from adain_core.contracts import KnownStyle
from adain_core.networks.generators import Generator, Generators, thumbnail
from adain_core.networks.model import Networks
from adain_core.weights.table import File, knowing

STYLES = ("s1", "s2", "s3")
CLASSES = {"johnson": Generators, "conditional": Generator}


def painting(name: str):
    """The picture whose style has this name."""
    return picture(60, 48, int(name[1:]))


def make_generator(method: str, styles=STYLES, seed: int = 0) -> Networks:
    """Random weights that vary enough to tell one style from another."""
    torch.manual_seed(seed)
    module = CLASSES[method](styles, (4, 6))
    for each in module.modules():
        if isinstance(each, Generator):
            for name, style in each.styles.items():
                torch.nn.init.normal_(style, 0.5, 1)
                each.thumbnails.get_buffer(name).copy_(thumbnail(images.to_tensor(painting(name))))
    return Networks(method, {"generator": module})


def install(method: str, folder, patch: pytest.MonkeyPatch) -> None:
    """Put a method's weights into a folder and the table, so that it is found; `s1` and `s2` have pictures there.

    What ships is there, too.
    """
    for shipped in weights.PRETRAINED.glob("*.safetensors"):
        (folder / shipped.name).symlink_to(shipped)
    data = save({name: each.contiguous() for name, each in make_generator(method).generator.state_dict().items()})
    file = File(f"{method}.safetensors", hashlib.sha256(data).hexdigest())
    (folder / file.name).write_bytes(data)
    row = knowing(method, method.capitalize(), "For tests.", file, CLASSES[method], STYLES, (4, 6))
    patch.setitem(weights.MODELS, method, row)
    patch.setattr(weights, "PRETRAINED", folder)
    known = []
    for name in STYLES:
        painting(name).save(folder / f"{name}.png")
        known.append(KnownStyle(name, folder / f"{name}.png" if name != "s3" else None, method))
    found = {**methods.find(), method: replace(methods.written()[method], known_styles=tuple(known))}
    patch.setattr(methods, "find", lambda: found)
