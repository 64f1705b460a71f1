"""The layouts in which files hold a module's tensors: ours, pytorch-AdaIN's and torchvision's; names and shapes."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from adain_core.weights.table import File, Model

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # as torchvision's networks take pictures

Shapes = Mapping[str, torch.Size]


class WeightsError(ValueError):
    """Weights can't be had or can't be trusted; the message says why and what to do."""


class Found(NamedTuple):
    """A module's tensors by name, and where they are from.

    Attributes:
        tensors: named as in the module.
        file: its name.
        given: whether it lay in the folder that was named, and nothing but its shapes is known.
        encoder: `checksum` of the encoder that a decoder was trained for, where its file says so.
    """

    tensors: Mapping[str, Tensor]
    file: str
    given: bool = False
    encoder: str | None = None


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors' float32 values in the order of their names, whatever file they are from."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def given_checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the checksum of an encoder's tensors as its file has them: without conv0, which `name_tensors` may add."""
    return checksum({name: each for name, each in tensors.items() if not name.startswith("conv0.")})


def shapes_of(module: nn.Module) -> Shapes:
    """Return the shapes of a module's tensors by name."""
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say in a WeightsError that a file can't be read, as where its rights forbid it; nothing is known of it then."""
    try:
        yield
    except OSError as error:
        raise WeightsError(f"{path.name} can't be read ({error.strerror or 'the disk fails'}).") from None


def read(path: Path, name: str) -> Mapping[str, Tensor]:
    """Read a file whose hash is known; of a pickle nothing but tensors.

    Raises:
        WeightsError: it holds something else, or can't be read.
    """
    try:
        with readable(path), path.open("rb") as file:
            if name.endswith(".safetensors"):
                return load_file(path)
            return torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{name} can't be read as weights ({type(error).__name__}).") from None


def assign(model: Model, file: File, tensors: Mapping[str, Tensor], wanted: Mapping[str, Shapes]) -> dict[str, Found]:
    """Sort a file's tensors by module.

    Raises:
        WeightsError: one is missing or of another shape, or the encoder's checksum is not the one that is recorded.
    """
    found = {}
    for role, shapes in wanted.items():
        named = name_tensors(model, tensors, role, shapes)
        wrong = [name for name, shape in shapes.items() if name not in named or named[name].shape != shape]
        if wrong:
            raise WeightsError(
                f"{file.name} doesn't contain the expected {role}: {wrong[0]} is missing or has the wrong shape."
            )
        if role == "encoder" and file.tensors not in (None, own := given_checksum(named)):
            raise WeightsError(f"{file.name} contains unexpected tensors (checksum {own[:12]}).")
        found[role] = Found(named, file.name)
    return found


def names_in(model: Model, keys: Collection[str], role: str, shapes: Shapes) -> dict[str, str]:
    """Map names in a file to a module's: ours, ours behind `encoder.` or `decoder.`, or numbered as in nn.Sequential.

    Numbers count every layer, those without weights too, so only their order counts here. torchvision's stand behind
    `features.` and begin with conv1_1.
    """
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))
    prefix = "features." if model.imagenet else ""
    short = {key: key.removeprefix(f"{role}.").removeprefix(prefix) for key in keys}
    numbers = sorted({int(head) for each in short.values() if (head := each.partition(".")[0]).isdecimal()})
    numbered = {str(number): layer for number, layer in zip(numbers, layers[1 if prefix else 0 :], strict=False)}
    renamed = {}
    for key, each in short.items():
        layer, _, kind = each.rpartition(".")
        renamed[key] = f"{numbered.get(layer, layer)}.{kind}"
    return {key: name for key, name in renamed.items() if name in shapes}


def name_tensors(model: Model, tensors: Mapping[str, Tensor], role: str, shapes: Shapes) -> dict[str, Tensor]:
    """Rename tensors; ImageNet's mean and deviation become the first layer of an encoder that wants them."""
    named = {name: tensors[key] for key, name in names_in(model, tensors, role, shapes).items()}
    if model.imagenet and "conv0.weight" not in named:
        mean, std = (torch.tensor(IMAGENET[each]) for each in ("mean", "std"))
        named |= {"conv0.weight": torch.diag(1 / std)[:, :, None, None], "conv0.bias": -mean / std}
    return named


def complete(model: Model, names: Collection[str], shapes: Shapes) -> bool:
    """Tell whether names in a file are all that a module needs."""
    own = {"conv0.weight", "conv0.bias"} if model.imagenet else set()
    return set(names) | own == set(shapes)


def fits(model: Model, path: Path, role: str, shapes: Shapes) -> bool:
    """Tell from a safetensors file's header alone whether it holds a module's tensors.

    Raises:
        WeightsError: the file can't be read.
    """
    try:
        with readable(path), path.open("rb"), safe_open(path, "pt") as file:
            names = names_in(model, file.keys(), role, shapes)
            found = {name: torch.Size(file.get_slice(key).get_shape()) for key, name in names.items()}
    except SafetensorError:
        return False
    return all(shapes[name] == shape for name, shape in found.items()) and complete(model, found, shapes)
