"""The import contracts of pyproject.toml hold, a planted break is seen, files are short, and importing does nothing."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    given = {**os.environ, "PYTHONPATH": str(root)}
    return subprocess.run(command, capture_output=True, text=True, cwd=root, env=given)


@pytest.fixture
def copy(tmp_path):
    for name in ("adain_core", "ui"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_import_contracts_hold():
    done = lint(ROOT)
    assert "Contracts: " in done.stdout and " 0 broken." in done.stdout, done.stdout


BREAKS = [  # a file, a line that it may not have, and the import that is named
    ("adain_core/images/levels.py", "from adain_core.networks import vgg", "images.levels -> adain_core.networks.vgg"),
    ("adain_core/networks/vgg.py", "import adain_core.weights", "networks.vgg -> adain_core.weights"),
    ("adain_core/optimization/loop.py", "from adain_core.runs import pipeline", "loop -> adain_core.runs.pipeline"),
    (
        "adain_core/runs/pipeline.py",
        "def f():\n    from adain_core.evaluation import judge",
        "-> adain_core.evaluation",
    ),
    (
        "adain_core/methods/gatys.py",
        "from adain_core.methods import adain",
        "methods.gatys -> adain_core.methods.adain",
    ),
    ("adain_core/losses/gram.py", "from . import mmd", "losses.gram -> adain_core.losses.mmd"),
    ("adain_core/controls/color.py", "from ..controls import mixing", "controls.color -> adain_core.controls.mixing"),
    ("adain_core/cli/lists.py", "import gradio", "adain_core.cli.lists -> gradio"),
    ("adain_core/weights/store.py", "import huggingface_hub", "adain_core.weights.store -> huggingface_hub"),
    ("ui/serving/lanes.py", "from ui.components import stage", "ui.serving.lanes -> ui.components.stage"),
    ("ui/components/fields.py", "import socket", "ui.components.fields -> socket"),
    ("ui/tabs/compare.py", "from ui.tabs import stylize", "ui.tabs.compare -> ui.tabs.stylize"),
]


def test_planted_breaks_are_seen(copy):
    for file, line, _ in BREAKS:
        with (copy / file).open("a", encoding="utf-8") as text:
            text.write(f"\n\n{line}\n")
    found = lint(copy).stdout
    assert not [named for _, _, named in BREAKS if named not in found], found


def test_no_file_is_long():
    files = [
        path
        for folder in ("adain_core", "ui", "benchmarks", "examples", "tests")
        for path in (ROOT / folder).rglob("*.py")
    ]
    assert len(files) > 200
    assert not [path for path in files if len(path.read_text(encoding="utf-8").splitlines()) > 400]


def test_importing_does_nothing(tmp_path):
    code = (
        "import sys\n"
        "def refuse(event, given):\n"
        "    assert not event.startswith('socket.'), event\n"
        "sys.addaudithook(refuse)\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import adain_core\n"
        "print([name for name in ('gradio', 'huggingface_hub', 'torchvision') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    assert not list(tmp_path.iterdir())
