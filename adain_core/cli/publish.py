"""`publish` and `space deploy`: upload a model or the page to the Hub, or write it to a folder."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from adain_core.cli.options import Overwrite, path
from adain_core.contracts import count
from adain_core.weights import hub, publish

DryRun = Annotated[
    Path | None,
    typer.Option(help="Write the files into this folder instead of uploading them.", parser=path, metavar="FOLDER"),
]
Private = Annotated[bool, typer.Option("--private", help="Make a new repository private.")]

space = typer.Typer(help="The page as a Space on the Hub.", no_args_is_help=True)


def model(
    repo: Annotated[str, typer.Argument(help="Repository on the Hub, such as user/name.")],
    file: Annotated[
        Path | None,
        typer.Option(
            "--weights", help="Weights written by training; the shipped ones by default.", parser=path, metavar="FILE"
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            help="results.json from `benchmarks.compact -o`, for the model card.", parser=path, metavar="FILE"
        ),
    ] = None,
    license: Annotated[str, typer.Option(help="License of the weights.")] = "MIT",
    private: Private = False,
    dry_run: DryRun = None,
    overwrite: Overwrite = False,
) -> None:
    """Publish a compact model on the Hub with its config and card; set ADAIN_HUB_REPO to use it."""
    publish.check_names(repo, license)
    with tempfile.TemporaryDirectory() as folder:
        output = dry_run or Path(folder)
        publish.model_folder(output, file, results, license, overwrite)
        _upload(output, repo, "model", private, dry_run)


@space.command("deploy")
def deploy(
    repo: Annotated[str, typer.Argument(help="The Space's name, such as user/name.")],
    zero_gpu: Annotated[bool, typer.Option("--zero-gpu", help="For a Space with ZeroGPU.")] = False,
    private: Private = False,
    dry_run: DryRun = None,
) -> None:
    """Upload the page as a Space."""
    publish.check_names(repo)
    with tempfile.TemporaryDirectory() as folder:
        output = dry_run or Path(folder)
        publish.space_folder(output, repo, zero_gpu)
        _upload(output, repo, "space", private, dry_run)


@space.callback()
def _space() -> None:
    """Make typer keep `deploy` as a subcommand although it is the only one."""


def _upload(folder: Path, repo: str, kind: str, private: bool, dry_run: Path | None) -> None:
    if dry_run is not None:
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{count(len(files), 'file')}, {size:.1f} MB, for {repo}; nothing was uploaded.")
        return
    try:
        print(hub.upload(folder, repo, kind, private))
    except hub.Unavailable as error:
        raise ValueError(f"{repo} could not be uploaded: {error}.") from None
