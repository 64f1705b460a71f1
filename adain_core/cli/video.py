"""`video`: a video in the style of paintings."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from adain_core.cli.options import Overwrite, WeightsDir, numbers, path, with_parameters
from adain_core.cli.plan import existing
from adain_core.runs import known
from adain_core.runs.inputs import PictureError
from adain_core.system import console, files
from adain_core.video import run, writing
from adain_core.video.settings import VideoParams

T = TypeVar("T")


def video(
    source: Annotated[Path, typer.Argument(help="A video or an animation.", parser=path, metavar="VIDEO")],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help=f"Output file: {', '.join(writing.KINDS)}.", parser=path, metavar="FILE"),
    ],
    options: dict[str, str | None],
    styles: Annotated[
        list[Path] | None,
        typer.Argument(
            help="A painting, or the name of a known style; several are mixed.", parser=path, metavar="PAINTING"
        ),
    ] = None,
    style_at: Annotated[
        list[str] | None,
        typer.Option(help="The style at a second of the video, such as 0=a.jpg; styles change evenly in between."),
    ] = None,
    strength_at: Annotated[
        list[str] | None, typer.Option(help="The strength at a second of the video, such as 2=0.5, likewise.")
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(help="A mask video: white is stylized, black is unchanged.", parser=path, metavar="FILE"),
    ] = None,
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Leave out the sound.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue an interrupted run with the same settings.")
    ] = False,
    weights_dir: WeightsDir = None,
    overwrite: Overwrite = False,
) -> int:
    """Stylize a video, and keep it from flickering. Ctrl-C leaves a file of what is done."""
    from tqdm import tqdm

    values: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if "weights" in values:
        values["weights"] = numbers(values["weights"])
    styles_at = by_time(style_at, "style-at", path)
    pictures = [*(styles or ()), *(style for _, style in styles_at)]
    if not pictures:
        raise ValueError("Give at least one style.")
    inputs = [
        existing(source),
        *(existing(each, known.every()) for each in pictures),
        *([existing(mask)] if mask else []),
    ]
    writing.kind_of(output)
    if files.identity(output) in {files.identity(each) for each in inputs}:
        raise ValueError(f"{files.shown(output)} is one of the inputs; choose another file with -o.")
    if not resume:
        files.check_new(output.parent, [output.name], overwrite)
    files.check_outputs([output])
    made = run.run(
        source,
        output,
        styles or (),
        style_at=styles_at,
        strength_at=by_time(strength_at, "strength-at", float),
        mask=mask,
        sound=not no_sound,
        resume=resume,
        keep=True,
        weights_dir=weights_dir,
        **values,
    )
    now, told = None, set[str]()
    try:
        with closing(made), tqdm(unit="frame", disable=None) as bar:
            for now in made:
                bar.total, bar.n = now.frames, now.done
                bar.refresh()
                for note in set(now.notes) - told:
                    told.add(note)
                    tqdm.write(note, sys.stderr)
    except PictureError as error:
        raise ValueError(str(error)) from None
    except KeyboardInterrupt:
        if now is None or not now.done:
            raise
        console.tell(
            f"adain: stopped; {files.shown(output)} holds the first {now.done} frames, and --resume continues."
        )
        return console.STOPPED
    print(f"{files.shown(output)} ({now.done if now else 0} frames)")
    return 0


def by_time(given: list[str] | None, name: str, read: Callable[[str], T]) -> list[tuple[float, T]]:
    """Parse values by second, such as 0=value.

    Raises:
        ValueError: a value has another form.
    """
    found = []
    for text in given or ():
        when, _, value = text.partition("=")
        try:
            found.append((float(when), read(value)))
        except (ValueError, typer.BadParameter):
            raise ValueError(f"--{name} is {text}; give a second and its value, such as 0=...") from None
    return found


video = with_parameters(video, VideoParams)
