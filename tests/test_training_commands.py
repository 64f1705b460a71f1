"""Training from the command line, on tiny networks and pictures."""

import hashlib
import json
from functools import partial

import pytest
import torch
from conftest import WIDTHS, make_networks, picture
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from adain_core import weights
from adain_core.networks.compact import CompactDecoder, CompactInverse
from adain_core.networks.perceptual import LAYERS, PerceptualEncoder
from adain_core.networks.vgg import Decoder
from adain_core.training import __main__ as training
from adain_core.training.__main__ import app, begin
from adain_core.training.pair import Predictions, Yardstick
from adain_core.weights.layouts import checksum


@pytest.fixture
def folders(tmp_path):
    """Two folders of small pictures."""
    for name, seeds in (("photos", range(5)), ("paintings", range(10, 14))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            picture(70 + seed, 64, seed).save(tmp_path / name / f"{seed:02}.png")
    return tmp_path


@pytest.mark.parametrize("stage", ["distill", "perceptual", "pair", "decoder", "inverse"])
def test_every_stage_runs_from_the_command_line(folders, monkeypatch, stage):
    full = make_networks(paper=True)
    small = make_networks()
    monkeypatch.setattr(weights, "load", lambda name, **_: small if name == "compact" else full)
    monkeypatch.setattr("adain_core.training.__main__.CompactInverse", lambda: CompactInverse(WIDTHS))
    monkeypatch.setattr("adain_core.training.__main__.Decoder", lambda: Decoder(WIDTHS))
    narrow = partial(PerceptualEncoder, (2, 3, 4, 5))
    monkeypatch.setattr("adain_core.training.__main__.PerceptualEncoder", narrow)
    before = {name: x.clone() for name, x in full.encoder.state_dict().items()}
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--steps", "3"]
    common += ["--batch", "2", "--size", "32", "--save-every", "2"]
    runs = [["distill", *common, "-o", str(folders / "distill")]]
    if stage != "distill":
        start = ["--start", str(folders / "distill" / "weights.safetensors")] if stage == "pair" else []
        runs = [*runs[: len(start)], [stage, *common, "-o", str(folders / stage), *start]]
    for command in runs:
        result = CliRunner().invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    if stage == "pair":
        assert "weights.safetensors: 40 tensors reinitialized, 0 unused" in result.output  # the decoder's
    found = json.loads((folders / stage / "log.jsonl").read_text().splitlines()[-1])
    assert found["step"] == 3 and 0 < found["total"] < 1e6
    names = {name.partition(".")[0] for name in load_file(folders / stage / "weights.safetensors")}
    assert names == {"encoder", "decoder"} if stage == "pair" else {"encoder" if stage == "distill" else stage}
    assert all(torch.equal(x, before[name]) for name, x in full.encoder.state_dict().items())
    if stage == "perceptual":  # least squares give the first step what no random weights have
        first = json.loads((folders / stage / "log.jsonl").read_text().splitlines()[0])
        assert max(first[layer] for layer in LAYERS) < 0.9
    with safe_open(folders / stage / "weights.safetensors", "pt") as stream:
        belongs = {"encoder": checksum(full.encoder.state_dict())} if stage == "decoder" else {}
        assert (stream.metadata() or {}) == belongs


def test_ship_writes_the_run_in_half_the_size(tmp_path):
    tensors = {"inverse.conv1_1.weight": torch.randn(4, 3), "inverse.conv1_1.bias": torch.randn(4)}
    save_file(tensors, tmp_path / "run.safetensors")
    result = CliRunner().invoke(app, ["ship", str(tmp_path / "run.safetensors"), str(tmp_path / "out.safetensors")])
    written = (tmp_path / "out.safetensors").read_bytes()
    assert result.output.strip() == hashlib.sha256(written).hexdigest()
    found = load_file(tmp_path / "out.safetensors")
    assert set(found) == {"conv1_1.weight", "conv1_1.bias"}
    for name, each in found.items():
        assert each.dtype == torch.bfloat16
        torch.testing.assert_close(each.float(), tensors[f"inverse.{name}"], rtol=2**-8, atol=0)
    save_file({name: each + 2 for name, each in tensors.items()}, tmp_path / "other.safetensors")
    names = [str(tmp_path / f"{name}.safetensors") for name in ("run", "mean", "other")]
    assert not CliRunner().invoke(app, ["ship", *names[:2], "--mean-with", names[2]]).exit_code
    for name, each in load_file(tmp_path / "mean.safetensors").items():
        torch.testing.assert_close(each.float(), tensors[f"inverse.{name}"] + 1, rtol=2**-8, atol=1e-6)
    pair = {f"decoder.gains.{name}": torch.rand(3) for name in ("first.weight", "second.weight", "second.bias")}
    save_file(pair, tmp_path / "pair.safetensors")
    given = ["ship", str(tmp_path / "pair.safetensors"), names[1], "--gains", "0.5"]
    refused = CliRunner().invoke(app, given)
    assert isinstance(refused.exception, ValueError) and "mean.safetensors already exists" in str(refused.exception)
    assert not CliRunner().invoke(app, [*given, "--overwrite"]).exit_code
    for name, each in load_file(tmp_path / "mean.safetensors").items():
        torch.testing.assert_close(each.float(), pair[name] * (0.5 if "second" in name else 1), rtol=2**-8, atol=1e-6)


@pytest.mark.parametrize(
    ("held", "sentence"),
    [
        (
            {"samples.jpg": b"mine"},
            "holds samples.jpg, but no checkpoint; choose another folder.",
        ),
        ({"checkpoint.pt": b"mine"}, "checkpoint.pt is not a run's checkpoint, or is damaged."),
        ("a file", "is not a folder, so nothing can be written into it; choose another folder."),
    ],
)
def test_other_folders_are_refused_before_anything_is_read(tmp_path, monkeypatch, held, sentence):
    monkeypatch.setattr("adain_core.training.pictures.load", lambda *_: pytest.fail("pictures were read"))
    if isinstance(held, str):
        (tmp_path / "run").write_text(held)
    else:
        (tmp_path / "run").mkdir()
        for name, data in held.items():
            (tmp_path / "run" / name).write_bytes(data)
    given = ["distill", "--photos", "photos", "--paintings", "paintings", "-o", str(tmp_path / "run")]
    refused = CliRunner().invoke(app, given)
    assert isinstance(refused.exception, ValueError) and str(refused.exception).endswith(sentence)
    if isinstance(held, dict):
        assert {each.name: each.read_bytes() for each in (tmp_path / "run").iterdir()} == held


def test_weights_that_can_not_be_read_are_one_sentence(tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"none")
    for name in ("bad", "missing"):
        refused = CliRunner().invoke(app, ["ship", str(tmp_path / f"{name}.safetensors"), str(tmp_path / "out")])
        assert str(refused.exception).endswith(
            f"{name}.safetensors can't be read as safetensors; use a file written by training."
        )
    assert not (tmp_path / "out").exists()


def test_tensors_can_be_reinitialized(tmp_path, capsys):
    one, other = CompactDecoder(WIDTHS), CompactDecoder(WIDTHS)
    save_file({f"decoder.{name}": each for name, each in one.state_dict().items()}, tmp_path / "w.safetensors")
    begin(torch.nn.ModuleDict({"decoder": other}), tmp_path / "w.safetensors", ("decoder.conv3", "decoder.conv4_1"))
    assert "w.safetensors: 14 tensors reinitialized" in capsys.readouterr().out
    for name, each in other.state_dict().items():
        assert torch.equal(each, one.state_dict()[name]) != name.startswith(("conv3", "conv4_1")), name


def test_a_frozen_encoder_is_unchanged_and_not_distilled(folders, monkeypatch):
    full = make_networks(paper=True)
    monkeypatch.setattr(weights, "load", lambda *_, **__: full)
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    common += ["--size", "32", "--steps", "3"]
    for command in (["distill", "-o", str(folders / "a")], ["pair", "-o", str(folders / "b"), "--encoder", "0"]):
        start = ["--start", str(folders / "a" / "weights.safetensors")] if command[0] == "pair" else []
        CliRunner().invoke(app, [*command, *common, *start], catch_exceptions=False)
    one, two = (load_file(folders / run / "weights.safetensors") for run in ("a", "b"))
    kept = [name for name in one if name.startswith("encoder.")]
    assert len(kept) == 22 and all(torch.equal(one[name], two[name]) for name in kept)
    last = json.loads((folders / "b" / "log.jsonl").read_text().splitlines()[-1])
    assert "probing" not in last and last["style"] > 0


def test_reference_losses_use_many_pairs(folders, monkeypatch):
    """The style losses of few pictures differ too much to be a measure."""
    monkeypatch.setattr(weights, "load", lambda *_, **__: make_networks(paper=True))
    seen = []

    def count(_teacher, batches, judges):
        seen.extend(len(photos) for photos, _ in batches)
        return [Yardstick(judge, dict.fromkeys(("content", "fidelity", "style"), 1.0)) for judge in judges]

    monkeypatch.setattr(training, "reference", count)
    given = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "-o", str(folders / "run")]
    given += ["--batch", "7", "--size", "32", "--steps", "1", "--encoder", "0"]
    CliRunner().invoke(app, ["pair", *given], catch_exceptions=False)
    assert set(seen) == {7} and 96 <= sum(seen) < 96 + 7


def test_the_perceptual_network_judges_three_steps_of_four(folders, monkeypatch):
    full, other = make_networks(paper=True), make_networks(paper=True)
    monkeypatch.setattr(weights, "load", lambda name, **_: other if name == "perceptual" else full)
    asked, features = [], Predictions.features
    monkeypatch.setattr(Predictions, "features", lambda self, image: (asked.append(1), features(self, image))[1])
    given = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    given += ["--size", "32", "--encoder", "0", "--steps"]
    counts = []
    for steps, more in ((2, []), (3, []), (4, []), (3, ["--judge", "teacher"])):
        asked.clear()
        output = ["-o", str(folders / f"run{len(counts)}")]
        CliRunner().invoke(app, ["pair", *given, str(steps), *output, *more], catch_exceptions=False)
        counts.append(len(asked))
    assert counts[1] == counts[0] and counts[2] == counts[0] + 2 and counts[3] == 0  # before the picture and after it


def test_gains_are_standardized_once_and_have_their_own_rate(folders, monkeypatch):
    monkeypatch.setattr(weights, "load", lambda *_, **__: make_networks(paper=True))
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    common += ["--size", "32", "--steps", "2", "--encoder", "0", "--average", "0"]
    first = str(folders / "one" / "weights.safetensors")
    for name, more in (("one", ["--gains", "0"]), ("two", ["--start", first, "--seed", "9"])):
        CliRunner().invoke(app, ["pair", *common, *more, "-o", str(folders / name)], catch_exceptions=False)
    one, two = (load_file(folders / name / "weights.safetensors") for name in ("one", "two"))
    last, spread = "decoder.gains.second.weight", "decoder.gains.spread"
    assert (one[spread] > 0).float().mean() > 0.5 and torch.equal(one[spread], two[spread])
    assert not one[last].any() and two[last].any()
    assert not torch.equal(one["decoder.conv1_1.weight"], two["decoder.conv1_1.weight"])


def test_a_decoder_starts_from_an_inverse_network_and_its_encoder_judges(folders, monkeypatch):
    full = make_networks(paper=True)
    monkeypatch.setattr(weights, "load", lambda *_, **__: full)
    inverse = CompactInverse()
    save_file(inverse.state_dict(), folders / "inverse.safetensors")
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    common += ["--size", "32", "--steps", "1", "--judge", "own", "--inverse", str(folders / "inverse.safetensors")]
    refused = CliRunner().invoke(app, ["pair", *common, "-o", str(folders / "no")], terminal_width=200)
    assert refused.exit_code == 2 and "--judge own needs a frozen encoder: --encoder 0" in refused.output
    given = ["pair", *common, "--encoder", "0", "--rate", "1e-9", "-o", str(folders / "pair")]
    result = CliRunner().invoke(app, given, catch_exceptions=False)
    assert result.exit_code == 0 and "inverse.safetensors: 22 tensors reinitialized, 0 unused" in result.output
    found = load_file(folders / "pair" / "weights.safetensors")
    for name, each in inverse.state_dict().items():
        torch.testing.assert_close(found[f"decoder.{name}"], each, atol=1e-6, rtol=1e-4)


def test_an_inverse_network_continues_for_another_encoder(folders, monkeypatch):
    full, small = make_networks(paper=True), make_networks()
    monkeypatch.setattr(weights, "load", lambda name, **_: full if name == "vgg19" else small)
    monkeypatch.setattr("adain_core.training.__main__.CompactInverse", lambda: CompactInverse(WIDTHS))
    start, other = CompactInverse(WIDTHS), make_networks()
    save_file({f"inverse.{name}": each for name, each in start.state_dict().items()}, folders / "start.safetensors")
    save_file(
        {f"encoder.{name}": 1.5 * each.contiguous() for name, each in other.encoder.state_dict().items()},
        folders / "pair.safetensors",
    )
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    common += ["--size", "32", "--steps", "1", "--rate", "1e-9", "--start", str(folders / "start.safetensors")]
    losses = []
    for name, more in (("own", []), ("other", ["--pair", str(folders / "pair.safetensors")])):
        result = CliRunner().invoke(app, ["inverse", *common, "-o", str(folders / name), *more], catch_exceptions=False)
        assert "start.safetensors: 0 tensors reinitialized, 0 unused" in result.output
        found = load_file(folders / name / "weights.safetensors")
        for key, each in start.state_dict().items():
            torch.testing.assert_close(found[f"inverse.{key}"], each, atol=1e-6, rtol=1e-4)
        losses.append(json.loads((folders / name / "log.jsonl").read_text().splitlines()[-1])["features"])
    assert losses[0] != losses[1]


def test_fused_compiles_the_teacher_and_the_student(folders, monkeypatch):
    full, compiled = make_networks(paper=True), []
    monkeypatch.setattr(weights, "load", lambda *_, **__: full)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **_: compiled.append(type(module).__name__))
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    CliRunner().invoke(
        app,
        ["pair", *common, "--size", "32", "--steps", "1", "-o", str(folders / "a"), "--fused"],
        catch_exceptions=False,
    )
    assert compiled == ["Encoder", "CompactEncoder", "CompactDecoder"]


def test_a_layer_that_has_grown_keeps_what_it_had(tmp_path):
    narrow, wide = torch.nn.Linear(3, 2), torch.nn.Linear(3, 5)
    before = wide.weight.detach().clone()
    save_file(narrow.state_dict(), tmp_path / "narrow.safetensors")
    begin(wide, tmp_path / "narrow.safetensors")
    assert torch.equal(wide.weight[:2], narrow.weight) and torch.equal(wide.weight[2:], before[2:])
    assert torch.equal(wide.bias[:2], narrow.bias)
