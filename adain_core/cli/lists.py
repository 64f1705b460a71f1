"""`methods`, `models`, and `doctor`: what is available, and what is installed."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
from typing import Annotated, Any

import typer

from adain_core import methods as known
from adain_core import weights
from adain_core.cli.options import WeightsDir
from adain_core.contracts import Method, count, describe


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with the styles that methods know.")] = False,
) -> None:
    """List the style transfer methods, and the styles of those that know only a set of styles."""
    if as_json:
        print(json.dumps([_facts(method) for method in known.find().values()], indent=1))
        return
    for method in known.find().values():
        print(f"{method.name}  ({method.paper})  {method.summary}")
        if method.known_styles is not None:
            print(f"    knows {', '.join(style.name for style in method.known_styles)}")
        for name, info in method.params.model_fields.items():
            print(f"    --{name.replace('_', '-')}  {describe(info)}")


def _facts(method: Method) -> dict[str, Any]:
    """Return what there is to say of a method; `styles` is null if it takes any painting."""
    styles = method.known_styles
    each = [{"name": x.name, "picture": x.picture and str(x.picture), "model": x.model} for x in styles or ()]
    return {
        **{name: getattr(method, name) for name in ("name", "title", "paper", "summary")},
        "parameters": {name: describe(info) for name, info in method.params.model_fields.items()},
        "styles": each if styles is not None else None,
    }


def models(
    get: Annotated[
        str | None, typer.Option(help="Download this model's weights from the Hub, if they are missing.")
    ] = None,
    weights_dir: WeightsDir = None,
) -> None:
    """List the models and whether their weights are on this machine."""
    if get is not None:
        weights.load(get, folder=weights_dir)
    for model in weights.MODELS.values():
        print(f"{model.name}  {model.summary}")
        print(f"    {model.license}; {model.origin}")
        print(f"    {weights.state(model, weights_dir)}")


def doctor(weights_dir: WeightsDir = None) -> None:
    """Show installed packages, the device, and which weights are on this machine and verified."""
    import torch

    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in ("adain-playground", "torch", "torchvision", "gradio", "huggingface_hub", "pillow", "safetensors"):
        try:
            print(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{package} not installed")
    threads, cores = count(torch.get_num_threads(), "thread"), count(os.cpu_count() or 1, "core")
    print(f"device {weights.pick_device('auto')}, {threads} of {cores}")
    for model in weights.MODELS.values():
        print(f"weights {model.name}: {weights.state(model, weights_dir)}")
