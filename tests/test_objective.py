"""What an optimization minimizes: its equation, units, layers."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from conftest import WIDTHS, make_networks, picture
from optimizing import CONTENT, GRAM, STYLE, go, spy

from adain_core import images
from adain_core.contracts import Style
from adain_core.losses import find
from adain_core.losses import mrf as loss_module
from adain_core.methods import gatys, mrf
from adain_core.networks.model import Networks
from adain_core.networks.vgg import Encoder
from adain_core.optimization.objective import objective, shares
from adain_core.optimization.params import OptimizationParams


def minimized(params, losses, networks, shifts=1):
    params = params.model_copy(update={"shifts": shifts})
    return objective(CONTENT, [Style(STYLE)], losses, params, networks, torch.Generator())


def test_the_total_is_the_weighted_sum():
    params = OptimizationParams(content_weight=0.3, style_weight=2.0, tv_weight=0.7)
    losses = {find()["gram"]: 0.25, find()["mean_std"]: 0.75}
    networks = make_networks()
    total = minimized(params, losses, networks)
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
        halves = [minimized(params, {loss: 1.0}, networks)(CONTENT + 0.05) for loss in losses]
        _, both = total(CONTENT + 0.05)
        mixed = 0.25 * halves[0][1]["style"] + 0.75 * halves[1][1]["style"]
        torch.testing.assert_close(both["style"], mixed)


def test_absolute_units_are_the_papers():
    """At one layer: E = |G - A|^2 / (4 N^2) and 1/2 |F - P|^2, against matrices written out."""
    networks, there = make_networks(), CONTENT + 0.05
    params = OptimizationParams(units="absolute", reduction="sum", layers="relu2_1")
    with torch.no_grad():
        _, terms = minimized(params, GRAM, networks)(there)
        x, s = (networks.perceptual(each, ["relu2_1"])["relu2_1"][0].flatten(1) for each in (there, STYLE))
        gap = x @ x.T / x.shape[1] - s @ s.T / s.shape[1]
        torch.testing.assert_close(terms["style"], gap.square().sum() / (4 * len(x) ** 2))
        deep, own = (networks.perceptual(each, ["relu4_1"])["relu4_1"] for each in (there, CONTENT))
        torch.testing.assert_close(terms["content"], 0.5 * (deep - own).square().sum())
        _, means = minimized(params.model_copy(update={"reduction": "mean"}), GRAM, networks)(there)
        torch.testing.assert_close(means["style"], gap.square().mean())
        torch.testing.assert_close(means["content"], (deep - own).square().mean())


@pytest.mark.parametrize("loss", sorted(find()))
def test_a_negative_weight_makes_no_negative_unit(loss):
    """The second style is much farther away than the first, so that the weighted sum of the losses is negative."""
    styles = [Style((CONTENT + 0.01).clamp(0, 1), 1.5), Style(STYLE, -0.5)]
    total = objective(
        CONTENT, styles, {find()[loss]: 1.0}, OptimizationParams(shifts=1), make_networks(), torch.Generator()
    )
    with torch.no_grad():
        assert -1.01 <= float(total(CONTENT)[1]["style"]) <= 1.01


@pytest.mark.parametrize("loss", ["gram", "mean_std", "coral", "histogram"])
def test_a_photograph_that_has_the_style_already_does_not_blow_the_loss_up(loss):
    """Its own loss is 0, which is no unit: a hundredth of what an empty picture has is one."""
    total = objective(
        CONTENT, [Style(CONTENT)], {find()[loss]: 1.0}, OptimizationParams(shifts=1), make_networks(), torch.Generator()
    )
    with torch.no_grad():
        assert float(total(CONTENT)[1]["style"]) < 1e-3
        assert 1e-3 < float(total((CONTENT + 0.1).clamp(0, 1))[1]["style"]) < 1e4


def test_a_flat_photograph_has_a_unit_of_content_too():
    photo = torch.full((1, 3, 40, 40), 0.5)
    total = objective(photo, [Style(STYLE)], GRAM, OptimizationParams(shifts=1), make_networks(), torch.Generator())
    with torch.no_grad():
        assert 0 < float(total(photo + 0.2 * torch.rand(photo.shape))[1]["content"]) < 100


def test_layers_have_shares():
    networks, there = make_networks(), CONTENT + 0.05
    with torch.no_grad():
        one, other, both = (
            minimized(OptimizationParams(layers=layers), GRAM, networks)(there)[1]["style"]
            for layers in ("relu1_1", "relu3_1", "relu1_1=1, relu3_1=3")
        )
    torch.testing.assert_close(both, (one + 3 * other) / 4)


def test_a_loss_may_hold_on_more_firmly():
    params, networks = OptimizationParams(), make_networks()
    with torch.no_grad():
        for name, hold, smooth in (("mrf", 10, 1), ("gram", 1, 1), ("adversarial", 20, 3.3)):
            total, terms = minimized(params, {find()[name]: 1.0}, networks)(CONTENT + 0.05)
            expected = terms["style"] + hold * 0.03 * terms["content"] + smooth * 0.4 * terms["smoothness"]
            torch.testing.assert_close(total, expected)
        total, terms = minimized(OptimizationParams(units="absolute"), {find()["mrf"]: 1.0}, networks)(CONTENT + 0.05)
        expected = terms["style"] + 0.03 * terms["content"] + 0.4 * terms["smoothness"]  # as the papers write them
        torch.testing.assert_close(total, expected)
        mixed = {find()["mrf"]: 1.0, find()["gram"]: 3.0}
        total, terms = minimized(params, mixed, networks)(CONTENT + 0.05)
        expected = terms["style"] + (10 + 3) / 4 * 0.03 * terms["content"] + 0.4 * terms["smoothness"]
        torch.testing.assert_close(total, expected)


@pytest.mark.parametrize("kind", [0, -1])
def test_a_loss_sees_further_views_of_its_style(kind):
    """At each layer; a view of the painting has its patches, as far as the shares that are kept hold all of them."""
    networks, loss = make_networks(), find()["mrf"]
    turned = loss_module.view(STYLE, *loss_module.TRANSFORMS[kind])
    content, params = F.interpolate(CONTENT, turned.shape[2:]), OptimizationParams(layers="relu2_1, relu3_1")

    def distance(chosen):
        total = objective(content, [Style(STYLE)], {chosen: 1.0}, params, networks, torch.Generator())
        with torch.no_grad():
            return float(total(turned)[1]["style"])

    assert distance(loss) < 1e-5 < 0.01 < distance(replace(loss, views=None))


@pytest.mark.parametrize(
    ("text", "found"),
    [("", {}), ("relu1_1", {"relu1_1": 1.0}), (" a=2 ,b, c=0.5,", {"a": 2.0, "b": 1.0, "c": 0.5}), ("a=0", {"a": 0.0})],
)
def test_shares_are_read(text, found):
    assert shares(text, "layers") == found


@pytest.mark.parametrize("text", ["a=x", "a=-1", "b, a=nan", "a=inf"])
def test_shares_that_are_no_numbers_are_refused(text):
    with pytest.raises(ValueError, match=r"^In layers, the share of a is [^ ]+; give a number of at least 0\.$"):
        shares(text, "layers")


def test_average_pooling_is_another_network_and_where_there_is_none_it_is_said():
    paper, compact = make_networks(paper=True), make_networks()
    own, mean = (paper.perceptual(CONTENT, ["relu2_1"], pooling)["relu2_1"] for pooling in ("own", "average"))
    pooled = F.avg_pool2d(paper.perceptual(CONTENT, ["relu1_2"])["relu1_2"], 2, ceil_mode=True)
    torch.testing.assert_close(mean, paper.encoder.conv2_1(pooled).relu())
    assert not torch.allclose(own, mean)
    one, other = (go(paper, steps=2, pooling=pooling)[-1] for pooling in ("own", "average"))
    assert not torch.equal(one.image, other.image) and "pooling" not in other.used
    (step,) = go(compact, steps=1, pooling="average")
    assert step.used.endswith("tiny uses strides, so its pooling can't be changed.")


def test_the_paper_compares_at_five_layers_and_holds_on_at_the_deeper_fourth():
    torch.manual_seed(0)
    networks = Networks("deep", {"encoder": Encoder((*WIDTHS, 10), "relu5_1")})
    params = OptimizationParams(**{**gatys.PAPER, "steps": 1})
    (step,) = gatys.METHOD.run(CONTENT, [Style(STYLE)], params, networks)
    layers = "relu1_1, relu2_1, relu3_1, relu4_1, relu5_1"
    assert step.used == f"Optimizes through deep; compares content at relu4_2; compares styles at {layers}."
    (less,) = gatys.METHOD.run(CONTENT, [Style(STYLE)], params, make_networks())
    assert "compares content at relu4_1" in less.used and "tiny has no relu5_1" in less.used


def test_layers_that_the_networks_lack_are_left_out_or_refused():
    (step,) = go(layers="relu2_1, relu5_1=3", steps=1)
    assert (
        step.used
        == "Optimizes through tiny; compares content at relu4_1; compares styles at relu2_1; tiny has no relu5_1."
    )
    with pytest.raises(ValueError, match=r"^tiny has none of the layers relu5_1; it has relu1_1, relu2_1, relu3_1, re"):
        go(layers="relu5_1", steps=1)


@pytest.mark.parametrize(("photo", "painting"), [((16, 16), (64, 48)), ((64, 48), (40, 16))])
def test_pictures_smaller_than_a_patch_are_refused(photo, painting):
    content, style = (images.to_tensor(picture(*size, 1)) for size in (photo, painting))
    size = "2x2" if photo == (16, 16) else "5x2"
    with pytest.raises(ValueError, match=f"^A picture's features have {size} pixels here, fewer than a patch of 3x3; "):
        next(mrf.METHOD.run(content, [Style(style)], mrf.MRFParams(), make_networks()))


def test_the_picture_is_seen_at_each_place_of_the_grid_in_turns(monkeypatch):
    networks = make_networks()
    seen = spy(monkeypatch, networks)
    image = CONTENT.flip(3)
    total = minimized(OptimizationParams(), GRAM, networks, shifts=8)
    del seen[:]  # photograph and painting
    with torch.no_grad():
        first = [total(image)[1] for _ in range(8)]
        pictures = [each for each in seen if each.shape == image.shape or each[..., -1, -1].equal(image[..., -1, -1])]
        assert len(seen) == 8 + 7  # at each place but the first the photograph, too, once
        places = [(each.shape[2] - 36, each.shape[3] - 40) for each in pictures]
        again = [total(image)[1] for _ in range(8)]
    assert len(seen) == 8 + 7 + 8
    assert places == [(0, 0), (5, 3), (2, 6), (7, 1), (4, 4), (1, 7), (6, 2), (3, 5)]  # no row or column twice
    for each, (down, right) in zip(pictures, places, strict=True):
        assert torch.equal(each[..., down:, right:], image)
        assert torch.equal(each[..., down:, :right], image[..., 1 : right + 1].flip(3))
    assert [one["total"] for one in first] == [one["total"] for one in again]
    assert len({float(one["style"]) for one in first}) == 8


def test_the_content_target_is_shifted_with_the_picture():
    networks = make_networks()
    total = minimized(OptimizationParams(), GRAM, networks, shifts=8)
    with torch.no_grad():
        assert [float(total(CONTENT)[1]["content"]) for _ in range(8)] == [0] * 8


@pytest.mark.parametrize(("optimizer", "pixels"), [("adam", 8), ("lbfgs", 1)])
def test_shifts_reveal_detail_between_the_strides(optimizer, pixels, monkeypatch):
    """A network that sees every eighth pixel of each row and column: at eight places it is eight times as many."""
    networks = make_networks()
    monkeypatch.setattr(networks, "perceptual", lambda image, layers, _: dict.fromkeys(layers, image[..., ::8, ::8]))
    weights = {"content_weight": 1.0, "style_weight": 0.0, "tv_weight": 0.0, "pyramid": 1, "average": 0.0}
    image = go(networks, steps=8, optimizer=optimizer, start_with=1 - CONTENT, **weights)[-1].image
    changed = (image != 1 - CONTENT).any(1)[0]
    assert changed[8:32, 8:32].sum() == pixels * 9  # away from what the border mirrors
