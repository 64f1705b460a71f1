"""What the stages of training share: device, precision, pictures, teacher, and weights to start from."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from adain_core import images, weights
from adain_core.contracts import Params, parse
from adain_core.networks.compact import CompactDecoder, CompactEncoder, CompactInverse
from adain_core.networks.generators import Generator, Generators, check_name
from adain_core.networks.model import Networks
from adain_core.optimization import feedforward
from adain_core.system import files
from adain_core.training import generators, loop, pictures
from adain_core.training.loop import Schedule
from adain_core.training.pair import Predictions
from adain_core.training.teacher import Features, Teacher

M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", bound=CompactInverse)
P = TypeVar("P", bound=Params)
Draw = Callable[[range], Iterator[loop.Batch]]  # yields a batch for each step
PREFIXES = ("inverse.", "perceptual.")  # of the names in a run's weights that are shipped as separate files


class Run:
    """The setup that all stages share: device, precision, pictures, and teacher, if there is one."""

    def __init__(
        self,
        kind: type[Schedule],
        options: dict[str, Any],
        photos: Path,
        paintings: Path | None,
        output: Path,
        teacher: Path | None = None,
    ) -> None:
        self.options, self.output, self._folder = options, output, teacher
        self.settings: Any = parse(kind, {name: options[name] for name in kind.model_fields})
        loop.check(output, options)
        torch.manual_seed(self.settings.seed)
        self.device = torch.device(weights.pick_device("auto"))
        torch.backends.cudnn.benchmark = True
        self.bf16 = self.device.type == "cuda" or weights.has_bfloat16()
        held_out = [name for names in pictures.held_out().values() for name in names]
        self.photos = pictures.load(photos, 2 * self.settings.size, held_out)
        self.paintings = [] if paintings is None else pictures.load(paintings, 2 * self.settings.size, held_out)

    @cached_property
    def full(self) -> Networks:
        """The full-size networks."""
        return weights.load("vgg19", folder=self._folder)

    @cached_property
    def teacher(self) -> Teacher:
        """The teacher, in the precision of the run."""
        teacher = Teacher(self.full, self.device, torch.bfloat16 if self.bf16 else torch.float32)
        if self.settings.fused:
            teacher.encoder.compile(dynamic=False)
        return teacher

    @cached_property
    def samples(self) -> loop.Batch:
        """Photographs and paintings for the sheet."""
        shown = self.settings.model_copy(update={"batch": 6, "size": 192, "varied": 0.0})
        return self.move(next(iter(pictures.batches(self.photos, self.paintings, shown, range(1)))))

    def move(self, batch: loop.Batch) -> loop.Batch:
        """Move a batch to the device."""
        return loop.move(batch, self.device)

    def new(self, module: M) -> M:
        """Initialize a module randomly and move it to the device."""
        for each in module.modules():
            if isinstance(each, nn.Conv2d):
                nn.init.kaiming_normal_(each.weight, nonlinearity="relu")
                if each.bias is not None:
                    nn.init.constant_(each.bias, 0)
        if self.settings.fused:
            module.compile(dynamic=False)
        return module.to(self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def decoder(self, module: C) -> C:
        """Initialize a decoder with residual branches at zero and an almost gray output."""
        module = self.new(module)
        with torch.no_grad():
            for name in ("conv4_6", "conv4_4", "conv4_2", "conv3_5", "conv3_3"):
                if hasattr(module, name):
                    module.get_submodule(name).weight.zero_()  # type: ignore[operator]
            if isinstance(module, CompactDecoder):  # initially relu3_1 alone makes the picture
                module.conv4_1.weight.zero_()
                module.join2_1.weight.zero_()
            module.conv1_1.weight.mul_(0.1)
            nn.init.constant_(module.conv1_1.bias, 0.5)  # type: ignore[arg-type]
        return module

    def loss_network(self) -> nn.Module:
        """Load the perceptual network that ships, frozen, in the precision of the run."""
        network = copy.deepcopy(weights.load("perceptual").loss_network)
        dtype = torch.bfloat16 if self.bf16 else torch.float32
        return network.to(self.device, dtype, memory_format=torch.channels_last).requires_grad_(False)

    def encoder(self) -> CompactEncoder:
        """Create a compact encoder whose heads predict the teacher's features."""
        return self.new(CompactEncoder(predicted=self.teacher.widths))

    def weights(self, kind: type[P]) -> P:
        """Read a stage's loss weights from the options."""
        return parse(kind, {name: self.options[name] for name in kind.model_fields})

    def batches(self, steps: range) -> Iterator[loop.Batch]:
        """Draw the batches of some steps."""
        return pictures.batches(self.photos, self.paintings, self.settings, steps)

    def train_generator(
        self, kind: type[Generator] | type[Generators], paths: Sequence[Path], start: Path | None
    ) -> None:
        """Train a generator for the styles of some paintings, which are named by their files."""
        for path in paths:
            check_name(path.stem)
        width, blocks = self.settings.width, self.settings.blocks
        network = self.new(kind([path.stem for path in paths], (width // 2, width), blocks))
        paintings = {path.stem: images.to_tensor(images.load(path).rgb).to(self.device) for path in paths}
        for each in paintings.values():
            feedforward.check(each)
        generators.remember(network, paintings)
        if start is not None:
            generators.begin(network, stored(start), start)
        shown = self.settings.model_copy(update={"batch": 4, "size": feedforward.SHORT[0], "flat": 0.0})
        samples, _ = self.move(next(generators.batches(self.photos, shown, range(1))))
        look, objective = Predictions(self.loss_network()).features, self.weights(feedforward.Weights)
        stage = generators.Painting(network, paintings, look, objective, self.settings, samples)
        self.train(stage, draw=lambda steps: generators.batches(self.photos, self.settings, steps))

    def train(self, stage: loop.Stage, metadata: Mapping[str, str] | None = None, draw: Draw | None = None) -> None:
        """Train a stage with these settings, on batches from `draw` if it is given."""
        drawn, settings = draw or self.batches, self.settings
        loop.train(stage, drawn, settings, self.options, self.output, self.device, self.bf16, metadata)


def join(parts: Sequence[Features]) -> Features:
    """Concatenate the features of several batches."""
    return {layer: torch.cat([each[layer] for each in parts]) for layer in parts[0]}


def stored(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file.

    Raises:
        ValueError: the file is missing or not in this format.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError):
        raise ValueError(f"{files.shown(path)} can't be read as safetensors; use a file written by training.") from None


def begin(module: nn.Module, path: Path, without: tuple[str, ...] = ()) -> None:
    """Load a file's tensors into a module, except those whose names begin with one of the prefixes in `without`."""
    kept = {
        re.sub("|".join(PREFIXES), "", name, count=1): tensor
        for name, tensor in stored(path).items()
        if not name.startswith(without)
    }
    own = module.state_dict()
    for name in kept.keys() & own.keys():
        if kept[name].shape != own[name].shape:  # a layer that has grown: new units start as they are initialized
            grown = own[name].clone()
            grown[tuple(map(slice, kept[name].shape))] = kept[name]
            kept[name] = grown
    found = module.load_state_dict(kept, strict=False)
    print(f"{path.name}: {len(found.missing_keys)} tensors reinitialized, {len(found.unexpected_keys)} unused")
