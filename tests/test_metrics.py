import pytest
import torch
from torch import nn

from adain_core.metrics import ssim


def test_ssim_of_equal_flat_and_opposite_pictures_by_hand():
    x = torch.rand(2, 3, 20, 24)
    torch.testing.assert_close(ssim(x, x), torch.ones(2))
    one, other = (torch.full((1, 1, 16, 16), level, dtype=torch.float64) for level in (0.4, 0.6))
    c1 = 0.01**2  # no variance, so only the first factor differs from 1
    assert float(ssim(one, other)) == pytest.approx((2 * 0.24 + c1) / (0.16 + 0.36 + c1))
    assert ssim(x, 1 - x).max() < 0


def test_ssim_against_a_window_typed_out():
    """The formula of the paper at one window, in float64, with numpy's way of weighting."""
    torch.manual_seed(0)
    a, b = torch.rand(1, 1, 11, 11, dtype=torch.float64), torch.rand(1, 1, 11, 11, dtype=torch.float64)
    line = [2.718281828459045 ** (-((i - 5) ** 2) / 4.5) for i in range(11)]
    weights = torch.tensor([[p * q for p in line] for q in line], dtype=torch.float64)
    weights /= weights.sum()
    mean = [(weights * x[0, 0]).sum() for x in (a, b)]
    da, db = a[0, 0] - mean[0], b[0, 0] - mean[1]
    va, vb, cov = (weights * da * da).sum(), (weights * db * db).sum(), (weights * da * db).sum()
    expected = (2 * mean[0] * mean[1] + 1e-4) / (mean[0] ** 2 + mean[1] ** 2 + 1e-4)
    expected *= (2 * cov + 9e-4) / (va + vb + 9e-4)
    torch.testing.assert_close(ssim(a, b)[0], expected)


def test_ssim_falls_with_noise_and_passes_gradients():
    x = nn.functional.interpolate(torch.rand(1, 3, 6, 6), scale_factor=8, mode="bicubic").clamp(0, 1)
    noise = torch.randn_like(x)
    found = [float(ssim(x, x + level * noise)) for level in (0, 0.05, 0.1, 0.3)]
    assert found == sorted(found, reverse=True) and found[-1] < 0.5
    x.requires_grad_()
    ssim(x, x.detach() + 0.1 * noise).sum().backward()
    assert x.grad.abs().sum() > 0
