"""The documents are short where they must be, their links lead somewhere, and their tables match the code."""

import re
import tomllib
from pathlib import Path

import pytest

from adain_core import losses, methods, weights

ROOT = Path(__file__).parents[1]
CARD, EXAMPLES = ROOT / "adain_core/pretrained/README.md", ROOT / "examples/README.md"
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), CARD, EXAMPLES]
CODE = re.compile("^```.*?^```|^    .*?$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def anchors(text: str) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    heads = re.findall("^#+ (.*)$", re.sub("^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize(
    ("file", "most"), [(ROOT / "README.md", 200), (CARD, 150), (ROOT / "docs/training-log.md", 120)]
)
def test_it_is_short(file, most):
    assert len(read(file).splitlines()) <= most


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(file):
    text = read(file)
    found = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", CODE.sub("", text))
    for link in (one or other for one, other in found):
        if not link.startswith("https://"):
            name, _, anchor = link.partition("#")
            to = (file.parent / name).resolve() if name else file
            assert to.is_relative_to(ROOT) and to.exists(), link
            assert not anchor or anchor in anchors(read(to)), link


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_paths_and_modules_exist(file):
    if file.name == "CHANGELOG.md":  # which tells of the past, too
        return
    for path in re.findall(r"`((?:adain_core|ui|docs|tests|examples|benchmarks)/[\w./-]+)`", read(file)):
        assert "NAME" in path or path == "adain_core/engines/" or (ROOT / path).exists(), path
    for name in re.findall(r"python -m ((?:adain_core|benchmarks|examples)[\w.]*)", read(file)):
        path = ROOT / name.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name


def rows(file: Path, mark: str) -> list[list[str]]:
    table = re.search(f"<!-- {mark} -->(.*?)<!-- /{mark} -->", read(file), re.DOTALL)[1]
    return [[cell.strip(" `") for cell in line.split("|")[1:4]] for line in table.strip().splitlines()[2:]]


def test_methods_and_losses_are_listed_as_they_are():
    told = [[each.name, each.paper, each.summary] for each in methods.find().values() if each.name != "optimize"]
    assert rows(ROOT / "README.md", "methods") == told
    told = [[each.name, each.paper, each.summary] for each in losses.find().values()]
    assert rows(ROOT / "docs/methods.md", "losses") == told


def test_models_are_listed():
    text = read(ROOT / "docs/models.md")
    assert not [name for name in weights.MODELS if f"| `{name}`" not in text]


def test_every_page_is_linked_from_the_readme():
    text = read(ROOT / "README.md")
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"training-log.md"}  # which Training links
    assert not [name for name in pages if f"(docs/{name})" not in text]


def test_floors_are_those_that_hold():
    contracts = tomllib.loads(read(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    floors = [re.findall(r"[\w.]+", floor) for floor in contracts[0]["layers"]]
    table = re.findall(r"^\| (\d) \| (.*?) \| .*\. \|$", read(ROOT / "docs/architecture.md"), re.MULTILINE)
    assert [int(number) for number, _ in table] == list(range(len(table), 0, -1)) and len(table) <= 8
    assert [re.findall("`([^`]+)`", names) for _, names in table] == floors
