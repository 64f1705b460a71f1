"""`weights list|get|verify|remove`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from adain_core import weights
from adain_core.cli.options import WeightsDir
from adain_core.contracts import count
from adain_core.weights import hub

Name = Annotated[str, typer.Argument(help="A model's name; `weights list` shows them.")]

app = typer.Typer(help="List, download, verify, and remove weights.", no_args_is_help=True)


@app.command("list")
def list_weights(weights_dir: WeightsDir = None) -> None:
    """List every model: its description, license, origin, files, sources, and whether it is installed."""
    for model in weights.MODELS.values():
        print(f"{model.name}  {model.summary}")
        up_to = f"up to {model.layers[-1]}" if model.layers else f"{count(len(model.styles), 'style')}"
        print(f"    {'/'.join(map(str, model.widths))} channels, {up_to}")
        print(f"    {model.license}; {model.origin}")
        for file in model.files:
            size = f", {file.size / 1e6:.0f} MB" if file.size else ""
            digest = file.sha256 or file.tensors
            checked = f"SHA-256 {digest}" if digest else "no checksum recorded, only shapes are checked"
            print(f"    {file.name}{size}, {checked}")
            for source in file.sources:
                print(f"        {source.url}")
        print(f"    {weights.state(model, weights_dir)}")


@app.command("get")
def get_weights(name: Name, weights_dir: WeightsDir = None) -> None:
    """Download a model's weights, if they are missing; an interrupted download is resumed."""
    if not sys.stderr.isatty():  # a terminal shows a bar
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        hub.LOG.setLevel(logging.INFO)
    weights.load(name, folder=weights_dir)
    print(f"{name}: {weights.state(weights.get(name), weights_dir)}")


@app.command("verify")
def verify_weights(
    name: Annotated[str | None, typer.Argument(help="A model's name; all installed models by default.")] = None,
    weights_dir: WeightsDir = None,
) -> int:
    """Hash and check weights again.

    The exit code is 1 if any are wrong, or if the named model's are missing.
    """
    failed = False
    for model in [weights.get(name)] if name else weights.MODELS.values():
        try:
            print(f"{model.name}: {weights.verify(model.name, weights_dir)}")
        except weights.WeightsError as error:
            print(f"{model.name}: {error}", file=sys.stderr)
            failed = failed or name is not None or not isinstance(error, weights.MissingError)
    return int(failed)


@app.command("remove")
def remove_weights(name: Name) -> None:
    """Remove a model's downloaded weights; shipped weights and your own folders are kept."""
    size = weights.remove(name)
    print(f"{name}: {size / 1e6:.1f} MB removed" if size else f"{name}: nothing to remove")
