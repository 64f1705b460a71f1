"""Names and shapes of tensors in weights files: our layout, pytorch-AdaIN's, and torchvision's."""

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

IMAGENET = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
}  # torchvision's input normalization

Shapes = Mapping[str, torch.Size]


class WeightsError(ValueError):
    """Weights are missing or can't be trusted; the message says why and what to do."""


class Found(NamedTuple):
    """A module's tensors by name, and their origin.

    Attributes:
        tensors: tensors by their names in the module.
        file: name of the file.
        given: whether the file comes from the user's folder and only its shapes have been checked.
        encoder: `checksum` of the encoder that a decoder was trained for, if its file states it.
        sha256: hash of the file, if it isn't the table's.
    """

    tensors: Mapping[str, Tensor]
    file: str
    given: bool = False
    encoder: str | None = None
    sha256: str | None = None


def checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of the tensors' float32 values in the order of their names, independent of the file format."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(tensors[name].detach().float().contiguous().numpy().tobytes())
    return digest.hexdigest()


def given_checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the checksum of an encoder's tensors as in its file, without conv0, which `name_tensors` may add."""
    return checksum({name: each for name, each in tensors.items() if not name.startswith("conv0.")})


def shapes_of(module: nn.Module) -> Shapes:
    """Return the shapes of a module's tensors by name."""
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn an OSError into a WeightsError, for a file that can't be read and so is not known to be damaged."""
    try:
        yield
    except OSError as error:
        raise WeightsError(f"{path.name} can't be read ({error.strerror or 'the disk fails'}).") from None


def read(path: Path, name: str) -> Mapping[str, Tensor]:
    """Read a file whose hash has been verified; from a pickle, only tensors.

    Raises:
        WeightsError: the file can't be read or contains anything else.
    """
    try:
        with readable(path), path.open("rb") as file:
            if name.endswith(".safetensors"):
                return load_file(path)
            return torch.load(file, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise WeightsError(f"{name} can't be read as weights ({type(error).__name__}).") from None


def assign(model: Model, file: File, tensors: Mapping[str, Tensor], wanted: Mapping[str, Shapes]) -> dict[str, Found]:
    """Assign a file's tensors to modules.

    Raises:
        WeightsError: a tensor is missing or has the wrong shape, or the encoder's checksum is not the recorded one.
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
    """Map a file's tensor names to a module's: ours, ours with a role as prefix, or numbers as in nn.Sequential.

    Numbers include layers without weights, so only their order matters. torchvision's names have the prefix `features.`
    and begin with conv1_1.
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
    """Rename tensors; the first layer of an encoder with ImageNet normalization is made from its mean and deviation."""
    named = {name: tensors[key] for key, name in names_in(model, tensors, role, shapes).items()}
    if model.imagenet and "conv0.weight" not in named:
        mean, std = (torch.tensor(IMAGENET[each]) for each in ("mean", "std"))
        named |= {"conv0.weight": torch.diag(1 / std)[:, :, None, None], "conv0.bias": -mean / std}
    return named


def complete(model: Model, names: Collection[str], shapes: Shapes) -> bool:
    """Return whether names include every tensor that a module needs."""
    own = {"conv0.weight", "conv0.bias"} if model.imagenet else set()
    return set(names) | own == set(shapes)


def fits(model: Model, path: Path, role: str, shapes: Shapes) -> bool:
    """Return whether a safetensors file holds a module's tensors, judging by its header.

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
