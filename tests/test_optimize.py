"""The loop: its equation, its ends, its scales."""

import pytest
import torch
from conftest import make_networks, picture

from adain_core import images, run, stylize
from adain_core.contracts import Style, StyleLoss
from adain_core.losses import find
from adain_core.optimize import Params, objective, optimize

CONTENT, STYLE = images.to_tensor(picture(40, 36, 1)), images.to_tensor(picture(44, 40, 2))
GRAM = {find()["gram"]: 1.0}


def go(networks=None, losses=GRAM, content=CONTENT, layers=None, **params):
    return list(optimize(content, [Style(STYLE)], Params(**params), networks or make_networks(), losses, layers))


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("name", sorted(find()))
def test_every_loss_falls(name, optimizer):
    steps = go(losses={find()[name]: 1.0}, steps=25, optimizer=optimizer, content_weight=0.0, tv_weight=0.0)
    assert steps[-1].losses["style"] < (0.9 if name == "mrf" else 0.7) * steps[0].losses["style"]
    assert steps[0].losses["style"] == pytest.approx(1, abs=0.05)  # the unit: what the content has
    assert [step.iteration for step in steps] == list(range(1, 26)) and steps[0].iterations == 25


def test_the_total_is_the_weighted_sum():
    params = Params(content_weight=0.3, style_weight=2.0, tv_weight=0.7)
    losses = {find()["gram"]: 0.25, find()["mean_std"]: 0.75}
    networks = make_networks()
    total = objective(CONTENT, [Style(STYLE)], params, networks, losses, None, torch.Generator())
    with torch.no_grad():
        value, terms = total((CONTENT + 0.1).clamp(0, 1))
        expected = 2 * terms["style"] + 0.3 * terms["content"] + 0.7 * terms["smoothness"]
        torch.testing.assert_close(value, expected)
        _, here = total(CONTENT)
        assert float(here["content"]) == 0 and float(here["style"]) == pytest.approx(1, rel=1e-4)
        own, near = (networks.perceptual(x, ["relu4_1"])["relu4_1"] for x in (CONTENT, CONTENT + 0.05))
        _, moved = total(CONTENT + 0.05)
        share = (near - own).square().mean() / own.var((2, 3), correction=0).mean()
        torch.testing.assert_close(moved["content"], share)
        halves = [
            objective(CONTENT, [Style(STYLE)], params, networks, {loss: 1.0}, None, torch.Generator())(CONTENT + 0.05)
            for loss in losses
        ]
        _, both = total(CONTENT + 0.05)
        mixed = 0.25 * halves[0][1]["style"] + 0.75 * halves[1][1]["style"]
        torch.testing.assert_close(both["style"], mixed)


def test_content_alone_brings_the_content_back():
    steps = go(start="noise", steps=300, style_weight=0.0, tv_weight=0.0, content_weight=1.0, rate=0.05)
    assert steps[-1].losses["content"] < 0.15 * steps[0].losses["content"]


def test_starts():
    noise, other, colors, content = (
        go(steps=1, rate=1e-6, start=start, seed=seed)[0].image
        for start, seed in (("noise", 1), ("noise", 2), ("colors", 0), ("content", 0))
    )
    assert (content - CONTENT).abs().max() < 1e-4
    assert not torch.equal(noise, other) and noise.std() == pytest.approx((1 / 12) ** 0.5, abs=0.02)
    torch.testing.assert_close(colors.mean((2, 3)), STYLE.mean((2, 3)), atol=0.03, rtol=0)


def test_scales_share_the_steps_and_end_at_full_size():
    content = images.to_tensor(picture(150, 140, 1))
    seen, networks = [], make_networks()
    forward = networks.encoder.forward
    networks.encoder.forward = lambda image, layers: (seen.append(tuple(image.shape[2:])), forward(image, layers))[1]
    steps = go(networks, content=content, steps=7, scales=3)
    assert [step.iteration for step in steps] == list(range(1, 8))
    assert all(step.image.shape == content.shape for step in steps)
    sizes = list(dict.fromkeys(size for size in seen if size not in {(40, 44), (28, 31), (20, 22)}))
    assert sizes == [(70, 75), (99, 106), (140, 150)]
    assert seen.count((140, 150)) == 1 + 3 and seen.count((70, 75)) == 1 + 2  # the target, and the steps
    assert len(go(content=CONTENT, steps=4, scales=6)) == 4  # scales below 64 pixels are left out


def test_averaging_lags_behind():
    plain, averaged = (go(steps=4, average=average)[-1].image for average in (0.0, 0.9))
    assert (averaged - CONTENT).abs().mean() < (plain - CONTENT).abs().mean()


def test_it_stops_by_patience_and_by_time(monkeypatch):
    steps = go(steps=50, patience=3, rate=1.0)
    assert len(steps) < 50 and steps[-1].note == "No gain in 3 steps, so it stopped."
    clock = iter(range(0, 100_000, 2))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    steps = go(steps=50, seconds=30)
    assert len(steps) < 20 and steps[-1].note.startswith("The time limit of 30 s was reached after ")


def test_divergence_keeps_the_last_good_picture():
    calls = []

    def make(*_):
        def loss(x):
            calls.append(1)
            return x.square().mean() * (float("nan") if len(calls) > 4 else 1)

        return loss

    steps = go(losses={StyleLoss("bad", "", "", "", make, ("relu1_1",)): 1.0}, steps=50)
    assert len(steps) == 4 and steps[-1].note.startswith("The optimization diverged; the last good picture is kept.")
    assert torch.equal(steps[-1].image, steps[-2].image) and steps[-1].image.isfinite().all()


def test_layers_that_the_networks_lack_are_left_out_or_refused():
    steps = go(layers=("relu2_1", "relu5_1"), steps=1)
    assert len(steps) == 1
    with pytest.raises(ValueError, match=r"^tiny has none of the layers relu5_1; it has relu1_1, relu2_1, relu3_1, re"):
        go(layers=("relu5_1",), steps=1)


def test_same_seed_same_picture():
    one, two = (go(losses={find()["mmd"]: 1.0}, start="noise", steps=3, seed=4)[-1].image for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("method", ["gatys", "optimize"])
def test_from_the_pipeline(photo, painting, tiny, method):
    results = list(run(photo, [painting], networks=tiny, method=method, steps=3, interval=0))
    assert [result.iteration for result in results] == [1, 2, 3] and all(result.image for result in results)
    rare = list(run(photo, [painting], networks=tiny, method=method, steps=3, interval=60))
    assert [result.image is None for result in rare] == [False, True, False]
    assert rare[-1].image.tobytes() == results[-1].image.tobytes() and rare[1].record["losses"]
    assert set(results[-1].record["losses"]) == {"style", "content", "smoothness", "total"}
    assert results[-1].record["steps"] == 3 and results[-1].image.size == photo.size
    other = stylize(photo, painting, networks=tiny, method="optimize", loss="coral", steps=3)
    assert other.tobytes() != results[-1].image.tobytes()
    (last,) = list(run(photo, [painting], networks=tiny, method=method, steps=9, seconds=1e-9))
    assert last.notes[-1].startswith("The time limit of 1e-09 s was reached after 1 steps")
