"""What goes to the Hub: a model with its card, and the page as a Space; and the commands for it."""

import ast
import hashlib
import importlib.metadata
import json
import re
import sys
from pathlib import Path

import pytest
import torch
from hub import ROOT, Hub
from huggingface_hub import ModelCardData, SpaceCardData, close_session, constants, metadata_load
from huggingface_hub.utils import validate_repo_id
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from safetensors.torch import load_file, save_file

from adain_core import __main__ as cli
from adain_core import weights
from adain_core.weights import publish


@pytest.fixture
def hub(home, served, monkeypatch):
    assert not home.exists()
    server = Hub(served)
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", server.endpoint)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield server
    close_session()
    server.close()


def call(line: str, monkeypatch, capsys) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["adain", *line.split()])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    return stop.value.code or 0, printed.out, printed.err


def test_the_shipped_model(tmp_path, monkeypatch, capsys):
    code, out, err = call(f"publish me/mine --dry-run {tmp_path}/out", monkeypatch, capsys)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"3 files, 4\.0 MB, for me/mine; nothing was uploaded\.\n", out)
    data = (tmp_path / "out/model.safetensors").read_bytes()
    config = json.loads((tmp_path / "out/config.json").read_text())
    assert hashlib.sha256(data).hexdigest() == config["sha256"] == weights.MODELS["compact"].file("encoder").sha256
    assert (config["parameters"], config["widths"]) == (1_992_219, [16, 32, 64, 128])
    assert config["tensors"]["encoder.conv1_1.weight"] == [16, 3, 3, 3]
    card = ModelCardData(**metadata_load(tmp_path / "out/README.md"))
    assert card.license == "mit" and "style-transfer" in card.tags
    text = (tmp_path / "out/README.md").read_text()
    assert text.endswith((weights.PRETRAINED / "README.md").read_text())


def test_own_weights_with_their_measurements(tmp_path, monkeypatch, capsys):
    tensors = {name: each + 0 for name, each in load_file(weights.PRETRAINED / "compact.safetensors").items()}
    save_file(tensors, tmp_path / "weights.safetensors")
    results = {"512 px": {"compact style": 3.0, "vgg19 style": 2.0, "compact content": 1.0, "vgg19 content": 4.0}}
    results["512 px"]["reconstruction"] = 27.34
    (tmp_path / "results.json").write_text(json.dumps({**results, "Gram": 0.1}))
    line = f"publish me/mine --weights {tmp_path}/weights.safetensors --license CC0-1.0 --dry-run {tmp_path}"
    assert call(f"{line}/a --results {tmp_path}/results.json", monkeypatch, capsys)[0] == 0
    text = (tmp_path / "a/README.md").read_text()
    assert "| 512 px | 1.50 | 0.25 | 27.3 dB |" in text and "license: cc0-1.0" in text and "1,992,219 param" in text
    assert call(f"{line}/b", monkeypatch, capsys)[0] == 0
    assert "It has not been measured." in (tmp_path / "b/README.md").read_text()
    code, _, err = call(f"{line}/c --results {tmp_path}/weights.safetensors", monkeypatch, capsys)
    assert (code, err.partition(";")[0]) == (2, "adain: weights.safetensors holds no results of benchmarks.compact")


def test_other_weights_are_refused(tmp_path, monkeypatch, capsys):
    save_file({"encoder.conv1_1.weight": torch.zeros(1)}, tmp_path / "a.safetensors")
    for name in ("a.safetensors", "none.safetensors"):
        code, _, err = call(f"publish me/mine --weights {tmp_path}/{name} --dry-run {tmp_path}/o", monkeypatch, capsys)
        assert code == 2 and err.startswith(f"adain: {name} holds no compact encoder and decoder")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("command", ["publish", "space deploy"])
@pytest.mark.parametrize("name", ["bad//name", "name", "../a", "me/a..b"])
def test_a_name_that_the_hub_would_refuse_is_refused_first(tmp_path, monkeypatch, capsys, command, name):
    code, out, err = call(f"{command} {name} --dry-run {tmp_path}/out", monkeypatch, capsys)
    assert (code, out) == (2, "") and err.startswith(f"adain: The Hub doesn't accept the name '{name}'; use user/n")
    assert not (tmp_path / "out").exists()


def test_names_are_taken_as_the_hub_takes_them():
    names = ["me/mine", "a/b", "Me_2/x.y-z", "me/na me", "me/-a", "me/a.", "me/a--b", "me/a.git", "me/\u00e4", "me/a\n"]
    for name in [*names, "me/" + "a" * 96, "me/" + "a" * 97]:
        taken = []
        for check in (validate_repo_id, publish.check_names):
            try:
                check(name)
                taken.append(True)
            except ValueError:
                taken.append(False)
        assert taken[0] == taken[1], name


@pytest.mark.parametrize("license", ["", "MIT\ntags: [x]"])
def test_a_license_is_a_word(license):
    with pytest.raises(ValueError, match="use its Hub identifier, such as mit"):
        publish.check_names("me/mine", license)


def test_the_upload(hub, monkeypatch, capsys):
    code, out, err = call("publish me/mine --private", monkeypatch, capsys)
    assert (code, out, err) == (0, f"{hub.endpoint}/me/mine\n", "")
    assert hub.made == [{"name": "mine", "organization": "me", "visibility": "private", "type": "model"}]
    assert sorted(hub.uploaded) == ["README.md", "config.json", "model.safetensors"]
    assert hub.uploaded["model.safetensors"] == (weights.PRETRAINED / "compact.safetensors").read_bytes()


@pytest.mark.parametrize(("fault", "words"), [(401, "needs an HF_TOKEN with read access"), (503, "it answers 503")])
def test_an_upload_that_fails(hub, monkeypatch, capsys, fault, words):
    hub.faults["/api"] = fault
    monkeypatch.setattr("time.sleep", lambda _: None)  # between its tries
    code, _, err = call("publish me/mine", monkeypatch, capsys)
    assert code == 2 and err.startswith("adain: me/mine could not be uploaded: ") and words in err
    assert not hub.uploaded


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_front_matter_is_a_spaces():
    about = metadata_load(ROOT / "README.md")
    card = SpaceCardData(**about)
    assert (card.sdk, card.app_file, card.license) == ("gradio", "app.py", "mit") and (ROOT / card.app_file).is_file()
    (gradio,) = [line for line in lines(ROOT / "requirements.txt") if line.startswith("gradio~")]
    assert gradio == f"gradio~={card.sdk_version}"
    assert card.python_version == "3.12" and card.title and len(about["emoji"]) in (1, 2)
    colors = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {about["colorFrom"], about["colorTo"]} <= colors
    assert 0 < len(card.short_description) <= 60
    assert (ROOT / about["thumbnail"]).is_file()
    known = {
        (source.repo, source.filename)
        for row in weights.MODELS.values()
        for file in row.files
        for source in file.sources
    }
    preloaded = dict(each.split(" ") for each in about["preload_from_hub"])
    assert {(repo, name) for repo, names in preloaded.items() for name in names.split(",")} <= known
    assert card.models == [*preloaded] and "style-transfer" in card.tags  # a Space uses no other model of the Hub


def test_requirements_of_a_space():
    text = (ROOT / "requirements.txt").read_text()
    plain, zero = (publish.requirements(text, zero_gpu).splitlines() for zero_gpu in (False, True))
    assert plain[0] == f"--extra-index-url {publish.CPU_INDEX}" and "torch~=2.13.0" in plain
    assert "torch==2.11.0" in zero and "torchvision==0.26.0" in zero and zero[-1] == "spaces"
    for found in (plain, zero):
        assert len([line for line in found if line.startswith("torch")]) == 2
    both = [line for line in text.splitlines() if not line.startswith("torch")]
    assert any(line.startswith("gradio~=") for line in both) and set(both) <= set(plain) & set(zero)


def test_a_space_can_install_them():
    """It asks for gradio[oauth,mcp], of which one extra is stricter than gradio; both must leave a version."""
    own = [Requirement(line) for line in lines(ROOT / "requirements.txt")]
    asked = [Requirement(text) for text in importlib.metadata.requires("gradio")]
    asked = [
        each for each in asked if not each.marker or any(each.marker.evaluate({"extra": e}) for e in ("oauth", "mcp"))
    ]
    shared = [(one, other) for one in own for other in asked if canonical(one) == canonical(other)]
    assert {canonical(one) for one, _ in shared} >= {"pydantic", "pillow", "huggingface-hub", "typer"}
    for one, other in shared:
        versions = [bound.version for bound in (*one.specifier, *other.specifier)]
        assert [each for each in versions if each in one.specifier and each in other.specifier], f"{one} and {other}"


def test_they_name_whatever_is_imported():
    """In a fresh environment there is nothing else."""
    files = [ROOT / "app.py", *ROOT.glob("ui/**/*.py"), *ROOT.glob("adain_core/**/*.py")]
    names = {name.partition(".")[0] for path in files if "training" not in path.parts for name in imported(path)}
    known = importlib.metadata.packages_distributions()
    needed = {canonicalize_name(known.get(name, [name])[0]) for name in names - sys.stdlib_module_names}
    named = {canonical(Requirement(line)) for line in lines(ROOT / "requirements.txt")}
    assert needed - named - {"app", "ui", "adain-core"} == {"spaces"}  # which a Space brings


def imported(path: Path) -> list[str]:
    """Return every module that a file imports, inside functions as well."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    named = [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]
    return named + [node.module for node in nodes if isinstance(node, ast.ImportFrom) and not node.level]


def canonical(requirement: Requirement) -> str:
    return canonicalize_name(requirement.name)


def test_a_space_is_laid_out(tmp_path, monkeypatch, capsys):
    code, out, err = call(f"space deploy me/page --zero-gpu --dry-run {tmp_path}/space", monkeypatch, capsys)
    assert (code, err) == (0, "") and "for me/page; nothing was uploaded." in out
    names = {path.relative_to(tmp_path / "space").as_posix() for path in (tmp_path / "space").rglob("*")}
    assert {"app.py", "README.md", "requirements.txt", "ui/tabs/stylize.py", "docs/usage.md"} <= names
    assert {"adain_core/pretrained/compact.safetensors", "examples/examples.json"} <= names
    assert not [name for name in names if re.search(r"__pycache__|\.pyi$|(^|/)\.|tests", name)]
    about = metadata_load(tmp_path / "space/README.md")
    assert about["python_version"] == publish.ZERO_PYTHON
    assert about["thumbnail"] == "https://huggingface.co/spaces/me/page/resolve/main/examples/page.jpg"
    code, _, err = call(f"space deploy me/page --dry-run {tmp_path}/space", monkeypatch, capsys)
    assert (code, err) == (2, "adain: The folder space is not empty; choose another one.\n")
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    code, _, err = call(f"space deploy me/page --dry-run {tmp_path}/other", monkeypatch, capsys)
    assert code == 2 and "but app.py is missing" in err


def test_a_space_is_uploaded(hub, monkeypatch, capsys):
    monkeypatch.setattr(publish, "CONTENTS", ("app.py", "README.md", "requirements.txt", "ui"))
    code, out, err = call("space deploy me/page", monkeypatch, capsys)
    assert (code, err) == (0, "") and out.strip().endswith("me/page")
    assert hub.made[0]["sdk"] == "gradio" and hub.made[0]["type"] == "space"
    assert hub.uploaded["app.py"] == (ROOT / "app.py").read_bytes() and "ui/theme.py" in hub.uploaded


@pytest.mark.usefixtures("home")
class TestWeightsCommands:
    def test_list(self, monkeypatch, capsys):
        code, out, _ = call("weights list", monkeypatch, capsys)
        assert code == 0
        for name, row in weights.MODELS.items():
            assert f"\n{name}  " in "\n" + out and row.license in out
            for file in row.files:
                assert (file.sha256 or "no checksum recorded, only shapes are checked") in out
        assert "https://huggingface.co/spaces/tidalove/adain/resolve/main/decoder.pth" in out
        assert "64/128/256/512 channels, up to relu4_1" in out

    def test_verify_and_remove(self, monkeypatch, capsys):
        code, out, err = call("weights verify", monkeypatch, capsys)
        assert (code, out.splitlines()[0]) == (0, "compact: here, verified")
        assert "vgg19: The weights of vgg19 are not on this machine" in err  # which is no fault
        code, _, err = call("weights verify vgg19", monkeypatch, capsys)
        assert code == 1 and "have not been downloaded yet" in err
        monkeypatch.setattr(weights, "_missing", lambda *_: "Other words.")
        assert call("weights verify", monkeypatch, capsys)[0] == 0  # the code doesn't hang on them

        def refused(*_):
            raise weights.WeightsError("They are not on this machine as they should be.")

        monkeypatch.setattr(weights, "verify", refused)
        assert call("weights verify", monkeypatch, capsys)[0] == 1
        monkeypatch.undo()
        assert call("weights remove vgg19", monkeypatch, capsys)[1] == "vgg19: nothing to remove\n"
        assert call("weights remove compact", monkeypatch, capsys)[0] == 0
        assert (weights.PRETRAINED / "compact.safetensors").is_file()
        code, _, err = call("weights get none", monkeypatch, capsys)
        assert code == 2 and "There is no model none; there are compact, vgg19" in err
