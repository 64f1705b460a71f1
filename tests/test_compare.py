"""Comparisons: alike for every method, and apart from each other."""

import itertools
from dataclasses import replace

import comparisons
import numpy as np
import pytest
import torch
from comparisons import approach, last, make, run
from conftest import picture, pixels
from PIL import Image
from test_cli import call

from adain_core import compare, images, stylize, weights
from adain_core.contracts import MethodParams, Step
from adain_core.evaluation import comparison as core
from adain_core.evaluation import report
from adain_core.evaluation.judge import Judge

ours, ticks = comparisons.ours, comparisons.ticks


@pytest.mark.usefixtures("ours")
class TestRuns:
    def test_single_passes_first_then_all_fill_in(self, tiny):
        seen = [(now.changed, {name: each.state for name, each in now.outputs.items()})
                for now in run(["approach", "adain", "style_swap"], tiny)]  # fmt: skip
        assert list(seen[0][1].items()) == [("adain", "waiting"), ("style_swap", "waiting"), ("approach", "waiting")]
        assert [name for name, _ in itertools.groupby(changed for changed, _ in seen)] == [
            None, "adain", "style_swap", "approach"]  # fmt: skip
        assert seen[1][1]["adain"] == "running" and set(seen[-1][1].values()) == {"done"}
        assert len([1 for changed, _ in seen if changed == "approach"]) == 41  # that it begins, and each step

    def test_all_get_the_same_pair(self, ours, tiny):
        got = []

        def look(content, styles, *_):
            got.append((content.numpy().tobytes(), [style.image.shape for style in styles], tuple(content.shape)))
            yield Step(content)

        for name in ("one", "two"):
            ours[name] = make(name, look, MethodParams)
        found = last(["one", "two"], tiny)
        assert got[0] == got[1] and got[0][1:] == ([torch.Size([1, 3, 512, 366])], (1, 3, 48, 64))
        assert np.array_equal(pixels(found.outputs["one"].image), pixels(found.content))
        assert found.content.size == (64, 48) and found.styles[0].size == (366, 512)

    def test_a_picture_is_the_one_that_a_single_run_makes(self, tiny):
        found = last(["adain"], tiny, options={"adain": {"alpha": 0.5}})
        alone = stylize(picture(80, 60, 1), picture(50, 70, 2), networks=tiny, size=64, alpha=0.5)
        assert found.outputs["adain"].image.tobytes() == alone.tobytes()
        assert found.outputs["adain"].record["alpha"] == 0.5

    def test_methods_do_not_share_encodings(self, tiny, monkeypatch):
        encoded, forward = [], tiny.encoder.forward
        monkeypatch.setattr(tiny.encoder, "forward", lambda *given: (encoded.append(1), forward(*given))[1])
        counts = []
        for now in run(["adain", "wct"], tiny):
            if now.changed and now.outputs[now.changed].state == "running":
                encoded.clear()
            elif now.changed:
                counts.append(len(encoded))
        assert counts == [3, 3] and len(tiny.memory) == 0  # photograph, painting, and the judge's look at the picture

    def test_whatever_goes_wrong_stays_in_its_cell(self, tiny, caplog):
        found = last(["refuse", "break", "diverge", "give_up", "approach"], tiny).outputs
        ends = {name: (each.state, each.sentence) for name, each in found.items()}
        assert ends == {
            "refuse": ("failed", "The painting is too dark."),
            "break": ("failed", "It failed unexpectedly (RuntimeError)."),
            "diverge": ("failed", "The optimization diverged; the last good picture is kept."),
            "give_up": ("done", "Stopped: no improvement in 2 steps."),
            "approach": ("done", ""),
        }
        assert [found[name].iteration for name in ("refuse", "break", "diverge")] == [2, 2, 3]
        assert all(each.image is not None for each in found.values())
        assert "secret.py" in caplog.text  # who runs the server is told

    def test_methods_can_be_skipped_or_stopped(self, ours, tiny):
        ours["third"] = make("third", approach)
        skip = {"adain"}
        for now in run(["adain", "approach", "third"], tiny, skip=skip):
            if now.changed == "approach" and now.outputs["approach"].iteration == 7:
                skip.add("approach")
        ends = {name: (each.state, each.sentence) for name, each in now.outputs.items()}
        assert ends == {
            "adain": ("stopped", "Stopped before it began."),
            "approach": ("stopped", "Stopped after 8 of 40 steps."),
            "third": ("done", ""),
        }
        assert now.outputs["adain"].image is None and now.outputs["approach"].curve[-1].iteration == 8

    @pytest.mark.usefixtures("ticks")
    @pytest.mark.parametrize("end", ["time", "loss", "stop", "steps"])
    def test_doubts_about_the_last_picture_are_reported_however_it_ends(self, ours, tiny, end):
        def doubtful(*given):
            for step in approach(*given):
                yield replace(step, doubt=f"Step {step.iteration} is mostly noise.")

        ours["doubtful"] = make("doubtful", doubtful)
        mode = {"time": "equal-time", "loss": "equal-loss"}.get(end, "each")
        options, skip = {"mode": mode, "seconds": 5 if end == "time" else 30}, set()
        for now in run(["adain", "doubtful"], tiny, skip=skip, **options):
            if now.outputs["doubtful"].state == "running":
                assert "noise" not in now.outputs["doubtful"].sentence
            if end == "stop" and now.outputs["doubtful"].iteration == 3:
                skip.add("doubtful")
        output = now.outputs["doubtful"]
        assert output.sentence.endswith(f"Step {output.iteration} is mostly noise.")
        assert output.sentence.count("noise") == 1 and output.state == ("stopped" if end == "stop" else "done")

    def test_closing_stops_the_work(self, ours, tiny):
        closed = []

        def endless(*given):
            try:
                yield from approach(*given)
            finally:
                closed.append(True)

        ours["endless"] = make("endless", endless)
        going = run(["endless"], tiny)
        next(now for now in going if now.outputs["endless"].iteration == 3)
        assert not closed
        going.close()
        assert closed == [True]

    def test_two_at_once_keep_apart(self, tiny):
        def other():
            return compare(picture(60, 60, 3), picture(50, 40, 4), ["adain", "approach"], size=64, networks=tiny,
                           judge_networks=tiny, skip={"adain"})  # fmt: skip

        alone = [last(["adain", "approach"], tiny), list(other())[-1]]
        pairs = list(itertools.zip_longest(run(["adain", "approach"], tiny), other()))
        both = [[each[place] for each in pairs if each[place] is not None][-1] for place in (0, 1)]
        for one, same in zip(alone, both, strict=True):
            for name, output in one.outputs.items():
                kept = same.outputs[name]
                assert (kept.state, kept.image and kept.image.tobytes()) == (
                    output.state, output.image and output.image.tobytes())  # fmt: skip
                assert [point.mean_std for point in kept.curve] == [point.mean_std for point in output.curve]

    def test_the_judge_measures_often_at_first_and_always_at_the_end(self, tiny):
        found = last(["approach"], tiny, options={"approach": {"steps": 97}})
        output, curve = found.outputs["approach"], found.outputs["approach"].curve
        steps = [point.iteration for point in curve]
        assert steps[:20] == list(range(1, 21)) and steps[-1] == 97 and len(steps) < 60
        assert all(after - before <= 1 + 0.05 * before for before, after in itertools.pairwise(steps))
        assert curve[-1].mean_std == Judge(tiny, found.content, found.styles).mean_std(output.image)


@pytest.mark.usefixtures("ours", "ticks")
class TestTimeAndLoss:
    def test_the_bound_is_the_methods_own_time(self, tiny):
        found = last(["adain", "approach"], tiny, seconds=5.0).outputs
        assert (found["approach"].iteration, found["approach"].iterations) == (10, 40)
        assert found["approach"].seconds == 5.0 and found["adain"].seconds == 0.5
        assert found["approach"].sentence == "The bound of 5 s was reached after 10 steps."
        assert found["approach"].state == "done"

    def test_equal_time_takes_all_of_it(self, tiny):
        found = last(["approach"], tiny, mode="equal-time", seconds=50.0).outputs["approach"]
        assert (found.iteration, found.iterations, found.seconds) == (100, 200, 50.0)

    def test_equal_loss_stops_where_adains_is_reached(self, tiny, monkeypatch):
        losses = {"adain": [2.0], "approach": [5.0, 4.0, 3.0, 2.5, 2.0, 1.0]}
        values = itertools.chain(*losses.values())
        monkeypatch.setattr(Judge, "mean_std", lambda *_: next(values))
        found = last(["approach"], tiny, mode="equal-loss", seconds=100.0)
        assert found.goal == 2.0 and list(found.outputs) == ["adain", "approach"]  # added, since it is the goal
        output = found.outputs["approach"]
        assert (output.iteration, output.state) == (5, "done")
        assert output.sentence == "AdaIN's loss was reached in 2.5 s, after 5 steps."

    def test_equal_loss_says_where_it_is_not_reached(self, tiny, monkeypatch):
        monkeypatch.setattr(Judge, "mean_std", lambda *_: next(losses))
        losses = itertools.count(1.0)
        found = last(["adain", "approach"], tiny, mode="equal-loss", seconds=3.0).outputs["approach"]
        assert (found.iteration, found.sentence) == (6, "AdaIN's loss was not reached within 3 s.")
        losses = itertools.count(1.0)
        found = last(["adain", "approach"], tiny, mode="equal-loss", seconds=3600).outputs["approach"]
        assert (found.iteration, found.sentence) == (200, "AdaIN's loss was not reached by the last step.")


def test_from_coarse_to_fine_steps_stay_as_they_are():
    kept = core.prepare("gatys", {"steps": 30, "scales": 3}, "equal-time", "compact", "cpu")
    assert kept["steps"] == 30
    assert core.prepare("gatys", {"steps": 30}, "equal-time", "compact", "cpu")["steps"] == 2000
    assert core.prepare("gatys", {"steps": 30}, "each", "compact", "cpu")["steps"] == 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": []}, "Choose at least one method."),
        ({"methods": ["gatsy"]}, "There is no method gatsy; there are adain"),
        ({"methods": ["adain", "adain"]}, "adain is given twice; each method runs once."),
        ({"mode": "fair"}, "There is no mode fair; there are each, equal-time, equal-loss."),
        ({"seconds": 0}, "seconds is 0, but it must be above 0 and at most 3600."),
        ({"size": 20}, "size is 20, but it must be from 64 to 8192."),
        ({"options": {"adain": {"alpha": 2}}}, "alpha is 2, but it must be from 0 to 1."),
        ({"options": {"adain": {"steps": 2}}}, "adain has no option steps; there are"),
        ({"options": {"gatys": {}}}, "There are options for gatys, which is not compared; there are adain."),
        ({"judge": "none", "judge_networks": None}, "There is no model none; there are compact, vgg19"),
    ],
)
def test_mistakes_are_one_sentence(tiny, options, message):
    names = options.pop("methods", ["adain"])
    with pytest.raises(ValueError) as error:
        list(run(names, tiny, **options))
    assert str(error.value).startswith(message)


def test_the_command_line_writes_a_folder(tmp_path, monkeypatch, capsys, tiny):
    for name, seed in (("photo.png", 1), ("painting.png", 2)):
        picture(80, 60, seed).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: tiny)
    line = "compare photo.png painting.png --methods gatys,adain --size 64 --option gatys.steps=3 -o out"
    code, out, err = call(line, monkeypatch, capsys)
    assert code == 0 and [each.split(" ")[0] for each in err if each.strip()] == ["AdaIN", "Gatys"]
    table = [each.split("\t") for each in out.splitlines()[:4]]
    assert [row[0] for row in table] == ["Method", "The photograph itself", "AdaIN", "Gatys"]
    assert table[3][table[0].index("Steps")] == "3"
    with Image.open(tmp_path / "out" / "gatys.png") as image:
        assert image.size == (64, 48)
    assert (tmp_path / "out" / "sheet.png").is_file() and (tmp_path / "out" / "results.json").is_file()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--option gatys", "--option is gatys; give a method, its parameter and the value, such as gatys.steps=300."),
        ("--option gatys.stps=3", "gatys has no option stps; there are"),
        ("--methods adain,gatsy", "There is no method gatsy; there are"),
        ("--mode fair", "There is no mode fair; there are each, equal-time, equal-loss."),
    ],
)
def test_mistakes_on_the_command_line(tmp_path, monkeypatch, capsys, tiny, line, message):
    picture(80, 60, 1).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: tiny)
    code, out, err = call(f"compare a.png a.png -o out {line}", monkeypatch, capsys)
    assert (code, out, len(err)) == (2, "", 1) and err[0].startswith(f"adain: {message}")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("ours")
def test_the_command_line_tells_a_failure_by_its_code(tmp_path, monkeypatch, capsys, tiny):
    picture(80, 60, 1).save(tmp_path / "a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: tiny)
    code, _, err = call("compare a.png a.png --methods refuse,adain --size 64 -o out", monkeypatch, capsys)
    assert code == 1 and any("(failed) The painting is too dark." in each for each in err)
    assert (tmp_path / "out" / "adain.png").is_file()


def test_on_the_shipped_model(shipped_pair):
    *_, found = compare(*shipped_pair, ("adain", "gatys"), size=96, options={"gatys": {"steps": 8}})
    rows = {row["name"]: row for row in report.score(found)}
    assert found.settings["judge"] == found.outputs["gatys"].record["loss_network"] == "perceptual"
    assert "loss_network" not in found.outputs["adain"].record
    assert rows["adain"]["mean_std"] < 0.5 * rows[""]["mean_std"]
    assert rows["gatys"]["mean_std"] < rows[""]["mean_std"] and rows["gatys"]["iterations"] == 8
    assert images.load(shipped_pair[0], 96).rgb.tobytes() == found.content.tobytes()
