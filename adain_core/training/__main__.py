"""The command line: `python -m adain_core.training STAGE --photos FOLDER --paintings FOLDER --teacher FOLDER`."""

from __future__ import annotations

import copy
import hashlib
import inspect
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import torch
import typer
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from adain_core import images, weights
from adain_core.contracts import Params, describe, parse
from adain_core.networks.compact import CompactDecoder, CompactEncoder, CompactInverse
from adain_core.networks.generators import Generator, Generators, check_name
from adain_core.networks.model import Networks
from adain_core.networks.perceptual import PerceptualEncoder
from adain_core.networks.vgg import Decoder
from adain_core.optimization import feedforward
from adain_core.system import console, files
from adain_core.training import generators, loop, pictures
from adain_core.training.decoder import PaperDecoder, PaperSettings
from adain_core.training.decoder import Weights as DecoderWeights
from adain_core.training.distill import Distill, fit
from adain_core.training.generators import GeneratorSettings
from adain_core.training.inverse import Inverse
from adain_core.training.inverse import Weights as InverseWeights
from adain_core.training.loop import Schedule, Settings
from adain_core.training.pair import Judge, Pair, Predictions, reference
from adain_core.training.pair import Weights as PairWeights
from adain_core.training.perceptual import Perceptual, begin_by_least_squares, degrade
from adain_core.training.perceptual import Weights as PerceptualWeights
from adain_core.training.teacher import LAYERS, Features, Teacher, all_statistics
from adain_core.weights.layouts import checksum

M = TypeVar("M", bound=nn.Module)
C = TypeVar("C", bound=CompactInverse)
P = TypeVar("P", bound=Params)
Draw = Callable[[range], Iterator[loop.Batch]]  # yields a batch for each step

JUDGED = 96  # pairs for the reference losses; a few styles dominate the style loss, so 24 pairs gave 0.24 to 0.73
PREFIXES = ("inverse.", "perceptual.")  # of the names in a run's weights that are shipped as separate files
FITTED = 192  # crops that a perceptual encoder is initialized on
TURNS = 4  # steps, of which the full-size network judges one when another network judges the rest

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)


def declared(*models: type[Params]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command an option for every field of the parameter classes; it gets their values in `options`."""

    fields = {name: info for model in models for name, info in model.model_fields.items()}
    drawn = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=info.default,
            annotation=Annotated[info.annotation, typer.Option(help=describe(info), show_default=False)],
        )
        for name, info in fields.items()
    ]
    return lambda command: console.with_options(command, drawn)


Photos = Annotated[Path, typer.Option(help="Folder of content pictures.")]
Paintings = Annotated[Path, typer.Option(help="Folder of style pictures.")]
TeacherFolder = Annotated[Path | None, typer.Option(help="Folder with the full-size weights.")]
Output = Annotated[Path, typer.Option("-o", "--output", help="Folder of the run; resumes from its checkpoint, if any.")]
Start = Annotated[Path | None, typer.Option(help="Initial weights, as safetensors.")]


@app.command()
@declared(Settings)
def distill(
    photos: Photos, paintings: Paintings, output: Output, teacher: TeacherFolder = None, options: Any = None
) -> None:
    """Train the compact encoder to predict the full-size encoder's features."""
    run = Run(Settings, options, photos, paintings, output, teacher)
    run.train(Distill(run.encoder(), run.teacher, run.samples[0]))


@app.command()
@declared(Settings, PerceptualWeights)
def perceptual(
    photos: Photos,
    paintings: Paintings,
    output: Output,
    teacher: TeacherFolder = None,
    start: Start = None,
    options: Any = None,
) -> None:
    """Train a perceptual encoder to predict the full-size encoder's features and Gram matrices."""
    run = Run(Settings, options, photos, paintings, output, teacher)
    encoder, weights_of = run.new(PerceptualEncoder(predicted=run.teacher.widths)), run.weights(PerceptualWeights)
    if start is not None:
        begin(encoder, start)
    elif not (output / loop.CHECKPOINT).exists():
        count, generator = (
            math.ceil(FITTED / (2 * run.settings.batch)),
            torch.Generator().manual_seed(run.settings.seed),
        )
        crops = torch.cat([each for batch in run.batches(range(-count, 0)) for each in run.move(batch)])
        begin_by_least_squares(encoder, run.teacher.encoder, degrade(crops, weights_of.degraded, generator), generator)
    run.train(Perceptual(encoder, run.teacher, weights_of, run.settings.size, run.samples[0]))


@app.command()
@declared(Settings, PairWeights)
def pair(
    photos: Photos,
    paintings: Paintings,
    output: Output,
    teacher: TeacherFolder = None,
    start: Start = None,
    renew: Annotated[str, typer.Option(help="Prefixes of tensors to reinitialize anyway.")] = "",
    inverse: Annotated[
        Path | None, typer.Option(help="An inverse network to initialize the decoder's upsampling path from.")
    ] = None,
    judge: Annotated[
        Literal["perceptual", "teacher", "own"],
        typer.Option(help="Network that measures the losses; own requires --encoder 0."),
    ] = "perceptual",
    options: Any = None,
) -> None:
    """Train the compact encoder and decoder jointly, with losses measured by the full-size pair."""
    run = Run(Settings, options, photos, paintings, output, teacher)
    encoder, decoder = run.encoder(), run.decoder(CompactDecoder())
    if start is not None:
        begin(nn.ModuleDict({"encoder": encoder, "decoder": decoder}), start, tuple(filter(None, renew.split(","))))
    if inverse is not None:
        begin(decoder, inverse)
    if not decoder.gains.spread.any():
        with torch.no_grad():
            drawn = [each for batch in run.batches(range(-44, -28)) for each in run.move(batch)]
            decoder.gains.standardize(all_statistics(encoder(each, decoder.levels)) for each in drawn)
    weights_of = run.weights(PairWeights)
    if judge == "own" and weights_of.encoder:
        raise typer.BadParameter("--judge own needs a frozen encoder: --encoder 0.")
    if weights_of.encoder:
        with torch.no_grad():
            seen = [torch.cat(run.move(batch)) for batch in run.batches(range(-28, -12))]
            own, truth = [encoder(crops, LAYERS) for crops in seen], [run.teacher.features(crops) for crops in seen]
            fit(encoder.heads, join(own), join(truth))
    judges: list[Judge] = [run.teacher]
    if judge == "own":
        judges = [Predictions(encoder)]
    elif judge == "perceptual":
        judges = [Predictions(run.loss_network()), run.teacher]
    before = range(-math.ceil(JUDGED / run.settings.batch), 0)
    yardsticks = reference(run.teacher, map(run.move, run.batches(before)), judges)
    for each in yardsticks:
        print("the full-size pair's own losses:", {name: round(value, 4) for name, value in each.reference.items()})
    turns = yardsticks[:-1] * (TURNS - 1) + yardsticks[-1:]
    run.train(Pair(encoder, decoder, run.teacher, weights_of, turns, run.settings.size, run.samples))


@app.command()
@declared(Settings, InverseWeights)
def inverse(
    photos: Photos,
    paintings: Paintings,
    output: Output,
    teacher: TeacherFolder = None,
    start: Start = None,
    pair: Annotated[
        Path | None, typer.Option(help="Weights of the encoder to invert; the shipped one by default.")
    ] = None,
    options: Any = None,
) -> None:
    """Train an inverse network for style swap with a compact encoder."""
    run = Run(Settings, options, photos, paintings, output, teacher)
    encoder, network = copy.deepcopy(weights.load("compact").encoder).float(), run.decoder(CompactInverse())
    if pair is not None:
        begin(nn.ModuleDict({"encoder": encoder}), pair)
    if start is not None:
        begin(network, start)
    run.train(Inverse(encoder.to(run.device), network, run.weights(InverseWeights), run.samples))


@app.command()
@declared(PaperSettings, DecoderWeights)
def decoder(
    photos: Photos, paintings: Paintings, output: Output, teacher: TeacherFolder = None, options: Any = None
) -> None:
    """Train a full-size decoder for VGG-19 by the paper's recipe."""
    run = Run(PaperSettings, options, photos, paintings, output, teacher)
    stage = PaperDecoder(run.new(Decoder()), run.teacher, run.weights(DecoderWeights), run.samples)
    run.train(stage, {"encoder": checksum(run.full.encoder.state_dict())})  # the one it was trained for


@app.command()
@declared(GeneratorSettings, feedforward.Weights)
def conditional(photos: Photos, paintings: Paintings, output: Output, start: Start = None, options: Any = None) -> None:
    """Train one network for the styles of all pictures in a folder, named by their files (Dumoulin et al. 2017)."""
    run = Run(GeneratorSettings, options, photos, None, output)
    run.train_generator(Generator, pictures.find(paintings), start)


@app.command()
@declared(GeneratorSettings, feedforward.Weights)
def johnson(
    photos: Photos,
    painting: Annotated[Path, typer.Option(help="The style picture; its file names the style.")],
    output: Output,
    start: Start = None,
    options: Any = None,
) -> None:
    """Train a network for one style, from nothing or from the trunk of a run of conditional (Johnson et al. 2016)."""
    run = Run(GeneratorSettings, options, photos, None, output)
    run.train_generator(Generators, [painting], start)


@app.command()
def ship(
    run: Annotated[Path, typer.Argument(help="A run's weights.safetensors.")],
    output: Annotated[Path, typer.Argument(help="The file to write.")],
    mean_with: Annotated[list[Path] | None, typer.Option(help="Weights of other runs to average with these.")] = None,
    add: Annotated[
        list[Path] | None, typer.Option(help="Weights of other runs to write into the same file, such as johnson's.")
    ] = None,
    gains: Annotated[float, typer.Option(help="Factor for the gains; below 1 keeps more of the photograph.")] = 1.0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Overwrite an existing file.")] = False,
) -> None:
    """Write weights in bfloat16, half the size, as the package ships them, and print their SHA-256."""
    files.check_new(output.parent, [output.name], overwrite)
    runs = [stored(each) for each in (run, *(mean_with or []))]
    tensors = {
        name: torch.stack([each[name] for each in runs]).mean(0) if first.is_floating_point() else first
        for name, first in runs[0].items()
    }
    for path in add or []:
        more = stored(path)
        if twice := tensors.keys() & more.keys():
            raise ValueError(f"{files.shown(path)} has another {min(twice)}; add runs of other styles only.")
        tensors |= more
    for name in ("decoder.gains.second.weight", "decoder.gains.second.bias"):
        if name in tensors:
            tensors[name] = gains * tensors[name]
    prefix = next((each for each in PREFIXES if all(name.startswith(each) for name in tensors)), "")
    halved = {name: each.bfloat16() if each.is_floating_point() else each for name, each in tensors.items()}
    data = save({name.removeprefix(prefix): each.contiguous() for name, each in halved.items()})
    output.parent.mkdir(parents=True, exist_ok=True)
    files.write(output, data)
    print(hashlib.sha256(data).hexdigest())


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


if __name__ == "__main__":
    console.run(app, "adain_core.training")
