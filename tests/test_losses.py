"""Style losses against values by hand and independent oracles."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from adain_core import losses
from adain_core.losses import adversarial, coral, gram, histogram, mean_std, mmd, mrf
from adain_core.losses.total_variation import total_variation

ALL = losses.find()


def features(seed, channels=4, height=6, width=5):
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def made(name, style, reduction="mean"):
    return ALL[name].make(style, torch.Generator().manual_seed(0), reduction)


def test_all_are_found():
    kinds = ["mmd", "mmd_linear", "mmd_polynomial", "mrf"]
    assert sorted(ALL) == ["adversarial", "coral", "gram", "histogram", "mean_std", *kinds]


@pytest.mark.parametrize("name", sorted(set(ALL) - {"adversarial"}))  # whose target learns
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


@pytest.mark.parametrize("name", sorted(ALL))
def test_it_describes_itself(name):
    loss = ALL[name]
    assert loss.name == name and loss.title and loss.paper and loss.summary.endswith(".") and loss.layers


@pytest.mark.parametrize(
    ("name", "entries"), [("coral", 16), ("gram", 0.25), ("mean_std", 4), ("histogram", 120), ("mrf", 216), ("mmd", 1)]
)
def test_a_sum_is_the_mean_times_the_entries(name, entries):
    """Gram's sum is the paper's E, a quarter of the mean; a patch has 36 numbers, and there are 6; MMD has no sum."""
    mean, total = (float(made(name, features(1), reduction)(features(2))) for reduction in ("mean", "sum"))
    assert total == pytest.approx(entries * mean)


def test_gram_and_its_gradient_against_autograd():
    x, weights = features(1, height=7).requires_grad_(), features(3, channels=1, height=4, width=4)[0]
    assert torch.autograd.gradcheck(gram.gram_matrix, x)
    rows = x.flatten(2)
    plain = (rows @ rows.mT / 35 * weights).sum()
    (expected,) = torch.autograd.grad(plain, x)
    (found,) = torch.autograd.grad((gram.gram_matrix(x) * weights).sum(), x)
    torch.testing.assert_close(found, expected)


def test_a_pixel_of_gram_by_hand():
    x, s = torch.tensor([1.0, 2.0]).view(1, 2, 1, 1), torch.tensor([1.0, 0.0]).view(1, 2, 1, 1)
    assert float(made("gram", s)(x)) == (0 + 2 * 2**2 + 4**2) / 4


def test_mean_and_deviation_by_hand():
    x, s = torch.tensor([0.0, 4.0]).view(1, 1, 1, 2), torch.tensor([1.0, 1.0]).view(1, 1, 1, 2)
    assert float(made("mean_std", s)(x)) == pytest.approx(1 + (2 - mean_std.statistics(s).std.item()) ** 2, rel=1e-4)


class TestAdversarial:
    def test_it_learns_to_tell_and_the_image_learns_to_pass(self, monkeypatch):
        """While the image stands still its loss rises; an image that follows the gradient takes on the style."""
        style = 0.2 * features(1, height=16, width=16).float() + torch.tensor([2.0, 0, 0, -2]).view(1, 4, 1, 1)
        style[..., ::2] += 1.5  # stripes
        x = features(2, height=16, width=16).float()
        monkeypatch.setattr(adversarial, "FIRST", 0)
        loss = made("adversarial", style)
        values = [float(loss(x)) for _ in range(30)]
        assert values[-1] > values[0] + 0.2 and values[-1] > 1.2  # above 1 it is told from the style
        moving, fresh = x.clone().requires_grad_(), made("adversarial", style)
        optimizer = torch.optim.Adam([moving], 0.05)
        for _ in range(150):
            optimizer.zero_grad()
            fresh(moving).backward()
            optimizer.step()
        gap = (moving.detach() - style).mean((2, 3)).abs().max()
        assert gap < 0.5 * (x - style).mean((2, 3)).abs().max()

    def test_same_seed_same_loss_and_gradients_reach_the_image_alone(self):
        style, x = features(1, height=8, width=8).float(), features(2, height=8, width=8).float().requires_grad_()
        one, other = (made("adversarial", style)(x) for _ in range(2))
        assert torch.equal(one, other)
        other.backward()
        assert x.grad.abs().max() > 0

    def test_spectral_norms_are_kept(self):
        network = adversarial.discriminator(3, torch.Generator().manual_seed(0)).eval()
        for each in (network[0], network[2], network[4]):
            assert torch.linalg.matrix_norm(each.weight.flatten(1), 2) < 1.3


@pytest.mark.parametrize("name", ["gram", "mean_std", "coral", "mmd", "mmd_linear", "mmd_polynomial", "histogram"])
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


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_mrf_is_the_distance_of_patches_laid_out(reduction):
    x, style = features(1, height=7, width=9), features(2, height=9)
    own, goal = mrf.patches(x, stride=2), mrf.patches(style, stride=2)
    chosen = goal[torch.cosine_similarity(own[:, None], goal[None], dim=2).argmax(1)]
    expected = torch.nn.functional.mse_loss(own, chosen, reduction=reduction)
    torch.testing.assert_close(made("mrf", style, reduction)(x), expected)


def test_mrf_reaches_the_last_row_and_column():
    x = features(1, height=6, width=8).requires_grad_()
    made("mrf", features(2))(x).backward()
    assert x.grad.abs().amin((0, 1)).min() > 0


@pytest.mark.parametrize("kind", range(len(mrf.TRANSFORMS)))
def test_mrf_finds_planted_patches_that_are_turned_and_scaled(kind, monkeypatch):
    """Pixels stand in for features; a piece of the style, transformed, is there again, and nowhere without views."""
    monkeypatch.setattr(mrf, "MOST", 2**20)
    style = features(1, channels=3, height=48, width=40).sigmoid()
    style = torch.nn.functional.avg_pool2d(style, 3, 1, 1)
    piece = mrf.view(style, *mrf.TRANSFORMS[kind])[..., 4:13, 6:17]
    alone, along = made("mrf", style), ALL["mrf"].make(style, torch.Generator(), "mean", ALL["mrf"].views(style))
    assert float(along(piece)) < 1e-9 < 1e-4 < float(alone(piece))


def test_a_view_is_turned_about_the_middle_and_has_no_border():
    """A ramp along x, turned, is a ramp along the turned axis; twice as large, it is half as steep."""
    ramp = torch.linspace(0, 1, 60, dtype=torch.float64).expand(1, 3, 40, 60)
    for scale, angle in ((1.0, 0.3), (2.0, -0.2)):
        found = mrf.view(ramp, scale, angle)[0, 0]
        down, across = torch.gradient(found)
        for slope, part in ((across, np.cos(angle)), (down, -np.sin(angle))):
            inner, expected = slope[3:-3, 3:-3], part / 59 / scale
            assert float(inner.mean()) == pytest.approx(expected, rel=0.03)
            assert float((inner - expected).abs().max()) < 0.1 / 59 / scale  # cubic interpolation
        assert found.mean() == pytest.approx(0.5, abs=1e-3)
        assert found.shape[1] / found.shape[0] == pytest.approx(1.5, rel=0.03)


def test_mrf_keeps_a_bounded_number_of_patches_of_every_view(monkeypatch):
    monkeypatch.setattr(mrf, "MOST", 200)
    style = features(1, height=64, width=64)
    kept = mrf.pool(style, [style + 100 * n for n in range(1, 21)])
    numbers = (kept.mean(1) / 100).round()
    assert 150 < len(kept) <= 200 and 80 <= int((numbers == 0).sum()) <= 100
    assert all(int((numbers == n).sum()) >= 3 for n in range(1, 21))
    small = features(2, height=2)
    assert torch.equal(mrf.pool(style, [small]), mrf.pool(style))  # no patch fits in


def test_mrf_refuses_features_smaller_than_a_patch():
    with pytest.raises(ValueError, match="have 5x2 pixels here, fewer than a patch of 3x3; choose a larger picture"):
        made("mrf", features(1, height=2))
    with pytest.raises(ValueError, match="have 2x6 pixels here, fewer than a patch of 3x3; choose a larger picture"):
        made("mrf", features(1))(features(2, width=2))


class Largest(TorchDispatchMode):
    """Holds the most numbers of a tensor that torch makes meanwhile."""

    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # noqa: ARG002
        found = func(*args, **(kwargs or {}))
        for each in found if isinstance(found, (tuple, list)) else [found]:
            if isinstance(each, torch.Tensor):
                self.numbers = max(self.numbers, each.untyped_storage().nbytes() // each.element_size())
        return found


@pytest.mark.parametrize("name", ["mmd", "mmd_linear", "mmd_polynomial", "mrf"])
def test_memory_is_bounded(name, monkeypatch):
    """Of 64x64 features all pairs of pixels are 16.8 million, and of their patches 1 million."""
    monkeypatch.setattr(mrf, "CHUNK", 64)
    x, style = (features(seed, height=64, width=64).float().requires_grad_(seed == 2) for seed in (2, 1))
    with Largest() as largest:
        made(name, style)(x).backward()
    assert largest.numbers <= (2**17 if name == "mrf" else 1.5 * 2**20) and x.grad.isfinite().all()


def test_total_variation_of_a_checkerboard_and_of_a_ramp():
    board = (torch.arange(6)[:, None] + torch.arange(4)).remainder(2).float().expand(2, 3, 6, 4)
    assert total_variation(board).tolist() == [2, 2]
    ramp = torch.arange(5.0).expand(1, 1, 3, 5)
    assert total_variation(ramp).tolist() == [1]
