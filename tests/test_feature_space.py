"""Methods in the decoder's feature space: moments by numpy, order by sorting, edges."""

import numpy as np
import pytest
import torch
from conftest import make_networks, picture
from hypothesis import given
from hypothesis import strategies as st

from adain_core import images, run, stylize
from adain_core.contracts import Style
from adain_core.losses.mrf import patches
from adain_core.methods import adain, adamean, adastd, histogram_match, identity, style_swap, wct

X = torch.tensor([[1.0, 3.0], [0.0, 8.0]]).view(1, 2, 1, 2)
S = torch.tensor([[5.0, 5.0, 11.0], [2.0, 4.0, 6.0]]).view(1, 2, 1, 3)


def test_mean_alone_by_hand():
    assert adamean.shift(X, S).flatten().tolist() == [6, 8, 0, 8]


def test_standard_deviation_alone_by_hand():
    found = adastd.stretch(X, S).flatten().tolist()  # deviations 2.828 and 1.633 about 2 and 4
    assert found == pytest.approx([2 - 8**0.5, 2 + 8**0.5, 4 - (8 / 3) ** 0.5, 4 + (8 / 3) ** 0.5], abs=1e-4)


def test_the_two_halves_make_adain():
    x, s = torch.randn(2, 3, 6, 5), 2 + 3 * torch.randn(1, 3, 4, 7)
    from adain_core.normalization import adain as whole

    torch.testing.assert_close(adamean.shift(adastd.stretch(x, s), s), whole(x, s), atol=1e-4, rtol=1e-4)


def test_remapping_by_hand():
    x = torch.tensor([0.3, 0.1, 0.9, 0.5]).view(1, 1, 2, 2)
    s = torch.tensor([7.0, 5.0, 8.0, 6.0]).view(1, 1, 1, 4)
    assert histogram_match.remap(x, s).flatten().tolist() == [6, 5, 8, 7]
    wider = torch.tensor([0.0, 3.0]).view(1, 1, 1, 2)  # interpolated to 0 1 2 3
    assert histogram_match.remap(x, wider).flatten().tolist() == pytest.approx([1, 0, 3, 2])


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 99))
def test_remapping_takes_the_styles_values_and_keeps_the_order(height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    x, s = (torch.randn(2, 3, height, width, generator=generator) for _ in range(2))
    found = histogram_match.remap(x, s[:1])
    for n in range(2):
        torch.testing.assert_close(found[n].flatten(1).sort().values, s[0].flatten(1).sort().values)
    assert torch.equal(found.flatten(2).argsort(stable=True), x.flatten(2).argsort(stable=True))


def test_whitening_and_coloring_gives_mean_and_covariance():
    torch.manual_seed(0)
    mix = torch.randn(4, 4)
    x = torch.einsum("dc,nchw->ndhw", torch.randn(4, 4), torch.randn(2, 4, 9, 8)) + 3
    s = torch.einsum("dc,nchw->ndhw", mix, torch.randn(1, 4, 11, 7)) - 1
    found, goal = wct.recolor(x, s), s[0].flatten(1).double().numpy()
    for each in found.flatten(2).double().numpy():
        np.testing.assert_allclose(each.mean(1), goal.mean(1), atol=1e-4)
        np.testing.assert_allclose(np.cov(each, bias=True), np.cov(goal, bias=True), atol=1e-3, rtol=1e-3)


def test_whitening_and_coloring_to_itself_changes_nothing():
    x = torch.einsum("dc,nchw->ndhw", torch.randn(3, 3), torch.randn(1, 3, 9, 8))
    torch.testing.assert_close(wct.recolor(x, x), x, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (6, 5)])
def test_whitening_is_safe_where_features_dont_vary(size):
    flat, dead = torch.full((1, 4, *size), 2.0), torch.randn(1, 4, 5, 5)
    dead[:, 2:] = 0  # as after a ReLU
    for x, s in ((flat, dead), (dead, flat), (dead, dead), (flat, flat)):
        found = wct.recolor(x, s)
        assert found.isfinite().all() and found.abs().max() < 20
        torch.testing.assert_close(found.mean((2, 3)), s.mean((2, 3)), atol=1e-4, rtol=1e-4)


def test_identity_is_adain_at_strength_zero(photo, painting, tiny):
    (one,) = run(photo, [painting], networks=tiny, method="identity")
    (other,) = run(photo, [painting], networks=tiny, alpha=0.0)
    assert one.image.tobytes() == other.image.tobytes()
    assert one.record["reconstruction"] == other.record["reconstruction"]  # which test_pipeline.py measures


def test_swapping_a_picture_with_itself_changes_nothing():
    x = torch.randn(2, 5, 8, 7)
    torch.testing.assert_close(style_swap.swap(x[:1], x[:1]), x[:1])
    torch.testing.assert_close(style_swap.swap(x, x[:1])[:1], x[:1])


def test_swapping_by_hand():
    """Patches of one pixel: each takes the style's pixel of the nearest direction, whatever its length."""
    x = torch.tensor([[1.0, 0.1], [0.1, 9.0]]).view(1, 2, 1, 2)  # pixels (1, .1) and (.1, 9)
    style = torch.tensor([[5.0, 0.0, 3.0], [0.0, 2.0, 3.0]]).view(1, 2, 1, 3)  # (5, 0), (0, 2), (3, 3)
    assert style_swap.swap(x, style, size=1).flatten().tolist() == [5, 0, 0, 2]


def test_overlaps_are_averaged_and_uncovered_pixels_are_kept():
    style = torch.cat([torch.full((1, 1, 3, 3), 2.0), torch.full((1, 1, 3, 3), 6.0)], 3)
    style[..., 2:4] = torch.tensor([2.0, 6.0])
    x = torch.rand(1, 1, 3, 8) + 1
    found = style_swap.swap(x, style, size=3, stride=3)
    assert torch.equal(found[..., 6:], x[..., 6:]) and not torch.equal(found[..., :6], x[..., :6])
    assert style_swap.swap(x, style, size=3).min() >= 2 - 1e-6 and style_swap.swap(x, style, size=3).max() <= 6 + 1e-6
    assert style_swap.swap(x, style[..., :1, :1]).unique().tolist() == [2]  # a patch of one pixel


def normal(seed, channels=4, height=6, width=5):
    return torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_planted_patches_are_found():
    style, x = normal(1, height=9, width=9), 0.01 * normal(2, height=3, width=8)
    style[..., 6:9, 0:3] *= 50  # a long patch must not draw the others
    x[..., 0:3] += 3 * style[..., 4:7, 5:8]  # longer, but in the same direction
    x[..., 5:8] += style[..., 0:3, 2:5]
    chosen = style_swap.nearest(x, style)
    assert chosen[0] == 4 * 7 + 5 and chosen[5] == 0 * 7 + 2


@pytest.mark.parametrize("chunk", [1, 500, 2000, 2**24])
@pytest.mark.parametrize(("size", "stride"), [(1, 1), (2, 1), (3, 1), (3, 2), (5, 3)])
def test_matches_are_those_of_whole_patches(size, stride, chunk, monkeypatch):
    """The oracle lays every patch out, and normalizes it by torch's cosine."""
    monkeypatch.setattr(style_swap, "CHUNK", chunk)
    x, style = normal(1, height=11, width=14), normal(2, height=9, width=10)
    cosines = torch.cosine_similarity(patches(x, size, stride)[:, None], patches(style, size)[None], dim=2)
    assert torch.equal(style_swap.nearest(x, style, size, stride), cosines.argmax(1))


@pytest.mark.parametrize("method", [adamean, adastd, histogram_match, style_swap, wct])
def test_styles_are_mixed_by_their_weights_and_strength(method):
    content, one, other = (images.to_tensor(picture(40, 32, n)) for n in (1, 2, 3))
    networks, given = make_networks(), {}
    decode = networks.decode
    networks.decode = lambda features, size: (given.update(features), decode(features, size))[1]

    def features(styles, alpha=1.0):
        list(method.run(content, styles, method.METHOD.params(alpha=alpha), networks))
        return dict(given)

    singles = [features([Style(each)]) for each in (one, other)]
    mixed, half = features([Style(one, 0.25), Style(other, 0.75)]), features([Style(one)], 0.5)
    plain = networks.encode(content).features
    for layer in plain:
        expected = 0.25 * singles[0][layer] + 0.75 * singles[1][layer]
        torch.testing.assert_close(mixed[layer], expected, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(half[layer], (plain[layer] + singles[0][layer]) / 2, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(singles[0][layer], plain[layer], atol=1e-2)


def test_regions_are_for_methods_that_know_them(photo, painting, tiny):
    sentence = "Whitening and coloring (WCT) doesn't support regions, masks, or tiles; leave them out, or choose adain."
    with pytest.raises(ValueError) as error:
        stylize(photo, painting, networks=tiny, method="wct", mask=photo.convert("L"))
    assert str(error.value) == sentence
    assert adain.METHOD.spatial and not identity.METHOD.needs_style
