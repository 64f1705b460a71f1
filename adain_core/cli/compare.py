"""`compare`: several methods on one pair."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from adain_core.cli.options import Overwrite, WeightsDir, by_method, path
from adain_core.cli.plan import Naming, existing
from adain_core.evaluation import report
from adain_core.evaluation.comparison import DEFAULT_METHODS, arrange, compare
from adain_core.runs.inputs import PictureError
from adain_core.runs.known import every
from adain_core.system import console, files


def compare_methods(
    content: Annotated[Path, typer.Argument(help="A photograph.", parser=path, metavar="PHOTOGRAPH")],
    style: Annotated[
        list[Path],
        typer.Argument(
            help="A painting, or the name of a known style; several are mixed in equal shares.",
            parser=path,
            metavar="PAINTING",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Output folder for the pictures, the table, and the contact sheet.",
            parser=path,
            metavar="FOLDER",
        ),
    ],
    chosen: Annotated[str, typer.Option("--methods", help="Comma-separated method names.")] = ",".join(DEFAULT_METHODS),
    size: Annotated[int, typer.Option(help="Longer side of the photograph in pixels.")] = 256,
    seconds: Annotated[float, typer.Option(help="Time limit of each optimization.")] = 30.0,
    mode: Annotated[
        str,
        typer.Option(
            help="each: steps as set; equal-time: for all the seconds; equal-loss: until AdaIN's loss is reached."
        ),
    ] = "each",
    option: Annotated[list[str] | None, typer.Option(help="A method's parameter, such as gatys.steps=300.")] = None,
    model: Annotated[str, typer.Option(help="Networks that the methods use.")] = "compact",
    judge: Annotated[
        str, typer.Option(help="Network to score with: perceptual, or vgg19, the default where it is installed.")
    ] = "",
    device: Annotated[str, typer.Option(help="Device to run on: auto, cpu, cuda, mps.")] = "auto",
    weights_dir: WeightsDir = None,
    overwrite: Overwrite = False,
) -> int:
    """Run several methods on one pair and write their pictures, results.json, table.csv, and sheet.png."""
    from tqdm import tqdm

    names = arrange([name.strip() for name in chosen.split(",") if name.strip()], mode)  # type: ignore[arg-type]
    for each, known in ((content, ()), *((each, every()) for each in style)):
        if existing(each, known).is_dir():
            raise ValueError(f"{files.shown(each)} is a folder; give one photograph and its paintings.")
    written = report.names(names, len(style))
    inputs = {files.identity(each) for each in (content, *style)}
    if mine := [name for name in written if files.identity(output / name) in inputs]:
        raise ValueError(
            f"{files.shown(output / mine[0])} is one of the input pictures; choose another folder with -o."
        )
    if Naming(str(output)).folder is None:
        raise ValueError(
            f"compare writes several files, so {files.shown(output)} must be a folder; choose one with -o."
        )
    files.check_new(output, written, overwrite)
    options: Any = {"mode": mode, "options": by_method(option), "model": model, "judge": judge, "device": device}
    try:
        with tqdm(unit="step", leave=False, disable=None) as bar:
            for now in compare(content, style, names, size=size, seconds=seconds, weights_dir=weights_dir, **options):
                made = now.outputs.get(now.changed or "")
                if made is None:
                    continue
                bar.set_description(made.title)
                bar.total, bar.n = made.iterations, made.iteration
                bar.refresh()
                if made.state != "running":
                    parts = filter(None, [report.caption(made), f"({made.state})", made.sentence])
                    tqdm.write(" ".join(parts), sys.stderr)
    except PictureError as error:
        console.tell(f"adain: {error}")
        return console.FAILED
    found = report.save(now, output, overwrite)
    print("\n".join("\t".join(row) for row in report.write_table(found["rows"])))
    for sentence in found["found"]:
        print(sentence)
    return console.FAILED if any(each.state == "failed" for each in now.outputs.values()) else 0
