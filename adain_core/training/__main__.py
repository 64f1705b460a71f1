"""The command line: `python -m adain_core.training STAGE --photos FOLDER --paintings FOLDER --teacher FOLDER`."""

from __future__ import annotations

import copy
import hashlib
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer
from safetensors.torch import save
from torch import nn

from adain_core import weights
from adain_core.contracts import Params, describe
from adain_core.networks.compact import CompactDecoder, CompactInverse
from adain_core.networks.generators import Generator, Generators
from adain_core.networks.perceptual import PerceptualEncoder
from adain_core.networks.vgg import Decoder
from adain_core.optimization import feedforward
from adain_core.system import console, files
from adain_core.training import loop, pictures
from adain_core.training.decoder import PaperDecoder, PaperSettings
from adain_core.training.decoder import Weights as DecoderWeights
from adain_core.training.distill import Distill, fit
from adain_core.training.generators import GeneratorSettings
from adain_core.training.inverse import Inverse
from adain_core.training.inverse import Weights as InverseWeights
from adain_core.training.loop import Settings
from adain_core.training.pair import Judge, Pair, Predictions, reference
from adain_core.training.pair import Weights as PairWeights
from adain_core.training.perceptual import Perceptual, begin_by_least_squares, degrade
from adain_core.training.perceptual import Weights as PerceptualWeights
from adain_core.training.setup import PREFIXES, Run, begin, join, stored
from adain_core.training.teacher import LAYERS, all_statistics
from adain_core.weights.layouts import checksum

JUDGED = 96  # pairs for the reference losses; a few styles dominate the style loss, so 24 pairs gave 0.24 to 0.73
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


if __name__ == "__main__":
    console.run(app, "adain_core.training")
