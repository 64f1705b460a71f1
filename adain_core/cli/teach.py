"""`teach`: a painting that a method learns."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from adain_core import methods, weights
from adain_core.cli import folders
from adain_core.cli.options import Overwrite, WeightsDir, path
from adain_core.cli.plan import existing
from adain_core.contracts import count, describe, parse
from adain_core.runs import pipeline
from adain_core.runs.inputs import PictureError
from adain_core.runs.teach import Lesson, TeachParams
from adain_core.runs.teach import teach as learn
from adain_core.system import console, files
from adain_core.weights import taught

FIELDS = TeachParams.model_fields


def teach(
    painting: Annotated[Path, typer.Argument(help="The painting to learn.", parser=path, metavar="PAINTING")],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="The file to write, whose name becomes the name of the style, such as mine.safetensors.",
            parser=path,
            metavar="FILE",
        ),
    ],
    chosen: Annotated[
        str, typer.Option("--method", help="Method to teach, such as conditional or johnson.")
    ] = "conditional",
    photos: Annotated[
        Path | None,
        typer.Option(
            help="Folder of photographs to learn on; the example photographs by default.", parser=path, metavar="FOLDER"
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(help=describe(FIELDS["seconds"]))] = None,
    seed: Annotated[int, typer.Option(help=describe(FIELDS["seed"]), show_default=False)] = 0,
    device: Annotated[str, typer.Option(help="Device to run on: auto, cpu, cuda, mps.")] = "auto",
    weights_dir: WeightsDir = None,
    overwrite: Overwrite = False,
) -> int:
    """Teach a painting to a method; Ctrl-C stops early and keeps what was learned."""
    from tqdm import tqdm

    if output.suffix != ".safetensors":
        raise ValueError(f"{files.shown(output)} should end in .safetensors; choose such a name with -o.")
    files.check_new(output.parent, [output.name], overwrite)
    settings, _ = pipeline.parse_options({"method": chosen, "device": device})
    method, params = methods.get(chosen), parse(TeachParams, {"seconds": seconds, "seed": seed})
    if method.known_styles is None:
        known = [name for name, each in methods.find().items() if each.known_styles]
        raise ValueError(f"{chosen} takes any painting, so there is nothing to teach; choose {' or '.join(known)}.")
    folder = existing(photos or weights.EXAMPLES / "photos")
    shown = folders.find(folder).pictures if folder.is_dir() else [folder]
    networks = pipeline.networks_for(settings, method, weights_dir=weights_dir)
    lesson: Lesson | None = None
    try:
        with tqdm(
            total=100, unit="%", bar_format="{l_bar}{bar}| {elapsed} {postfix}", leave=False, disable=None
        ) as bar:
            for lesson in learn(existing(painting), output.stem, shown, networks, params):
                bar.update(100 * lesson.progress - bar.n)
                bar.set_postfix({name: f"{value:.3g}" for name, value in lesson.losses.items()}, refresh=False)
    except KeyboardInterrupt:
        if lesson is None:
            console.tell("adain: stopped before anything was learned, so nothing was written.")
            return console.STOPPED
    except PictureError as error:
        raise ValueError(
            f"{files.shown(painting if error.role == 'style' else shown[error.index])}: {error.sentence}"
        ) from None
    assert lesson is not None
    output.parent.mkdir(parents=True, exist_ok=True)
    taught.write(output, lesson.style)
    steps = count(lesson.step, "step")
    print(f"{files.shown(output)}: learned in {steps}; stylize takes it with --style-weights {files.shown(output)}")
    return 0
