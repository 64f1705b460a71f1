"""Training of generators: the objective, the crops, and the recipes from the command line, on tiny pictures."""

import json

import pytest
import torch
from conftest import picture
from knowing import make_generator
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from adain_core import images, weights
from adain_core.networks.generators import Generator, Generators, thumbnail
from adain_core.networks.model import Networks
from adain_core.networks.perceptual import PerceptualEncoder
from adain_core.optimization import feedforward
from adain_core.optimization.feedforward import LAYERS, Weights
from adain_core.training import generators
from adain_core.training.__main__ import app
from adain_core.training.generators import GeneratorSettings, Painting

TINY = ["--steps", "3", "--batch", "2", "--size", "64", "--width", "8", "--blocks", "1", "--save-every", "2"]


def look(image):
    """Features that are the picture itself."""
    return dict.fromkeys(LAYERS, image)


class TestObjective:
    def test_terms_by_hand(self):
        """Gram matrices of constant pictures of 0.5 and 1 have entries 1/4 and 1: the error is (3/4)^2 = 9/16."""
        painted, content = torch.full((2, 3, 64, 64), 0.5), torch.full((2, 3, 64, 64), 0.25)
        goal = dict.fromkeys(LAYERS, torch.ones(1, 3, 3))
        found = feedforward.losses(painted, content, goal, Weights(content=2.0, smoothness=3.0), look)
        assert float(found["style"]) == pytest.approx(9 / 16) and float(found["content"]) == pytest.approx(1.0)
        assert float(found["smoothness"]) == 0 and float(found["lattice"]) == pytest.approx(0, abs=1e-3)
        assert float(found["total"]) == pytest.approx(9 / 16 + 2.0, abs=1e-3)

    def test_a_checkerboard_costs(self):
        grid = (torch.arange(64)[:, None] + torch.arange(64)) % 2
        painted = grid.float().expand(1, 3, 64, 64)
        goal = dict.fromkeys(LAYERS, torch.ones(1, 3, 3))
        weights_of = Weights(content=0.0, smoothness=0.5, lattice=1.0)
        found = feedforward.losses(painted, painted, goal, weights_of, look)
        assert float(found["smoothness"]) == 2.0 and float(found["lattice"]) > 1
        whole = found["style"] + 0.5 * found["smoothness"] + found["lattice"]
        assert float(found["total"]) == pytest.approx(float(whole))

    def test_each_picture_has_its_goal(self):
        painted = torch.stack([torch.full((3, 64, 64), 0.5), torch.full((3, 64, 64), 1.0)])
        goal = dict.fromkeys(LAYERS, torch.stack([torch.full((3, 3), 0.25), torch.ones(3, 3)]))
        assert float(feedforward.losses(painted, painted, goal, Weights(), look)["style"]) == pytest.approx(
            0, abs=1e-12
        )

    def test_a_painting_is_seen_at_two_sizes(self):
        seen = []
        found = feedforward.goals(torch.rand(1, 3, 100, 150), lambda image: (seen.append(image.shape), look(image))[1])
        assert seen == [(1, 3, 256, 384), (1, 3, 512, 768)]
        assert [each["relu1_1"].shape for each in found] == [(1, 3, 3)] * 2

    @pytest.mark.parametrize(
        ("painting", "sentence"),
        [
            (
                torch.rand(1, 3, 40, 300),
                "The painting has 300x40 pixels; learning its style takes at least 64 on each side.",
            ),
            (torch.full((1, 3, 99, 99), 0.3), "The painting is nearly of one color, so there is no style to learn;"),
        ],
    )
    def test_paintings_without_a_style_are_refused(self, painting, sentence):
        with pytest.raises(ValueError) as refused:
            feedforward.check(painting)
        assert str(refused.value).startswith(sentence)


class TestStage:
    def stage(self, student, names=("a", "b")):
        paintings = {name: images.to_tensor(picture(70, 64, seed)) for seed, name in enumerate(names)}
        generators.remember(student, paintings)
        return Painting(student, paintings, look, Weights(), GeneratorSettings(), torch.rand(2, 3, 64, 64)), paintings

    def test_sizes_take_turns_as_those_of_the_crops_do(self):
        """A gradient shows by its slope how far it is enlarged; step 1 of the loop has the batch of step 0."""
        ramp = picture(300, 300, 1)
        ramp.putdata([(x // 2,) * 3 for _ in range(300) for x in range(300)])
        settings = GeneratorSettings(batch=2, size=64, flat=0.0)
        slopes = [
            float((crops[:, 0, 32, 63].float() - crops[:, 0, 32, 0].float()).abs().mean())
            for crops, _ in generators.batches([ramp], settings, range(2))
        ]
        assert slopes[0] == pytest.approx(63 * 300 / 256 / 2, abs=2) and slopes[1] == pytest.approx(
            slopes[0] / 2, abs=2
        )
        flat, _ = next(generators.batches([ramp], settings.model_copy(update={"flat": 1.0}), range(1)))
        assert (flat[:, 0, 32, 63].float() - flat[:, 0, 32, 0].float()).abs().max() < slopes[0] / 3.5
        stage, _ = self.stage(Generator(["a", "b"], (4, 8), 1))
        stage.goals = [{layer: torch.full((2, 3, 3), float(n)) for layer in LAYERS} for n in (1, 100)]
        batch = torch.rand(2, 3, 64, 64), torch.empty(0)
        first, second = (float(stage.losses(batch, step)["style"].detach()) for step in (1, 2))
        assert first < 0.9 < 0.99 < second  # of a goal of 100 nothing is reached

    def test_every_style_is_painted_in_time(self):
        stage, _ = self.stage(Generator(["a", "b"], (4, 8), 1))
        batch = torch.rand(2, 3, 64, 64), torch.empty(0)
        for step in range(1, 9):
            stage.losses(batch, step)["total"].backward()
        assert all(each.grad.any() for each in stage.student.styles.values())
        assert stage.sheet(stage.student).size[0] > 3 * 64

    def test_gammas_and_betas_learn_faster(self):
        stage, _ = self.stage(Generators(["a", "b"], (4, 8), 1))
        slow, fast = stage.groups(0.1)
        assert (slow["lr"], fast["lr"]) == (0.1, 0.5)
        assert {len(each.shape) for each in slow["params"]} == {1, 4} and [
            each.shape[0] for each in fast["params"]
        ] == [2, 2]

    def test_thumbnails_are_those_of_the_paintings(self):
        stage, paintings = self.stage(Generators(["a", "b"], (4, 8), 1))
        assert all(torch.equal(each, thumbnail(paintings[name])) for name, each in stage.student.known.items())

    def test_a_new_style_begins_as_the_mean_of_the_trunk_s(self, tmp_path):
        trunk = make_generator("conditional").generator
        student = Generators(["s2", "new"], (4, 6))
        generators.begin(student, trunk.state_dict(), tmp_path / "w.safetensors")
        for name in ("s2", "new"):
            torch.testing.assert_close(student[name].residual[3].weight, trunk.residual[3].weight)
        torch.testing.assert_close(student["s2"].styles["s2"], trunk.styles["s2"])
        torch.testing.assert_close(student["new"].styles["new"], torch.stack([*trunk.styles.values()]).mean(0))

    @pytest.mark.parametrize(
        "given", [make_generator("johnson"), Networks("n", {"generator": Generator(["a"], (6, 8))})]
    )
    def test_other_weights_are_no_trunk(self, given):
        with pytest.raises(
            ValueError, match=r"^w\.safetensors is not a run of conditional with this --width and these"
        ):
            generators.begin(Generator(["a"], (4, 6)), given.generator.state_dict(), "w.safetensors")


class TestCommands:
    @pytest.fixture(autouse=True)
    def folders(self, tmp_path, monkeypatch):
        for name, seeds in (("photos", range(3)), ("paintings", range(10, 12))):
            (tmp_path / name).mkdir()
            for seed in seeds:
                picture(90 + seed, 80, seed).save(tmp_path / name / f"{name[:-1]}_{seed}.png")
        judge = Networks("perceptual", {"perceptual": PerceptualEncoder((2, 3, 4, 5))})
        monkeypatch.setattr(weights, "load", lambda name, **_: {"perceptual": judge}[name])
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def call(self, *words):
        return CliRunner().invoke(app, [*words])

    def conditional(self, output="many"):
        return self.call("conditional", "--photos", "photos", "--paintings", "paintings", "-o", output, *TINY)

    def test_they_train_and_ship(self, folders):
        result = self.conditional()
        assert result.exit_code == 0, result.output
        last = json.loads((folders / "many/log.jsonl").read_text().splitlines()[-1])
        assert last["step"] == 3 and {"style", "content", "smoothness", "lattice", "total"} < set(last)
        many = load_file("many/weights.safetensors")
        assert {"styles.painting_10", "styles.painting_11", "thumbnails.painting_10", "down1.weight"} < set(many)
        assert many["thumbnails.painting_11"].dtype == torch.uint8 and many["thumbnails.painting_11"].any()
        for number in (10, 11):
            words = ["--painting", f"paintings/painting_{number}.png", "-o", str(number), *TINY]
            result = self.call("johnson", "--photos", "photos", *words, "--start", "many/weights.safetensors")
            assert result.exit_code == 0, result.output
        add = ["--add", "11/weights.safetensors"]
        result = self.call("ship", "10/weights.safetensors", "johnson.safetensors", *add)
        assert result.exit_code == 0, result.output
        shipped, networks = load_file("johnson.safetensors"), Generators(["painting_10", "painting_11"], (4, 8), 1)
        networks.load_state_dict(shipped)
        assert shipped["painting_10.down1.weight"].dtype == torch.bfloat16
        assert torch.equal(networks.known["painting_11"], many["thumbnails.painting_11"])
        assert not torch.equal(shipped["painting_10.down1.weight"], shipped["painting_11.down1.weight"])

    def test_a_style_is_not_added_twice(self):
        self.conditional()
        result = self.call("ship", "many/weights.safetensors", "a.safetensors", "--add", "many/weights.safetensors")
        assert str(result.exception) == (
            "many/weights.safetensors has another down1.weight; add runs of other styles only."
        )

    @pytest.mark.parametrize(
        ("name", "size", "sentence"),
        [
            ("pop.png", 90, "pop can't be the name of a style; use a word of letters, digits, and underscores."),
            ("my painting.png", 90, "my painting can't be the name of a style; use a word of letters, digits, and"),
            ("small.png", 20, "The painting has 20x80 pixels; learning its style takes at least 64 on each side."),
        ],
    )
    def test_bad_paintings_are_one_sentence(self, name, size, sentence):
        picture(size, 80, 1).save(name)
        result = self.call("johnson", "--photos", "photos", "--painting", name, "-o", "run", *TINY)
        assert str(result.exception).startswith(sentence)

    def test_another_start_is_one_sentence(self):
        save_file({"a": torch.zeros(2)}, "other.safetensors")
        words = ["--painting", "paintings/painting_10.png", "-o", "run", "--start", "other.safetensors"]
        result = self.call("johnson", "--photos", "photos", *words, *TINY)
        assert str(result.exception).startswith("other.safetensors is not a run of conditional with this --width")


def test_it_learns(monkeypatch):
    """A few steps bring a picture nearer to a painting's statistics."""
    torch.manual_seed(0)
    student = Generator(["a"], (8, 12), 1)
    painting = images.to_tensor(picture(80, 64, 5))
    stage = Painting(
        student, {"a": painting}, look, Weights(content=0.0, lattice=0.0), GeneratorSettings(), torch.rand(1, 3, 64, 64)
    )
    monkeypatch.setattr(stage, "goals", stage.goals[:1] * 2)
    adam, batch = torch.optim.Adam(student.parameters(), 1e-2), (torch.rand(1, 3, 64, 64), torch.empty(0))
    found = []
    for step in range(25):
        loss = stage.losses(batch, step)
        adam.zero_grad()
        loss["total"].backward()
        adam.step()
        found.append(float(loss["style"].detach()))
    assert found[-1] < 0.3 * found[0]
