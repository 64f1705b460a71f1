import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from adain_core import normalization
from adain_core.normalization import adain, statistics


def features(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_statistics_by_hand():
    x = torch.tensor([[[[1.0, 3.0], [5.0, 7.0]]]])  # mean 4, squared distances 9 1 1 9: variance 20 / 4
    mean, std = statistics(x, eps=0.0)
    assert mean.item() == 4
    assert std.item() == pytest.approx(5**0.5)
    assert statistics(x, eps=4.0).std.item() == 3  # sqrt(5 + 4): eps stands inside the root


def test_adain_by_hand():
    content = torch.tensor([[[[0.0, 2.0]]]])  # mean 1, std 1
    style = torch.tensor([[[[10.0], [16.0]]]])  # mean 13, std 3
    assert adain(content, style, eps=0.0).flatten().tolist() == [10.0, 16.0]
    assert adain(content, style.flip(2) * 2, eps=0.0).flatten().tolist() == [20.0, 32.0]


def test_statistics_of_half_precision_are_those_of_the_same_numbers_in_float64(monkeypatch):
    monkeypatch.setattr(normalization, "NUMBERS", 200)
    x = (features(2, 3, 13, 11) * torch.tensor([0.1, 1, 20]).view(3, 1, 1) - 30).to(torch.bfloat16)
    found, expected = statistics(x), statistics(x.double())
    torch.testing.assert_close(found.mean.double(), expected.mean, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(found.std.double(), expected.std, rtol=1e-5, atol=1e-6)
    assert {each.dtype for each in found} == {torch.float32}


@pytest.mark.parametrize("channels_last", [False, True])
def test_half_precision_part_by_part_is_float32_rounded_once(monkeypatch, channels_last):
    """Features in bfloat16, and a tile of them, which does not lie in one piece."""
    monkeypatch.setattr(normalization, "NUMBERS", 70)
    x = features(2, 3, 13, 11).to(torch.bfloat16)
    x = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    for tile in (x, x[:, :, 2:9, 3:]):
        own, target = statistics(tile), statistics(features(2, 3, 5, 5, seed=1).float() * 3 + 7)
        found = normalization.restyle(tile, own, target)
        wide = tile.double()
        expected = target.std * (wide - own.mean) / own.std + target.mean
        assert found.dtype == torch.bfloat16 and found.shape == tile.shape
        torch.testing.assert_close(found.double(), expected.double(), rtol=2**-8, atol=1e-3)


def test_batch_norm_is_torchs():
    x, gamma, beta = features(3, 4, 5, 6), features(4, seed=1), features(4, seed=2)
    expected = F.batch_norm(x, None, None, gamma, beta, training=True, eps=1e-5)
    torch.testing.assert_close(normalization.batch_norm(x, gamma, beta), expected)


def test_instance_norm_is_torchs():
    x, gamma, beta = features(3, 4, 5, 6), features(4, seed=1), features(4, seed=2)
    expected = F.instance_norm(x, weight=gamma, bias=beta, eps=1e-5)
    torch.testing.assert_close(normalization.instance_norm(x, gamma, beta), expected)


def test_conditional_instance_norm_takes_each_samples_own_style():
    x, gamma, beta = features(2, 4, 5, 6), features(3, 4, seed=1), features(3, 4, seed=2)
    found = normalization.conditional_instance_norm(x, gamma, beta, torch.tensor([2, 0]))
    for sample, style in ((0, 2), (1, 0)):
        expected = F.instance_norm(x[sample : sample + 1], weight=gamma[style], bias=beta[style], eps=1e-5)
        torch.testing.assert_close(found[sample : sample + 1], expected)


sizes = st.integers(1, 9)


@given(sizes, sizes, sizes, sizes, st.integers(0, 1000))
def test_adain_gives_the_styles_statistics(height, width, style_height, style_width, seed):
    content, style = features(2, 3, height, width, seed=seed), features(1, 3, style_height, style_width, seed=seed + 1)
    found = adain(content, style)
    assert found.shape == content.shape
    assert found.isfinite().all()
    expected = style.flatten(2)
    torch.testing.assert_close(found.flatten(2).mean(-1), expected.mean(-1).expand(2, 3))
    if height * width > 3:
        spread = expected.var(-1, correction=0).sqrt().expand(2, 3)
        torch.testing.assert_close(found.flatten(2).var(-1, correction=0).sqrt(), spread, atol=5e-3, rtol=1e-2)


@given(sizes, sizes, st.floats(0.5, 4), st.floats(-3, 3))
def test_adain_ignores_scale_and_shift_of_the_content(height, width, scale, shift):
    content, style = features(1, 3, height, width), features(1, 3, 4, 4, seed=1)
    moved = adain(content * scale + shift, style, eps=1e-12)
    if height * width > 1:
        torch.testing.assert_close(moved, adain(content, style, eps=1e-12), atol=1e-6, rtol=1e-6)


def test_adain_of_itself_changes_nothing():
    x = features(2, 3, 7, 5)
    torch.testing.assert_close(adain(x, x), x)


def test_a_flat_channel_and_a_single_pixel_stay_finite():
    style = features(1, 3, 4, 4)
    for x in (torch.full((1, 3, 5, 5), 2.0, dtype=torch.float64), features(1, 3, 1, 1)):
        expected = style.mean((2, 3), keepdim=True).expand_as(x)
        torch.testing.assert_close(adain(x, style), expected)


def test_a_batch_equals_its_singles():
    content, style = features(3, 2, 6, 5), features(3, 2, 4, 4, seed=1)
    singles = [adain(content[n : n + 1], style[n : n + 1]) for n in range(3)]
    torch.testing.assert_close(adain(content, style), torch.cat(singles))


def test_gradients():
    content, style = features(1, 2, 3, 3).requires_grad_(), features(1, 2, 2, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(adain, (content, style))


def test_a_gpu_takes_features_whole():
    """A launch for every few rows cost more than it saved."""
    assert normalization._rows(torch.empty(2, 64, 512, 512, device="meta", dtype=torch.bfloat16)) == 512
    assert normalization._rows(torch.empty(2, 64, 512, 512, dtype=torch.bfloat16)) == 4
