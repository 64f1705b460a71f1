"""Style losses against values by hand and independent oracles."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from adain_core import losses
from adain_core.losses import coral, gram, histogram, mmd, mrf
from adain_core.losses.total_variation import total_variation

ALL = losses.find()


def features(seed, channels=4, height=6, width=5):
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name, style):
    return ALL[name].make(style, torch.Generator().manual_seed(0))


def test_all_are_found():
    assert sorted(ALL) == ["coral", "gram", "histogram", "mean_std", "mmd", "mrf"]


@pytest.mark.parametrize("name", sorted(ALL))
class TestContract:
    def test_nothing_for_the_style_itself_and_more_farther_away(self, name):
        style = features(1)
        loss = made(name, style)
        near, far = (float(loss(style + step * features(2))) for step in (0.1, 1))
        assert float(loss(style)) == pytest.approx(0, abs=1e-9) and 0 < near < far

    def test_gradients_are_right(self, name):
        """Where the target doesn't move with the features, as the matches of histogram and mrf do at a swap."""
        loss = made(name, features(1))
        x = (features(1) + 0.01 * features(2)).requires_grad_()
        assert torch.autograd.gradcheck(loss, x, eps=1e-7, atol=1e-5)

    def test_a_descent_reaches_the_style(self, name):
        style, x = features(1), features(3).requires_grad_()
        loss, optimizer = made(name, style), torch.optim.Adam([x], 0.05)
        start = float(loss(x).detach())
        for _ in range(200):
            optimizer.zero_grad()
            value = loss(x)
            value.backward()
            optimizer.step()
        assert float(value.detach()) < (0.5 if name == "mrf" else 0.25) * start  # a patch has few to choose from

    def test_sizes_may_differ(self, name):
        assert float(made(name, features(1, height=9, width=4))(features(2))) > 0

    def test_it_says_what_it_is(self, name):
        loss = ALL[name]
        assert loss.name == name and loss.title and loss.paper and loss.summary.endswith(".") and loss.layers


@pytest.mark.parametrize("name", ["gram", "mean_std", "coral", "mmd", "histogram"])
def test_the_order_of_pixels_does_not_matter(name):
    loss, x = made(name, features(1)), features(2)
    shuffled = x.flatten(2)[..., torch.randperm(30)].view_as(x)
    assert float(loss(shuffled)) == pytest.approx(float(loss(x)))


def test_linear_mmd_is_the_distance_of_means_and_the_polynomial_one_is_gram():
    x, s = features(1, height=3), features(2, height=7)
    rows = [each[0].flatten(1).T for each in (x, s)]
    means = (rows[0].mean(0) - rows[1].mean(0)).square().sum()
    torch.testing.assert_close(mmd.discrepancy(*rows, mmd.linear), means)
    expected = 16 * gram.gram(gram.gram_matrix(x), gram.gram_matrix(s))[0]  # a sum in place of a mean
    torch.testing.assert_close(mmd.discrepancy(*rows, mmd.polynomial), expected)


def test_gaussian_mmd_by_hand():
    x, s = torch.tensor([[0.0], [2.0]]), torch.tensor([[0.0]])
    e = 2.718281828459045**-1  # |2 - 0|^2 / (2 * 2)
    expected = (2 + 2 * e) / 4 + 1 - 2 * (1 + e) / 2
    assert float(mmd.discrepancy(x, s, mmd.gaussian(2.0))) == pytest.approx(expected)


def test_mmd_takes_a_sample_of_large_features():
    generator = torch.Generator().manual_seed(0)
    large = features(1, height=64, width=64)
    found = mmd.points(large, generator)
    assert found.shape == (1024, 4)
    known = {tuple(each.tolist()) for each in large[0].flatten(1).T}
    drawn = {tuple(each.tolist()) for each in found}
    assert drawn <= known and len(drawn) == 1024
    assert mmd.points(features(1), generator).shape == (30, 4)


def test_coral_ignores_means_and_rotating_both():
    x, s = features(1), features(2)
    loss = float(made("coral", s)(x))
    assert float(made("coral", s)(x + 7)) == pytest.approx(loss)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))
    x, s = (torch.einsum("dc,nchw->ndhw", turn, each) for each in (x, s))
    assert float(made("coral", s)(x)) == pytest.approx(loss)
    torch.testing.assert_close(coral.covariance(x), torch.cov(x[0].flatten(1), correction=0))


def test_coral_by_hand():
    x = torch.tensor([1.0, -1.0, 2.0, 2.0]).view(1, 2, 1, 2)  # variances 1 and 0
    s = torch.zeros(1, 2, 1, 3)
    assert float(made("coral", s)(x)) == 1 / 16


@given(st.integers(0, 50))
def test_a_remapped_histogram_is_the_styles(seed):
    x, s = features(seed), features(seed + 100)
    torch.testing.assert_close(histogram.remap(x, s).flatten(2).sort().values, s.flatten(2).sort().values)


def test_the_histogram_loss_by_hand():
    x, s = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2), torch.tensor([5.0, 2.0]).view(1, 1, 1, 2)
    assert float(made("histogram", s)(x)) == (2**2 + 1**2) / 2


def test_mrf_finds_planted_patches():
    style, x = features(1, height=9, width=9), 0.01 * features(2, height=3, width=8)
    style[..., 6:9, 0:3] *= 50  # a long patch must not draw the others
    x[..., 0:3] += 3 * style[..., 4:7, 5:8]  # longer, but in the same direction
    x[..., 5:8] += style[..., 0:3, 2:5]
    chosen = mrf.nearest(mrf.patches(x), mrf.patches(style))
    assert chosen[0] == 4 * 7 + 5 and chosen[5] == 0 * 7 + 2
    whole, mrf.CHUNK = mrf.CHUNK, 60
    try:
        assert torch.equal(mrf.nearest(mrf.patches(x), mrf.patches(style)), chosen)
    finally:
        mrf.CHUNK = whole


def test_mrf_refuses_what_is_smaller_than_a_patch():
    with pytest.raises(ValueError, match="have 5x2 pixels here, fewer than a patch of 3x3; choose a larger picture"):
        made("mrf", features(1, height=2))


def test_total_variation_of_a_checkerboard_and_of_a_ramp():
    board = (torch.arange(6)[:, None] + torch.arange(4)).remainder(2).float().expand(2, 3, 6, 4)
    assert total_variation(board).tolist() == [2, 2]
    ramp = torch.arange(5.0).expand(1, 1, 3, 5)
    assert total_variation(ramp).tolist() == [1]
