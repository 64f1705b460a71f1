"""Comparisons: alike for every method, apart from each other, measured by one judge."""

import itertools
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import make_networks, picture, pixels
from PIL import Image
from pydantic import Field
from test_cli import call

from adain_core import compare, images, methods, metrics, report, sheet, stylize, weights
from adain_core.compare import Comparison, Output, Point
from adain_core.contracts import Method, MethodParams, Step
from adain_core.judge import Judge

core = sys.modules["adain_core.compare"]  # the function goes by the same name


class Params(MethodParams):
    steps: int = Field(40, ge=1, le=200, description="How many.")
    seconds: float = Field(300.0, gt=0, le=3600, description="At most.")
    rate: float = Field(0.05, ge=0, le=1, description="How far toward the painting's mean color a step goes.")


def approach(content, styles, params, _networks):
    """Go toward the painting's mean color, step by step."""
    goal = styles[0].image.mean((2, 3), keepdim=True)
    for number in range(1, params.steps + 1):
        yield Step(content.lerp(goal, min(1, params.rate * number)), number, params.steps, {"total": 1 / number})


def refuse(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    raise ValueError("The painting is too dark.")


def break_down(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    raise RuntimeError("/home/someone/secret.py broke")


def diverge(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    yield Step(content, 3, params.steps, {}, note="The optimization diverged; the last good picture is kept.")


def give_up(content, styles, params, networks):
    yield from itertools.islice(approach(content, styles, params, networks), 2)
    yield Step(content, 3, params.steps, {"total": 1.0}, note="No gain in 2 steps, so it stopped.")


def make(name, run, params=Params):
    return Method(name, name.capitalize(), "ours", "For tests.", params, run)


@pytest.fixture
def ours(monkeypatch):
    """The methods, and some of ours."""
    runs = {"approach": approach, "refuse": refuse, "break": break_down, "diverge": diverge, "give_up": give_up}
    found = {**methods.find(), **{name: make(name, run) for name, run in runs.items()}}
    monkeypatch.setattr(methods, "find", lambda: found)
    return found


@pytest.fixture
def ticks(monkeypatch):
    """A clock by which every piece of work takes half a second."""
    count = itertools.count(step=0.5)
    monkeypatch.setattr(metrics, "time", SimpleNamespace(perf_counter=lambda: next(count)))


def run(names, tiny, **options):
    given = {"size": 64, "networks": tiny, "judge_networks": tiny, **options}
    return compare(picture(80, 60, 1), picture(50, 70, 2), names, **given)


def last(names, tiny, **options) -> Comparison:
    *_, found = run(names, tiny, **options)
    return found


class Plain:
    """An encoder whose every layer is the picture itself."""

    name, dtype, device = "plain", torch.float32, torch.device("cpu")

    def perceptual(self, image, layers):
        return dict.fromkeys(layers, image)


def flat(level, size=(60, 40)):
    return Image.new("RGB", size, (level, level, level))


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

    def test_none_finds_what_another_has_encoded(self, tiny, monkeypatch):
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
        told = {name: (each.state, each.sentence) for name, each in found.items()}
        assert told == {
            "refuse": ("failed", "The painting is too dark."),
            "break": ("failed", "It failed unexpectedly (RuntimeError)."),
            "diverge": ("failed", "The optimization diverged; the last good picture is kept."),
            "give_up": ("done", "No gain in 2 steps, so it stopped."),
            "approach": ("done", ""),
        }
        assert [found[name].iteration for name in ("refuse", "break", "diverge")] == [2, 2, 3]
        assert all(each.image is not None for each in found.values())
        assert "secret.py" in caplog.text  # who runs the server is told

    def test_what_is_not_wanted_is_skipped_or_stopped(self, ours, tiny):
        ours["third"] = make("third", approach)
        skip = {"adain"}
        for now in run(["adain", "approach", "third"], tiny, skip=skip):
            if now.changed == "approach" and now.outputs["approach"].iteration == 7:
                skip.add("approach")
        told = {name: (each.state, each.sentence) for name, each in now.outputs.items()}
        assert told == {
            "adain": ("stopped", "Stopped before it began."),
            "approach": ("stopped", "Stopped after 8 of 40 steps."),
            "third": ("done", ""),
        }
        assert now.outputs["adain"].image is None and now.outputs["approach"].curve[-1].iteration == 8

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

    def test_the_judge_looks_often_first_and_always_last(self, tiny):
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
        told = itertools.chain(*losses.values())
        monkeypatch.setattr(Judge, "mean_std", lambda *_: next(told))
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


class TestJudge:
    def test_losses_by_hand(self):
        """Flat greys: means 0.2 and 0.6 at four layers, no deviation; the Gram matrices hold their squares."""
        judge = Judge(Plain(), flat(51), [flat(153, (30, 30))])
        found = judge.measure(flat(51))
        assert judge.mean_std(flat(51)) == found["mean_std"] == pytest.approx(4 * 0.4**2, rel=1e-5)
        assert found["gram"] == pytest.approx(4 * (0.6**2 - 0.2**2) ** 2, rel=1e-4)
        assert (found["content"], found["ssim"], found["color_shift"]) == (0, pytest.approx(1), 0)
        style = judge.measure(flat(153))
        assert style["mean_std"] == pytest.approx(0, abs=1e-9) and style["gram"] == pytest.approx(0, abs=1e-9)

    def test_deviations_count_like_means(self):
        """Half 0.2 and half 0.6: mean 0.4, deviation 0.2, against the painting's 0.4 and 0."""
        halves = flat(51)
        halves.paste(flat(153, (30, 40)), (0, 0))
        assert Judge(Plain(), halves, [flat(102)]).mean_std(halves) == pytest.approx(
            4 * (0.2 - 1e-5**0.5) ** 2, rel=1e-3
        )

    def test_content_is_over_its_variance(self):
        """A photograph of two greys about 0.4: the picture that is flat at their mean is off by its variance."""
        halves = flat(51)
        halves.paste(flat(153, (30, 40)), (0, 0))
        judge = Judge(Plain(), halves, [flat(102)])
        assert judge.measure(flat(102))["content"] == pytest.approx(1, rel=1e-4)
        assert judge.measure(Image.eval(halves, lambda level: 204 - level))["content"] == pytest.approx(4, rel=1e-4)

    def test_several_paintings_share_equally(self):
        both = Judge(Plain(), flat(0), [flat(51), flat(102)])
        assert both.mean_std(flat(0)) == pytest.approx(4 * (0.2**2 + 0.4**2) / 2, rel=1e-5)

    def test_what_is_left_lies_where_the_style_is_not(self):
        judge = Judge(Plain(), flat(51), [flat(153)])
        halves = flat(51)
        halves.paste(flat(153, (30, 40)), (0, 0))
        found = judge.left(halves)
        assert found.shape == (40, 60)
        np.testing.assert_allclose(found[:, :20], 0, atol=1e-4)
        np.testing.assert_allclose(found[:, 40:], 1, rtol=1e-3)

    def test_it_judges_in_float32_whatever_the_methods_use(self, tiny):
        exact = make_networks()
        tiny.dtype = torch.bfloat16
        tiny.encoder.to(torch.bfloat16)
        exact.encoder.load_state_dict({name: x.float() for name, x in tiny.encoder.state_dict().items()})
        pair = picture(60, 50, 1), [picture(40, 40, 2)]
        assert Judge(tiny, *pair).measure(picture(60, 50, 3)) == Judge(exact, *pair).measure(picture(60, 50, 3))
        assert tiny.encoder.conv1_1.weight.dtype == torch.bfloat16


class TestCrossing:
    curve = (Point(10, 1.0, 8.0), Point(20, 2.0, 2.0), Point(24, 2.4, 0.5))

    @pytest.mark.parametrize(
        ("goal", "iteration", "seconds"),
        [(4.0, 15, 1.5), (2.0, 20, 2.0), (1.0, 22, 2.2), (9.0, 10, 1.0), (0.5, 24, 2.4)],
    )
    def test_by_hand(self, goal, iteration, seconds):
        met = report.crossing(self.curve, goal)
        assert (met.iteration, met.seconds) == (iteration, pytest.approx(seconds))

    def test_a_part_of_an_iteration_is_a_whole_one(self):
        assert report.crossing(self.curve, 7.9).iteration == 11

    def test_never_and_the_first_time(self):
        assert report.crossing(self.curve, 0.4) is None and report.crossing((), 1.0) is None
        back = (*self.curve, Point(30, 3.0, 9.0), Point(40, 4.0, 0.1))
        assert report.crossing(back, 1.0).iteration == 22


@pytest.mark.usefixtures("ours")
class TestReport:
    def test_rows_and_conclusions(self, tiny):
        found = last(["adain", "approach", "refuse"], tiny, options={"refuse": {"steps": 9}})
        rows = report.score(found)
        assert [row["title"] for row in rows] == ["The photograph itself", "AdaIN", "Approach", "Refuse"]
        assert (rows[0]["content"], rows[0]["ssim"], rows[0]["seconds"]) == (0, pytest.approx(1), None)
        assert rows[1]["mean_std"] == found.goal and rows[2]["iterations"] == 40
        assert all(isinstance(row[name], (int, float)) for row in rows[1:] for name in report.COLUMNS)
        told = "\n".join(report.conclude(found, rows))
        assert "Approach" in told and ("AdaIN = " in told or "did not come down to AdaIN's" in told)

    def test_the_mark_is_in_words(self):
        ran = Output("gatys", "done", iteration=50, seconds=5.0, curve=(Point(1, 0.1, 8.0), Point(50, 4.9, 0.5)))
        adain = Output("adain", "done", curve=(Point(1, 0.02, 2.0),))
        settings = {"mode": "each", "seconds": 9, "judge": "vgg19", "model": "compact"}
        told = report.conclude(Comparison(flat(1), (flat(2),), settings, {"adain": adain, "gatys": ran}), [])
        assert told == ["AdaIN = 26 iterations of Gatys: then its mean-std loss is AdaIN's 2.000, after 2.5 s."]

    def test_a_folder_holds_it_all_and_gives_it_back(self, tiny, tmp_path, monkeypatch):
        found = last(["adain", "approach", "refuse"], tiny, skip={"refuse"})
        results = report.save(found, tmp_path / "deep" / "out")
        place = tmp_path / "deep" / "out"
        kinds = [f"{name}{kind}.png" for name in ("adain", "approach") for kind in ("", "-left", "-difference")]
        others = ["content.png", "style-1.png", "results.json", "table.csv", "sheet.png"]
        assert sorted(each.name for each in place.iterdir()) == sorted([*kinds, *others])
        stored = json.loads((place / "results.json").read_text())
        assert stored == json.loads(json.dumps(results)) and stored["outputs"]["refuse"]["state"] == "stopped"
        assert stored["settings"]["judge"] == "tiny" and stored["outputs"]["approach"]["record"]["rate"] == 0.05
        head, *lines = (place / "table.csv").read_text().splitlines()
        assert head == "name,title,state,content,mean_std,gram,ssim,color_shift,seconds,iterations,memory"
        assert [line.split(",")[1] for line in lines] == ["The photograph itself", "AdaIN", "Approach", "Refuse"]
        monkeypatch.setattr(weights, "load", lambda name: {"tiny": tiny}[name])
        again = report.load(place)
        assert report.score(again) == report.score(found) and again.goal == found.goal
        assert again.outputs["approach"].curve == found.outputs["approach"].curve
        assert again.outputs["refuse"] == found.outputs["refuse"]

    @pytest.mark.parametrize("text", [None, "no JSON", "[]", "{}", '{"outputs": {"adain": {}}}'])
    def test_another_folder_is_refused(self, tmp_path, text):
        if text is not None:
            (tmp_path / "results.json").write_text(text)
        with pytest.raises(ValueError, match="holds no comparison; `compare` writes one"):
            report.load(tmp_path)

    def test_the_sheet_shows_every_picture_over_the_table(self, tiny):
        found = last(["adain", "wct"], tiny)
        made = report.draw(found, report.score(found))
        assert made.width >= 3 * 400 and made.height > 2 * 400 + 4 * 39


def dark(made: Image.Image, top: float, bottom: float) -> int:
    return sum(made.convert("L").crop((0, round(top), made.width, round(bottom))).histogram()[:100])


def test_a_table_and_lines_are_drawn_row_by_row():
    made = sheet.table([["Method", "Loss"], ["AdaIN", "1.25"], ["", ""]])
    third = made.height / 3
    assert dark(made, 2, third - 2) > 100 and dark(made, third + 2, 2 * third - 2) > 60
    assert dark(made, 2 * third + 2, 3 * third - 2) == 0
    wide = sheet.table([["Method", "Loss"], ["AdaIN", "1.25"], ["A longer name than these", ""]])
    assert wide.width > made.width + 50 and wide.height == made.height
    lines = sheet.text(["short", "word " * 60], 400)
    assert lines.width == 400 and lines.height > 6 * 21 and dark(lines, lines.height - 45, lines.height) > 50
    both = sheet.stack([made, lines])
    assert both.size == (max(made.width, 400), made.height + lines.height)
    assert both.crop((0, made.height, 400, both.height)).tobytes() == lines.tobytes()


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
        ("--option gatys", "--option is gatys; give a method, its parameter and the value, as in gatys.steps=300."),
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
    assert found.settings["judge"] == "compact"
    assert rows["adain"]["mean_std"] < 0.5 * rows[""]["mean_std"]
    assert rows["gatys"]["mean_std"] < rows[""]["mean_std"] and rows["gatys"]["iterations"] == 8
    assert images.load(shipped_pair[0], 96).rgb.tobytes() == found.content.tobytes()
