"""The table of models: their weights files with sources and hashes, and the modules they are made of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import nn

from adain_core.networks import compact, generators, perceptual, vgg
from adain_core.networks.vgg import Decoder, Encoder
from adain_core.weights.hub import Source

REPO_VARIABLE = "ADAIN_HUB_REPO"
DEEPEST = "relu5_1"  # the deepest layer of `vgg19-imagenet`
RELEASE = "https://github.com/naoto0804/pytorch-AdaIN/releases/download/v0.0.0/"


@dataclass(frozen=True)
class File:
    """A weights file, identified by its SHA-256.

    Attributes:
        name: its name at its sources and in a local folder.
        sha256: hash of the file; None if it isn't pinned and only the tensors' shapes are checked.
        sources: where to download it, in order of preference.
        size: size in bytes, if known.
        cut: whether to download only the needed tensors of a safetensors file.
        tensors: checksum of the encoder's tensors, as printed by `weights verify`; None if not recorded.
    """

    name: str
    sha256: str | None
    sources: tuple[Source, ...] = ()
    size: int | None = None
    cut: bool = False
    tensors: str | None = None

    @property
    def key(self) -> str:
        """Key of the file in the cache."""
        return (self.sha256 or hashlib.sha256(repr(self).encode()).hexdigest())[:16]


@dataclass(frozen=True)
class Part:
    """A module of a model.

    Attributes:
        role: its role in the model; see networks.model.ROLES.
        file: the file with its weights, which may contain other modules as well.
        build: creates the module with random weights.
    """

    role: str
    file: File
    build: Callable[[], nn.Module]


@dataclass(frozen=True)
class Model:
    """A row of the table: modules that were trained to work together.

    Attributes:
        name: name of the model.
        title: name shown on the page.
        summary: one plain sentence on what it is.
        license: license of the weights.
        origin: author of the weights.
        widths: channels of each block of the encoder, or at each resolution of the generator.
        layers: layers of the encoder.
        parts: its modules, each with a different role; a model without a decoder only serves methods that optimize.
        half: whether it may run in bfloat16 on CPUs that support it.
        teacher: the model that it was trained and measured with, if any.
        imagenet: whether it takes pictures normalized by ImageNet's mean and deviation, like torchvision's networks.
        styles: names of the styles that its generator knows; the method of the row's name uses such a row.
    """

    name: str
    title: str
    summary: str
    license: str
    origin: str
    widths: tuple[int, ...]
    layers: tuple[str, ...]
    parts: tuple[Part, ...]
    half: bool = False
    teacher: str = ""
    imagenet: bool = False
    styles: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[File, ...]:
        """All files of the model, without duplicates."""
        return tuple(dict.fromkeys(part.file for part in self.parts))

    def file(self, role: str) -> File | None:
        """Return the file of the part with a role, or None if the model has no such part."""
        return next((part.file for part in self.parts if part.role == role), None)

    @property
    def judges(self) -> bool:
        """Whether its loss network is its own rather than one that it shares with another model."""
        return (self.file("encoder") is None) != (self.file("perceptual") is None)

    def build(self) -> dict[str, nn.Module]:
        """Create the modules by role, with random weights."""
        return {part.role: part.build() for part in self.parts}


def _layers(last: str) -> tuple[str, ...]:
    return tuple(each.relu for each in vgg.convolutions(vgg.WIDTHS, last))


_COMPACT = File("compact.safetensors", "dc4740ceae5bcdb957b75cc3b28e6b028910d29221ebe192dd2d091df5ad4665")
_INVERSE = File("inverse.safetensors", "f4bd49d7c02b1515791dd52ba59a8545b7e5f3b569d7a2838f3477415b2181ba")
_PERCEPTUAL = File("perceptual.safetensors", "589da6d9e9ed6d286308d3c2e45713cb9afc4ad12c55967166affdbdac7e778b")
_VGG_ENCODER = File(
    "vgg_normalised.pth",
    "804ca2835ecf7539f0cd2a7ac3c18ce81e6f8468969ae7117ac0c148d286bb4a",
    (
        Source("Curise/FreestyleRet", "vgg_normalised.pth"),
        Source("HanzhouLiu/Stylos", "checkpoints/vgg_normalised.pth", "dataset"),
        Source("vkganesan/AdaIN", "vgg_normalised.pth", "space"),
        Source("naoto0804/pytorch-AdaIN", "vgg_normalised.pth", address=RELEASE + "vgg_normalised.pth"),
    ),
    size=80_102_481,
)
_VGG_DECODER = File(
    "decoder.pth",
    "379ca41d59f3a37eed3599bbbc2560c19da5c458870a5ffd3a9dd41aa88f9472",
    (
        Source("tidalove/adain", "decoder.pth", "space"),
        Source("naoto0804/pytorch-AdaIN", "decoder.pth", address=RELEASE + "decoder.pth"),
    ),
)
_IMAGENET = File("model.safetensors", None, (Source("timm/vgg19.tv_in1k", "model.safetensors"),), cut=True)
_COMPACT_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
_ROWS = [
    Model(
        name="compact",
        title="Compact",
        summary="A quarter of VGG-19's width, for two CPU cores; 4.4 MB, included. Its loss network is perceptual.",
        license="MIT",
        origin="trained for this project; see adain_core/pretrained/README.md",
        widths=compact.WIDTHS,
        layers=_COMPACT_LAYERS,
        parts=(
            Part("encoder", _COMPACT, compact.CompactEncoder),
            Part("decoder", _COMPACT, compact.CompactDecoder),
            Part("inverse", _INVERSE, compact.CompactInverse),
            Part("perceptual", _PERCEPTUAL, perceptual.PerceptualEncoder),
        ),
        half=True,
        teacher="vgg19",
    ),
    Model(
        name="vgg19",
        title="VGG-19 (the paper's)",
        summary="The paper's encoder and decoder at full width; 94 MB from the Hub, about ten times slower.",
        license="MIT",
        origin="naoto0804/pytorch-AdaIN, release v0.0.0",
        widths=vgg.WIDTHS[:4],
        layers=_layers("relu4_1"),
        parts=(Part("encoder", _VGG_ENCODER, Encoder), Part("decoder", _VGG_DECODER, Decoder)),
    ),
    Model(
        name="vgg19-imagenet",
        title="VGG-19 (ImageNet's)",
        summary="The encoder as trained on ImageNet, up to relu5_1, for methods that optimize; 52 MB from the Hub.",
        license="BSD-3-Clause",
        origin="torchvision, by timm/vgg19.tv_in1k",
        widths=vgg.WIDTHS,
        layers=_layers(DEEPEST),
        parts=(Part("encoder", _IMAGENET, lambda: Encoder(last=DEEPEST)),),
        imagenet=True,
    ),
    Model(
        name="perceptual",
        title="Perceptual",
        summary="About half of VGG-19's width, for optimizing and judging; 3.8 MB, included.",
        license="MIT",
        origin="made for this project; see adain_core/pretrained/README.md",
        widths=perceptual.WIDTHS,
        layers=perceptual.LAYERS,
        parts=(Part("perceptual", _PERCEPTUAL, perceptual.PerceptualEncoder),),
        half=True,
        teacher="vgg19",
    ),
]


def knowing(
    name: str,
    title: str,
    summary: str,
    file: File,
    module: Callable[[Iterable[str], tuple[int, ...]], nn.Module],
    styles: tuple[str, ...],
    widths: tuple[int, ...] = generators.WIDTHS,
) -> Model:
    """Return a row for the networks of a method that knows a set of styles.

    Args:
        name: name of the method.
        title: see Model.
        summary: see Model.
        file: the file with the networks of all styles.
        module: creates them from the styles' names and the widths.
        styles: names of the styles, and of their pictures in examples/styles.
        widths: see Model.
    """
    return Model(
        name=name,
        title=title,
        summary=summary,
        license="MIT",
        origin="trained for this project; see adain_core/pretrained/README.md",
        widths=widths,
        layers=(),
        parts=(Part("generator", file, lambda: module(styles, widths)),),
        half=True,
        styles=styles,
    )


def _own(repo: str) -> Model:
    """Return the row for a repository published with `python -m adain_core publish`."""
    name, _, revision = repo.partition("@")
    file = File("model.safetensors", None, (Source(name, "model.safetensors", revision=revision or "main"),))
    return Model(
        name="own",
        title=f"From {name}",
        summary=f"Built like compact; published as {name} on the Hub.",
        license="see its repository",
        origin=name,
        widths=compact.WIDTHS,
        layers=_COMPACT_LAYERS,
        parts=(
            Part("encoder", file, compact.CompactEncoder),
            Part("decoder", file, compact.CompactDecoder),
            Part("perceptual", _PERCEPTUAL, perceptual.PerceptualEncoder),
        ),
        half=True,
        teacher="vgg19",
    )


MODELS = {model.name: model for model in _ROWS}
if REPO_VARIABLE in os.environ:
    MODELS["own"] = _own(os.environ[REPO_VARIABLE])


def get(name: str) -> Model:
    """Return a row of the table.

    Raises:
        ValueError: there is no such model; the message lists the available ones.
    """
    if name not in MODELS:
        raise ValueError(f"There is no model {name}; there are {', '.join(MODELS)}.")
    return MODELS[name]
