import dataclasses
import hashlib
import pickle

import huggingface_hub
import pytest
import torch
from conftest import WIDTHS
from safetensors.torch import save_file

from adain_core import weights
from adain_core.networks import Decoder, Encoder
from adain_core.weights import WeightsError


def numbered(state: dict, step: int = 3) -> dict:
    """The layout of nn.Sequential files: layers go by numbers with gaps."""
    layers = list(dict.fromkeys(name.partition(".")[0] for name in state))
    return {
        f"{layers.index(name.partition('.')[0]) * step}.{name.partition('.')[2]}": each for name, each in state.items()
    }


@pytest.fixture
def state():
    torch.manual_seed(3)
    return {"encoder": Encoder(WIDTHS).state_dict(), "decoder": Decoder(WIDTHS).state_dict()}


@pytest.fixture
def folder(tmp_path, state, monkeypatch):
    """A folder of small weights in the paper's file layout, and a row of the table that knows them."""
    files = {}
    for role, name in (("encoder", "vgg_normalised.pth"), ("decoder", "decoder.pth")):
        torch.save(numbered(state[role]), tmp_path / name)
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        files[role] = dataclasses.replace(getattr(weights.MODELS["vgg19"], role), sha256=digest)
    row = dataclasses.replace(weights.MODELS["vgg19"], build=lambda: (Encoder(WIDTHS), Decoder(WIDTHS)), **files)
    monkeypatch.setitem(weights.MODELS, "vgg19", row)
    weights._load.cache_clear()
    yield tmp_path
    weights._load.cache_clear()


def same(networks, state) -> bool:
    roles = {"encoder": networks.encoder, "decoder": networks.decoder}
    return all(
        torch.equal(value, state[role][name])
        for role, module in roles.items()
        for name, value in module.state_dict().items()
    )


def refuse(*_given, **_named):
    pytest.fail("the network was asked")


def test_the_shipped_weights_verify():
    networks = weights.load("compact")
    assert (networks.name, networks.levels) == ("compact", ("relu4_1", "relu3_1", "relu2_1"))
    assert sum(each.numel() for part in (networks.encoder, networks.decoder) for each in part.parameters()) == 969_979
    assert weights.load() is networks
    assert weights.state(weights.get("compact")) == "here, verified"


def test_a_flipped_bit_is_refused(tmp_path, monkeypatch):
    data = bytearray((weights.PRETRAINED / "compact.safetensors").read_bytes())
    data[-100] ^= 1
    (tmp_path / "compact.safetensors").write_bytes(data)
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path)
    weights._load.cache_clear()
    with pytest.raises(WeightsError, match="compact.safetensors is not the file that it should be: its SHA-256 begins"):
        weights.load("compact")


def test_the_papers_layout_from_a_folder(folder, state, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    assert same(weights.load("vgg19", folder=folder), state)
    monkeypatch.setenv("ADAIN_WEIGHTS", str(folder))
    assert same(weights.load("vgg19"), state)


@pytest.mark.parametrize("layout", ["named", "numbered", "prefixed", "one file", "half precision"])
def test_safetensors_from_a_folder(tmp_path, folder, state, layout):
    for old in folder.glob("*.pth"):
        old.unlink()
    change = {
        "named": lambda _, each: each,
        "numbered": lambda _, each: numbered(each),
        "prefixed": lambda role, each: {f"{role}.{name}": value for name, value in each.items()},
        "half precision": lambda _, each: {name: value.half() for name, value in each.items()},
    }
    if layout == "one file":
        save_file({f"{r}.{n}": value for r in state for n, value in state[r].items()}, tmp_path / "both.safetensors")
    else:
        for role, each in state.items():
            save_file(change[layout](role, each), tmp_path / f"some {role}.safetensors")
    (tmp_path / "other.safetensors").write_bytes(b"not safetensors")
    save_file({"2d.weight": torch.zeros(1), "encoder": torch.zeros(1)}, tmp_path / "stranger.safetensors")
    if layout == "half precision":
        state = {role: {name: value.half().float() for name, value in each.items()} for role, each in state.items()}
    assert same(weights.load("vgg19", folder=tmp_path), state)


def test_a_wrong_hash_is_refused_before_it_is_read(folder, monkeypatch):
    class Boom:
        def __reduce__(self):
            return (pytest.fail, ("the pickle ran",))

    (folder / "decoder.pth").write_bytes(pickle.dumps(Boom(), protocol=2))
    with pytest.raises(WeightsError, match=r"decoder.pth is not the file that it should be.*fetch it again\."):
        weights.load("vgg19", folder=folder)
    digest = hashlib.sha256((folder / "decoder.pth").read_bytes()).hexdigest()
    row = weights.MODELS["vgg19"]
    row = dataclasses.replace(row, decoder=dataclasses.replace(row.decoder, sha256=digest))
    monkeypatch.setitem(weights.MODELS, "vgg19", row)
    with pytest.raises(pickle.UnpicklingError):  # even with a matching hash no code of a pickle runs
        weights.load("vgg19", folder=folder)


def test_misshapen_and_ambiguous_files_are_named(folder, state):
    other = Encoder((4, 6, 8, 12)).state_dict()
    torch.save(numbered(other), folder / "vgg_normalised.pth")
    digest = hashlib.sha256((folder / "vgg_normalised.pth").read_bytes()).hexdigest()
    row = weights.MODELS["vgg19"]
    weights.MODELS["vgg19"] = dataclasses.replace(row, encoder=dataclasses.replace(row.encoder, sha256=digest))
    with pytest.raises(WeightsError, match="doesn't hold the encoder that it should: conv4_1.weight is missing or mis"):
        weights.load("vgg19", folder=folder)
    (folder / "vgg_normalised.pth").unlink()
    save_file(state["encoder"], folder / "a.safetensors")
    save_file(state["encoder"], folder / "b.safetensors")
    with pytest.raises(
        WeightsError, match=r"Both a.safetensors and b.safetensors .* could be vgg19's encoder; leave one"
    ):
        weights.load("vgg19", folder=folder)


def test_the_next_source_is_tried_after_a_wrong_file(folder, tmp_path_factory, state, monkeypatch):
    wrong = tmp_path_factory.mktemp("wrong") / "file"
    wrong.write_bytes(b"<html>not the weights</html>")
    asked, kinds = [], []

    def download(repo, filename, repo_type, local_files_only):
        assert not local_files_only
        asked.append(repo)
        kinds.append(repo_type)
        if repo == "Curise/FreestyleRet":
            return str(wrong)
        if repo == "HanzhouLiu/Stylos":
            raise OSError("truncated")
        return str(folder / filename)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert same(weights.load("vgg19"), state)
    assert asked == ["Curise/FreestyleRet", "HanzhouLiu/Stylos", "vkganesan/AdaIN", "tidalove/adain"]
    assert kinds == ["model", "dataset", "space", "space"]


@pytest.mark.usefixtures("folder")
def test_sources_that_all_hold_another_file_are_not_used(tmp_path_factory, monkeypatch):
    wrong = tmp_path_factory.mktemp("wrong") / "file"
    wrong.write_bytes(b"<html>not the weights</html>")
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *_given, **_named: str(wrong))
    with pytest.raises(WeightsError, match=r"from the Hub \(wrong SHA-256, wrong SHA-256, wrong SHA-256\)\. Put vgg_n"):
        weights.load("vgg19")
    with pytest.raises(WeightsError):  # a failure isn't remembered as a success
        weights.load("vgg19")


@pytest.mark.usefixtures("folder")
def test_no_server_is_said_once_and_what_to_do(monkeypatch):
    asked = []

    def download(*given, **_named):
        asked.append(given)
        raise huggingface_hub.errors.LocalEntryNotFoundError("no server")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(WeightsError) as error:
        weights.load("vgg19")
    assert len(asked) == 1
    assert str(error.value) == (
        "The weights of vgg19 are not on this machine and could not be fetched from the Hub (it can't be reached). Put"
        " vgg_normalised.pth and decoder.pth into a folder and name it with --weights-dir or ADAIN_WEIGHTS, or use the"
        " model compact, which is here."
    )


@pytest.mark.usefixtures("folder")
def test_without_download_the_hub_is_not_asked(monkeypatch):
    given = []

    def download(*_given, local_files_only, **_named):
        given.append(local_files_only)
        raise huggingface_hub.errors.LocalEntryNotFoundError("not cached")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(WeightsError, match="have not been fetched yet"):
        weights.load("vgg19", download=False)
    assert given == [True, True, True]


def test_auto_takes_the_fastest_device(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for here, expected in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda here=here: here)
        assert weights.pick_device("auto") == expected
        assert weights.pick_device("cpu") == "cpu"


@pytest.mark.parametrize("name", weights.MODELS)
def test_rows_are_complete(name):
    row = weights.get(name)
    assert row.name == name and row.license == "MIT" and row.title and row.summary and row.origin
    for file in row.files:
        assert len(file.sha256) == 64 and (file.sources or (weights.PRETRAINED / file.name).is_file())


def test_messages_list_what_there_is(tmp_path):
    with pytest.raises(ValueError, match="There is no model vgg; there are compact, vgg19"):
        weights.load("vgg")
    with pytest.raises(ValueError, match="The device tpu is not here; choose auto, .*cpu"):
        weights.load("compact", device="tpu")
    with pytest.raises(WeightsError, match="The folder named for weights does not exist"):
        weights.load("compact", folder=tmp_path / "none")
