"""The table of weights, and the one way to load them: found, verified by SHA-256, checked for shape.

Only this module touches the network, and only when a program asks for weights that are not on the machine.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from adain_core.compact import CompactDecoder, CompactEncoder
from adain_core.networks import Decoder, Encoder, Networks

FOLDER_VARIABLE = "ADAIN_WEIGHTS"
PRETRAINED = Path(__file__).parent / "pretrained"


@dataclass(frozen=True)
class Source:
    """A file on the Hub. The repository isn't trusted: the file's hash is."""

    repo: str
    filename: str
    repo_type: str = "model"


@dataclass(frozen=True)
class File:
    """A file of weights, known by its SHA-256; several names may hold the same tensors in other layouts."""

    name: str
    sha256: str
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Model:
    """A row of the table: an encoder and the decoder that was trained for it."""

    name: str
    title: str
    summary: str
    license: str
    origin: str
    encoder: File
    decoder: File
    build: Callable[[], tuple[nn.Module, nn.Module]]
    half: bool = False  # whether it may run in bfloat16, where a CPU has it

    @property
    def files(self) -> tuple[File, ...]:
        """The files that it needs, each once."""
        return tuple(dict.fromkeys((self.encoder, self.decoder)))


_COMPACT = File("compact.safetensors", "71fbebf2fd56f6940ee85777485c72575d8051a00cb647d9bfbfb1452d10770f")
MODELS = {
    model.name: model
    for model in (
        Model(
            name="compact",
            title="Compact",
            summary="A quarter of VGG-19's width, AdaIN at three levels; 3.9 MB, here already.",
            license="MIT",
            origin="trained for this project; see adain_core/pretrained/README.md",
            encoder=_COMPACT,
            decoder=_COMPACT,
            build=lambda: (CompactEncoder(), CompactDecoder()),
            half=True,
        ),
        Model(
            name="vgg19",
            title="VGG-19 (the paper's)",
            summary="The paper's encoder and decoder at full width; 94 MB from the Hub, about ten times slower.",
            license="MIT",
            origin="naoto0804/pytorch-AdaIN, release v0.0.0",
            encoder=File(
                "vgg_normalised.pth",
                "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
                (
                    Source("Curise/FreestyleRet", "vgg_normalised.pth"),
                    Source("HanzhouLiu/Stylos", "checkpoints/vgg_normalised.pth", "dataset"),
                    Source("vkganesan/AdaIN", "vgg_normalised.pth", "space"),
                ),
            ),
            decoder=File(
                "decoder.pth",
                "379ca41d59f3a37eed3599bbbc2560c19da5c458870a5ffd3a9dd41aa88f9472",
                (Source("tidalove/adain", "decoder.pth", "space"),),
            ),
            build=lambda: (Encoder(), Decoder()),
        ),
    )
}


class WeightsError(ValueError):
    """Weights can't be had or can't be trusted; the message says why and what to do."""


def get(name: str) -> Model:
    """Return a row of the table.

    Raises:
        ValueError: there is none of that name; the message lists those that there are.
    """
    if name not in MODELS:
        raise ValueError(f"There is no model {name}; there are {', '.join(MODELS)}.")
    return MODELS[name]


def load(
    name: str = "compact", device: str = "cpu", folder: str | os.PathLike[str] | None = None, download: bool = True
) -> Networks:
    """Load an encoder and its decoder, once a process.

    Args:
        name: a row of MODELS.
        device: `cpu`, `cuda`, `mps`, or `auto` for the fastest that there is.
        folder: where to look before the Hub; the environment's ADAIN_WEIGHTS where not given. Files are taken in the
            layout of the table's names, whose hash must match, or as safetensors, whose shapes must.
        download: whether to fetch from the Hub what is not here.

    Raises:
        ValueError: no such model or device.
        WeightsError: the weights can't be had, or are not what they should be.
    """
    folder = folder or os.environ.get(FOLDER_VARIABLE)
    return _load(get(name), pick_device(device), Path(folder).resolve() if folder else None, download)


@functools.lru_cache(maxsize=4)
def _load(model: Model, device: str, folder: Path | None, download: bool) -> Networks:
    encoder, decoder = model.build()
    for role, module, file in (("encoder", encoder, model.encoder), ("decoder", decoder, model.decoder)):
        module.load_state_dict(_find(model, file, role, _shapes(module), folder, download))
    half = model.half and device == "cpu" and has_bfloat16()
    return Networks(model.name, encoder, decoder, device, torch.bfloat16 if half else torch.float32)


def has_bfloat16() -> bool:
    """Tell whether the CPU multiplies bfloat16 itself, which halves the time; elsewhere torch would emulate it."""
    return torch.cpu._is_avx512_bf16_supported()


def pick_device(name: str) -> str:
    """Resolve `auto` to the fastest device here.

    Raises:
        ValueError: the device isn't one that torch finds here.
    """
    here = ["cpu"]
    if torch.cuda.is_available():
        here.insert(0, "cuda")
    if torch.backends.mps.is_available():
        here.insert(0, "mps")
    if name == "auto":
        return here[0]
    if name not in here:
        raise ValueError(f"The device {name} is not here; choose auto, {' or '.join(here)}.")
    return name


def state(model: Model, folder: str | os.PathLike[str] | None = None) -> str:
    """Say in a few words whether a model's weights are on this machine, without asking the network."""
    try:
        load(model.name, folder=folder, download=False)
    except WeightsError as error:
        return str(error)
    return "here, verified"


Shapes = Mapping[str, torch.Size]


def _shapes(module: nn.Module) -> Shapes:
    return {name: tensor.shape for name, tensor in module.state_dict().items()}


def _find(
    model: Model, file: File, role: str, shapes: Shapes, folder: Path | None, download: bool
) -> Mapping[str, Tensor]:
    """Return a module's tensors by name, from the folder, the package or the Hub, in this order."""
    if folder is not None:
        if not folder.is_dir():
            raise WeightsError("The folder named for weights does not exist.")
        if (folder / file.name).is_file():
            return _checked(_read(_verified(folder / file.name, file)), role, shapes, file.name)
        fitting = [each for each in sorted(folder.glob("*.safetensors")) if _fits(each, role, shapes)]
        if len(fitting) > 1:
            names = " and ".join(each.name for each in fitting)
            raise WeightsError(f"Both {names} in the weights folder could be {model.name}'s {role}; leave one.")
        if fitting:
            return _named(load_file(fitting[0]), role, shapes)
    if (PRETRAINED / file.name).is_file():
        return _checked(_read(_verified(PRETRAINED / file.name, file)), role, shapes, file.name)
    reasons: list[str] = []
    for source in file.sources:
        try:
            path = _fetch(source, download)
        except Exception as error:  # whatever a server, a network or a disk does, the next source may be whole
            if download and type(error).__name__ == "LocalEntryNotFoundError":
                reasons.append("it can't be reached")
                break  # nor will it be for the next source, after another half minute
            reasons.append(type(error).__name__)
            continue
        try:
            return _checked(_read(_verified(path, file)), role, shapes, file.name)
        except WeightsError:
            reasons.append("wrong SHA-256")
    why = f"could not be fetched from the Hub ({', '.join(reasons)})" if download else "have not been fetched yet"
    raise WeightsError(
        f"The weights of {model.name} are not on this machine and {why}. Put {model.encoder.name} and"
        f" {model.decoder.name} into a folder and name it with --weights-dir or {FOLDER_VARIABLE}, or use the model"
        " compact, which is here."
    )


def _fetch(source: Source, download: bool) -> Path:
    from huggingface_hub import hf_hub_download  # takes a while to import, and compact never needs it

    path = hf_hub_download(source.repo, source.filename, repo_type=source.repo_type, local_files_only=not download)
    return Path(path)


def _verified(path: Path, file: File) -> Path:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != file.sha256:
        raise WeightsError(
            f"{file.name} is not the file that it should be: its SHA-256 begins with {found[:12]}, not with"
            f" {file.sha256[:12]}. Remove it and fetch it again."
        )
    return path


def _read(path: Path) -> Mapping[str, Tensor]:
    if path.suffix == ".safetensors":
        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)  # its hash is known


def _names(keys: Collection[str], role: str, shapes: Shapes) -> dict[str, str]:
    """Map names in a file to a module's: ours, ours behind `encoder.` or `decoder.`, or numbered as in nn.Sequential.

    Numbers count every layer, those without weights too, so only their order counts here.
    """
    numbers = sorted({int(head) for key in keys if (head := key.partition(".")[0]).isdecimal()})
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in shapes))
    numbered = {str(number): layer for number, layer in zip(numbers, layers, strict=False)}
    renamed = {}
    for key in keys:
        layer, _, kind = key.removeprefix(f"{role}.").rpartition(".")
        renamed[key] = f"{numbered.get(layer, layer)}.{kind}"
    return {key: name for key, name in renamed.items() if name in shapes}


def _named(tensors: Mapping[str, Tensor], role: str, shapes: Shapes) -> dict[str, Tensor]:
    return {name: tensors[key] for key, name in _names(tensors, role, shapes).items()}


def _checked(tensors: Mapping[str, Tensor], role: str, shapes: Shapes, file: str) -> dict[str, Tensor]:
    named = _named(tensors, role, shapes)
    wrong = [name for name, shape in shapes.items() if name not in named or named[name].shape != shape]
    if wrong:
        raise WeightsError(f"{file} doesn't hold the {role} that it should: {wrong[0]} is missing or misshapen.")
    return named


def _fits(path: Path, role: str, shapes: Shapes) -> bool:
    """Tell from a safetensors file's header alone whether it holds a module's tensors."""
    try:
        with safe_open(path, "pt") as file:
            names = _names(file.keys(), role, shapes)
            found = {name: torch.Size(file.get_slice(key).get_shape()) for key, name in names.items()}
    except (SafetensorError, OSError):
        return False
    return found == shapes
