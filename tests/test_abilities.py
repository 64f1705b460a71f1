"""What methods declare, and what follows from it: forecasts, bounds, the seed, reconstructions, frames."""

import itertools
import types
from dataclasses import replace

import gradio as gr
import pytest
import torch
from comparisons import make
from conftest import make_networks, picture, within_loop

from adain_core import forecast, images, methods, run
from adain_core.contracts import Limits, Method, MethodParams, Step, Style, StyleLoss, run_frames
from adain_core.evaluation import comparison
from adain_core.networks.model import Networks
from adain_core.optimization.loop import optimize
from adain_core.optimization.params import OptimizationParams
from adain_core.runs import plan as planning
from ui.components import widgets

CONTENT, STYLE = (images.to_tensor(picture(48, 40, seed)) for seed in (1, 2))


class TestForecasts:
    @pytest.mark.parametrize("name", ["gatys", "mrf", "adversarial", "optimize", "style_swap"])
    def test_every_optimization_takes_its_steps(self, name, photo, tiny, monkeypatch):
        monkeypatch.setattr(type(tiny.pace), "rate", 1e-6)
        by = {"by": "optimization", "iterations": 200} if name == "style_swap" else {"steps": 200}
        found = forecast(photo, networks=tiny, method=name, **by)
        assert found.steps == 200 and found.seconds > 100 * 45 * 37 * 1e-6
        half = {key: value // 2 if value == 200 else value for key, value in by.items()}
        assert forecast(photo, networks=tiny, method=name, **half).seconds == pytest.approx(found.seconds / 2, rel=0.02)

    def test_losses_cost_what_they_cost(self, tiny, monkeypatch):
        """Of an optimization's step at 512 px by `compact` on one thread, over a pass: 2.7 to 72, as measured."""
        monkeypatch.setattr(type(tiny.pace), "rate", 1e-9)
        square = picture(512, 512, 1)
        found = {loss: forecast(square, networks=tiny, method="optimize", loss=loss, steps=1000).seconds
                 for loss in ("mean_std", "gram", "coral", "mrf", "histogram")}  # fmt: skip
        assert [*found] == sorted(found, key=found.get)
        assert found["histogram"] > 10 * found["gram"] and found["mrf"] > 2.5 * found["gram"]

    def test_the_next_is_as_the_last_was(self, painting, tiny, monkeypatch):
        content, given = picture(160, 120, 1), {"networks": tiny, "method": "style_swap", "by": "optimization"}
        clock = itertools.count(0.0, 0.5)
        monkeypatch.setattr(planning, "time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
        list(run(content, [painting], iterations=4, **given))
        assert forecast(content, iterations=100, **given).seconds == pytest.approx(50, rel=0.02)
        assert forecast(content, iterations=100, seconds=20, **given).seconds == 20

    def test_scales_count_by_their_area(self, tiny, monkeypatch):
        """Half the steps see half the pixels; what was learned of one number of scales says nothing of another."""
        monkeypatch.setattr(type(tiny.pace), "rate", 1e-9)
        square = picture(512, 512, 1)
        one, two = (forecast(square, networks=tiny, method="gatys", scales=n, steps=1000).seconds for n in (1, 2))
        assert two == pytest.approx(0.75 * one, rel=0.01)

    def test_colors_alone_take_no_steps(self, photo, painting, tiny):
        found = forecast(photo, networks=tiny, method="gatys", color="palette")
        (result,) = run(photo, [painting], networks=tiny, method="gatys", color="palette")
        assert (found.steps, result.iterations) == (1, 1)
        assert found.seconds < forecast(photo, networks=tiny, method="gatys").seconds / 100


class TestProgress:
    def test_it_is_the_work_done(self):
        content = images.to_tensor(picture(150, 140, 1))
        params = OptimizationParams(steps=4, scales=2)
        steps = [*optimize(content, [Style(STYLE)], {}, params, make_networks())]
        assert [step.done for step in steps] == pytest.approx([1 / 6, 2 / 6, 4 / 6, 1])

    def test_it_reaches_the_page(self, photo, painting, tiny):
        results = [*run(photo, [painting], networks=tiny, method="gatys", steps=4)]
        assert [result.progress for result in results] == pytest.approx([0.25, 0.5, 0.75, 1])


class TestComparisons:
    @pytest.mark.parametrize("mode", ["equal-time", "equal-loss"])
    def test_they_work_within_a_server_s_steps(self, mode, photo, painting, tiny):
        limits = Limits(size=512, steps=7, seconds=30)
        *_, now = comparison.compare(
            photo, painting, ["adain", "gatys"], mode=mode, networks=tiny, judge_networks=tiny, size=64, limits=limits
        )
        gatys = now.outputs["gatys"]
        assert gatys.state == "done" and gatys.iterations == 7 and now.settings["seconds"] == 30

    def test_style_swap_by_optimization_obeys_steps_and_time(self, photo, painting, tiny, monkeypatch):
        options = {"style_swap": {"by": "optimization", "iterations": 3}}
        given = {"networks": tiny, "judge_networks": tiny, "size": 64, "options": options}
        *_, now = comparison.compare(photo, painting, ["style_swap"], **given)
        assert (now.outputs["style_swap"].iteration, now.outputs["style_swap"].optimized) == (3, True)
        found = comparison.prepare("style_swap", options["style_swap"], "equal-time", "compact", "cpu")
        assert (found["iterations"], found["seconds"]) == (2000, 3600)
        clock = itertools.count(0.0, 1.0)
        monkeypatch.setattr("adain_core.evaluation.meter.time", types.SimpleNamespace(perf_counter=lambda: next(clock)))
        *_, now = comparison.compare(photo, painting, ["style_swap"], seconds=3, mode="equal-time", **given)
        assert now.outputs["style_swap"].sentence.startswith("The bound of 3 s was reached after 3 steps.")

    def test_single_passes_go_first_as_these_networks_have_them(self, photo, painting, tiny):
        given = {"networks": tiny, "judge_networks": tiny, "size": 64, "seconds": 1}
        names = ["style_swap", "adain"]
        options = {"style_swap": {"iterations": 2}}  # there is no network that inverts relu3_1 alone
        assert [*next(comparison.compare(photo, painting, names, options=options, **given)).outputs] == names
        del tiny.parts["decoder"]
        levels = property(lambda _: ("relu4_1",))
        bare = type("Bare", (Networks,), {"levels": levels})("bare", tiny.parts)
        first = next(comparison.compare(photo, painting, names, options=options, **{**given, "networks": bare}))
        assert [*first.outputs] == ["adain", "style_swap"]


class TestSeed:
    @pytest.mark.parametrize(
        ("name", "options", "matters"),
        [
            ("adain", {}, None),
            ("style_swap", {"by": "optimization"}, None),
            ("gatys", {}, False),
            ("gatys", {"start": "noise"}, True),
            ("optimize", {}, False),
            ("optimize", {"loss": "mmd"}, True),
            ("optimize", {"mix": "gram, adversarial=0.5"}, True),
            ("adversarial", {}, True),
        ],
    )
    def test_where_it_matters(self, name, options, matters):
        method = methods.get(name)
        assert ("seed" in widgets.drawn(method)) == (matters is not None)
        assert matters is None or method.random(method.params(**options)) == matters

    def test_the_page_shows_it_there_alone(self):
        def build():
            with gr.Blocks() as page:
                return page, {name: widgets.draw_folded(methods.get(name), Limits()) for name in methods.find()}

        page, fields = within_loop(build)
        assert {name: ui["seed"].visible for name, ui in fields.items() if "seed" in ui} == {
            "adversarial": True, "gatys": False, "mrf": False, "optimize": False
        }  # fmt: skip
        seed = fields["optimize"]["seed"]
        (show,) = [each for each in page.fns.values() if each.outputs == [seed]]
        values = {block: block.value for block in show.inputs}
        assert show.fn(*values.values())["visible"] is False
        loss, mix = fields["optimize"]["loss"], fields["optimize"]["mix"]
        assert show.fn(*{**values, loss: "mmd"}.values())["visible"] is True
        assert show.fn(*{**values, mix: "advers"}.values()) == gr.skip()  # half a name
        assert {target[0] for target in show.targets} == {block._id for block in show.inputs}


class TestReconstructions:
    @pytest.mark.parametrize(
        ("options", "found"),
        [
            ({"alpha": 0.0}, True),
            ({"method": "identity"}, True),
            ({"method": "wct", "alpha": 0.0}, True),
            ({}, False),
            ({"alpha": 0.0, "color": "palette"}, False),
        ],
    )
    def test_a_note_says_that_nothing_was_stylized(self, photo, painting, tiny, options, found):
        (result,) = run(photo, [painting], networks=tiny, **options)
        assert ("reconstruction" in result.record) == found

    def test_a_method_that_needs_no_style_takes_none(self, photo, painting, tiny):
        (without,) = run(photo, [], networks=tiny, method="identity")
        (result,) = run(photo, [painting], networks=tiny, method="identity")
        assert without.image.tobytes() == result.image.tobytes()


class TestFrames:
    def test_frames_are_independent_by_default(self, tiny):
        frames = [images.to_tensor(picture(40, 32, seed)) for seed in (1, 2)]
        method, params = methods.get("gatys"), methods.get("gatys").params(steps=2)
        steps = [*run_frames(method, iter(frames), [Style(STYLE)], params, tiny)]
        assert [(step.frame, step.iteration) for step in steps] == [(0, 1), (0, 2), (1, 1), (1, 2)]
        *_, alone = method.run(frames[1], [Style(STYLE)], params, tiny)
        assert torch.equal(steps[-1].image, alone.image)

    def test_a_method_carries_its_state_from_frame_to_frame(self, tiny):
        def mean(contents, _styles, _params, _networks):
            """A running mean of all frames so far, in the generator's own variables."""
            total = 0.0
            for number, content in enumerate(contents):
                total = total + content
                yield Step(total / (number + 1), frame=number)

        method = replace(make("mean", None, MethodParams), frames=mean)
        frames = [torch.full((1, 3, 16, 16), value) for value in (0.2, 0.4, 0.9)]
        both = [[*run_frames(method, iter(frames), [], MethodParams(), tiny)] for _ in range(2)]
        for steps in both:  # a second sequence begins anew
            assert [step.frame for step in steps] == [0, 1, 2]
            assert [float(step.image.mean()) for step in steps] == pytest.approx([0.2, 0.3, 0.5])
        assert isinstance(method, Method)


class TestLossesAcrossLayers:
    def test_one_may_see_every_layer_and_the_content(self):
        """The product of two layers' mean activations, which no loss of one layer can be, as far as the content's."""
        given = []

        def make_across(style, content, generator, reduction):
            given.append((set(style), set(content), generator.initial_seed(), reduction))

            def together(features):
                return features["relu1_1"].mean() * features["relu3_1"].mean()

            own, target = together(content), together(style)
            return lambda features: ((together(features) - target) / (own - target)).square()

        layers = ("relu1_1", "relu3_1")
        toy = StyleLoss("toy", "Toy", "ours", "For tests.", layers=layers, make_across=make_across)
        params = OptimizationParams(steps=25, seed=3, tv_weight=0.0, content_weight=0.0, shifts=1)
        steps = [*optimize(CONTENT, [Style(STYLE)], {toy: 1.0}, params, make_networks())]
        assert steps[0].losses["style"] == pytest.approx(1) and steps[-1].losses["style"] < 0.5
        every = {"relu1_1", "relu3_1", "relu4_1"}  # and where the content is held
        assert given == [(every, every, 3, "mean")]
        assert (
            steps[0].used == "Optimizes through tiny; compares content at relu4_1; compares styles at relu1_1, relu3_1."
        )

    def test_it_is_mixed_with_others(self):
        def make_across(*_):
            return lambda features: features["relu2_1"].square().mean()

        toy = StyleLoss("toy", "Toy", "ours", "For tests.", layers=("relu2_1",), make_across=make_across)
        same = StyleLoss("same", "Same", "ours", "For tests.", lambda *_: lambda x: x.square().mean(), ("relu2_1",))
        params = OptimizationParams(steps=2)
        one, other = (
            [*optimize(CONTENT, [Style(STYLE, 0.5), Style(CONTENT, 0.5)], {loss: 1.0}, params, make_networks())]
            for loss in (toy, same)
        )
        assert one[-1].losses == other[-1].losses and torch.equal(one[-1].image, other[-1].image)


def test_named_parts_have_roles(tiny):
    judge = make_networks(seed=7)
    both = Networks("both", {**tiny.parts, "perceptual": judge.encoder})
    found, expected = both.perceptual(CONTENT, ["relu2_1"]), judge.perceptual(CONTENT, ["relu2_1"])
    assert torch.equal(found["relu2_1"], expected["relu2_1"]) and both.layers == judge.layers
    assert torch.equal(both.features(CONTENT)["relu2_1"], tiny.features(CONTENT)["relu2_1"])
    alone = Networks("painter", {"generator": torch.nn.Identity()})
    with pytest.raises(ValueError, match=r"^painter has no encoder, only generator; choose another model\.$"):
        alone.features(CONTENT)
    with pytest.raises(AssertionError):
        Networks("odd", {"painter": torch.nn.Identity()})


def test_a_region_with_only_a_strength_keeps_the_style_masks(photo, painting, tiny):
    left = picture(40, 33, 5).convert("L").point(lambda _: 255)
    left.paste(0, (20, 0, 40, 33))
    everywhere = photo.convert("L").point(lambda _: 255)
    given = {"networks": tiny, "style_masks": [left]}
    plain = [*run(photo, [painting], **given)][-1].image
    region = {"regions": {1: everywhere}, "region_strength": {1: 1.0}, "feather": 0.0}
    found = [*run(photo, [painting], **given, **region)][-1].image
    without = [*run(photo, [painting], networks=tiny, **region)][-1].image
    far = [max(abs(a - b) for a, b in zip(found.tobytes(), each.tobytes(), strict=True)) for each in (plain, without)]
    assert far[0] <= 1 < far[1]
