"""Commands about weights and the Hub: `weights list|get|verify|remove`, `publish`, `space deploy`."""

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from adain_core import publish, weights
from adain_core.weights import hub

Folder = Annotated[
    Path | None, typer.Option(help="Folder of weights, looked into before the Hub.", envvar=weights.FOLDER_VARIABLE)
]
Name = Annotated[str, typer.Argument(help="A model's name; `weights list` shows them.")]
DryRun = Annotated[Path | None, typer.Option(help="Write what would be uploaded into this folder, and stop.")]
Private = Annotated[bool, typer.Option("--private", help="Only you see the repository, where it is new.")]

weights_app = typer.Typer(help="Weights: what there is, what is here, and how it gets here.", no_args_is_help=True)
space_app = typer.Typer(help="The page as a Space on the Hub.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    app.add_typer(weights_app, name="weights")
    app.add_typer(space_app, name="space")
    app.command("publish")(publish_model)


@weights_app.command("list")
def list_weights(weights_dir: Folder = None) -> None:
    """List every model: what it is, its license and origin, its files and sources, and whether it is here."""
    for model in weights.MODELS.values():
        print(f"{model.name}  {model.summary}")
        print(f"    {'/'.join(map(str, model.widths))} channels, up to {model.layers[-1]}")
        print(f"    {model.license}; {model.origin}")
        for file in model.files:
            size = f", {file.size / 1e6:.0f} MB" if file.size else ""
            digest = file.sha256 or file.tensors
            known = f"SHA-256 {digest}" if digest else "no checksum recorded, checked for shape"
            print(f"    {file.name}{size}, {known}")
            for source in file.sources:
                print(f"        {source.url}")
        print(f"    {weights.state(model, weights_dir)}")


@weights_app.command("get")
def get_weights(name: Name, weights_dir: Folder = None) -> None:
    """Fetch a model's weights, if they are not here; what was fetched before an interruption is not fetched again."""
    if not sys.stderr.isatty():  # a terminal shows a bar
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        hub.LOG.setLevel(logging.INFO)
    weights.load(name, folder=weights_dir)
    print(f"{name}: here, verified")


@weights_app.command("verify")
def verify_weights(
    name: Annotated[str | None, typer.Argument(help="A model's name; every model that is here if left out.")] = None,
    weights_dir: Folder = None,
) -> int:
    """Hash and check weights anew; the exit code is 1 if any that were asked for are not what they should be."""
    failed = 0
    for model in [weights.get(name)] if name else weights.MODELS.values():
        try:
            print(f"{model.name}: {weights.verify(model.name, weights_dir)}")
        except weights.WeightsError as error:
            print(f"{model.name}: {error}", file=sys.stderr)
            failed += name is not None or "not on this machine" not in str(error)
    return 1 if failed else 0


@weights_app.command("remove")
def remove_weights(name: Name) -> None:
    """Remove what was fetched of a model; what ships with the project, and folders of your own, stay."""
    size = weights.remove(name)
    print(f"{name}: {size / 1e6:.1f} MB removed" if size else f"{name}: there was nothing to remove")


def publish_model(
    repo: Annotated[str, typer.Argument(help="Its name on the Hub, as in user/name.")],
    file: Annotated[
        Path | None, typer.Option("--weights", help="What training wrote; the shipped weights if left out.")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="results.json of `benchmarks.compact -o`, for the card.")] = None,
    license: Annotated[str, typer.Option(help="Of the weights.")] = "MIT",
    private: Private = False,
    dry_run: DryRun = None,
) -> None:
    """Publish a compact model on the Hub: safetensors, config and card; ADAIN_HUB_REPO then names it."""
    with tempfile.TemporaryDirectory() as folder:
        output = dry_run or Path(folder)
        publish.model_folder(output, file, results, license)
        _upload(output, repo, "model", private, dry_run)


@space_app.command("deploy")
def deploy(
    repo: Annotated[str, typer.Argument(help="The Space's name, as in user/name.")],
    zero_gpu: Annotated[bool, typer.Option("--zero-gpu", help="For a Space with ZeroGPU.")] = False,
    private: Private = False,
    dry_run: DryRun = None,
) -> None:
    """Lay out the page as a Space and upload it."""
    with tempfile.TemporaryDirectory() as folder:
        output = dry_run or Path(folder)
        publish.space_folder(output, repo, zero_gpu)
        _upload(output, repo, "space", private, dry_run)


@space_app.callback()
def _space() -> None:
    """Keep `deploy` a word of its own, though it is alone."""


def _upload(folder: Path, repo: str, kind: str, private: bool, dry_run: Path | None) -> None:
    if dry_run is not None:
        files = [path for path in folder.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 1e6
        print(f"{len(files)} files, {size:.1f} MB, for {repo}; nothing was uploaded.")
        return
    try:
        print(hub.upload(folder, repo, kind, private))
    except hub.Unavailable as error:
        raise ValueError(f"{repo} could not be uploaded: {error}.") from None
