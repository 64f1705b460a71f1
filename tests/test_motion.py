"""Optical flow against motion that is known, where it may be trusted, and warping."""

import cv2
import numpy as np
import pytest

from adain_core.motion import flow
from examples import clips


def texture(width: int, height: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


BIG = texture(200, 160)
NOW, EARLIER = BIG[20:116, 20:148], BIG[17:113, 24:152]  # what was at (x - 4, y + 3) is at (x, y)


def test_a_shift_is_found():
    found = flow.between(NOW, EARLIER)
    assert np.median(found.flow.reshape(-1, 2), 0) == pytest.approx([-4, 3], abs=0.05)
    assert found.seen.mean() > 0.9 and not found.cut
    inner = np.s_[8:-8, 8:-8]
    assert np.abs(flow.warp(EARLIER, found.flow).astype(int) - NOW)[inner].mean() < 2


def test_what_left_the_picture_is_not_trusted():
    moved = np.full((40, 50, 2), 0, np.float32)
    moved[..., 0] = 10.0
    found = flow.trusted(moved, -moved)
    assert found[:, :40].all() and not found[:, 41:].any()


def test_what_was_hidden_is_not_trusted():
    """A square moves right over a still ground: the ground that it uncovers has no place in the earlier frame."""
    back, forth = np.zeros((40, 60, 2), np.float32), np.zeros((40, 60, 2), np.float32)
    back[10:30, 20:40, 0], forth[10:30, 14:34, 0] = -6.0, 6.0
    found = flow.trusted(back, forth)
    assert not found[12:28, 14:19].any() and found[12:28, 24:36].all() and found[2:8].all() and found[:, 45:].all()


def test_a_cut_is_seen_and_a_still_picture_is_none():
    other = texture(128, 96)[::-1, ::-1].copy()
    assert flow.between(NOW, other).cut
    same = flow.between(NOW, NOW)
    assert not same.cut and np.abs(same.flow).max() < 0.1 and same.alike.mean() > 0.95


def test_a_flash_is_not_the_same_color():
    bright = (255 * (NOW / 255) ** 0.4).astype(np.uint8)
    found = flow.between(bright, NOW)
    assert found.alike.mean() < 0.5 * found.seen.mean()


def test_tiny_frames_stand_still():
    small = NOW[:10, :12]
    assert not flow.estimate(small, small[::-1]).any()


def test_flow_in_colors():
    moved = np.zeros((2, 2, 2), np.float32)
    moved[0, 0], moved[0, 1], moved[1, 0] = (4, 0), (-4, 0), (0, 2)
    found = flow.colors(moved)
    assert found[0, 0].tolist() == [255, 0, 0] and found[0, 1].tolist() == [0, 255, 255]
    assert found[1, 1].tolist() == [255, 255, 255] and found[1, 0].min() == 128  # half the speed


@pytest.mark.parametrize("name", clips.RECIPES)
def test_a_clip_moves_as_it_says(name):
    clip = clips.render(name, 128, 8)
    true, same = clip.true(7, 6)
    found = flow.warp(clip.frames[6].astype(np.float32), true)
    off = (np.square(clip.frames[7] - found).mean(-1) * same).sum() / same.sum()
    unmoved = np.square(clip.frames[7].astype(float) - clip.frames[6]).mean()
    assert same.mean() > 0.8 and off < (120 if name == "noise" else 60)
    assert name == "still" or off < 0.5 * unmoved
    if name == "cut":
        assert not clip.true(4, 3)[1].any()
    if name == "crossing":
        assert not clip.true(7, 0)[1].all() and np.abs(clip.true(4, 3)[0]).max() > 20  # what crosses is fast
