"""Folders for the Hub: a trained model with its card, and the page as a Space."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open

from adain_core import weights
from adain_core.system import files
from adain_core.weights.layouts import fits, shapes_of

ROOT = Path(__file__).parents[2]
CONTENTS = ("app.py", "README.md", "LICENSE", "requirements.txt", "adain_core", "ui", "examples", "docs")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyi", ".*")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"  # a CUDA build would waste gigabytes
ZERO_GPU = {"torch": "torch==2.11.0", "torchvision": "torchvision==0.26.0"}  # the newest that ZeroGPU supports
ZERO_PYTHON = "3.12.12"

CARD = """---
license: {license}
pipeline_tag: image-to-image
tags: [style-transfer, adain, safetensors]
---

"""
UNKNOWN = """# An AdaIN model

An encoder and a decoder for arbitrary style transfer by adaptive instance normalization (Huang & Belongie, ICCV 2017),
{parameters:,} parameters, built like AdaIN Playground's model `compact`. With ADAIN_HUB_REPO naming this repository,
AdaIN Playground offers it as the model `own`.

## Results

{results}
"""


def check_names(repo: str, license: str | None = None) -> None:
    """Check the names of a repository and a license by the Hub's rules.

    Raises:
        ValueError: the Hub would refuse one of them.
    """
    well = re.fullmatch(r"\w([\w.-]*\w)?/\w([\w.-]*\w)?", repo, re.ASCII)
    if not well or len(repo.partition("/")[2]) > 96 or re.search(r"--|\.\.|\.git$", repo):
        raise ValueError(
            f"The Hub doesn't accept the name {repo!r}; use user/name with letters, digits, _, and single - or ."
            " between them, at most 96 characters after the user."
        )
    if license is not None and not re.fullmatch(r"[\w.+-]+", license, re.ASCII):
        raise ValueError(f"The license is {license!r}; use its Hub identifier, such as mit or cc0-1.0.")


def model_folder(output: Path, file: Path | None, results: Path | None, license: str, overwrite: bool = False) -> None:
    """Write the files of a model repository: safetensors, config.json, and the card.

    Args:
        output: the folder to write to; created if missing.
        file: weights of a compact model, as written by training; the shipped ones by default.
        results: results.json of benchmarks.compact for these weights.
        license: license of the weights.
        overwrite: whether to replace existing files.

    Raises:
        ValueError: a file exists already, `file` isn't a compact model, or `results` can't be read as results.
    """
    files.check_new(output, ("model.safetensors", "config.json", "README.md"), overwrite)
    model = weights.get("compact")
    modules = {role: module for role, module in model.build().items() if role in ("encoder", "decoder")}
    assert (shipped := model.file("encoder")) is not None
    source = file or weights.PRETRAINED / shipped.name
    shapes = {role: shapes_of(module) for role, module in modules.items()}
    if not source.is_file() or not all(fits(model, source, role, each) for role, each in shapes.items()):
        raise ValueError(f"{source.name} holds no compact encoder and decoder; use a file written by training.")
    parameters = sum(each.numel() for part in modules.values() for each in part.parameters())
    table = "It has not been measured." if results is None else _table(results)
    if file is None:
        text = (weights.PRETRAINED / "README.md").read_text(encoding="utf-8")
    else:
        text = UNKNOWN.format(parameters=parameters, results=table)
    with safe_open(source, "pt") as stream:
        tensors = {name: list(stream.get_slice(name).get_shape()) for name in stream.keys()}  # noqa: SIM118
    config = {
        "model": "compact",
        "widths": model.widths,
        "layers": model.layers,
        "levels": modules["decoder"].levels,
        "parameters": parameters,
        "sha256": weights.store.digest(source),
        "license": license,
        "tensors": tensors,
    }
    output.mkdir(parents=True, exist_ok=True)
    files.write(output / "model.safetensors", source.read_bytes())
    files.write(output / "config.json", (json.dumps(config, indent=1) + "\n").encode())
    files.write(output / "README.md", (CARD.format(license=license.lower()) + text).encode())


def space_folder(output: Path, repo: str, zero_gpu: bool) -> None:
    """Write the files of a Space: the page, everything it needs, and its own requirements.txt.

    Args:
        output: the folder to write to; created if missing.
        repo: name of the Space.
        zero_gpu: make a Space for ZeroGPU instead of one for two CPU cores.

    Raises:
        ValueError: the folder isn't empty, or the page is missing because only the package is installed.
    """
    if missing := [name for name in CONTENTS if not (ROOT / name).exists()]:
        raise ValueError(f"A Space is made from a full copy of the project, but {missing[0]} is missing.")
    files.check_folder(output)
    if output.exists() and any(output.iterdir()):
        raise ValueError(f"The folder {output.name} is not empty; choose another one.")
    output.mkdir(parents=True, exist_ok=True)
    for name in CONTENTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, output / name, ignore=LEFT_OUT)
        else:
            shutil.copyfile(ROOT / name, output / name)
    text = (output / "requirements.txt").read_text(encoding="utf-8")
    (output / "requirements.txt").write_text(requirements(text, zero_gpu), encoding="utf-8")
    text = (output / "README.md").read_text(encoding="utf-8")
    text = text.replace("thumbnail: ", f"thumbnail: https://huggingface.co/spaces/{repo}/resolve/main/", 1)
    if zero_gpu:
        text = re.sub("^python_version: .*$", f'python_version: "{ZERO_PYTHON}"', text, count=1, flags=re.MULTILINE)
    (output / "README.md").write_text(text, encoding="utf-8")


def requirements(text: str, zero_gpu: bool) -> str:
    """Return a Space's requirements, with PyTorch's CPU build or the versions that ZeroGPU supports.

    A Space installs them together with `gradio[oauth,mcp]` of its sdk_version, so they must be compatible.
    """
    lines = text.splitlines()
    if not zero_gpu:
        return "\n".join([f"--extra-index-url {CPU_INDEX}", *lines]) + "\n"
    return "\n".join([*(ZERO_GPU.get(line.partition("~")[0], line) for line in lines), "spaces"]) + "\n"


def _table(results: Path) -> str:
    """Format the results of benchmarks.compact as a Markdown table."""
    try:
        found: Mapping[str, Mapping[str, Any]] = json.loads(results.read_text(encoding="utf-8"))
        rows = [
            f"| {size} | {each['compact style'] / each['vgg19 style']:.2f} |"
            f" {each['compact content'] / each['vgg19 content']:.2f} | {each['reconstruction']:.1f} dB |"
            for size, each in found.items()
            if size.endswith(" px")
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(
            f"{results.name} holds no results of benchmarks.compact; use the file written by its -o option."
        ) from None
    head = ["| size | style loss | content loss | reconstruction of photographs |", "|---|---|---|---|"]
    return "\n".join(["`python -m benchmarks.compact`, relative to the paper's networks (1):", "", *head, *rows])
