"""The loop: its steps, its ends, its scales."""

import gc
import itertools
import weakref

import pytest
import torch
import torch.nn.functional as F
from conftest import make_networks, picture
from optimizing import CONTENT, STYLE, go, spy

from adain_core import forecast, images, run, stylize
from adain_core.contracts import Style, StyleLoss
from adain_core.feature_space.transfer import TransferParams
from adain_core.losses import find
from adain_core.losses.total_variation import total_variation
from adain_core.methods import adain
from adain_core.optimization import loop as loop
from adain_core.optimization.loop import Average, optimize
from adain_core.optimization.method import step_cost
from adain_core.optimization.params import OptimizationParams
from adain_core.optimization.pyramid import Pyramid


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("pyramid", [1, 4])
@pytest.mark.parametrize("name", sorted(set(find()) - {"adversarial"}))
def test_every_loss_falls(name, pyramid, optimizer):
    weights = {"content_weight": 0.0, "tv_weight": 0.0, "shifts": 1}  # of so small a picture each place shows another
    steps = go(losses={find()[name]: 1.0}, steps=25, optimizer=optimizer, pyramid=pyramid, **weights)
    assert steps[-1].losses["style"] < (0.9 if name == "mrf" else 0.7) * steps[0].losses["style"]
    assert steps[0].losses["style"] == pytest.approx(1, abs=0.1)  # the unit: what the content has, but for MMD's sample
    assert [step.iteration for step in steps] == list(range(1, 26)) and steps[0].iterations == 25


@pytest.mark.parametrize("size", [(40, 36), (17, 33), (8, 9)])
@pytest.mark.parametrize("levels", [1, 2, 5])
def test_a_pyramid_is_the_picture(size, levels):
    image = images.to_tensor(picture(*size, 1))
    moving = Pyramid(image, OptimizationParams(pyramid=levels), None)
    torch.testing.assert_close(moving.picture, image)
    torch.testing.assert_close(moving.assemble(), image)
    assert len(moving.levels) == min(levels, 1 + sum(min(size) >= 8 * 2**n for n in range(8)))


def test_pictures_are_clamped_to_the_range():
    moving = Pyramid(CONTENT, OptimizationParams(pyramid=3, rate=1.0), None)
    for _ in range(3):
        moving.improve(lambda image: (-image.sum(), {"total": -image.sum()}))
        with torch.no_grad():
            torch.testing.assert_close(moving.assemble(), moving.picture)
    assert torch.equal(moving.picture, torch.ones_like(CONTENT))


def test_networks_see_no_picture_out_of_range(monkeypatch):
    networks = make_networks()
    seen = spy(monkeypatch, networks)
    go(networks, steps=6, rate=0.5, tv_weight=0.0, shifts=1)
    assert len(seen) == 2 + 6 and all(-1e-5 < each.min() and each.max() < 1 + 1e-5 for each in seen)
    assert ((seen[-1] < 1e-5) | (seen[-1] > 1 - 1e-5)).float().mean() > 0.1  # where it was cut off


def test_each_step_goes_on_from_the_last(monkeypatch):
    """What is shown without averaging is what the networks see next, whatever the pyramid."""
    networks = make_networks()
    seen = spy(monkeypatch, networks)
    steps = go(networks, steps=4, average=0.0, pyramid=4, shifts=1)
    for shown, next_seen in zip(steps, seen[3:], strict=False):  # after photograph, painting and the first step
        torch.testing.assert_close(shown.image, next_seen)
    assert len(seen) == 2 + 4 and not torch.equal(seen[2], seen[3])


def test_adams_moments_are_carried_over():
    coarse = Pyramid(CONTENT[..., :18, :20], OptimizationParams(pyramid=2), None)
    for _ in range(3):
        coarse.improve(lambda image: ((image * 0.5).sum(), {"total": image.sum()}))
    fine = Pyramid(CONTENT, OptimizationParams(pyramid=2), coarse.moments())
    for level in fine.levels:
        state = fine.optimizer.state[level]
        assert float(state["step"]) == 3 and state["exp_avg"].shape == level.shape
    finest = fine.optimizer.state[fine.levels[0]]
    gradient = 0.5 * (1 - 0.9**3)  # of a constant slope, after three steps
    torch.testing.assert_close(finest["exp_avg"], torch.full_like(CONTENT, gradient), rtol=1e-4, atol=1e-5)
    fresh = Pyramid(CONTENT, OptimizationParams(pyramid=2), None)
    for each in (fresh, fine):
        each.improve(lambda image: (-(image * 0.5).sum(), {"total": image.sum()}))
    assert (fine.picture < fresh.picture).float().mean() > 0.9  # it still goes on a little


def test_a_scale_begins_with_the_picture_and_the_moments_of_the_one_before(monkeypatch):
    made = []

    def watched(*given):
        made.append((Pyramid(*given), *given))
        return made[-1][0]

    monkeypatch.setattr(loop, "Pyramid", watched)
    go(content=images.to_tensor(picture(150, 140, 1)), steps=7, scales=3)
    (one, first, _, none), (two, second, _, carried), (three, *_) = made
    assert none is None and first.shape[2:] == (70, 75) and second.shape[2:] == (99, 106)
    shrunk = F.interpolate(second, (70, 75), mode="bilinear", antialias=True)
    assert (shrunk - one.picture).abs().mean() < 0.25 * (first - one.picture).abs().mean()
    assert [float(each.optimizer.state[each.levels[0]]["step"]) for each in (one, two, three)] == [2, 4, 7]
    for level, (step, *moments) in zip(one.levels, carried, strict=True):
        state = one.optimizer.state[level]
        assert step == 2 and torch.equal(moments[0], state["exp_avg"]) and torch.equal(moments[1], state["exp_avg_sq"])


def test_content_alone_brings_the_content_back():
    steps = go(start="noise", steps=300, style_weight=0.0, tv_weight=0.0, content_weight=1.0, rate=0.05, pyramid=1)
    assert steps[-1].losses["content"] < 0.2 * steps[0].losses["content"]


def test_starts():
    noise, other, colors, content = (
        go(steps=1, rate=1e-6, start=start, seed=seed)[0].image
        for start, seed in (("noise", 1), ("noise", 2), ("colors", 0), ("content", 0))
    )
    assert (content - CONTENT).abs().max() < 1e-4
    assert not torch.equal(noise, other) and noise.std() == pytest.approx((1 / 12) ** 0.5, abs=0.02)
    torch.testing.assert_close(colors.mean((2, 3)), STYLE.mean((2, 3)), atol=0.03, rtol=0)
    networks = make_networks()
    found = go(networks, steps=1, rate=1e-6, start="adain")[0].image
    (stylized,) = adain.run(CONTENT, [Style(STYLE)], TransferParams(), networks)
    assert (found - stylized.image).abs().max() < 1e-4
    given = go(steps=1, rate=1e-6, start_with=1 - CONTENT)[0].image
    assert (given - (1 - CONTENT)).abs().max() < 1e-4


def test_scales_share_the_steps_and_end_at_full_size():
    content = images.to_tensor(picture(150, 140, 1))
    seen, networks = [], make_networks()
    forward = networks.encoder.forward
    networks.encoder.forward = lambda image, layers: (seen.append(tuple(image.shape[2:])), forward(image, layers))[1]
    steps = go(networks, content=content, steps=7, scales=3, shifts=1)
    assert [step.iteration for step in steps] == list(range(1, 8))
    assert all(step.image.shape == content.shape for step in steps)
    sizes = list(dict.fromkeys(size for size in seen if size not in {(40, 44), (28, 31), (20, 22)}))
    assert sizes == [(70, 75), (99, 106), (140, 150)]
    assert seen.count((140, 150)) == 1 + 3 and seen.count((70, 75)) == 1 + 2  # the target, and the steps
    assert len(go(content=CONTENT, steps=4, scales=6)) == 4  # scales below 64 pixels are left out


def test_averaging_lags_behind():
    plain, averaged = (go(steps=4, average=average, pyramid=1)[-1].image for average in (0.0, 0.9))
    assert (averaged - CONTENT).abs().mean() < (plain - CONTENT).abs().mean()


def test_an_average_by_hand():
    average = Average(0.75)
    first, second = average(torch.tensor([4.0])), average(torch.tensor([11.0]))
    assert first.tolist() == [4] and second.tolist() == pytest.approx([(0.75 * 4 + 11) / 1.75])
    assert first.tolist() == [4]  # the next doesn't write over what was shown
    assert Average(0.0)(torch.tensor([3.0])).tolist() == [3]


def test_it_stops_by_patience_and_by_time(monkeypatch):
    steps = go(steps=50, patience=3, rate=1.0)
    assert len(steps) < 50 and steps[-1].note.startswith("Stopped: no improvement in 3 steps.")
    clock = iter(range(0, 100_000, 2))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    steps = go(steps=50, seconds=30)
    assert len(steps) < 20 and steps[-1].note.startswith("The time limit of 30 s was reached after ")


def test_patience_restarts_at_each_scale():
    """A loss that rises from call to call: at the coarse scale that ends the scale alone, at the last one the run."""
    calls = itertools.count(1)
    rising = StyleLoss("rising", "", "", "", lambda *_: lambda x: x.square().mean() + next(calls), ("relu1_1",))
    content = images.to_tensor(picture(100, 96, 1))
    steps = go(losses={rising: 1.0}, content=content, steps=40, scales=2, patience=3, units="absolute")
    assert [step.iteration for step in steps] == [1, 2, 3, 4, 21, 22, 23, 24]
    assert not any(step.note for step in steps[:-1]) and steps[-1].note == "Stopped: no improvement in 3 steps."


def bad(after, spoil):
    """A loss that is spoiled after some calls, one of which finds its unit."""
    calls = []

    def make(*_):
        def loss(x):
            calls.append(1)
            return x.square().mean() if len(calls) <= after else spoil(x)

        return loss

    return StyleLoss("bad", "", "", "", make, ("relu1_1",))


SPOILED = {
    "nan": lambda x: x.square().mean() * float("nan"),
    "infinite": lambda x: x.square().mean() * float("inf"),
    "slope": lambda x: x.square().mean() + (x * 0).sqrt().sum(),  # finite, its slope isn't
}


@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("spoil", SPOILED)
def test_divergence_keeps_the_last_good_picture(spoil, optimizer):
    steps = go(losses={bad(4, SPOILED[spoil]): 1.0}, steps=50, optimizer=optimizer)
    assert len(steps) == 4 and steps[-1].note.startswith("The optimization diverged; the last good picture is kept.")
    assert torch.equal(steps[-1].image, steps[-2].image) and steps[-1].image.isfinite().all()
    assert not torch.equal(steps[-1].image, CONTENT)


def test_divergence_at_once_keeps_the_photograph():
    (step,) = go(losses={bad(1, SPOILED["nan"]): 1.0}, steps=50, start="noise")
    assert torch.equal(step.image, CONTENT) and step.note.startswith("The optimization diverged")


def test_a_non_finite_coarse_level_is_detected():
    moving = Pyramid(CONTENT, OptimizationParams(pyramid=3), None)
    assert moving.finite()
    with torch.no_grad():
        moving.levels[-1][..., 0, 0] = float("inf")
    moving.improve(lambda image: (image.sum(), {"total": image.sum()}))
    assert not moving.finite()


def test_several_pictures_at_once_are_refused():
    with pytest.raises(ValueError, match=r"^An optimization takes one picture at a time, not 2\.$"):
        go(content=torch.cat([CONTENT, 1 - CONTENT]))


def test_closing_between_two_steps_frees_everything(monkeypatch):
    kept = []

    def watched(*given):
        moving = Pyramid(*given)
        kept.extend(map(weakref.ref, (moving, moving.sum, *moving.levels)))
        return moving

    def make(style, *_):
        kept.append(weakref.ref(style))
        return lambda x: (x - style.mean()).square().mean()

    monkeypatch.setattr(loop, "Pyramid", watched)
    loss = StyleLoss("watched", "", "", "", make, ("relu1_1",))
    steps = optimize(CONTENT, [Style(STYLE)], {loss: 1.0}, OptimizationParams(), make_networks())
    image = weakref.ref(next(steps).image)
    assert len(kept) == 1 + 2 + 4 and all(each() is not None for each in kept)
    steps.close()
    gc.collect()
    assert [each() for each in kept] == [None] * len(kept) and image() is None


def test_too_little_memory_is_said_before_it_starts(photo, painting, tiny, monkeypatch):
    """By one cost model: at 45x37 pixels beside a painting of 512x512 it is the optimization that takes the memory."""
    monkeypatch.setattr(tiny, "perceptual", lambda *_: pytest.fail("it started"))
    monkeypatch.setattr("adain_core.system.machine.free_memory", lambda: 100_000_000)
    message = "^A picture of 45x37 pixels needs about 0.3 GB of memory, but 0.1 GB is free; choose a smaller size"
    for call in (lambda: stylize(photo, painting, networks=tiny, method="gatys"),
                 lambda: forecast(photo, networks=tiny, method="gatys")):  # fmt: skip
        with pytest.raises(ValueError, match=message):
            call()
    assert forecast(photo, networks=tiny).bytes < 1_000_000


def test_patches_take_more_memory():
    def takes(*names):
        return step_cost({find()[name]: 1.0 for name in names}, 1, make_networks()).bytes

    assert takes("gram") < takes("mrf") == takes("gram", "mrf") and takes("mrf", "adversarial") > takes("mrf")
    assert 1000 < takes("gram") < 1200


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("steps", 0, "steps is 0, but it must be from 1 to 2000."),
        ("steps", 2001, "steps is 2001, but it must be from 1 to 2000."),
        ("rate", 0, "rate is 0, but it must be above 0 and at most 1."),
        ("scales", 7, "scales is 7, but it must be from 1 to 6."),
        ("pyramid", 9, "pyramid is 9, but it must be from 1 to 8."),
        ("average", 1, "average is 1, but it must be at least 0 and below 1."),
        ("seconds", 0, "seconds is 0, but it must be above 0 and at most 3600."),
        ("tv_weight", float("nan"), "tv weight is nan, but it must be from 0 to 1000000.0."),
        ("size", 63, "size is 63, but it must be from 64 to 8192."),
    ],
)
def test_values_out_of_bounds_are_refused(photo, painting, tiny, option, value, words):
    with pytest.raises(ValueError) as error:
        stylize(photo, painting, networks=tiny, method="gatys", **{option: value})
    assert str(error.value) == words


def test_same_seed_same_picture():
    one, two = (go(losses={find()["mmd"]: 1.0}, start="noise", steps=3, seed=4)[-1].image for _ in range(2))
    assert torch.equal(one, two)


@pytest.mark.parametrize("method", ["gatys", "optimize"])
def test_from_the_pipeline(photo, painting, tiny, method):
    results = list(run(photo, [painting], networks=tiny, method=method, steps=3, interval=0))
    assert [result.iteration for result in results] == [1, 2, 3] and all(result.image for result in results)
    rare = list(run(photo, [painting], networks=tiny, method=method, steps=3, interval=60))
    assert [result.image is None for result in rare] == [False, True, False]
    assert rare[-1].image.tobytes() == results[-1].image.tobytes() and rare[1].record["losses"]
    assert set(results[-1].record["losses"]) == {"style", "content", "smoothness", "total"}
    assert results[-1].record["steps"] == 3 and results[-1].image.size == photo.size
    assert (
        results[-1]
        .record["used"]
        .startswith("Optimizes through tiny; compares content at relu4_1; compares styles at relu1_1, relu2_1")
    )
    assert results[-1].record["used"] in results[-1].notes
    other = stylize(photo, painting, networks=tiny, method="optimize", loss="coral", steps=3)
    assert other.tobytes() != results[-1].image.tobytes()
    (last,) = list(run(photo, [painting], networks=tiny, method=method, steps=9, seconds=1e-9))
    assert last.notes[-1].startswith("The time limit of 1e-09 s was reached after 1 step.")


def test_losses_are_mixed(photo, painting, tiny):
    options = {"networks": tiny, "method": "optimize", "steps": 2, "loss": "gram"}
    plain, mixed, same = (
        list(run(photo, [painting], mix=mix, **options))[-1] for mix in ("", "coral=0.5, mmd_linear", "coral=0")
    )
    assert mixed.image.tobytes() != plain.image.tobytes() == same.image.tobytes()
    with pytest.raises(ValueError, match=r"^There is no loss grim; there are adversarial, coral, gram"):
        stylize(photo, painting, mix="grim", **options)


def test_a_preset_is_where_options_begin(photo, painting, tiny):
    options = {"networks": tiny, "method": "gatys", "preset": "paper", "steps": 2}
    record = list(run(photo, [painting], **options))[-1].record
    assert (record["optimizer"], record["start"], record["steps"], record["preset"]) == ("lbfgs", "noise", 2, "paper")
    with pytest.raises(ValueError, match=r"^gatys has no preset fast; there are paper\.$"):
        stylize(photo, painting, **{**options, "preset": "fast"})
    with pytest.raises(ValueError, match=r"^adain has no preset paper; there are none\.$"):
        stylize(photo, painting, networks=tiny, preset="paper")


def test_that_a_loss_ends_above_where_it_began_is_said():
    """Steps too large, with much weight on the photograph, from which it begins."""
    steps = go(losses={find()["gram"]: 1.0}, steps=16, rate=0.9, pyramid=1, tv_weight=0, content_weight=1e6)
    assert steps[-1].losses and steps[-1].doubt.startswith("The loss ended at ") and "it began with" in steps[-1].doubt
    assert "loss ended" not in go(steps=16)[-1].doubt


def test_a_loss_that_learns_may_rise():
    """A discriminator's did in a good picture, from 1.57 to 1.6 (a cucumber as an engraving, compact, 192 px)."""

    def rising(learns):
        count = itertools.count(1)
        return StyleLoss(
            "rising", "", "", "", lambda *_: lambda x: 0 * x.sum() + next(count), ("relu1_1",), learns=learns
        )

    assert go(losses={rising(False): 1.0}, steps=16)[-1].doubt.startswith("The loss ended at ")
    assert not go(losses={rising(True): 1.0}, steps=16)[-1].doubt
    assert find()["adversarial"].learns and not find()["gram"].learns


def test_that_a_picture_went_over_into_noise_is_said():
    """A loss that rewards differences between neighbors."""

    def make(*_):
        return lambda x: 1 / (1e-3 + (x[..., 1:] - x[..., :-1]).abs().mean())

    wild = StyleLoss("wild", "", "", "", make, ("relu1_1",))
    steps = go(losses={wild: 1.0}, steps=40, rate=0.1, pyramid=1, tv_weight=0, content_weight=0, average=0)
    assert steps[-1].doubt.startswith("The picture is much grainier than photograph and painting")


@pytest.mark.parametrize(("ratio", "noise"), [(1.42, False), (1.75, True), (3.18, True)])
def test_how_much_grain_is_noise(ratio, noise):
    """By eye, with compact at 192 px: of 33 pictures by nine losses none was noise, and they had 0.26 to 1.42 times the
    grain of photograph and painting; of eight with no smoothness and too large steps seven were, at 1.75 to 6.23 times.
    """
    picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    picture = picture * (0.2 * ratio / float(total_variation(picture)))
    assert bool(loop._doubt((), picture, 0.2)) == noise
