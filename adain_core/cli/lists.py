"""`methods`, `models`, and `doctor`: what is available, and what is installed."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from typing import Annotated

import typer

from adain_core import methods as known
from adain_core import weights
from adain_core.cli.options import WeightsDir
from adain_core.contracts import count, describe


def methods() -> None:
    """List the style transfer methods."""
    for method in known.find().values():
        print(f"{method.name}  ({method.paper})  {method.summary}")
        for name, info in method.params.model_fields.items():
            print(f"    --{name.replace('_', '-')}  {describe(info)}")


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
