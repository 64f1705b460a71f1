"""Halos and marks, on pictures whose figures are known by hand."""

import math

import numpy as np
import pytest
from PIL import Image

from adain_core.evaluation.artifacts import halo, luminance, marks, top_octave

SIDE = 256
X, Y = np.meshgrid(np.arange(SIDE) - 127.5, np.arange(SIDE) - 127.5)
DISTANCES = {"upright": X, "slanted": 0.6 * X + 0.8 * Y, "round": np.hypot(X, Y) - 70}


def gray(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(255 * values.clip(0, 1)).astype(np.uint8)).convert("RGB")


def edge(distance: np.ndarray, low: float, high: float, bright: float = 0.0, dark: float = 0.0) -> np.ndarray:
    """A soft step, and halos of a pixel's width or so, 5 pixels from it, as shares of the step."""
    step = 1 / (1 + np.exp(-2 * distance))
    step = step + bright * np.exp(-((distance - 5) ** 2) / 6) - dark * np.exp(-((distance + 5) ** 2) / 6)
    return low + (high - low) * step


@pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)
def test_overshoot_of_a_tenth_of_the_step(distance):
    photo = gray(edge(distance, 0.3, 0.7))
    assert halo(photo, photo) == (0, 0)
    assert halo(photo, gray(edge(distance, 0.3, 0.7, 0.1, 0.1))) == pytest.approx((0.1, 0.1), abs=0.012)
    assert halo(photo, gray(edge(distance, 0.3, 0.7, bright=0.2))) == pytest.approx((0.2, 0), abs=0.015)
    assert halo(photo, gray(edge(distance, 0.3, 0.7, dark=0.2))) == pytest.approx((0, 0.2), abs=0.015)
    assert halo(photo, gray(edge(distance, 0.2, 0.8, 0.1))) == pytest.approx((0.15, 0), abs=0.015)  # of the photograph


def test_a_halo_counts_where_bright_turns_dark_and_the_photographs_own_does_not():
    photo = gray(edge(X, 0.3, 0.7))
    turned = gray(edge(-X, 0.3, 0.7, 0.2, 0.1))
    assert halo(photo, turned) == pytest.approx((0.2, 0.1), abs=0.015)
    own = gray(edge(X, 0.3, 0.7, 0.1, 0.1))
    assert halo(own, gray(edge(X, 0.3, 0.7, 0.3, 0.1))) == pytest.approx((0.2, 0), abs=0.015)


def test_brush_strokes_are_no_halo():
    strokes = np.random.default_rng(0).normal(0, 0.05, (SIDE, SIDE))
    found = halo(gray(edge(X, 0.3, 0.7)), gray(edge(X, 0.3, 0.7) + strokes))
    assert max(np.abs(found)) < 0.03


@pytest.mark.parametrize("values", [np.full((SIDE, SIDE), 0.5), edge(X, 0.45, 0.55), 0.5 + 0.3 * np.sin(X)])
def test_no_halo_without_strong_edges_between_plain_areas(values):
    assert all(map(math.isnan, halo(gray(values), gray(edge(X, 0.3, 0.7)))))


def test_a_checkerboards_energy_is_its_amplitude_squared():
    board = 0.1 * (-1.0) ** (X + Y - 1)
    plain = np.full((SIDE, SIDE), 0.5)
    assert marks(gray(plain), gray(plain)) == 0
    assert marks(gray(plain), gray(plain + board)) == pytest.approx(0.01, rel=0.03)


def test_marks_outside_flat_areas_do_not_count():
    photo = np.where(X < 0, 0.5, 0.5 + 0.2 * np.sin(X + Y))
    board = 0.1 * (-1.0) ** (X + Y - 1)
    assert marks(gray(photo), gray(np.where(X > 10, 0.5 + board, 0.5))) < 1e-5
    assert marks(gray(photo), gray(np.where(X < 10, 0.5 + board, 0.5))) == pytest.approx(0.01, rel=0.03)
    assert math.isnan(marks(gray(0.5 + 0.2 * np.sin(X + Y)), gray(photo)))


def test_the_top_octave_is_that_of_short_periods():
    waves = {period: 0.5 + 0.2 * np.sin(2 * np.pi * X / period) for period in (2.5, 3, 6, 8, 16)}
    energy = {period: np.square(top_octave(np.float32(wave))).mean() / 0.02 for period, wave in waves.items()}
    assert energy[2.5] > 0.9 and energy[3] > 0.7 and max(energy[6], energy[8], energy[16]) < 0.02


def test_luminance_has_the_weights_of_bt_601():
    colors = Image.new("RGB", (2, 2), (255, 0, 0)), Image.new("RGB", (2, 2), (0, 255, 0))
    assert [float(luminance(each)[0, 0]) for each in colors] == pytest.approx([0.299, 0.587])
