"""What is said of a comparison: the judge's figures, the mark, the table, the folder, the sheet."""

import json

import comparisons
import cv2
import numpy as np
import pytest
import torch
from comparisons import Plain, flat, last, run
from conftest import make_networks, picture
from PIL import Image

from adain_core import weights
from adain_core.evaluation import report, sheet
from adain_core.evaluation.comparison import Comparison, Output, Point
from adain_core.evaluation.judge import Judge
from adain_core.images import metrics
from adain_core.images.metrics import ssim

ours = comparisons.ours


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

    def test_a_flat_photograph_has_a_unit_too(self):
        """Its features don't vary, so a twentieth of their mean square counts: (0.6 - 0.2)^2 / (0.05 * 0.2^2)."""
        judge = Judge(Plain(), flat(51), [flat(102)])
        assert judge.measure(flat(153))["content"] == pytest.approx(0.4**2 / (0.05 * 0.2**2), rel=1e-3)
        assert judge.measure(flat(51))["content"] == 0

    @pytest.mark.parametrize("color", ["black", "gray", "white", "red"])
    def test_measures_of_flat_pictures_stay_small_with_the_shipped_model(self, color):
        networks, painting, plain = weights.load("compact"), picture(64, 48, 5), Image.new("RGB", (60, 40), color)
        for content, style in ((plain, painting), (painting, plain), (plain, plain)):
            judge = Judge(networks, content, [style])
            for output in (painting.resize(content.size), plain.resize(content.size)):
                found = {**judge.measure(output), "left": float(judge.left(output).max())}
                assert all(np.isfinite(each) for each in found.values())
                assert found["content"] < 1e4 and found["left"] < 1e5 and -1 <= found["ssim"] <= 1

    def test_several_paintings_share_equally(self):
        both = Judge(Plain(), flat(0), [flat(51), flat(102)])
        assert both.mean_std(flat(0)) == pytest.approx(4 * (0.2**2 + 0.4**2) / 2, rel=1e-5)

    def test_the_map_of_remaining_style_shows_where_it_is_missing(self):
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
        sentences = "\n".join(report.conclude(found, rows))
        assert "Approach" in sentences and ("AdaIN = " in sentences or "did not reach AdaIN's" in sentences)

    def test_each_picture_is_measured_once(self, tiny, tmp_path, monkeypatch):
        measured = []
        monkeypatch.setattr(metrics, "ssim", lambda one, other: measured.append(1) or ssim(one, other))
        for found in run(["adain", "approach"], tiny):
            if found.changed and found.outputs[found.changed].state == "done":
                report.score(found)  # as the page does
        assert report.save(found, tmp_path)["rows"] == report.score(found)
        assert len(measured) == 3  # with the photograph itself

    def test_the_crossing_is_described(self):
        ran = Output("gatys", "done", iteration=50, seconds=5.0, curve=(Point(1, 0.1, 8.0), Point(50, 4.9, 0.5)))
        adain = Output("adain", "done", curve=(Point(1, 0.02, 2.0),))
        settings = {"mode": "each", "seconds": 9, "judge": "vgg19", "model": "compact"}
        first, *_ = report.conclude(Comparison(flat(1), (flat(2),), settings, {"adain": adain, "gatys": ran}), [])
        assert first == "AdaIN = 26 iterations of Gatys, which reaches AdaIN's mean-std loss of 2.000 after 2.5 s."

    @pytest.mark.parametrize(
        ("judge", "model", "sentence"),
        [
            (
                "perceptual",
                "compact",
                "had no part in AdaIN and Style swap; it is the network that Gatys optimized through, so it rates that"
                " too well.",
            ),
            (
                "vgg19",
                "compact",
                "was the teacher of the network behind AdaIN and Style swap; it had no part in Gatys.",
            ),
            (
                "vgg19",
                "vgg19",
                "was the loss network that the decoder behind AdaIN and Style swap was trained with; it is the network"
                " that Gatys optimized through, so it rates that too well.",
            ),
            ("perceptual", "vgg19", "had no part in AdaIN, Style swap and Gatys."),
        ],
    )
    def test_it_states_the_judges_part_in_each_method(self, judge, model, sentence):
        through = "perceptual" if model == "compact" else "vgg19"
        outputs = {name: Output(name, "done") for name in ("adain", "style_swap")}
        outputs["gatys"] = Output("gatys", "done", record={"losses": {"total": 1.0}, "loss_network": through})
        settings = {"mode": "each", "seconds": 9, "judge": judge, "model": model}
        sentences = report.conclude(Comparison(flat(1), (flat(2),), settings, outputs), [])
        assert sentences[-1] == f"The judge, {judge}, {sentence}"

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

    def test_16_bits_are_saved(self, tiny, tmp_path):
        report.save(last(["adain", "approach"], tiny, options={"adain": {"bits": "16"}}), tmp_path)
        kinds = {name: cv2.imread(str(tmp_path / f"{name}.png"), -1).dtype for name in ("adain", "approach")}
        assert kinds == {"adain": np.uint16, "approach": np.uint8}
        assert (cv2.imread(str(tmp_path / "adain.png"), -1) % 257).any()  # not 8 bits, repeated

    def test_nothing_of_the_users_is_replaced(self, tiny, tmp_path):
        found = last(["adain"], tiny)
        for name in ("content.png", "style-1.png", "notes.txt"):
            (tmp_path / name).write_text("mine")
        with pytest.raises(ValueError, match=r"content.png and 1 more already exist; choose another output, or"):
            report.save(found, tmp_path)
        assert sorted(each.name for each in tmp_path.iterdir()) == ["content.png", "notes.txt", "style-1.png"]
        assert {each.read_text() for each in tmp_path.iterdir()} == {"mine"}
        report.save(found, tmp_path, overwrite=True)
        assert (tmp_path / "notes.txt").read_text() == "mine" and report.load(tmp_path).outputs["adain"].image

    def test_styles_of_an_earlier_comparison_are_not_read(self, tiny, tmp_path):
        for number in range(1, 12):
            picture(30, 30, number).save(tmp_path / f"style-{number}.png")
        found = last(["adain"], tiny)
        report.save(found, tmp_path, overwrite=True)
        assert len(report.load(tmp_path).styles) == len(found.styles) == 1

    @pytest.mark.parametrize("text", [None, '{"outputs": []}', "no JSON", "[]", "{}", '{"outputs": {"adain": {}}}'])
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
