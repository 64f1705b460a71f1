"""`stylize`: a photograph, several, or folders of them."""

from __future__ import annotations

import errno
import json
import sys
import time
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Annotated, Any

import typer

from adain_core import images, methods
from adain_core.cli.options import Overwrite, WeightsDir, numbers, path, with_parameters
from adain_core.cli.plan import STDOUT, Job, Naming, check, existing, plan, split, there
from adain_core.cli.spatial import (
    MaskOption,
    RegionMaskOption,
    RegionsOption,
    RegionStrengthOption,
    SpatialOptions,
    StrengthMapOption,
    StyleForOption,
    StyleMaskOption,
    StyleWeightsOption,
)
from adain_core.contracts import SizeError
from adain_core.controls import mixing
from adain_core.runs import known, pipeline
from adain_core.system import console, files
from adain_core.weights import taught

FORMATS = tuple(suffix[1:] for suffix in images.OUTPUTS)


@with_parameters
def stylize(
    pictures: Annotated[
        list[Path],
        typer.Argument(
            help="A photograph, then a painting or the name of a known style; with --style, all are photographs. A"
            " folder means all pictures in it.",
            parser=path,
            metavar="PICTURE",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            help=f"Output file, if it ends in .{', .'.join(FORMATS)}; - for standard output; otherwise a folder.",
            metavar="FILE|FOLDER|-",
        ),
    ],
    options: dict[str, str | None],
    style: Annotated[
        list[Path] | None,
        typer.Option(
            "--style",
            "-s",
            help="A painting, or the name of a known style; several are mixed, those in a folder applied separately."
            " Optional with --style-for.",
            parser=path,
            metavar="PAINTING",
        ),
    ] = None,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Include subfolders; results keep their layout.")
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            "--format",
            help=f"Format of results in a folder or on standard output, png by default: {', '.join(FORMATS)}.",
        ),
    ] = None,
    plain: Annotated[
        bool,
        typer.Option("--plain-names", help="Name results in a folder after the photograph only, without the painting."),
    ] = False,
    regions: RegionsOption = None,
    region_mask: RegionMaskOption = None,
    style_for: StyleForOption = None,
    region_strength: RegionStrengthOption = None,
    mask: MaskOption = None,
    style_mask: StyleMaskOption = None,
    strength_map: StrengthMapOption = None,
    style_weights: StyleWeightsOption = None,
    weights_dir: WeightsDir = None,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON per picture.")] = False,
    beside: Annotated[
        bool, typer.Option("--record", help="Also write each result's record as JSON beside it, such as out.json.")
    ] = False,
) -> int:
    """Stylize photographs or folders of photographs."""
    values: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "weights" in values:
        values["weights"] = numbers(values["weights"])
    learned = [taught.read(existing(each)) for each in style_weights or ()]
    if learned:
        values.setdefault("method", learned[0].method)
    settings, _ = pipeline.parse_options(values)
    spatial = SpatialOptions.parse(regions, region_mask, style_for, region_strength, mask, style_mask, strength_map)
    mixed = values.get("weights") is not None
    regional = any(spatial.style_for.values())
    method, names = methods.get(settings.method), [*known.every(), *(each.name for each in learned)]
    needed = method.needs_style and not regional and not learned
    contents, paintings = split(pictures, style or [], mixed, needed)
    paintings = paintings or [Path(each.name) for each in learned]
    if any(existing(each, names).is_dir() for each in paintings):
        if mixed:
            raise ValueError("Styles from a folder are applied one by one, so --weights has nothing to mix.")
    elif paintings:
        mixing.normalize(values.get("weights"), len(paintings))
    naming = _naming(output, kind, plain, as_json, "regions" if regional else settings.method)
    jobs, left_out = plan(contents, paintings, naming, recursive, names)
    for each in spatial.paths():
        existing(each)
    inputs = {*spatial.paths(), *(each for job in jobs for each in (job.content, *job.styles))}
    check(jobs, inputs, overwrite)
    if beside:
        check([replace(each, output=_beside(each)) for each in jobs], inputs, overwrite)
    for suffix in {each.output.suffix if each.output else f".{kind or 'png'}" for each in jobs}:
        images.check_bits(images.OUTPUTS[suffix.lower()], settings.bits)
    for sentence in left_out:
        console.tell(sentence)
    networks = pipeline.networks_for(settings, method, weights_dir=weights_dir)  # fails before any picture is read
    reduce(taught.add, learned, networks)  # likewise
    values["style_weights"] = style_weights or ()
    return _make_all(jobs, values, spatial, weights_dir, overwrite, as_json, kind, beside)


def _naming(output: str, kind: str | None, plain: bool, as_json: bool, unstyled: str) -> Naming:
    if not output:
        raise ValueError("-o is empty; give a file or a folder.")
    suffix = None if kind is None else f".{kind.lower().removeprefix('.')}"
    if suffix is not None and suffix not in images.OUTPUTS:
        raise ValueError(f"--format is {kind}, but it should be one of {', '.join(FORMATS)}.")
    if output == STDOUT and as_json:
        raise ValueError("The picture and --json can't both go to standard output; leave one out.")
    if output == STDOUT and sys.__stdout__ is None:
        raise ValueError("Standard output is closed; choose a file with -o.")
    if output == STDOUT and sys.stdout.isatty():
        raise ValueError(
            "A terminal can't show the picture; redirect standard output to a file, or choose a file with -o."
        )
    return Naming(output, suffix, plain, unstyled)


def _make_all(
    jobs: list[Job],
    values: dict[str, Any],
    spatial: SpatialOptions,
    weights_dir: Path | None,
    overwrite: bool,
    as_json: bool,
    kind: str | None,
    beside: bool,
) -> int:
    """Make the pictures one after another; return the exit code."""
    from tqdm import tqdm

    bad, shown = set[Path](), set[str]()
    kept = made = 0
    with tqdm(jobs, unit="picture", disable=None if len(jobs) > 1 else True) as bar:
        for job in bar:
            if any(each in bad for each in (job.content, *job.styles)):
                continue
            if job.output is not None and files.too_long(job.output):
                _tell(f"{job.output.name}: This name is too long for the disk; rename the photograph or the painting.")
                continue
            outputs = [each for each in (job.output, _beside(job) if beside else None) if each is not None]
            if not overwrite and (taken := [each for each in outputs if there(each)]):
                kept += 1
                _tell(f"{taken[0].name} already exists and was kept; --overwrite replaces it.")
                continue
            try:
                record = _make(job, values, spatial, weights_dir, kind, shown, beside)
            except pipeline.PictureError as error:
                if error.role not in ("content", "style"):
                    raise
                refused = job.content if error.role == "content" else job.styles[error.index]
                bad.add(refused)
                _tell(f"{refused.name}: {error.sentence}")
                continue
            except SizeError as error:
                bad.add(job.content)
                _tell(f"{job.content.name}: {error}")
                continue
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                _tell(f"{job.content.name}: The path of its result is too long for the disk.")
                continue
            made += 1
            if as_json:
                tqdm.write(json.dumps(record), sys.stdout)
            elif len(jobs) == 1 and job.output is not None:
                print(f"{files.shown(job.output)} ({sum(record['seconds'].values()):.2f} s)")
    lacking = len(jobs) - made - kept
    if len(jobs) > 1:
        console.tell(f"{made} made, {kept} kept, {lacking} not made.")
    return console.FAILED if lacking or (kept and len(jobs) == 1) else 0


def _make(
    job: Job,
    options: dict[str, Any],
    spatial: SpatialOptions,
    weights_dir: Path | None,
    kind: str | None,
    shown: set[str],
    beside: bool,
) -> dict[str, Any]:
    """Make one picture and save it; return what --json prints. `shown` collects notes not to repeat."""
    from tqdm import tqdm

    results = pipeline.run(job.content, job.styles, weights_dir=weights_dir, **vars(spatial), **options)
    result = next(results)
    with tqdm(total=result.iterations, initial=1, unit="step", leave=False, disable=None) as bar:
        for result in results:
            bar.update(result.iteration - bar.n)
    assert result.image is not None  # only earlier results may lack a picture
    start = time.perf_counter()
    suffix = job.output.suffix if job.output else f".{kind or 'png'}"
    try:
        exif, bits = images.details(job.content), result.record["bits"]
        data = images.encode(result.image, images.OUTPUTS[suffix.lower()], exif, bits)
    except ValueError as error:  # the format doesn't support it
        raise pipeline.PictureError("content", 0, str(error)) from None
    if job.output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    else:
        job.output.parent.mkdir(parents=True, exist_ok=True)
        files.write(job.output, data)
        if beside:
            files.write(_beside(job), json.dumps(result.record, indent=1).encode())
    seconds = {**result.record["seconds"], "save": round(time.perf_counter() - start, 4)}
    settings = {name: value for name, value in result.record.items() if name not in ("seconds", "model", "method")}
    flat = images.OUTPUTS[suffix.lower()] == "JPEG" and result.image.mode == "RGBA"
    for note in (*result.notes, *([images.FLAT] if flat else [])):
        if note not in shown:
            _tell(f"{job.content.name}: {note}")
    shown |= {note for note in result.notes if note == result.record["used"] or note.startswith("Style ")}
    return {
        "output": str(job.output),
        "size": list(result.image.size),
        "seconds": seconds,
        "model": result.record["model"],
        "method": result.record["method"],
        "settings": settings,
    }


def _beside(job: Job) -> Path:
    """Return the path of the record beside a picture."""
    if job.output is None:
        raise ValueError("The record can't stand beside standard output; the picture holds it, too.")
    return job.output.with_suffix(".json")


def _tell(sentence: str) -> None:
    """Print a line to the standard error stream, above a progress bar if there is one."""
    from tqdm import tqdm

    with tqdm.external_write_mode(sys.stderr):
        console.tell(sentence)
