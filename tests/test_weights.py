import dataclasses
import functools
import hashlib
import pickle

import pytest
import torch
from conftest import WIDTHS, isolate
from hub import changed, numbered, torchvisions
from huggingface_hub import constants
from safetensors.torch import save_file

from adain_core import weights
from adain_core.networks.model import ROLES
from adain_core.networks.vgg import Decoder, Encoder
from adain_core.weights import WeightsError


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """An empty cache, and no network."""
    isolate(tmp_path_factory.mktemp("home"), monkeypatch)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    weights._loaded.clear()
    yield
    weights._loaded.clear()


@pytest.fixture
def state():
    torch.manual_seed(3)
    return {"encoder": Encoder(WIDTHS).state_dict(), "decoder": Decoder(WIDTHS).state_dict()}


@pytest.fixture
def folder(tmp_path, state, monkeypatch):
    """A folder of small weights in the paper's file layout, and a row of the table that knows them."""
    parts = []
    for part in weights.MODELS["vgg19"].parts:
        torch.save(numbered(state[part.role]), tmp_path / part.file.name)
        digest = hashlib.sha256((tmp_path / part.file.name).read_bytes()).hexdigest()
        file = dataclasses.replace(part.file, sha256=digest)
        parts.append(dataclasses.replace(part, file=file, build=functools.partial(part.build, WIDTHS)))
    row = dataclasses.replace(weights.MODELS["vgg19"], parts=tuple(parts))
    monkeypatch.setitem(weights.MODELS, "vgg19", row)
    return tmp_path


def same(networks, state) -> bool:
    roles = {"encoder": networks.encoder, "decoder": networks.decoder}
    return all(
        torch.equal(value, state[role][name])
        for role, module in roles.items()
        for name, value in module.state_dict().items()
    )


def test_the_shipped_weights_verify():
    networks = weights.load("compact")
    assert (networks.name, networks.levels) == ("compact", ("relu4_1", "relu3_1", "relu2_1"))
    assert sum(each.numel() for part in (networks.encoder, networks.decoder) for each in part.parameters()) == 1_992_219
    assert weights.load() is networks
    assert weights.state(weights.get("compact")) == "here, verified"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("fill", [torch.zeros_like, torch.randn_like])
def test_verified_means_a_recorded_hash(tmp_path_factory, state, fill):
    other = tmp_path_factory.mktemp("other")
    for role, each in state.items():
        save_file({name: fill(value) for name, value in each.items()}, other / f"{role}.safetensors")
    words = f"here, unverified, from {other}"
    assert weights.state(weights.get("vgg19"), other) == weights.verify("vgg19", other) == words


def test_the_tables_files_in_a_folder_verify(folder):
    assert weights.state(weights.get("vgg19"), folder) == weights.verify("vgg19", folder) == "here, verified"


def test_a_flipped_bit_is_refused(tmp_path, monkeypatch):
    data = bytearray((weights.PRETRAINED / "compact.safetensors").read_bytes())
    data[-100] ^= 1
    (tmp_path / "compact.safetensors").write_bytes(data)
    monkeypatch.setattr(weights, "PRETRAINED", tmp_path)
    with pytest.raises(WeightsError, match="compact.safetensors is not the expected file: its SHA-256 begins"):
        weights.load("compact")


def test_the_papers_layout_from_a_folder(folder, state, monkeypatch):
    assert same(weights.load("vgg19", folder=folder), state)
    monkeypatch.setenv("ADAIN_WEIGHTS", str(folder))
    assert same(weights.load("vgg19"), state)
    assert weights.load("vgg19", download=False) is weights.load("vgg19", folder=folder)  # one copy


def test_a_pickle_is_read_once(folder, state, monkeypatch):
    weights.load("vgg19", folder=folder)
    weights.release("vgg19")
    monkeypatch.setattr(torch, "load", lambda *_given, **_named: pytest.fail("the pickle was read again"))
    assert same(weights.load("vgg19", folder=folder), state)


def test_one_file_in_place_of_a_folder(tmp_path, state):
    pair = tmp_path / "pair.safetensors"
    save_file({f"{r}.{n}": value for r in state for n, value in state[r].items()}, pair)
    with pytest.raises(WeightsError, match="vgg19 are not on this machine and have not been downloaded"):
        weights.load("vgg19", folder=pair, download=False)  # a small network is not the full-size one
    assert weights.load("compact", folder=pair).name == "compact"


@pytest.mark.usefixtures("folder")
def test_one_file_that_fits(tmp_path_factory, state):
    pair = tmp_path_factory.mktemp("other") / "pair.safetensors"
    save_file({f"{r}.{n}": value for r in state for n, value in state[r].items()}, pair)
    assert same(weights.load("vgg19", folder=pair), state)


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
    with pytest.raises(WeightsError, match=r"decoder.pth is not the expected file.*download it again\."):
        weights.load("vgg19", folder=folder)
    digest = hashlib.sha256((folder / "decoder.pth").read_bytes()).hexdigest()
    row = weights.MODELS["vgg19"]
    row = changed(row, "decoder", sha256=digest)
    monkeypatch.setitem(weights.MODELS, "vgg19", row)
    with pytest.raises(WeightsError, match="decoder.pth can't be read as weights"):  # no code of a pickle runs
        weights.load("vgg19", folder=folder)


def test_misshapen_and_ambiguous_files_are_named(folder, state):
    other = Encoder((4, 6, 8, 12)).state_dict()
    torch.save(numbered(other), folder / "vgg_normalised.pth")
    digest = hashlib.sha256((folder / "vgg_normalised.pth").read_bytes()).hexdigest()
    row = weights.MODELS["vgg19"]
    weights.MODELS["vgg19"] = changed(row, "encoder", sha256=digest)
    with pytest.raises(WeightsError, match="doesn't contain the expected encoder: conv4_1.weight is missing or has"):
        weights.load("vgg19", folder=folder)
    (folder / "vgg_normalised.pth").unlink()
    save_file(state["encoder"], folder / "a.safetensors")
    save_file(state["encoder"], folder / "b.safetensors")
    with pytest.raises(
        WeightsError, match=r"Both a.safetensors and b.safetensors .* could be vgg19's encoder; keep only one"
    ):
        weights.load("vgg19", folder=folder)


def test_an_encoder_and_a_decoder_that_dont_belong_together(folder, state):
    for old in folder.glob("*.pth"):
        old.unlink()
    save_file(state["encoder"], folder / "a.safetensors")
    with pytest.raises(WeightsError, match="holds a.safetensors, an encoder for vgg19, but not the decoder"):
        weights.load("vgg19", folder=folder, download=False)
    own = weights.layouts.checksum(state["encoder"])
    other = weights.layouts.checksum({name: value + 1 for name, value in state["encoder"].items()})
    save_file(state["decoder"], folder / "b.safetensors", {"encoder": other})
    with pytest.raises(WeightsError) as error:
        weights.load("vgg19", folder=folder)
    assert str(error.value) == (
        f"b.safetensors was trained for another encoder than a.safetensors (its checksum begins with {other[:12]}, not"
        f" with {own[:12]}); take both from one run."
    )
    save_file(state["decoder"], folder / "b.safetensors", {"encoder": own})
    assert same(weights.load("vgg19", folder=folder), state)


def test_torchvisions_layout_serves_its_own_model_only(tmp_path, folder, monkeypatch):
    deep = (*WIDTHS, 12)
    torch.manual_seed(5)
    encoder = Encoder(deep, "relu5_1").state_dict()
    (part,) = weights.MODELS["vgg19-imagenet"].parts
    row = dataclasses.replace(
        weights.MODELS["vgg19-imagenet"], parts=(dataclasses.replace(part, build=lambda: Encoder(deep, "relu5_1")),)
    )
    monkeypatch.setitem(weights.MODELS, "vgg19-imagenet", row)
    save_file(torchvisions(encoder), tmp_path / "model.safetensors")
    networks = weights.load("vgg19-imagenet", folder=tmp_path)
    assert torch.equal(networks.encoder.conv5_1.weight, encoder["conv5_1.weight"])
    for old in folder.glob("*.pth"):
        old.unlink()
    with pytest.raises(WeightsError, match="vgg19 are not on this machine"):
        weights.load("vgg19", folder=tmp_path, download=False)


def test_auto_takes_the_fastest_device(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    for here, expected in ((False, "cpu"), (True, "cuda")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda here=here: here)
        assert weights.pick_device("auto") == expected
        assert weights.pick_device("cpu") == "cpu"


@pytest.mark.parametrize("name", weights.MODELS)
def test_rows_are_complete(name):
    row = weights.get(name)
    assert row.name == name and row.license and row.title and row.summary and row.origin
    modules = row.build()
    encoder = modules.get("encoder", modules.get("perceptual"))
    assert encoder.widths[: len(row.widths)] == row.widths
    assert set(row.layers) <= {name.replace("conv", "relu") for name, _ in encoder.named_children()}
    assert modules.keys() == {part.role for part in row.parts} <= ROLES.keys()
    for file in row.files:
        assert file.cut or len(file.sha256) == 64
        assert file.sources or (weights.PRETRAINED / file.name).is_file()


def test_messages_list_the_available_models(tmp_path):
    with pytest.raises(ValueError, match="There is no model vgg; there are compact, vgg19, vgg19-imagenet"):
        weights.load("vgg")
    with pytest.raises(ValueError, match="The device tpu is not available; choose auto, .*cpu"):
        weights.load("compact", device="tpu")
    with pytest.raises(WeightsError, match="The given weights folder does not exist"):
        weights.load("compact", folder=tmp_path / "none")
