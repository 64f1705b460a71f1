"""Color controls: moments by numpy, Delta E by known colors, edges."""

import numpy as np
import pytest
import torch
from conftest import make_networks, picture
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from adain_core import run, stylize
from adain_core.controls import color

ROOTS = ("symmetric", "cholesky")


def cloud(seed, count=500):
    rng = np.random.default_rng(seed)
    mixed = rng.random((count, 3)) @ rng.uniform(-0.5, 1, (3, 3)) * 0.4 + 0.1 * rng.random((count, 3))
    return (mixed + 0.3).astype(np.float32)


@pytest.mark.parametrize("root", ROOTS)
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_matching_gives_mean_and_covariance(root, one, other):
    matched, target = color.match(cloud(one), cloud(other), root), cloud(other)
    np.testing.assert_allclose(matched.mean(0), target.mean(0), atol=1e-4)
    np.testing.assert_allclose(np.cov(matched.T), np.cov(target.T), atol=1e-4)


@pytest.mark.parametrize("root", ROOTS)
def test_matching_to_itself_changes_nothing(root):
    np.testing.assert_allclose(color.match(cloud(1), cloud(1), root), cloud(1), atol=1e-4)


def test_matching_by_hand():
    """Uncorrelated channels: each is scaled by the standard deviations' ratio, whatever the root."""
    corners = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], np.float32)
    own, target = 0.5 + 0.1 * corners, 0.4 + corners * np.float32([0.2, 0.1, 0.05])
    for root in ROOTS:
        np.testing.assert_allclose(color.match(own, target, root), target, atol=1e-5)


def test_the_roots_differ_where_channels_are_correlated():
    one, other = (color.match(cloud(1), cloud(2), root) for root in ROOTS)
    assert np.abs(one - other).max() > 0.01


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize("kind", ["flat", "grey", "nearly grey", "black", "one pixel"])
def test_matching_is_safe_where_colors_hardly_vary(root, kind):
    rng = np.random.default_rng(0)
    pixels = {
        "flat": np.full((50, 3), 0.3),
        "grey": np.repeat(rng.random((50, 1)), 3, axis=1),
        "nearly grey": np.repeat(rng.random((50, 1)), 3, axis=1) + rng.integers(-1, 2, (50, 3)) / 255,
        "black": np.zeros((50, 3)),
        "one pixel": np.array([[0.1, 0.5, 0.9]]),
    }[kind].astype(np.float32)
    target = cloud(3)
    matched = color.match(pixels, target, root)
    assert np.isfinite(matched).all()
    np.testing.assert_allclose(matched.mean(0), target.mean(0), atol=1e-3)
    assert (matched.std(0) <= target.std(0) + 1e-3).all()  # noise is not blown up
    back = color.match(target, pixels, root)
    np.testing.assert_allclose(back.mean(0), pixels.mean(0), atol=1e-3)
    np.testing.assert_allclose(back.std(0), pixels.std(0), atol=5e-3)


def test_histograms_match_level_by_level():
    rng = np.random.default_rng(1)
    own = rng.permutation(np.arange(256).repeat(3).reshape(-1, 1)).astype(np.float32)[:, [0, 0, 0]] / 255
    target = rng.choice([0, 51, 255], (30_000, 3), p=[0.5, 0.25, 0.25]).astype(np.float32) / 255
    matched = color.match_histogram(own, target)
    assert (np.diff(matched[np.argsort(own[:, 0]), 0]) >= 0).all()  # order is kept
    for share in (0.1, 0.3, 0.6, 0.9):
        assert np.quantile(matched[:, 1], share) == pytest.approx(np.quantile(target[:, 1], share), abs=0.2)
    np.testing.assert_allclose(color.match_histogram(target, target), target, atol=1 / 255)
    flat = color.match_histogram(np.full((9, 3), 0.5, np.float32), target)
    assert np.ptp(flat) < 0.2  # a flat picture stays flat


def test_delta_e_of_known_colors():
    """CIELAB of sRGB red, green and mid grey, after Lindbloom's calculator (D65)."""
    known = {"#ff0000": (53.24, 80.09, 67.20), "#00ff00": (87.73, -86.18, 83.18), "#777777": (50.03, 0, 0)}
    for one, lab in known.items():
        for other, goal in known.items():
            expected = np.linalg.norm(np.subtract(lab, goal))
            found = color.color_shift(Image.new("RGB", (20, 30), one), Image.new("RGB", (20, 30), other))
            assert found == pytest.approx(expected, abs=0.1)
    assert color.color_shift(Image.new("RGB", (9, 9)), Image.new("RGB", (9, 9), "white")) == pytest.approx(100, abs=0.1)


def test_lightness_from_tables_is_cielabs_and_its_grey_has_it():
    """OpenCV's conversion is the oracle, itself good to 0.2."""
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    known = color.cv2.cvtColor(np.asarray(image, np.float32) / 255, color.cv2.COLOR_RGB2Lab)[..., 0]
    np.testing.assert_allclose(color._lightness(image, slice(None)), known, atol=0.25)
    grey = color._gray(image)
    assert grey.getpixel((0, 0))[0] == grey.getpixel((0, 0))[2]
    np.testing.assert_allclose(color._lightness(grey, slice(None)), known, atol=0.6)  # of one level of 255
    ramp = Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2))
    assert np.array_equal(np.asarray(color._gray(ramp)), np.asarray(ramp))


def test_luminance_keeps_the_contents_chroma_and_the_stylized_lightness(photo):
    grey = picture(*photo.size, 9).convert("L").convert("RGB").point(lambda level: 100 + level // 5)
    params = color.ColorParams(color="luminance")
    soft = photo.point(lambda level: 100 + level // 5)  # so that no color leaves sRGB
    lab = np.asarray(color.finish(params, soft, grey).convert("RGB"), np.float32) / 255
    found, own, other = (
        color.cv2.cvtColor(each, color.cv2.COLOR_RGB2Lab)
        for each in (lab, *(np.asarray(each, np.float32) / 255 for each in (soft, grey)))
    )
    np.testing.assert_allclose(found[..., 0], other[..., 0], atol=1)
    np.testing.assert_allclose(found[..., 1:], own[..., 1:], atol=2)
    half = color.finish(color.ColorParams(color="luminance", color_strength=0), soft, grey)
    assert np.abs(np.asarray(half, int) - np.asarray(grey, int)).max() <= 1
    seen = np.asarray(color.prepare_content(params, photo))
    assert np.ptp(seen, axis=2).max() <= 1  # the networks see grey


def test_luminance_by_three_quarters_lies_between_the_colors_of_both_pictures(shipped_pair):
    """By CIELAB's mean a and b; networks that see a quarter of the colors give a quarter back."""

    def chroma(picture):
        lab = color.cv2.cvtColor(np.asarray(picture, np.float32) / 255, color.cv2.COLOR_RGB2Lab)
        return lab[..., 1:].mean((0, 1)), np.linalg.norm(lab[..., 1:], axis=-1).mean()

    photo = Image.open(shipped_pair[0]).convert("RGB").resize((256, 192))
    made = {x: stylize(photo, shipped_pair[1], color="luminance", color_strength=x) for x in (0.0, 0.75, 1.0)}
    (off, most), (found, between), (full, least) = (chroma(made[x]) for x in sorted(made))
    assert np.linalg.norm(found - (off + 3 * full) / 4) < 0.15 * np.linalg.norm(off - full)
    assert least < between < most


def test_luminance_gives_as_much_of_the_chroma_back_as_was_taken():
    content, grey = Image.new("RGB", (8, 8), (100, 150, 120)), Image.new("RGB", (8, 8), (128, 128, 128))

    def chroma(picture):
        return color.cv2.cvtColor(np.asarray(picture, np.float32) / 255, color.cv2.COLOR_RGB2Lab)[0, 0, 1:]

    for strength in (0.25, 0.5, 1.0):
        found = color.finish(color.ColorParams(color="luminance", color_strength=strength), content, grey)
        np.testing.assert_allclose(chroma(found), strength * chroma(content), atol=1)  # a level of 255


def test_luminance_of_flat_pictures_is_finite():
    flat, params = Image.new("RGB", (20, 20), "teal"), color.ColorParams(color="luminance")
    for style, content in ((flat, picture(20, 20, 1)), (picture(20, 20, 1), flat), (flat, flat)):
        seen = np.asarray(color.prepare_style(params, style, content))
        assert seen.mean() == pytest.approx(np.asarray(color.prepare_content(params, content)).mean(), abs=2)


def test_levels_are_rounded():
    assert color._eight(np.float32([0.499, 0.501, 1.2, -1, 0.4996])).tolist() == [127, 128, 255, 0, 127]


def test_luminance_gives_the_style_the_contents_lightness(photo, painting):
    seen = color.prepare_style(color.ColorParams(color="luminance"), painting, photo)
    found, goal = (np.asarray(color.prepare_content(color.ColorParams(color="luminance"), x)) for x in (seen, photo))
    assert found.mean() == pytest.approx(goal.mean(), abs=4) and found.std() == pytest.approx(goal.std(), abs=4)


def test_palette_gives_the_content_the_styles_moments_without_its_texture():
    soft = [picture(60, 50, n).point(lambda level: 90 + level // 4) for n in (1, 2)]
    found = color.repaint(color.ColorParams(color="palette"), *soft)
    one, goal = (np.asarray(each, float).reshape(-1, 3) for each in (found, soft[1]))
    np.testing.assert_allclose(one.mean(0), goal.mean(0), atol=1)
    np.testing.assert_allclose(np.cov(one.T), np.cov(goal.T), rtol=0.1, atol=15)
    same = color.repaint(color.ColorParams(color="palette", color_strength=0), *soft)
    assert np.asarray(same).tobytes() == np.asarray(soft[0]).tobytes()


def test_palettes_are_mixed_by_their_shares():
    content, one, other = (picture(30, 30, n).point(lambda level: 90 + level // 4) for n in (1, 2, 3))
    params = {"color": "palette", "networks": make_networks()}
    both = np.asarray(stylize(content, [one, other], weights=(1, 3), **params), float)
    singles = [np.asarray(stylize(content, each, **params), float) for each in (one, other)]
    np.testing.assert_allclose(both, 0.25 * singles[0] + 0.75 * singles[1], atol=2)


def test_strength_lies_between(photo, painting):
    found = [
        np.asarray(color.prepare_style(color.ColorParams(color="match", color_strength=x), painting, photo), float)
        for x in (0, 0.5, 1)
    ]
    assert (found[0] == np.asarray(painting)).all()
    np.testing.assert_allclose(found[1], (found[0] + found[2]) / 2, atol=1)


@pytest.mark.parametrize("mode", ["match", "match-cholesky", "histogram", "luminance", "palette"])
def test_every_mode_in_a_run(photo, painting, mode):
    tiny = make_networks()
    (plain,) = run(photo, [painting], networks=tiny)
    (result,) = run(photo, [painting], networks=tiny, color=mode)
    assert result.image.size == photo.size and result.image.tobytes() != plain.image.tobytes()
    assert result.record["color"] == mode
    expected = color.color_shift(photo, result.image)
    assert result.record["color_shift"] == pytest.approx(expected, abs=0.01) and expected > 0
    none = stylize(photo, painting, networks=tiny, color=mode, color_strength=0)
    reference = photo if mode == "palette" else plain.image
    assert np.abs(np.asarray(none, int) - np.asarray(reference, int)).max() <= 2


def test_every_style_of_a_mix_is_matched(photo, monkeypatch):
    seen = []
    monkeypatch.setattr(color, "prepare_style", lambda *given: (seen.append(given[1].size), given[1])[1])
    stylize(photo, [picture(40, 30, 1), picture(30, 40, 2)], networks=make_networks(), color="match", style_size=64)
    assert seen == [(64, 48), (48, 64)]


def test_matching_keeps_the_photographs_colors(shipped_pair):
    """On the shipped model: every keeping mode shifts colors less than off does."""
    shifts = {
        mode: list(run(*[shipped_pair[0], [shipped_pair[1]]], size=192, color=mode))[-1].record["color_shift"]
        for mode in ("off", "match", "match-cholesky", "histogram", "luminance")
    }
    assert all(shifts[mode] < 0.75 * shifts["off"] for mode in shifts if mode != "off"), shifts
    assert torch.tensor(list(shifts.values())).isfinite().all()
