"""`replay`: run a result's record again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from adain_core import images
from adain_core.cli.options import Overwrite, WeightsDir, path
from adain_core.cli.plan import Job, check, existing, there
from adain_core.cli.spatial import (
    MaskOption,
    RegionMaskOption,
    RegionsOption,
    SpatialOptions,
    StrengthMapOption,
    StyleForOption,
    StyleMaskOption,
    StyleWeightsOption,
)
from adain_core.runs import known, record
from adain_core.runs import replay as runs
from adain_core.system import console, files
from adain_core.weights import taught


def replay(
    result: Annotated[Path, typer.Argument(help="A picture that stylize or the page made.", parser=path)],
    content: Annotated[Path | None, typer.Option(help="The photograph.", parser=path, metavar="FILE")] = None,
    style: Annotated[
        list[Path] | None, typer.Option("--style", "-s", help="The painting, or several.", parser=path, metavar="FILE")
    ] = None,
    regions: RegionsOption = None,
    region_mask: RegionMaskOption = None,
    style_for: StyleForOption = None,
    mask: MaskOption = None,
    style_mask: StyleMaskOption = None,
    strength_map: StrengthMapOption = None,
    style_weights: StyleWeightsOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to save the new result.", parser=path, metavar="FILE")
    ] = None,
    weights_dir: WeightsDir = None,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON.")] = False,
) -> int:
    """Run a result again with the settings that it records, and say whether it comes out the same.

    Its pictures are given again; without --content, it says which ones. The exit code is 1 if the result differs.
    """
    given = record.read(existing(result))
    regional = regions is not None or region_mask
    strengths = [f"{label}={value}" for label, value in record.strengths(given).items()] if regional else []
    spatial = SpatialOptions.parse(regions, region_mask, style_for, strengths, mask, style_mask, strength_map)
    names = [*known.every(), *(taught.read(existing(each)).name for each in style_weights or ())]
    pictures = [*spatial.paths(), *(existing(each, names) for each in style or ()), *filter(None, [content])]
    if output is not None:
        images.output_format(output)
        check([Job(result, (), output)], {result, *pictures}, overwrite)
        if there(output) and not overwrite:
            raise ValueError(f"{files.shown(output)} already exists; choose another, or use --overwrite to replace it.")
    options = {"weights_dir": weights_dir, "style_weights": style_weights or (), **vars(spatial)}
    found = runs.replay(result, content, style or [], **options)
    if output is not None and found.result.image is not None:
        images.save(found.result.image, output, bits=found.result.record["bits"])
    if as_json:
        facts = {"same": found.same, "decibels": None if found.same else round(found.decibels, 2)}
        print(json.dumps({**facts, "differs": found.differs}))
    elif found.same:
        print(f"{files.shown(result)}: the same, bit for bit.")
    else:
        print(f"{files.shown(result)}: not the same; the difference is {found.decibels:.1f} dB (PSNR).")
    if not as_json:
        for sentence in found.differs:
            print(sentence)
    return 0 if found.same else console.FAILED
