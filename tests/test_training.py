"""What training minimizes, and the pictures that it sees."""

import random

import numpy as np
import pytest
import torch
from conftest import WIDTHS, make_networks, picture
from PIL import Image
from torch import nn

from adain_core import images
from adain_core.losses.gram import gram, gram_matrix
from adain_core.losses.lattice import lattice_loss
from adain_core.losses.mean_std import mean_std
from adain_core.networks.compact import CompactEncoder, CompactInverse
from adain_core.normalization import Statistics, statistics
from adain_core.training import inverse as inverse_stage
from adain_core.training import pair as pair_stage
from adain_core.training import pictures
from adain_core.training.distill import Unexplained, regress
from adain_core.training.distill import fit as fit_heads
from adain_core.training.inverse import Inverse
from adain_core.training.loop import Settings
from adain_core.training.pair import (
    Pair,
    Predictions,
    Probes,
    Yardstick,
    color_loss,
    fidelity_loss,
    halo_loss,
    reference,
)
from adain_core.training.teacher import LAYERS, Teacher, all_statistics, content_loss, style_loss

CPU = torch.device("cpu")


@pytest.fixture
def teacher() -> Teacher:
    return Teacher(make_networks(paper=True), CPU)


def test_mean_std_by_hand():
    own = Statistics(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([3.0, 0.5]).view(1, 2, 1, 1))
    style = Statistics(torch.tensor([0.0, 2.0]).view(1, 2, 1, 1), torch.tensor([1.0, 1.5]).view(1, 2, 1, 1))
    assert mean_std(own, style).tolist() == [(1 + 4 + 0 + 1) / 2]


def test_the_teacher_keeps_to_its_own_precision(teacher):
    """Autocast, under which the student works, changes neither its features nor its pictures."""
    image = torch.rand(1, 3, 32, 32)
    own = teacher.features(image)
    made = teacher.decode(own["relu4_1"])
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(dict(teacher.features(image)), dict(own), rtol=0, atol=0)
        torch.testing.assert_close(teacher.decode(own["relu4_1"]), made, rtol=0, atol=0)


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
    assert found.dtype == torch.uint8 and found.min() >= 50 and found.max() <= 199
    rises = (found[:, 0, -1].float() - found[:, 0, 0])[:, 0]
    assert torch.allclose(rises, torch.full((8,), 31.0), atol=1.01)  # scale 1: a level a row
    doubled = draw(4, scales=(2, 2))[:, 0, -1, 0].float() - draw(4, scales=(2, 2))[:, 0, 0, 0]
    assert torch.allclose(doubled, torch.full((8,), 15.5), atol=1.01)
    assert not torch.equal(draw(5, varied=1), draw(5))
    some = draw(6, scales=(2, 2), sharp=0.5)[:, 0, -1, 0].float() - draw(6, scales=(2, 2), sharp=0.5)[:, 0, 0, 0]
    assert 2 <= int((some > 29).sum()) <= 6 and ((some > 29) | (some < 18)).all()  # the picture's own scale, or twice
    assert torch.equal(draw(7, scales=(2, 2), sharp=1), draw(7, scales=(2, 2), sharp=1))


def test_variations_match_their_names(photo):
    seen = {
        kind: np.asarray(pictures.vary(photo, random.Random(3), kind), dtype=int)
        for kind in ("gray", "dark", "bright", "poster", "inverted", "ink", "recolored")
    }
    assert set(seen) == set(pictures.KINDS)
    plain = np.asarray(photo, dtype=int)
    assert (seen["gray"][..., 0] == seen["gray"][..., 2]).all()
    assert seen["dark"].mean() < 0.55 * plain.mean() and 255 - seen["bright"].mean() < 0.55 * (255 - plain.mean())
    assert len(np.unique(seen["poster"])) <= 4 and set(np.unique(seen["ink"])) == {0, 255}
    assert (seen["inverted"] == 255 - plain).all()
    assert sorted(seen["recolored"][0, 0]) == sorted(plain[0, 0])


def test_batches_begin_at_the_given_step():
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


def test_heads_explain_linear_features_but_not_noise():
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

    _, first = probes.advance(encoder, batch, 0)
    assert (first - batch[0]).abs().max() <= 0.04 + 1e-6 and torch.equal(probes.style[:2], batch[1])
    start, last = distance(batch[0]), first
    turn = probes.count // probes.each
    assert not probes.image[2:].any()  # the others wait for their turn
    for step in range(1, 29):
        kept, (before, last) = last, probes.advance(encoder, batch, turn * step)
        assert torch.equal(before, kept)
    assert (distance(last) < 0.5 * start).all() and last.min() >= 0 and last.max() <= 1
    assert probes.age[:2].tolist() == [29, 29]
    for step in (29, 30):
        _, fresh = probes.advance(encoder, batch, turn * step)
    assert probes.age[:2].tolist() == [1, 31]  # the first lives for 30 steps
    assert (fresh[0] - batch[0][0]).abs().max() <= 0.04 + 1e-6
    assert all(each.grad is None for each in encoder.parameters())


def test_the_pair_measures_the_teacher_itself_as_one():
    """With the paper's networks as student, style and content are exactly what the reference says."""
    networks = make_networks(paper=True)
    teacher = Teacher(networks, CPU)
    batch = (torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32))
    yardsticks = reference(teacher, [batch], [teacher])
    yardstick = yardsticks[0].reference
    stage = Pair(networks.encoder, networks.decoder, teacher, pair_stage.Weights(), yardsticks, 32, batch)
    found = {name: value.detach() for name, value in stage.losses(batch, 1).items()}
    for name in ("style", "content", "fidelity"):
        assert float(found[name]) == pytest.approx(1, rel=1e-4)
    truth = teacher.features(batch[0])
    seen = teacher.features(networks.decoder({"relu4_1": teacher.target(*map(teacher.features, batch))}))
    assert yardstick["fidelity"] == pytest.approx(float(fidelity_loss(seen, truth)), rel=1e-3)
    again = networks.decoder(networks.encoder(batch[0], ["relu4_1"]))
    error = float((again - batch[0]).square().mean()) / 10**-2.4
    assert float(found["reconstruction"]) == pytest.approx(error, rel=1e-3)
    terms = {name: float(value) for name, value in found.items() if name != "total"}
    assert terms["distillation"] == terms["probing"] == 0  # VGG predicts itself
    expected = 2.5 * terms["style"] + terms["content"] + 0.1 * terms["reconstruction"] + terms["lattice"]
    assert float(found["total"]) == pytest.approx(expected, rel=1e-3)
    stage.yardsticks = [Yardstick(teacher, {name: value / 4 for name, value in yardstick.items()})]
    for power, expected in ((0.5, 2), (1, 4)):
        stage.weights = pair_stage.Weights(power=power)
        assert float(stage.losses(batch, 1)["style"].detach()) == pytest.approx(expected, rel=1e-3)
    more = float(stage.losses(batch, 1)["total"].detach())
    stage.weights = pair_stage.Weights(power=1, fidelity=2)
    assert float(stage.losses(batch, 1)["total"].detach()) == pytest.approx(more + 8, rel=1e-3)
    stage.weights = pair_stage.Weights(color=1)
    assert float(stage.losses(batch, 1)["color"].detach()) > 0.01
    stage.weights = pair_stage.Weights(imitation=1)
    assert float(stage.losses(batch, 1)["imitation"].detach()) == pytest.approx(0, abs=1e-5)
    sheet = stage.sheet(stage.student)
    assert sheet.width > 2 * 32 and sheet.height > 3 * 32


def test_reference_losses_are_means_over_all_batches():
    teacher = Teacher(make_networks(paper=True), CPU)
    one, two = (tuple(torch.rand(2, 1, 3, 32, 32)) for _ in range(2))
    sets = ([one], [two], [one, two])
    first, second, both = (reference(teacher, iter(batches), [teacher])[0].reference for batches in sets)
    assert first != second
    for name in ("content", "fidelity", "style"):
        assert both[name] == pytest.approx((first[name] + second[name]) / 2)


def test_every_content_is_paired_with_two_styles_and_once_with_itself():
    networks = make_networks(paper=True)
    teacher = Teacher(networks, CPU)
    yardsticks = [Yardstick(teacher, {"style": 1, "content": 1, "fidelity": 1})]
    stage = Pair(networks.encoder, networks.decoder, teacher, pair_stage.Weights(styles=2), yardsticks, 16, ())
    asked, stylize = [], stage.stylize
    stage.stylize = lambda own, contents, styles: (asked.append((contents, styles)), stylize(own, contents, styles))[1]
    stage.losses((torch.rand(3, 3, 16, 16), torch.rand(3, 3, 16, 16)), 4)
    ((contents, styles),) = asked
    assert list(zip(contents, styles, strict=True)) == [(0, 3), (1, 4), (2, 5), (0, 4), (1, 5), (2, 3), (1, 1)]
    own = networks.encoder(torch.rand(4, 3, 16, 16), ["relu4_1"])
    alone = stylize({"relu4_1": own["relu4_1"][[1, 3]]}, [0], [1])
    torch.testing.assert_close(stylize(own, [0, 1], [2, 3])[1:], alone)


def test_fidelity_by_hand():
    photo = torch.tensor([[[0.0, 4.0]], [[1.0, 1.0]]])[None]  # two channels' variances: 4 and 0
    found = fidelity_loss({"relu4_1": torch.zeros(1, 2, 1, 2)}, {"relu4_1": photo})
    assert found.tolist() == pytest.approx([(16 + 1 + 1) / 4 / 2**0.5])  # a squared error over a deviation
    half = fidelity_loss({"relu4_1": torch.zeros(1, 2, 1, 2)}, {"relu4_1": photo / 2})
    assert half.tolist() == pytest.approx([float(found) / 2])
    flat = torch.full((1, 2, 1, 2), 3.0)
    assert fidelity_loss({"relu4_1": flat - 1}, {"relu4_1": flat}).tolist() == pytest.approx([1 / 0.1])


def test_colors_by_hand():
    grey = torch.tensor([0.2, 0.6]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    red = grey.clone()
    red[:, 0] += 0.3
    light, warm, yellow = 0.3 / 3**0.5, 0.3 / 2**0.5, 0.3 / 6**0.5  # how far the means move; no deviation does
    spread = (3 * 0.2 / 3**0.5) ** 2  # the grey picture's variance of light; of color it has none
    floor = 0.02**2 + 1e-5  # the statistics' own
    expected = (light**2 / (spread + floor) + warm**2 / floor + yellow**2 / floor) / 3
    assert float(color_loss(red, grey)) == pytest.approx(expected, rel=1e-3)
    assert float(color_loss(grey, grey)) == 0
    wide = 0.5 + 2 * (grey - 0.5)
    moved = (3 * (float(wide.mean()) - 0.4) / 3**0.5) ** 2 + spread  # the deviation doubles
    assert float(color_loss(wide, grey)) == pytest.approx(moved / (spread + floor) / 3, rel=1e-3)


def test_a_frozen_encoder_can_judge_in_place_of_the_teacher(monkeypatch):
    networks = make_networks()
    for head in networks.encoder.heads.values():
        nn.init.normal_(head.weight, std=0.5)
    teacher = Teacher(make_networks(paper=True), CPU)
    batch = (torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32))
    judge = Predictions(networks.encoder)
    yardsticks = reference(teacher, [batch], [judge])
    yardstick = yardsticks[0].reference
    made = teacher.decode(teacher.target(*map(teacher.features, batch)))
    found, goal = all_statistics(judge.features(made)), all_statistics(judge.features(batch[1]))
    assert yardstick["style"] == pytest.approx(float(style_loss(found, goal).mean()), rel=1e-4)
    networks.encoder.requires_grad_()
    weights = pair_stage.Weights(encoder=0, power=1, styles=1, color=1)
    decoder = networks.decoder.requires_grad_()
    stage = Pair(networks.encoder, decoder, teacher, weights, yardsticks, 32, batch)
    monkeypatch.setattr(teacher, "features", lambda _: pytest.fail("the teacher was asked"))
    losses = stage.losses(batch, 0)
    stylized = stage.stylize(networks.encoder(torch.cat(batch), LAYERS), [0, 1], [2, 3])
    expected = style_loss(all_statistics(judge.features(stylized)), goal).mean() / yardstick["style"]
    torch.testing.assert_close(losses["style"], expected)
    torch.testing.assert_close(losses["color"], (color_loss(stylized, batch[1]) + 1e-4).sqrt().mean())
    losses["total"].backward()
    assert not any(each.requires_grad for each in networks.encoder.parameters())
    assert all(each.grad is not None for each in decoder.parameters())


def test_judges_take_turns():
    networks = make_networks(paper=True)
    teacher, batch = Teacher(networks, CPU), tuple(torch.rand(2, 1, 3, 32, 32))
    ones = {"style": 1.0, "content": 1.0, "fidelity": 1.0}
    halves = {name: value / 2 for name, value in ones.items()}
    turns = [Yardstick(teacher, ones), Yardstick(teacher, ones), Yardstick(teacher, halves)]
    stage = Pair(networks.encoder, networks.decoder, teacher, pair_stage.Weights(power=1), turns, 32, batch)
    found = [float(stage.losses(batch, step)["style"].detach()) for step in range(6)]
    assert found[0] > 0 and found == pytest.approx([found[0], found[0], 2 * found[0]] * 2)


def test_a_lattice_costs_more_than_noise():
    torch.manual_seed(0)
    noise = 0.5 + 0.1 * torch.randn(8, 1, 128, 96).expand(-1, 3, -1, -1)
    assert 0.5 < float(lattice_loss(noise)) < 0.7
    woven = noise.clone()
    woven[..., ::2, ::2] += 0.1
    woven.requires_grad_()
    loss = lattice_loss(woven)
    loss.backward()
    assert float(loss.detach()) > float(lattice_loss(noise)) + 0.5
    better = (woven - 0.05 * woven.grad / woven.grad.abs().max()).detach()
    assert float(lattice_loss(better)) < float(loss.detach())
    assert float(lattice_loss(torch.full((1, 3, 64, 64), 0.4))) < 1e-3  # nothing that can be seen


def test_a_halo_costs_on_either_side_and_in_either_polarity():
    photo = torch.full((1, 3, 96, 96), 0.3)
    photo[..., 48:] = 0.7
    glow = torch.zeros_like(photo)
    glow[..., 48:58], glow[..., 38:48] = 0.08, -0.08
    assert float(halo_loss(photo, photo)) < 1e-6 > float(halo_loss(1 - photo, photo))
    assert float(halo_loss(photo - glow, photo)) < 1e-6  # softer than the photograph
    one, other = halo_loss(photo + glow, photo), halo_loss(1 - photo - glow, photo)
    assert float(one) > 0.01 and float(other) == pytest.approx(float(one), rel=1e-3)
    assert float(halo_loss(photo + 2 * glow, photo)) > 2 * float(one)
    assert float(halo_loss(photo + glow, torch.full_like(photo, 0.5))) == 0  # no edge, no halo
    image = (photo + glow).requires_grad_()
    halo_loss(image, photo).backward()
    assert image.grad[0, 0, 48, 50] > 0 > image.grad[0, 0, 48, 45]


def test_an_inverse_network_learns_pictures_and_swapped_features():
    torch.manual_seed(0)
    encoder, inverse = CompactEncoder(WIDTHS), CompactInverse(WIDTHS)
    batch = tuple(images.to_tensor(picture(32, 32, seed)).expand(2, -1, -1, -1) for seed in (1, 2))
    stage = Inverse(encoder, inverse, inverse_stage.Weights(features=2.0, smoothness=0.5, lattice=0.25), batch)
    found = stage.losses(batch, 0)
    made = inverse({"relu3_1": encoder(torch.cat(batch), ["relu3_1"])["relu3_1"]})
    torch.testing.assert_close(found["pixels"], (made - torch.cat(batch)).square().mean() / 10**-2.4)
    total = found["pixels"] + 2 * found["features"] + 0.5 * found["smoothness"] + 0.25 * lattice_loss(made)
    torch.testing.assert_close(found["total"], total)
    optimizer = torch.optim.Adam(inverse.parameters(), 0.01)
    for step in range(60):
        optimizer.zero_grad()
        losses = stage.losses(batch, step)
        losses["total"].backward()
        optimizer.step()
    assert float(losses["total"].detach()) < 0.5 * float(total.detach())
    assert all(each.grad is None for each in encoder.parameters())


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
