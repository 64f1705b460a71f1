"""Videos from file to file: steadied, masked, changing along the way, stopped, and resumed."""

from collections import deque
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import make_networks, picture
from PIL import Image, ImageFilter
from test_cli import call
from test_video_files import write

from adain_core import images, methods, weights
from adain_core.contracts import MethodParams, Step, Style
from adain_core.motion import flow
from adain_core.video import reading, run, settings, writing
from adain_core.video.steadying import Carrying, Steady, SteadyParams, sharpened
from examples import clips


@pytest.fixture(autouse=True)
def precise(monkeypatch):
    """Encode with hardly any loss."""
    monkeypatch.setitem(writing.H264, "crf", "2")


@pytest.fixture(scope="module")
def compact():
    """The model that ships: random networks make noise, of which a video's half resolution of colors keeps little."""
    return weights.load("compact")


@pytest.fixture
def clip(tmp_path) -> Path:
    """Twelve frames of a panning camera, 64x36 pixels."""
    path = tmp_path / "clip.mp4"
    clips.save(clips.render("camera", 64, 12), path)
    return path


def frames(path):
    return [each.image for each in reading.frames(path, reading.measure(path).size)]


def finish(*given, **options) -> run.Progress:
    return deque(run.run(*given, **options), maxlen=1).pop()


def far(one, other) -> float:
    """Return the mean difference of two frames' brightness; colors are stored at half the resolution."""
    return float(np.abs(one.mean(-1) - other.mean(-1)).mean())


class TestRuns:
    def test_each_frame_is_stylized(self, clip, painting, compact, tmp_path):
        last = finish(clip, tmp_path / "out.mp4", [painting], networks=compact, steady=0)
        assert (last.done, last.frames) == (12, 12) and last.after.size == (64, 36)
        found, content = frames(tmp_path / "out.mp4"), frames(clip)
        assert len(found) == 12 and not (tmp_path / "out.mp4.part").exists()
        *_, alone = methods.get("adain").run(
            images.to_tensor(Image.fromarray(content[5])),
            [Style(images.to_tensor(painting.resize((512, 422), Image.Resampling.LANCZOS)))],
            methods.get("adain").params(),
            compact,
        )
        assert far(found[5], np.asarray(images.to_image(alone.image))) < 12  # the encoder's losses

    def test_a_part_at_another_size_and_rate(self, clip, painting, tiny, tmp_path):
        part = {"begin": 0.1, "end": 0.4, "fps": 12, "size": 96}
        finish(clip, tmp_path / "out.mp4", [painting], networks=tiny, **part)
        info = reading.measure(tmp_path / "out.mp4")
        assert info.size == (96, 54) and info.seconds == pytest.approx(0.3, abs=0.09) and round(info.fps) == 12

    def test_styles_and_strength_change_along_the_video(self, clip, painting, compact, tmp_path):
        other = picture(40, 33, 7)
        along = {"style_at": [(0, painting), (0.4, other)], "steady": 0, "networks": compact}
        finish(clip, tmp_path / "out.mp4", **along)
        first, last = (self.alone(clip, tmp_path / "x.mp4", style, compact) for style in (painting, other))
        found = frames(tmp_path / "out.mp4")
        assert far(found[0], first[0]) < 1 and far(found[-1], last[-1]) < 1
        assert far(found[5], first[5]) > 2 and far(found[5], last[5]) > 2
        finish(clip, tmp_path / "y.mp4", [painting], strength_at=[(0, 0.0), (0.4, 1.0)], steady=0, networks=compact)
        found = frames(tmp_path / "y.mp4")
        assert far(found[-1], first[-1]) < 2 < far(found[0], first[0])

    def alone(self, clip, path, style, networks):
        finish(clip, path, [style], steady=0, networks=networks)
        return frames(path)

    def test_a_mask_video_leaves_the_rest_unchanged(self, clip, painting, tiny, tmp_path):
        left = np.zeros((36, 64, 3), np.uint8)
        left[:, :24] = 255
        mask = write(tmp_path / "mask.mp4", [left] * 12)
        finish(clip, tmp_path / "out.mp4", [painting], mask=mask, networks=tiny)
        for made, content in zip(frames(tmp_path / "out.mp4"), frames(clip), strict=True):
            assert far(made[:, 36:], content[:, 36:]) < 8 < far(made[:, :16], content[:, :16])

    def test_memory_does_not_hold_the_frames(self, clip, painting, tiny, tmp_path, monkeypatch):
        """Every frame is read only when the one before it is done."""
        read, made = [], []
        original = reading.frames

        def counted(*given):
            for shown in original(*given):
                read.append(len(made))
                yield shown

        monkeypatch.setattr(reading, "frames", counted)
        for now in run.run(clip, tmp_path / "out.mp4", [painting], networks=tiny):
            made.append(now)
        assert read == list(range(12))

    def test_what_does_not_fit_is_refused(self, clip, painting, tiny, tmp_path):
        for options, words in [
            ({"begin": 2, "end": 1}, "The part from 2 to 1 s is empty"),
            ({"begin": 5}, "No frame of this video is in the part to take"),
            ({"method": "gatys", "strength_at": [(0, 1.0)]}, "gatys has no strength"),
            ({"style_at": [(0, painting)]}, "Give styles, or styles at times"),
            ({"fps": 0}, "fps is 0, but it must be above 0 and at most 120"),
            ({"size": 64, "bounds": settings.Bounds(frames=5)}, "has 12 frames, but this server takes at most 5"),
            ({"bounds": settings.Bounds(seconds=0.3)}, "s long, but this server takes at most 0.3 s"),
            ({"bounds": settings.Bounds(pixels=1000)}, "64x36 pixels, but this server takes at most 1,000"),
            ({"size": 128, "bounds": settings.Bounds(size=100)}, "128 pixels long, but this server makes at most 100"),
        ]:
            with pytest.raises(ValueError) as error:
                finish(clip, tmp_path / "out.mp4", [painting], networks=tiny, **options)
            assert words in str(error.value)
            assert [each.name for each in tmp_path.iterdir()] == ["clip.mp4"]


class TestStops:
    def test_it_leaves_a_file_of_what_is_done_and_resumes(self, clip, painting, compact, tmp_path, monkeypatch):
        monkeypatch.setattr(writing, "PIECE", 4)
        given, out = ([painting],), tmp_path / "out.mp4"
        finish(clip, tmp_path / "whole.mp4", *given, networks=compact)
        steps = run.run(clip, out, *given, networks=compact, keep=True)
        for _ in range(6):
            next(steps)
        steps.close()
        assert len(frames(out)) == 6 and (tmp_path / "out.mp4.part").is_dir()
        with pytest.raises(ValueError, match="made with other settings"):
            finish(clip, out, *given, networks=compact, resume=True, steady=0.1)
        states = [*run.run(clip, out, *given, networks=compact, resume=True)]
        assert [each.done for each in states] == [7, 8, 9, 10, 11, 12] and not (tmp_path / "out.mp4.part").exists()
        for one, other in zip(frames(out), frames(tmp_path / "whole.mp4"), strict=True):
            assert far(one, other) < 4

    def test_a_crash_leaves_nothing_under_the_final_name(self, clip, painting, tiny, tmp_path, monkeypatch):
        def fail(*_):
            raise OSError("the disk fails")

        monkeypatch.setattr(writing.Pieces, "_write", fail)
        with pytest.raises(OSError):
            finish(clip, tmp_path / "out.mp4", [painting], networks=tiny)
        assert not (tmp_path / "out.mp4").exists()


class TestSteadying:
    def test_it_flickers_less(self):
        """Noise that is new in every frame, on a picture that moves."""
        clip = clips.render("camera", 128, 8)
        rng = np.random.default_rng(0)
        noisy = [np.clip(each + rng.normal(0, 25, each.shape), 0, 255).astype(np.uint8) for each in clip.frames]

        def error(params):
            steady = Steady(params, make_networks())
            made = []
            for frame, one in zip(clip.frames, noisy, strict=True):
                steady.begin(frame)
                made.append(steady.finish(steady.shift(one)))
            gaps = []
            for now in range(1, 8):
                true, same = clip.true(now, now - 1)
                gap = np.square(made[now] - flow.warp(made[now - 1].astype(np.float32), true)).mean(-1)
                gaps.append((gap * same).sum() / same.sum())
            return np.mean(gaps[2:])

        rough = error(SteadyParams(steady=0))
        assert error(SteadyParams(sharpen=False)) < 0.4 * rough
        assert error(SteadyParams(blend=False)) == pytest.approx(rough, rel=0.01)

    def test_switched_off_it_changes_nothing(self):
        for params in (SteadyParams(steady=0), SteadyParams(lock=False, blend=False)):
            steady = Steady(params, make_networks())
            for seed in (1, 2):
                frame = np.asarray(picture(64, 48, seed))
                steady.begin(frame)
                assert steady.shift(frame) is frame and np.array_equal(steady.finish(frame), frame)

    def test_the_grid_moves_with_the_picture(self):
        big = np.asarray(picture(140, 100, 3).filter(ImageFilter.GaussianBlur(1)))
        steady = Steady(SteadyParams(), make_networks())
        for number in range(5):
            frame = big[10 : 10 + 72, 3 * number : 3 * number + 96]
            steady.begin(frame)
            shifted = steady.shift(frame)
            assert shifted.shape == (80, 104, 3)
            (left, top) = steady._offset()
            assert (left, top) == (3 * number % 8, 0)
            assert np.array_equal(shifted[top : top + 72, left : left + 96], frame)

    def test_a_cut_begins_anew(self):
        steady = Steady(SteadyParams(), make_networks())
        one, other = (np.asarray(picture(96, 72, seed)) for seed in (1, 5))
        for frame in (one, other):
            steady.begin(frame)
            made = steady.finish(steady.shift(frame))
        assert np.array_equal(made, other)

    def test_sharpening_gives_back_the_energy(self):
        rng = np.random.default_rng(0)
        model = rng.random((64, 64, 3)).astype(np.float32)
        soft = 0.5 + 0.5 * (model - 0.5)
        assert sharpened(soft, model).std() == pytest.approx(model.std(), rel=0.05)
        assert np.allclose(sharpened(model, model), model)

    def test_statistics_are_averaged_until_a_cut(self):
        carrying = Carrying(make_networks())
        one, other = (images.to_tensor(picture(48, 40, seed)) for seed in (1, 2))
        own = [make_networks().encode(each).statistics["relu3_1"].mean for each in (one, other)]
        carrying.expect(0.75)
        assert torch.allclose(carrying.encode(one).statistics["relu3_1"].mean, own[0])
        assert torch.allclose(carrying.encode(other).statistics["relu3_1"].mean, own[1])  # a style
        carrying.expect(0.75)
        assert torch.allclose(carrying.encode(other).statistics["relu3_1"].mean, 0.75 * own[0] + 0.25 * own[1])
        carrying.expect(0)
        assert torch.allclose(carrying.encode(other).statistics["relu3_1"].mean, own[1])


def test_a_method_with_state_sees_all_frames(clip, painting, tiny, tmp_path, monkeypatch):
    def mean(contents, _styles, _params, _networks, earlier=None):
        total, count = (earlier[1], 1) if earlier else (0.0, 0)
        for number, content in enumerate(contents):
            total, count = total + content, count + 1
            yield Step(None, 1, 2, frame=number)
            yield Step(total / count, 2, 2, frame=number)

    toy = replace(methods.get("identity"), frames=mean, params=MethodParams, needs_style=True)
    monkeypatch.setattr(methods, "get", lambda _: toy)
    states = [*run.run(clip, tmp_path / "out.mp4", [painting], networks=tiny)]
    assert [each.after is None for each in states] == [True, False] * 12
    content = np.stack(frames(clip)).astype(float)
    assert far(frames(tmp_path / "out.mp4")[-1], content.mean(0)) < 6


def test_shares_between_points():
    points = [(1.0, "a"), (3.0, "b")]
    assert settings.shares(points, 0) == [("a", 1.0)] and settings.shares(points, 9) == [("b", 1.0)]
    assert settings.shares(points, 1.5) == [("a", 0.75), ("b", 0.25)]
    with pytest.raises(ValueError, match="two times are the same"):
        settings.timeline([(1, "a"), (1, "b")], "style_at")


@pytest.mark.usefixtures("clip")
def test_the_command(painting, tiny, tmp_path, monkeypatch, capsys):
    painting.save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: tiny)
    done = call("video clip.mp4 a.png -o out.gif --to 0.2 --steady 0.4 --size 64 --blend no", monkeypatch, capsys)
    assert done == (0, "out.gif (5 frames)\n", [])
    code, _, err = call("video clip.mp4 a.png -o out.gif", monkeypatch, capsys)
    assert code == 2 and "out.gif already exists" in err[0]
    for words, said in [
        ("-o x.mp4 --style-at soon=a.png", "--style-at is soon=a.png; give a second and its value, such as 0=..."),
        ("-o x.mp4", "Give at least one style."),
        ("a.png -o clip.mp4 --overwrite", "clip.mp4 is one of the inputs; choose another file with -o."),
        ("a.png -o x.avi", "A video can't be saved as .avi; choose .mp4, .webm, .gif."),
    ]:
        assert call(f"video clip.mp4 {words}", monkeypatch, capsys) == (2, "", [f"adain: {said}"])


@pytest.mark.usefixtures("clip")
def test_stopping_the_command_keeps_what_is_done(painting, tiny, tmp_path, monkeypatch, capsys):
    painting.save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: tiny)
    original = Steady.finish

    def interrupted(self, made):
        if self.motion is not None and self.motion.flow.any() and len(calls) == 4:
            raise KeyboardInterrupt
        calls.append(made)
        return original(self, made)

    calls = []
    monkeypatch.setattr(Steady, "finish", interrupted)
    code, _, err = call("video clip.mp4 a.png -o out.mp4", monkeypatch, capsys)
    assert code == 130 and "adain: stopped; out.mp4 holds the first 4 frames, and --resume continues." in err
    assert len(frames("out.mp4")) == 4
    monkeypatch.setattr(Steady, "finish", original)
    assert call("video clip.mp4 a.png -o out.mp4 --resume", monkeypatch, capsys)[:2] == (0, "out.mp4 (12 frames)\n")
    assert len(frames("out.mp4")) == 12
