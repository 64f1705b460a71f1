from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from adain_core.controls.color import color_shift
from adain_core.evaluation.meter import Meter
from adain_core.evaluation.metrics import lattice
from adain_core.images.metrics import difference, heat, ssim
from adain_core.losses.lattice import PERIODS, frequencies


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


def by_formula() -> tuple[np.ndarray, np.ndarray]:
    """Two pictures of 56x40 pixels that anyone can make again."""
    y, x = np.mgrid[0:40, 0:56]
    one = np.stack([(3 * x + 2 * y) % 256, (x * y) % 256, (5 * x + 160 - 4 * y) % 256], -1)
    other = np.stack([(3 * x + 2 * y + 20) % 256, (x * y + 7 * x) % 256, (5 * x + 130 - 3 * y) % 256], -1)
    return one.astype(np.uint8), other.astype(np.uint8)


def test_ssim_as_scikit_image_and_torchmetrics_have_it():
    """skimage 0.26.0: structural_similarity(gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
    data_range=1.0, channel_axis=-1); torchmetrics 1.9.0: its map without the border of 5 pixels, averaged.
    """
    one, other = (torch.from_numpy(x / 255.0).permute(2, 0, 1)[None] for x in by_formula())
    assert float(ssim(one, other)) == pytest.approx(0.6120213636863666, abs=1e-9)
    assert float(ssim(one, other)) == pytest.approx(0.6120213636863727, abs=1e-9)


def test_color_differences_as_colour_science_has_them():
    """colour-science 0.4.7: sRGB_to_XYZ, XYZ_to_Lab under D65, delta_E of CIE 1976."""
    one, other = map(Image.fromarray, by_formula())
    found = difference(one, other)
    assert found.shape == (40, 56)
    assert found.mean() == pytest.approx(59.7059707147, rel=3e-3)
    known = {(0, 0): 14.8553447131, (20, 30): 22.3548820859, (39, 55): 132.464114485}
    for place, expected in known.items():
        assert found[place] == pytest.approx(expected, rel=1e-2)
    assert color_shift(one, other) == pytest.approx(59.7059707147, rel=3e-3)


def test_heat_goes_from_black_to_pale_yellow():
    shown = heat(np.array([[-1.0, 0.0, 1.0, 2.0, 9.0]], np.float32), 2.0)
    levels = np.asarray(shown.convert("L"), int)[0]
    assert shown.size == (5, 1) and levels[0] == levels[1] < 10 < levels[2] < 200 < levels[3] == levels[4]
    red, _, blue = shown.getpixel((2, 0))
    assert red > blue


def test_a_meter_adds_up_and_sees_the_peak(monkeypatch):
    meter = Meter()
    with meter():
        held = bytearray(64 * 2**20)
        held[:: 2**12] = bytes(len(held) // 2**12)
    assert 60 * 2**20 < meter.bytes < 100 * 2**20
    del held
    monkeypatch.setattr(
        "adain_core.evaluation.meter.time", SimpleNamespace(perf_counter=iter([1.0, 3.0, 10.0, 10.5]).__next__)
    )
    meter = Meter()
    for _ in range(2):
        with meter():
            pass
    assert meter.seconds == 2.5 and meter.bytes < 8 * 2**20


def test_a_meter_counts_failed_work(monkeypatch):
    monkeypatch.setattr("adain_core.evaluation.meter.time", SimpleNamespace(perf_counter=iter([1.0, 4.0]).__next__))
    meter = Meter()
    with pytest.raises(ValueError), meter():
        raise ValueError
    assert meter.seconds == 3.0


def test_frequencies_of_lattices_by_hand():
    assert frequencies(2) == [(0, 1), (1, 0), (1, 1)]
    assert frequencies(4) == [(0, 1), (1, 0), (1, 1), (1, 2), (1, 3), (2, 1)]
    every = {pair for period in PERIODS for pair in frequencies(period)}
    assert len(frequencies(8)) == 24 and len(every) >= 24  # half of 64 - 16


def test_noise_and_flat_images_have_no_lattice():
    torch.manual_seed(0)
    found = lattice(torch.rand(24, 3, 96, 104))
    for period in PERIODS:
        assert float(found[period].mean()) == pytest.approx(1.44, abs=0.25)  # an exponential's mean over its median
    assert all(float(value) == 0 for value in lattice(torch.full((1, 3, 64, 64), 0.3)).values())


@pytest.mark.parametrize("period", PERIODS)
def test_a_lattice_by_hand(period):
    """A cosine of one frequency on white noise: energy (a sum w / 2)^2, twice that at the Nyquist frequency."""
    torch.manual_seed(0)
    side, amplitude, deviation = 256, 0.03, 0.05
    wave = amplitude * torch.cos(2 * torch.pi * torch.arange(side) / period)
    image = 0.5 + wave + deviation * torch.randn(6, 1, side, side)
    found = lattice(image.expand(-1, 3, -1, -1))
    window = torch.hann_window(side)
    peak = (amplitude * window.sum() ** 2 / (1 if period == 2 else 2)) ** 2
    noise = (deviation * window.square().sum()) ** 2
    expected = float(peak / noise / np.log(2)) / len(frequencies(period))
    assert float(found[period].mean()) == pytest.approx(expected, rel=0.25) and expected > 10
    assert all(float(found[other].mean()) < 2.5 for other in PERIODS if other != period)


def test_a_lattice_needs_room():
    with pytest.raises(ValueError, match="at least 64 x 64 pixels, not 63 x 80"):
        lattice(torch.rand(1, 3, 80, 63))
