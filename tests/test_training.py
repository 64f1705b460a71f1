import hashlib
import json
import random

import numpy as np
import pytest
import torch
from conftest import WIDTHS, make_networks, picture
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from adain_core import images, weights
from adain_core.compact import CompactDecoder, CompactEncoder, CompactInverse
from adain_core.losses.gram import gram, gram_matrix
from adain_core.losses.mean_std import mean_std
from adain_core.networks import Decoder
from adain_core.normalization import Statistics, statistics
from adain_core.training import inverse as inverse_stage
from adain_core.training import loop, pictures
from adain_core.training import pair as pair_stage
from adain_core.training.__main__ import app, begin
from adain_core.training.distill import Unexplained, regress
from adain_core.training.distill import fit as fit_heads
from adain_core.training.inverse import Inverse
from adain_core.training.loop import Settings
from adain_core.training.pair import Pair, Probes, reference
from adain_core.training.teacher import LAYERS, Teacher, all_statistics, content_loss, style_loss

CPU = torch.device("cpu")


@pytest.fixture
def teacher() -> Teacher:
    return Teacher(make_networks(paper=True), CPU)


@pytest.fixture
def folders(tmp_path):
    """Two folders of small pictures."""
    for name, seeds in (("photos", range(5)), ("paintings", range(10, 14))):
        (tmp_path / name).mkdir()
        for seed in seeds:
            picture(70 + seed, 64, seed).save(tmp_path / name / f"{seed:02}.png")
    return tmp_path


def test_mean_std_by_hand():
    own = Statistics(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([3.0, 0.5]).view(1, 2, 1, 1))
    style = Statistics(torch.tensor([0.0, 2.0]).view(1, 2, 1, 1), torch.tensor([1.0, 1.5]).view(1, 2, 1, 1))
    assert mean_std(own, style).tolist() == [(1 + 4 + 0 + 1) / 2]


def test_the_style_loss_is_nothing_for_the_style_itself_and_ignores_the_order_of_pixels(teacher):
    image = torch.rand(2, 3, 32, 32)
    found = all_statistics(teacher.features(image))
    assert style_loss(found, found).tolist() == [0, 0]
    features = teacher.features(image)
    shuffled = {k: x.flatten(2)[..., torch.randperm(x[0, 0].numel())].view_as(x) for k, x in features.items()}
    assert style_loss(all_statistics(shuffled), found).max() < 1e-8
    brighter = all_statistics(teacher.features(image + 0.1))
    assert style_loss(brighter, found).min() > 0
    assert content_loss(features, features["relu4_1"] + 2).tolist() == [4, 4]


def test_held_out_pictures_are_forty_of_each_and_never_read(tmp_path):
    names = pictures.held_out()
    assert [len(set(names[folder])) for folder in ("photos", "art")] == [40, 40]
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (*names["photos"][:2], "photos/other.jpg"):
        picture(40, 60, 1).save(tmp_path / name)
    (folder / "notes.txt").write_text("no picture")
    found = pictures.load(folder, 20, names["photos"])
    assert [each.size for each in found] == [(20, 30)]
    with pytest.raises(ValueError, match="There is no picture to train on in the folder photos"):
        pictures.load(folder, 20, [*names["photos"], "photos/other.jpg"])


def test_crops_come_from_the_seed_and_stay_inside():
    gradient = Image.fromarray(np.tile(np.arange(50, 200, dtype=np.uint8)[:, None, None], (1, 120, 3)))

    def draw(seed, **options):
        return pictures.crops([gradient] * 3, 8, 32, random.Random(seed), **options)

    assert torch.equal(draw(1), draw(1)) and not torch.equal(draw(1), draw(2))
    found = draw(3)
    assert found.shape == (8, 3, 32, 32) and found.is_contiguous(memory_format=torch.channels_last)
    assert found.min() >= 50 / 255 and found.max() <= 199 / 255
    rises = (found[:, 0, -1] - found[:, 0, 0])[:, 0] * 255
    assert torch.allclose(rises, torch.full((8,), 31.0), atol=1.01)  # scale 1: a level a row
    doubled = (draw(4, scales=(2, 2))[:, 0, -1, 0] - draw(4, scales=(2, 2))[:, 0, 0, 0]) * 255
    assert torch.allclose(doubled, torch.full((8,), 15.5), atol=1.01)
    assert not torch.equal(draw(5, varied=1), draw(5))


def test_variations_are_what_they_are_called(photo):
    seen = {}

    class Chosen(random.Random):
        def choice(self, options):
            return self.kind if self.kind in options else super().choice(options)

    rng = Chosen(3)
    for rng.kind in ("grey", "dark", "bright", "poster", "inverted", "ink", "recolored"):
        seen[rng.kind] = np.asarray(pictures.vary(photo, rng), dtype=int)
    plain = np.asarray(photo, dtype=int)
    assert (seen["grey"][..., 0] == seen["grey"][..., 2]).all()
    assert seen["dark"].mean() < 0.55 * plain.mean() and 255 - seen["bright"].mean() < 0.55 * (255 - plain.mean())
    assert len(np.unique(seen["poster"])) <= 4 and set(np.unique(seen["ink"])) == {0, 255}
    assert (seen["inverted"] == 255 - plain).all()
    assert sorted(seen["recolored"][0, 0]) == sorted(plain[0, 0])


def test_batches_begin_where_they_are_told():
    photos, paintings = [picture(80, 70, n) for n in range(4)], [picture(70, 80, n) for n in range(4, 8)]
    settings = Settings(batch=2, size=32)
    every = list(pictures.batches(photos, paintings, settings, range(7)))
    later = list(pictures.batches(photos, paintings, settings, range(5, 7)))
    assert all(
        torch.equal(a, b)
        for left, right in zip(every[5:], later, strict=True)
        for a, b in zip(left, right, strict=True)
    )
    assert len({float(content.sum()) for content, _ in every}) == 7


class Linear:
    """Stands for an encoder: heads alone."""

    def __init__(self, inputs, outputs):
        self.heads = nn.ModuleDict({layer: nn.Conv2d(inputs, outputs, 1) for layer in LAYERS})

    def predict(self, features):
        return {layer: self.heads[layer](x) for layer, x in features.items()}


def test_heads_explain_what_is_linear_and_nothing_of_noise():
    torch.manual_seed(0)
    encoder, unexplained = Linear(2, 3), Unexplained((3, 3, 3, 3))
    own = {layer: torch.randn(4, 2, 16, 16) for layer in LAYERS}
    with torch.no_grad():
        truth = encoder.predict(own)
        assert all(share < 1e-10 for share in unexplained(encoder, own, truth).values())
        for layer, head in encoder.heads.items():
            head.weight.zero_()
            head.bias.copy_(truth[layer].mean((0, 2, 3)))
        for share in unexplained(encoder, own, truth).values():
            assert 0.8 < share < 1.05  # what a constant reaches; a little less, for the floor


def test_regression_finds_the_line_that_numpy_finds():
    x, y = torch.randn(50, 3), torch.randn(50, 2)
    weight, bias = regress(x, y)
    expected = np.linalg.lstsq(np.c_[x.numpy(), np.ones(50)], y.numpy(), rcond=None)[0]
    np.testing.assert_allclose(weight.T, expected[:3], atol=1e-5)
    np.testing.assert_allclose(bias, expected[3], atol=1e-5)
    encoder, own = Linear(3, 2), {layer: torch.randn(2, 3, 8, 8) for layer in LAYERS}
    mix, shift = torch.randn(2, 3), torch.randn(2, 1, 1)
    truth = {layer: torch.einsum("oi,nihw->nohw", mix, x) + shift for layer, x in own.items()}
    fit_heads(encoder.heads, own, truth)
    with torch.no_grad():
        assert max(Unexplained((2,) * 4)(encoder, own, truth).values()) < 1e-6


def test_gram_by_hand_and_blind_to_the_order_of_pixels():
    x = torch.tensor([[1.0, 2.0], [3.0, 0.0]]).view(1, 2, 1, 2)  # two channels, two pixels
    assert gram_matrix(x).tolist() == [[[2.5, 1.5], [1.5, 4.5]]]
    assert gram(gram_matrix(x), torch.zeros(1, 2, 2)).tolist() == [(2.5**2 + 2 * 1.5**2 + 4.5**2) / 4]
    y = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(gram_matrix(y), gram_matrix(y.flatten(2)[..., torch.randperm(20)].view_as(y)))


def test_probes_come_nearer_to_their_styles_and_are_replaced():
    torch.manual_seed(0)
    encoder = CompactEncoder(WIDTHS, WIDTHS)
    probes = Probes(24)
    batch = torch.rand(2, 3, 24, 24) * 0.3, torch.rand(2, 3, 24, 24)

    def distance(image):
        with torch.no_grad():
            own, goal = (encoder.predict(encoder(each, LAYERS)) for each in (image, probes.style[:2]))
            return sum(gram(gram_matrix(own[layer]), gram_matrix(goal[layer])) for layer in LAYERS)

    first = probes.advance(encoder, batch, 0)
    assert (first - batch[0]).abs().max() <= 0.04 + 1e-6 and torch.equal(probes.style[:2], batch[1])
    start, last = distance(batch[0]), first
    turn = probes.count // probes.each
    assert not probes.image[2:].any()  # the others wait for their turn
    for step in range(1, 29):
        last = probes.advance(encoder, batch, turn * step)
    assert (distance(last) < 0.5 * start).all() and last.min() >= 0 and last.max() <= 1
    assert probes.age[:2].tolist() == [29, 29]
    for step in (29, 30):
        fresh = probes.advance(encoder, batch, turn * step)
    assert probes.age[:2].tolist() == [1, 31]  # the first lives for 30 steps
    assert (fresh[0] - batch[0][0]).abs().max() <= 0.04 + 1e-6
    assert all(each.grad is None for each in encoder.parameters())


def test_the_pair_measures_the_teacher_itself_as_one():
    """With the paper's networks as student, style and content are exactly what the reference says."""
    networks = make_networks(paper=True)
    teacher = Teacher(networks, CPU)
    batch = (torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    yardstick = reference(teacher, [batch])
    stage = Pair(networks.encoder, networks.decoder, teacher, pair_stage.Weights(), yardstick, 32, batch)
    found = {name: value.detach() for name, value in stage.losses(batch, 1).items()}
    assert float(found["style"]) == pytest.approx(1, rel=1e-4) and float(found["content"]) == pytest.approx(1, rel=1e-4)
    again = networks.decoder(networks.encoder(batch[0], ["relu4_1"]))
    error = float((again - batch[0]).square().mean()) / 10**-2.4
    assert float(found["reconstruction"]) == pytest.approx(error, rel=1e-3)
    terms = {name: float(value) for name, value in found.items() if name != "total"}
    assert terms["distillation"] == terms["probing"] == 0  # VGG predicts itself
    expected = 2.5 * terms["style"] + terms["content"] + 0.1 * terms["reconstruction"]
    assert float(found["total"]) == pytest.approx(expected, rel=1e-3)
    stage.reference = {name: value / 4 for name, value in yardstick.items()}
    for power, expected in ((0.5, 2), (1, 4)):
        stage.weights = pair_stage.Weights(power=power)
        assert float(stage.losses(batch, 1)["style"].detach()) == pytest.approx(expected, rel=1e-3)
    stage.weights = pair_stage.Weights(imitation=1)
    assert float(stage.losses(batch, 1)["imitation"].detach()) == pytest.approx(0, abs=1e-5)
    sheet = stage.sheet(stage.student)
    assert sheet.width > 2 * 32 and sheet.height > 3 * 32


def test_every_content_meets_two_styles_and_its_own_picture_once():
    networks = make_networks(paper=True)
    teacher, yardstick = Teacher(networks, CPU), {"style": 1, "content": 1}
    stage = Pair(networks.encoder, networks.decoder, teacher, pair_stage.Weights(), yardstick, 16, ())
    asked, stylize = [], stage.stylize
    stage.stylize = lambda own, contents, styles: (asked.append((contents, styles)), stylize(own, contents, styles))[1]
    stage.losses((torch.rand(3, 3, 16, 16), torch.rand(3, 3, 16, 16)), 4)
    ((contents, styles),) = asked
    assert list(zip(contents, styles, strict=True)) == [(0, 3), (1, 4), (2, 5), (0, 4), (1, 5), (2, 3), (1, 1)]
    own = networks.encoder(torch.rand(4, 3, 16, 16), ["relu4_1"])
    alone = stylize({"relu4_1": own["relu4_1"][[1, 3]]}, [0], [1])
    torch.testing.assert_close(stylize(own, [0, 1], [2, 3])[1:], alone)


class Line:
    """A stage that fits a line, so that the loop can be watched."""

    def __init__(self):
        torch.manual_seed(1)
        self.student, self.helpers = nn.Linear(1, 1), nn.Linear(1, 1)

    def groups(self, rate):
        return [{"params": self.student.parameters(), "lr": rate}, {"params": self.helpers.parameters(), "lr": rate}]

    def losses(self, batch, step):
        error = (self.student(batch[0]) + self.helpers(batch[0]) - batch[1]).square().mean()
        return {"at": torch.tensor(float(step)), "total": error}

    def sheet(self, student):  # noqa: ARG002
        return Image.new("RGB", (8, 8))


def lines(steps):
    for step in steps:
        x = torch.linspace(-1, 1, 8)[:, None] * (1 + step % 3)
        yield x, 3 * x - 1


def fit(folder, steps=60, batches=lines, **changed):
    stage, settings = Line(), Settings(**{"steps": steps, "rate": 0.1, "save_every": 20, "average": 0.5} | changed)
    loop.train(stage, batches, settings, settings.model_dump(), folder, CPU, False)
    return {name: x.clone() for name, x in stage.student.state_dict().items()}


def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path):
    whole = fit(tmp_path / "whole")

    def stopped(steps):
        for step, batch in zip(steps, lines(steps), strict=True):
            if step == 33:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", batches=stopped)
    assert fit(tmp_path / "parts") == whole
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [line["step"] for line in logs[1]] == [25, 50, 60]
    assert logs[0][-1]["total"] == logs[1][-1]["total"] < 0.05 * logs[0][0]["total"]
    for name in ("checkpoint.pt", "weights.safetensors", "losses.png", "samples.jpg"):
        assert (tmp_path / "parts" / name).stat().st_size > 0
    with pytest.raises(ValueError, match="parts holds a run with other settings"):
        fit(tmp_path / "parts", rate=0.2)


def test_muon_steps_kernels_orthogonally_and_resumes():
    class Kernel(Line):
        def __init__(self):
            super().__init__()
            self.student = nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)

        def losses(self, batch, step):  # noqa: ARG002
            return {
                "total": (self.student(batch[0].expand(1, 2, 8, 8)) - 1).square().mean() + self.helpers.bias.sum() ** 2
            }

    stage, settings = Kernel(), Settings(steps=4, rate=0.01, muon=2, warm_up=0.5)
    optimizers = loop.Optimizers(stage, settings)
    before = stage.student.weight.detach().clone()
    stage.losses((torch.rand(1, 1, 8, 8), None), 0)["total"].backward()
    optimizers.step()
    moved = (stage.student.weight.detach() - before).permute(0, 2, 3, 1).reshape(4, 18)
    values = torch.linalg.svdvals(moved) / (0.002 * 0.2 * 18**0.5)  # the first rate is a tenth
    assert values[0] < 1.6 and values[0] > 0.5  # Newton-Schulz comes that near to 1
    assert stage.student.weight.grad is None and stage.student.bias.grad is None
    again = loop.Optimizers(Kernel(), settings)
    again.load_state_dict(optimizers.state_dict())
    assert [each["lr"] for each in again.each[1].param_groups] == [
        each["lr"] for each in optimizers.each[1].param_groups
    ]


@pytest.mark.parametrize("decay", [0, 0.5])
def test_rates_follow_their_schedule(tmp_path, monkeypatch, decay):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, *a, **k: (rates.append(self.param_groups[0]["lr"]), step(self, *a, **k))[1],
    )
    fit(tmp_path, steps=40, decay=decay)
    if decay:
        assert rates == pytest.approx([0.1 / (1 + 0.5 * n) for n in range(40)])
    else:
        assert max(rates) == pytest.approx(0.1, rel=0.05) and rates.index(max(rates)) in (3, 4) and rates[-1] < 0.001


@pytest.mark.parametrize("stage", ["distill", "pair", "decoder", "inverse"])
def test_every_stage_runs_from_the_command_line(folders, monkeypatch, stage):
    full = make_networks(paper=True)
    small = make_networks()
    monkeypatch.setattr(weights, "load", lambda name, **_: full if name == "vgg19" else small)
    monkeypatch.setattr("adain_core.training.__main__.CompactInverse", lambda: CompactInverse(WIDTHS))
    monkeypatch.setattr("adain_core.training.__main__.Decoder", lambda: Decoder(WIDTHS))
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
        assert "weights.safetensors: 24 tensors begin anew, 0 were not needed" in result.output  # the decoder's
    found = json.loads((folders / stage / "log.jsonl").read_text().splitlines()[-1])
    assert found["step"] == 3 and 0 < found["total"] < 1e6
    names = {name.partition(".")[0] for name in weights.load_file(folders / stage / "weights.safetensors")}
    assert names == {"encoder", "decoder"} if stage == "pair" else {"encoder" if stage == "distill" else stage}
    assert all(torch.equal(x, before[name]) for name, x in full.encoder.state_dict().items())


def test_what_is_shipped_is_the_run_in_half_the_size(tmp_path):
    tensors = {"inverse.conv1_1.weight": torch.randn(4, 3), "inverse.conv1_1.bias": torch.randn(4)}
    save_file(tensors, tmp_path / "run.safetensors")
    result = CliRunner().invoke(app, ["ship", str(tmp_path / "run.safetensors"), str(tmp_path / "out.safetensors")])
    written = (tmp_path / "out.safetensors").read_bytes()
    assert result.output.strip() == hashlib.sha256(written).hexdigest()
    found = weights.load_file(tmp_path / "out.safetensors")
    assert set(found) == {"conv1_1.weight", "conv1_1.bias"}
    for name, each in found.items():
        assert each.dtype == torch.bfloat16
        torch.testing.assert_close(each.float(), tensors[f"inverse.{name}"], rtol=2**-8, atol=0)


def test_tensors_may_begin_anew(tmp_path, capsys):
    one, other = CompactDecoder(WIDTHS), CompactDecoder(WIDTHS)
    save_file({f"decoder.{name}": each for name, each in one.state_dict().items()}, tmp_path / "w.safetensors")
    begin(torch.nn.ModuleDict({"decoder": other}), tmp_path / "w.safetensors", ("decoder.conv3", "decoder.conv4_1"))
    assert "w.safetensors: 14 tensors begin anew" in capsys.readouterr().out
    for name, each in other.state_dict().items():
        assert torch.equal(each, one.state_dict()[name]) != name.startswith(("conv3", "conv4_1")), name


def test_an_inverse_network_learns_pictures_and_swapped_features():
    torch.manual_seed(0)
    encoder, inverse = CompactEncoder(WIDTHS), CompactInverse(WIDTHS)
    batch = tuple(images.to_tensor(picture(32, 32, seed)).expand(2, -1, -1, -1) for seed in (1, 2))
    stage = Inverse(encoder, inverse, inverse_stage.Weights(features=2.0, smoothness=0.5), batch)
    found = stage.losses(batch, 0)
    made = inverse({"relu3_1": encoder(torch.cat(batch), ["relu3_1"])["relu3_1"]})
    torch.testing.assert_close(found["pixels"], (made - torch.cat(batch)).square().mean() / 10**-2.4)
    total = found["pixels"] + 2 * found["features"] + 0.5 * found["smoothness"]
    torch.testing.assert_close(found["total"], total)
    optimizer = torch.optim.Adam(inverse.parameters(), 0.01)
    for step in range(60):
        optimizer.zero_grad()
        losses = stage.losses(batch, step)
        losses["total"].backward()
        optimizer.step()
    assert float(losses["total"].detach()) < 0.5 * float(total.detach())
    assert all(each.grad is None for each in encoder.parameters())


def test_a_kept_encoder_stays_and_nothing_is_distilled(folders, monkeypatch):
    full = make_networks(paper=True)
    monkeypatch.setattr(weights, "load", lambda *_, **__: full)
    common = ["--photos", str(folders / "photos"), "--paintings", str(folders / "paintings"), "--batch", "2"]
    common += ["--size", "32", "--steps", "3"]
    for command in (["distill", "-o", str(folders / "a")], ["pair", "-o", str(folders / "b"), "--encoder", "0"]):
        start = ["--start", str(folders / "a" / "weights.safetensors")] if command[0] == "pair" else []
        CliRunner().invoke(app, [*command, *common, *start], catch_exceptions=False)
    one, two = (weights.load_file(folders / run / "weights.safetensors") for run in ("a", "b"))
    kernels = [name for name in one if name.startswith("encoder.conv")]
    assert len(kernels) == 14 and all(torch.equal(one[name], two[name]) for name in kernels)
    last = json.loads((folders / "b" / "log.jsonl").read_text().splitlines()[-1])
    assert "probing" not in last and last["style"] > 0


def test_statistics_gradients_against_autograd():
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda y: tuple(statistics(y)), x)
    assert torch.autograd.gradcheck(lambda y: tuple(statistics(y, (0, 2, 3))), x)
    half = x.detach().bfloat16().requires_grad_()
    mean, std = statistics(half)
    assert mean.dtype == std.dtype == torch.float32
    (mean.sum() + 2 * std.sum()).backward()
    exact = half.detach().double().requires_grad_()
    mean, std = exact.mean((2, 3)), exact.std((2, 3), correction=0)
    (mean.sum() + 2 * std.sum()).backward()
    torch.testing.assert_close(half.grad.double(), exact.grad, atol=2e-3, rtol=2e-2)
