"""The perceptual encoder, and how it is made."""

import statistics

import pytest
import torch
from conftest import WIDTHS, make_networks
from torch import nn

from adain_core import images, weights
from adain_core.methods import gatys
from adain_core.networks import cost
from adain_core.networks.model import Networks
from adain_core.networks.perceptual import LAYERS, PerceptualEncoder
from adain_core.networks.vgg import Encoder
from adain_core.training.distill import Unexplained
from adain_core.training.pair import Probes
from adain_core.training.perceptual import Perceptual, Weights, begin_by_least_squares, degrade, pivots, rectified
from adain_core.training.teacher import Teacher
from benchmarks import perceptual as benchmark

CPU = torch.device("cpu")


@pytest.fixture
def teacher() -> Teacher:
    return Teacher(make_networks(paper=True), CPU)


def crops(count: int, seed: int = 0) -> torch.Tensor:
    """Smooth random pictures with some grain, [N,3,48,48]."""
    generator = torch.Generator().manual_seed(seed)
    smooth = nn.functional.interpolate(torch.rand(count, 3, 6, 6, generator=generator), 48, mode="bicubic")
    return (smooth + 0.1 * torch.randn(count, 3, 48, 48, generator=generator)).clamp(0, 1)


def unexplained(encoder, teacher, images) -> dict[str, float]:
    with torch.no_grad():
        shares = Unexplained(WIDTHS)(encoder, encoder(images, LAYERS), teacher.features(images))
    return {layer: float(share) for layer, share in shares.items()}


def test_it_has_vgg19s_layers_pooling_and_predictions():
    encoder = PerceptualEncoder((2, 4, 6, 8), WIDTHS)
    for each in encoder.plan:
        nn.init.kaiming_normal_(encoder.get_submodule(each.name).weight, generator=torch.Generator().manual_seed(0))
    image = torch.rand(1, 3, 33, 40)
    features = encoder(image, LAYERS)
    wide, narrow = Encoder(WIDTHS)(image, LAYERS), Encoder((2, 4, 6, 8))
    assert {layer: x.shape for layer, x in encoder.predict(features).items()} == {k: x.shape for k, x in wide.items()}
    narrow.load_state_dict(encoder.state_dict(), strict=False)
    for pooling in ("max", "average"):
        own = encoder(image, ["relu4_1"], pooling)["relu4_1"]
        assert torch.equal(own, narrow(image, ["relu4_1"], pooling)["relu4_1"])
    assert not torch.equal(features["relu4_1"], own)


def test_compact_optimizes_through_it():
    compact, alone = weights.load("compact"), weights.load("perceptual")
    image = torch.rand(1, 3, 24, 24)
    found, expected = compact.perceptual(image, LAYERS), alone.perceptual(image, LAYERS)
    assert compact.loss_name == alone.loss_name == "perceptual" and compact.poolings == ["max", "average"]
    assert all(torch.equal(found[layer], expected[layer]) for layer in LAYERS)
    assert not weights.get("compact").judges and weights.get("perceptual").judges and weights.get("vgg19").judges
    with pytest.raises(ValueError, match="perceptual has no encoder, only perceptual; choose another model"):
        alone.encode(image)


def test_the_cost_of_a_step_is_that_of_the_loss_network():
    networks = make_networks()
    loss = PerceptualEncoder((8, 8, 8, 8), (1, 1, 1, 1))
    both = Networks("both", {**networks.parts, "perceptual": loss})
    kernels = [3 * 8, 8 * 8] + [8 * 8 / 4] * 2 + [8 * 8 / 16] * 4 + [8 * 8 / 64]
    heads = 8 * (1 + 1 / 4 + 1 / 16 + 1 / 64)
    strided = [3 * 4, 4 * 6 / 4, 6 * 6 / 4, 6 * 8 / 16, 8 * 8 / 16, 8 * 10 / 64, 10 * 10 / 64]
    predicted = 4 * 64 + 6 * 128 / 4 + 8 * 256 / 16 + 10 * 512 / 64
    assert cost.loss_work(networks) == 1
    assert cost.loss_work(both) == pytest.approx((9 * sum(kernels) + heads) / (9 * sum(strided) + predicted))
    assert cost.loss_bytes(both) > cost.loss_bytes(networks)
    one, other = (gatys.METHOD.cost(gatys.METHOD.params(), each) for each in (both, networks))
    assert one.passes > other.passes and one.bytes > other.bytes


def test_pivots_are_channels_that_tell_the_others():
    told = torch.rand(3, 5, generator=torch.Generator().manual_seed(1))
    three = torch.rand(500, 3, generator=torch.Generator().manual_seed(2))
    x = torch.cat([0.1 * three @ told, three, 0.99 * three], 1)[:, [0, 5, 1, 6, 2, 7, 3, 4, 8, 9, 10]]
    assert sorted(pivots(x, 3).tolist()) == [1, 3, 5]  # and none of the last three, which tell nothing new
    assert len(set(pivots(x, 11).tolist())) == 11


def test_a_rectified_fit_ignores_values_below_zero():
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(4000, 6, generator=generator), torch.randn(3, 6, generator=generator)
    z = x @ weight.T + 0.2
    y = torch.where(z > 0, z, -5 * torch.rand(z.shape, generator=generator))
    found, bias = rectified(x, y)
    error = ((x @ found.T + bias).relu() - z.relu()).square().mean() / z.relu().var()
    assert error < 0.005
    torch.testing.assert_close(found, weight, rtol=0, atol=0.15)


def test_least_squares_find_a_teacher_that_is_no_wider(teacher):
    encoder = PerceptualEncoder(WIDTHS, WIDTHS)
    begin_by_least_squares(encoder, teacher.encoder, crops(12), torch.Generator().manual_seed(0))
    assert max(unexplained(encoder, teacher, crops(4, seed=9)).values()) < 0.01
    narrow = PerceptualEncoder((2, 3, 4, 5), WIDTHS)
    begin_by_least_squares(narrow, teacher.encoder, crops(12), torch.Generator().manual_seed(0))
    assert 0.01 < unexplained(narrow, teacher, crops(4, seed=9))["relu4_1"] < 0.9


def test_degraded_pictures_are_as_many_as_asked_and_stay_in_range():
    images = crops(200)
    draw = lambda share: degrade(images, share, torch.Generator().manual_seed(3))  # noqa: E731
    assert torch.equal(draw(0.0), images)
    made = draw(0.25)
    changed = (made != images).flatten(1).any(1).sum()
    assert 30 < changed < 70 and made.min() >= 0 and made.max() <= 1
    assert torch.equal(made, draw(0.25))


def test_it_learns_responses_and_gram_matrices_beside_features(teacher):
    torch.manual_seed(0)
    encoder = PerceptualEncoder((2, 3, 4, 5), WIDTHS)
    begin_by_least_squares(encoder, teacher.encoder, crops(12), torch.Generator().manual_seed(0))
    stage = Perceptual(encoder, teacher, Weights(), 48, crops(2))
    optimizer = torch.optim.Adam(stage.groups(2e-3)[0]["params"], 2e-3)
    totals = []
    for step in range(40):
        terms = stage.losses((crops(2, step), crops(2, 100 + step)), step)
        parts = {name: float(value.detach()) for name, value in terms.items()}
        shares = sum(parts[layer] for layer in LAYERS) / 4
        assert 0.01 < parts["gram"] < 2 and 0.01 < parts["response"] < 2
        assert parts["total"] == pytest.approx(shares + (parts["gram"] + parts["response"]) / 2, rel=1e-5)
        optimizer.zero_grad()
        terms["total"].backward()
        optimizer.step()
        totals.append(parts["total"])
    assert sum(totals[-10:]) < 0.9 * sum(totals[:10])


def test_a_probe_is_given_before_and_after_its_step():
    probes, batch = Probes(48), (crops(2), crops(2, 5))
    encoder = PerceptualEncoder(WIDTHS, WIDTHS)
    first = probes.advance(encoder, batch, 0)
    assert torch.equal(first[0], batch[0])
    assert 0 < (first[1] - first[0]).abs().max() <= Probes.rate + 1e-6
    again = probes.advance(encoder, batch, probes.count // probes.each)
    assert torch.equal(again[0], first[1])


def test_the_shipped_weights_are_faithful(shared, shipped_pair):
    """On a pair that is in no data set; benchmarks/perceptual.py measures 40."""
    full, networks = weights.load("vgg19", folder=shared), weights.load("perceptual")
    content, style = (images.to_tensor(images.load(path, 160).rgb) for path in shipped_pair)
    explained = benchmark.Explained()
    for image in (content, style):
        explained.add(networks, full, image)
    assert statistics.fmean(explained.shares().values()) > 0.92
    own, truth = (benchmark.gradient(each, content, style).flatten() for each in (networks, full))
    assert torch.cosine_similarity(own, truth, 0) > 0.75


def test_its_figures_by_hand():
    torch.manual_seed(0)
    full, image = make_networks(paper=True), torch.rand(1, 3, 32, 32)
    explained = benchmark.Explained()
    explained.add(full, full, image)
    explained.add(full, full, 1 - image)
    assert explained.shares() == dict.fromkeys(LAYERS, 1.0)
    own = {layer: torch.full((1, 2, 2), 3.0) for layer in LAYERS}
    goal = {layer: torch.full((1, 2, 2), 2.0) for layer in LAYERS}
    assert float(benchmark.distance(own, goal)) == 4 * (4 * 1) / (4 * 4)
