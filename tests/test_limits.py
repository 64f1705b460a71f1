"""A server's limits and a lent GPU's seconds: what may be asked for follows from them, on every way into the core."""

import itertools
import sys
import types

import gradio as gr
import pytest
from conftest import picture, within_loop

from adain_core import contracts, methods, weights
from adain_core.contracts import Limits
from adain_core.runs import pipeline
from ui import server
from ui.components import widgets
from ui.tabs import compare, controls, stylize

LIMITS = Limits(size=100, steps=20, seconds=5)


def opened(**changed):
    """What a tab's fields hold when the page opens, by name, with some changed."""
    shown = {f"{name}.{each}": info.default for name, method in methods.find().items()
             for each, info in widgets.drawn(method).items()}  # fmt: skip
    shown |= {
        "method": "adain",
        "model": "compact",
        "size": 512,
        "strokes": "auto",
        "color": "off",
        "color_strength": 1.0,
    }
    return shown | {"style_scale": 1.0, "content": None, "mode": "each", "seconds": 15, "methods": ["adain"], **changed}


class TestLimits:
    def test_sizes_beyond_them_are_not_offered(self):
        offered = widgets.sizes((64, 100, 128), 128, "px", LIMITS)
        assert offered == {"choices": [("64 px", 64), ("100 px", 100)], "value": 100}
        assert widgets.sizes((128, 256), 128, "px", LIMITS) == {"choices": [("100 px", 100)], "value": 100}
        assert widgets.sizes((64, 128), 128, "px", Limits())["value"] == 128

    @pytest.mark.parametrize("most", [64, 100, 300, 1000, 8192])
    def test_controls_refuse_nothing_that_they_offer(self, photo, tiny, monkeypatch, most):
        monkeypatch.setattr(weights, "load", lambda *_given, **_named: tiny)
        limits = Limits(size=most)
        offered = controls.offered(limits)
        assert ("Sizes" in offered) == (most >= 256) and {"Strengths", "Color modes", "Stroke sizes"} <= offered.keys()
        for runs in offered.values():
            for options in runs.values():
                pipeline.forecast(photo, limits=limits, **options)

    def test_sliders_and_presets_end_where_they_do(self):
        def build():
            with gr.Blocks() as page:
                return page, widgets.draw(methods.get("gatys"), LIMITS)

        page, ui = within_loop(build)
        assert (ui["steps"].maximum, ui["steps"].value, "seconds" in ui) == (20, 20, False)
        fill = next(each.fn for each in page.fns.values() if each.name == "fill")
        filled = dict(zip(ui, fill("paper"), strict=True))
        assert (filled["steps"], filled["optimizer"], filled["shifts"]) == (20, "lbfgs", 1)
        assert dict(zip(ui, fill("Defaults"), strict=True))["steps"] == 20

    def test_values_beyond_the_limits_are_refused(self, tiny, photo, painting):
        given = {"networks": tiny, "limits": LIMITS}
        with pytest.raises(ValueError, match="size is 128, but this server allows at most 100"):
            next(pipeline.run(photo, [painting], size=128, **given))
        with pytest.raises(ValueError, match="steps is 21, but this server allows at most 20"):
            next(pipeline.run(photo, [painting], method="gatys", steps=21, **given))
        with pytest.raises(ValueError, match="iterations is 21, but this server allows at most 20"):
            next(pipeline.run(photo, [painting], method="style_swap", iterations=21, **given))
        large = picture(120, 60, 1)
        for call in (lambda: next(pipeline.run(large, [painting], **given)),
                     lambda: pipeline.forecast(large, **given)):  # fmt: skip
            with pytest.raises(ValueError, match="has 120x60 pixels; this server accepts sizes up to 100"):
                call()
        assert next(pipeline.run(large, [painting], size=100, **given)).image.size == (100, 50)
        assert next(pipeline.run(large, [painting], networks=tiny, size=128)).image.size == (128, 64)

    def test_defaults_and_seconds_are_lowered(self):
        params = contracts.parse(methods.get("gatys").params, {"seconds": 100.0}, LIMITS)
        assert (params.steps, params.seconds) == (20, 5)
        params = contracts.parse(methods.get("style_swap").params, {"by": "optimization"}, LIMITS)
        assert (params.iterations, params.seconds) == (20, 5)

    def test_without_limits_nothing_is_lowered(self):
        assert contracts.parse(methods.get("gatys").params, {"steps": 2000}).steps == 2000

    def test_style_swap_by_optimization_ends_in_time(self, photo, painting, tiny, monkeypatch):
        clock = itertools.count(0.0, 2.0)
        monkeypatch.setattr(
            "adain_core.optimization.loop.time", types.SimpleNamespace(perf_counter=lambda: next(clock))
        )
        *_, last = pipeline.run(photo, [painting], networks=tiny, limits=LIMITS, method="style_swap", by="optimization")
        assert last.iteration < 5 and "The time limit of 5 s was reached" in last.notes[-1]


class TestLentGpu:
    def test_without_spaces_a_handler_stays_as_it_is(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "spaces", None)
        assert server.on_gpu(stylize._runs)(print) is print

    def test_with_spaces_it_asks_for_the_seconds_that_it_needs(self, monkeypatch):
        asked = {}

        def lend(handler, duration):
            asked["last"] = duration
            return handler

        monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=lend))

        def seconds(tab, limits=None, runs="_runs", **values):
            assert server.on_gpu(getattr(tab, runs))(print) is print
            return asked["last"](opened(**values), limits or Limits(8192, 2000, 120.0))

        plain = seconds(stylize, **{"gatys.steps": 1000})
        assert plain == 11  # the steps of another method don't count
        many = {"method": "gatys", "gatys.steps": 100}
        few, large = seconds(stylize, **many), seconds(stylize, **many, size=1024)
        assert 12 < few < 30 and (large - 10) / (few - 10) == pytest.approx(4, rel=0.2)
        assert seconds(stylize, **{**many, "gatys.steps": 2000}, size=4096) == 120  # what ends it anyway
        assert seconds(stylize, Limits(8192, 2000, 30.0), **many, size=4096) == 30
        by = {"method": "style_swap", "style_swap.by": "optimization"}
        assert seconds(stylize, **by) > 11 == seconds(stylize, method="style_swap", **{"style_swap.by": "network"})
        pair = {"methods": ["adain", "gatys", "optimize"], "size": 256, "gatys.steps": 9, "mrf.steps": 2000}
        assert 38 < seconds(compare, **pair, seconds=15.5, mode="equal-time") <= 10 + 2 * 15.5 + 1
        assert seconds(compare, methods=[], seconds=60) == seconds(compare, methods=None) == 10
        api = {"runs": "_api_runs", "method": "gatys"}
        assert seconds(stylize, **api, options={"steps": 100}) == few
        assert seconds(stylize, **api, options={"stps": 100}) == 10  # the run says what is wrong
