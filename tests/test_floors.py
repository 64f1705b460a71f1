"""Reads the imports and holds the house together: files import only from floors below their own."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = {  # a package's floor holds for its files
    "adain_core.vision": 0,
    "adain_core.files": 0,
    "adain_core.console": 0,
    "adain_core.contracts": 1,
    "adain_core.machine": 1,
    "adain_core.images.kinds": 0.1,
    "adain_core.images.jpegs": 0.1,
    "adain_core.images.levels": 0.1,
    "adain_core.images.strips": 0.2,
    "adain_core.images.colors": 0.2,
    "adain_core.images.tiff": 0.3,
    "adain_core.images.exact": 0.1,
    "adain_core.images.opening": 0.4,
    "adain_core.images.labels": 0.5,
    "adain_core.images.saving": 0.5,
    "adain_core.images": 1,
    "adain_core.folders": 1.5,
    "adain_core.normalization": 1,
    "adain_core.networks": 2,
    "adain_core.compact": 2,
    "adain_core.losses": 2,
    "adain_core.controls": 2,
    "adain_core.objective": 2.4,
    "adain_core.feature_space": 2.5,
    "adain_core.optimize": 2.6,
    "adain_core.methods": 3,
    "adain_core.metrics": 3,
    "adain_core.weights.hub": 2.5,
    "adain_core.weights.store": 2.6,
    "adain_core.weights.table": 2.6,
    "adain_core.weights.layouts": 2.7,
    "adain_core.weights.sources": 2.8,
    "adain_core.weights": 3,
    "adain_core.places": 3,
    "adain_core.costs": 2.9,
    "adain_core.settings": 3.5,
    "adain_core.pipeline": 4,
    "adain_core.judge": 3.5,
    "adain_core.sheet": 4,
    "adain_core.comparison": 5,
    "adain_core.report": 5.1,
    "adain_core.training": 5,  # its recipe; the steps of its staircase follow
    "adain_core.training.teacher": 5,
    "adain_core.training.loop": 5,
    "adain_core.training.pictures": 5.1,
    "adain_core.training.distill": 5.1,
    "adain_core.training.decoder": 5.1,
    "adain_core.training.pair": 5.2,
    "adain_core.training.inverse": 5.25,
    "adain_core.training.__main__": 5.3,
    "adain_core": 6,  # the public names in __init__.py, and no other file
    "adain_core.publish": 6.5,
    "adain_core.cli.options": 6.6,
    "adain_core.cli.plan": 6.6,
    "adain_core.cli.lists": 6.7,
    "adain_core.cli.weights": 6.7,
    "adain_core.cli.publish": 6.7,
    "adain_core.cli.compare": 6.7,
    "adain_core.cli.stylize": 6.7,
    "adain_core.cli": 6.8,
    "adain_core.__main__": 7,
    "adain_core.experiments": 7,
    "ui.storage": 6.8,
    "ui.kept": 6.8,
    "ui.uploads": 6.9,
    "ui": 7,
    "ui.masks": 7.1,
    "ui.stage": 7.1,
    "ui.pair": 7.2,
    "ui.memory": 7.2,
    "ui.fields": 7.25,
    "ui.easel": 7.3,
    "ui.outputs": 7.3,
    "ui.delivery": 7.1,
    "ui.preview": 7.05,
    "ui.guard": 6.9,
    "ui.lanes": 6.95,
    "ui.sessions": 6.9,
    "ui.page": 7.45,
    "ui.server": 7.5,
    "ui.endpoints": 7.7,
    "ui.tabs": 8,
    "app": 9,
}
NETWORK = ("huggingface_hub", "hf_xet", "httpx", "httpx2", "requests", "urllib", "urllib3", "aiohttp", "socket", "http")


def floor(module: str) -> float | None:
    """The floor of a module or of the nearest package that has one; None for a file that the house doesn't know."""
    name = module
    while name and name not in FLOORS:
        name = name.rpartition(".")[0]
    return None if name == "adain_core" != module else FLOORS.get(name)


def imports(path: Path, root: Path) -> list[tuple[int, str]]:
    """Line and module of every import, those inside functions too."""
    parts, found = path.relative_to(root).with_suffix("").parts, []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, each.name) for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*(parts[: -node.level] if node.level else ()), *([node.module] if node.module else [])])
            names = [f"{base}.{each.name}" for each in node.names]
            found += [(node.lineno, name if name in FLOORS else base) for name in names]
    return sorted(set(found))


def broken(root: Path) -> list[str]:
    """Every broken rule, with its file and line."""
    wrong = []
    for path in sorted([*root.glob("app.py"), *root.glob("ui/**/*.py"), *root.glob("adain_core/**/*.py")]):
        file = path.relative_to(root).as_posix()
        module = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        own = floor(module)
        if own is None:
            wrong.append(f"{file}:1 stands on no floor; give it one here and in the design")
            continue
        for line, name in imports(path, root):
            top = name.partition(".")[0]
            if top == "gradio" and own < FLOORS["ui.storage"] or top == "gradio" and module.startswith("adain_core"):
                wrong.append(f"{file}:{line} only ui/ and app.py import gradio")
            if top in NETWORK and name != "urllib.parse" and module != "adain_core.weights.hub":
                wrong.append(f"{file}:{line} only weights/hub.py touches the network, but it imports {name}")
            if top in ("adain_core", "ui", "app"):
                other = floor(name)
                if other is None or other >= own:
                    wrong.append(f"{file}:{line} stands on floor {own}, but imports {name} of floor {other}")
    return wrong


def test_the_house_stands():
    assert "\n".join(broken(ROOT)) == ""


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        (
            "adain_core/images/__init__.py",
            "from adain_core import normalization",
            "floor 1, but imports adain_core.normaliz",
        ),
        (
            "adain_core/images/__init__.py",
            "from adain_core.pipeline import run",
            "floor 1, but imports adain_core.pipeline of",
        ),
        (
            "adain_core/images/__init__.py",
            "from adain_core import stylize",
            "floor 1, but imports adain_core of floor 6",
        ),
        ("adain_core/networks.py", "import adain_core.weights as w", "floor 2, but imports adain_core.weights of flo"),
        ("adain_core/networks.py", "def f():\n    import urllib.request", "only weights/hub.py touches the network"),
        ("adain_core/methods/gatys.py", "from adain_core.methods.adain import run", "floor 3, but imports adain_core."),
        ("adain_core/methods/gatys.py", "from . import adain", "floor 3, but imports adain_core.methods of floor 3"),
        ("adain_core/methods/gatys.py", "from ..pipeline import run", "floor 3, but imports adain_core.pipeline of"),
        (
            "adain_core/controls/color.py",
            "from adain_core.controls import mixing",
            "imports adain_core.controls of flo",
        ),
        ("adain_core/losses/gram.py", "from adain_core.optimize import run", "imports adain_core.optimize of flo"),
        ("adain_core/__main__.py", "import gradio as gr", "only ui/ and app.py import gradio"),
        ("adain_core/pipeline.py", "from huggingface_hub import hf_hub_download", "only weights/hub.py touches the n"),
        ("adain_core/extra.py", "", "stands on no floor"),
        ("adain_core/__init__.py", "from adain_core.__main__ import main", "imports adain_core.__main__ of floor 7"),
        ("ui/widgets.py", "from ui.tabs import stylize", "floor 7, but imports ui.tabs of floor 8"),
        ("ui/theme.py", "from ui import widgets", "floor 7, but imports ui of floor 7"),
        ("ui/tabs/compare.py", "from ui.tabs.stylize import build", "imports ui.tabs.stylize of floor 8"),
    ],
)
def test_a_planted_break_is_seen(tmp_path, file, line, rule):
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(line)
    (found,) = broken(tmp_path)
    assert found.startswith(f"{file}:{line.count('def') + 1} ") and rule in found


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("adain_core/weights/hub.py", "import huggingface_hub\nfrom adain_core.networks import Encoder"),
        ("adain_core/__init__.py", "from adain_core.pipeline import run"),
        (
            "adain_core/methods/gatys.py",
            "from adain_core import networks, optimize\nfrom adain_core.losses import gram",
        ),
        ("ui/widgets.py", "from urllib.parse import unquote"),
        ("ui/tabs/stylize.py", "import gradio\nfrom adain_core import run\nfrom ui import widgets"),
        ("app.py", "import gradio\nfrom ui import tabs, theme"),
    ],
)
def test_what_is_allowed_is_allowed(tmp_path, file, line):
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(line)
    assert broken(tmp_path) == []


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
