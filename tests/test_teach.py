"""Teaching a painting: what is learned, the file it goes into, and how that is used and refused."""

import itertools
import json
import sys
import types

import pytest
import torch
from conftest import make_networks, picture
from knowing import install, make_generator
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from test_cli import call

from adain_core import images, run, stylize, weights
from adain_core.cli import app
from adain_core.cli.teach import teach as command
from adain_core.contracts import SizeError, parse
from adain_core.networks.generators import thumbnail
from adain_core.networks.model import Networks
from adain_core.networks.perceptual import PerceptualEncoder
from adain_core.optimization.feedforward import Weights
from adain_core.runs import teach as teaching
from adain_core.runs.teach import TeachParams, teach
from adain_core.weights import taught

PHOTOS = [picture(90, 80, seed) for seed in (21, 22)]
PAINTING = picture(80, 70, 9)


@pytest.fixture(scope="module")
def judge() -> Networks:
    """A loss network whose features vary."""
    torch.manual_seed(0)
    encoder = PerceptualEncoder((4, 6, 8, 10))
    for each in encoder.modules():
        if isinstance(each, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(each.weight)
            torch.nn.init.zeros_(each.bias)
    return Networks("perceptual", {"perceptual": encoder})


def lessons(networks, judge, steps=3, painting=PAINTING, name="mine", **params):
    given = parse(TeachParams, {"seconds": 1e4, "steps": steps, "size": 64, **params})
    return [*teach(painting, name, PHOTOS, networks, given, judge)]


class TestLearning:
    def test_a_network_of_many_styles_learns_gamma_and_beta_alone(self, judge):
        networks = make_generator("conditional")
        before = {name: x.clone() for name, x in networks.generator.state_dict().items()}
        found = lessons(networks, judge)
        assert [(each.step, each.progress) for each in found] == [(1, 1 / 3), (2, 2 / 3), (3, 1)]
        style = found[-1].style
        assert (style.method, style.name) == ("conditional", "mine") and set(style.tensors) == {"style", "thumbnail"}
        assert sum(x.numel() for x in style.tensors.values() if x.is_floating_point()) == 148
        starts = [before[f"styles.{name}"] for name in ("s1", "s2", "s3")]
        gaps = [float((found[0].style.tensors["style"] - each).abs().max()) for each in starts]
        assert min(gaps) == pytest.approx(0.05, rel=0.02)  # Adam's first step from the nearest
        assert all(torch.equal(x, before[name]) for name, x in networks.generator.state_dict().items())
        assert torch.equal(style.tensors["thumbnail"], thumbnail(images.to_tensor(images.load(PAINTING, 1024).rgb)))

    def test_a_network_of_one_style_learns_as_a_whole(self, judge):
        networks = make_generator("johnson")
        style = lessons(networks, judge)[-1].style
        tensors = style.tensors
        assert (
            style.method == "johnson" and "styles.mine" in tensors and tensors["down1.weight"].dtype == torch.bfloat16
        )
        for each in networks.generator.values():
            assert (each.down1.weight - tensors["down1.weight"]).abs().max() > 5e-4

    @pytest.mark.parametrize(("method", "rate"), [("johnson", 2e-3), ("conditional", 3e-2)])
    def test_the_style_comes_nearer(self, method, rate, judge):
        params = parse(TeachParams, {"seconds": 1e4, "steps": 30, "size": 64, "rate": rate})
        alone = parse(Weights, {"content": 0.0, "smoothness": 0.0, "lattice": 0.0})
        found = [*teach(PAINTING, "mine", PHOTOS, make_generator(method), params, judge, alone)]
        losses = [each.losses["style"] for each in found]
        assert sum(losses[-4:]) < 0.75 * sum(losses[:4])

    @pytest.mark.parametrize("name", ["s1", "s3"])
    def test_it_starts_with_the_nearest_style(self, name, judge):
        """A painting that is what one of the styles makes of the photographs is nearest to that style."""
        networks = make_generator("conditional")
        made = networks.generate(images.to_tensor(PHOTOS[0].resize((512, 456))), {name: 1.0})
        practice = teaching.Practice(made, PHOTOS, judge, parse(Weights, {"content": 0.0}), 0)
        assert practice.nearest(networks.generator)[1] == name

    def test_the_same_seed_learns_the_same(self, judge):
        one, same, other = (
            lessons(make_generator("conditional"), judge, seed=seed)[-1].style.tensors["style"] for seed in (1, 1, 2)
        )
        assert torch.equal(one, same) and not torch.equal(one, other)

    def test_it_ends_when_the_time_is_up(self, judge, monkeypatch):
        """Every look at the clock takes a second; of the three styles, two are tried in a fifth of ten seconds."""
        monkeypatch.setattr(teaching, "time", types.SimpleNamespace(monotonic=itertools.count().__next__))
        tried, losses = [], teaching.Practice.losses
        watch = lambda self, generator, *given: (tried.append(given[0]), losses(self, generator, *given))[1]  # noqa: E731
        monkeypatch.setattr(teaching.Practice, "losses", watch)
        found = lessons(make_generator("conditional"), judge, 1000, seconds=10)
        assert tried[:5] == ["s1", "s1", "s2", "s2", "mine"]
        assert [each.progress for each in found] == [0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]

    @pytest.mark.parametrize(
        ("changed", "sentence"),
        [
            (
                {"name": "my.style"},
                "my.style can't be the name of a style; use a word of letters, digits, and underscores.",
            ),
            ({"painting": picture(80, 70, 9).point(lambda _: 90)}, "Style: The painting is nearly of one color, so"),
        ],
    )
    def test_paintings_and_names_that_will_not_do(self, changed, sentence, judge):
        with pytest.raises(ValueError) as refused:
            lessons(make_generator("conditional"), judge, **changed)
        assert str(refused.value).startswith(sentence)

    def test_without_photographs_or_memory(self, judge, monkeypatch):
        networks, params = make_generator("conditional"), parse(TeachParams, {})
        with pytest.raises(ValueError, match=r"^There are no photographs to learn on; give some\.$"):
            next(teach(PAINTING, "mine", [], networks, params, judge))
        monkeypatch.setattr("adain_core.system.machine.free_memory", lambda: 10**6)
        with pytest.raises(
            SizeError, match=r"^Learning a painting needs about 0\.0 GB of memory, but 0\.0 GB is free; c"
        ):
            next(teach(PAINTING, "mine", PHOTOS, networks, params, judge))


@pytest.mark.parametrize("method", ["johnson", "conditional"])
class TestFile:
    @pytest.fixture
    def file(self, method, judge, tmp_path):
        taught.write(tmp_path / "mine.safetensors", lessons(make_generator(method), judge)[-1].style)
        return tmp_path / "mine.safetensors"

    def test_it_stylizes_at_once(self, method, file, tmp_path, monkeypatch, photo):
        install(method, tmp_path, monkeypatch)
        (result,) = run(photo, style_weights=file)
        assert result.record["method"] == method and not result.notes
        named = stylize(photo, "mine", method=method, style_weights=[file])
        seen = stylize(photo, PAINTING, method=method, style_weights=[file])
        assert named.tobytes() == seen.tobytes() == result.image.tobytes()
        assert stylize(photo, "s1", method=method, style_weights=[file]).tobytes() != named.tobytes()
        weights._loaded.clear()

    def test_it_is_another_method_s(self, method, file):
        other = make_generator({"johnson": "conditional", "conditional": "johnson"}[method])
        for networks in (other, make_networks()):
            with pytest.raises(
                weights.WeightsError, match=rf"^The style mine was taught to {method}; choose that method"
            ):
                taught.add(networks, taught.read(file))

    def test_it_is_another_network_s(self, method, file):
        """Of another trunk, whose gammas and betas mean something else; or of another width."""
        networks = make_generator(method, seed=5)
        if method == "johnson":
            tensors = {**load_file(file), "down1.weight": torch.zeros(5, 3, 5, 5)}
            save_file(tensors, file, {"method": method, "style": "mine", "trunk": ""})
        with pytest.raises(
            weights.WeightsError, match=rf"^The style mine was taught to another network of {method} th"
        ):
            taught.add(networks, taught.read(file))

    def test_what_is_no_such_file_is_refused(self, method, file):
        with safe_open(file, "pt") as stream:
            facts = stream.metadata()
        words = r"^mine\.safetensors holds no style that was taught; use a file written by teach\.$"
        for data in (b"none", b""):
            file.write_bytes(data)
            with pytest.raises(weights.WeightsError, match=words):
                taught.read(file)
        save_file({"style": torch.zeros(2, 148)}, file)
        with pytest.raises(weights.WeightsError, match=words):
            taught.read(file)
        save_file({"style": torch.full((2, 74), torch.nan)}, file, facts)
        with pytest.raises(
            weights.WeightsError, match=r"^mine\.safetensors holds numbers that aren't finite; teach the"
        ):
            taught.read(file)
        save_file({"style": torch.zeros(2, 3), "thumbnail": torch.zeros(3, 16, 16)}, file, facts)
        with pytest.raises(weights.WeightsError, match="was taught to another network"):
            taught.add(make_generator(method), taught.read(file))
        with pytest.raises(weights.WeightsError, match=r"^gone\.safetensors can't be read"):
            taught.read(file.with_name("gone.safetensors"))


def test_a_taught_style_mixes_with_others(judge, tmp_path, monkeypatch, photo):
    install("conditional", tmp_path, monkeypatch)
    networks = make_generator("conditional")
    style = lessons(networks, judge)[-1].style
    taught.write(tmp_path / "mine.safetensors", style)
    given = {"style_weights": tmp_path / "mine.safetensors", "weights": (3, 1), "bits": 16}  # in float32
    (result,) = run(photo, ["mine", "s1"], **given)
    found = torch.from_numpy(result.image.info["exact"].astype("float32")).permute(2, 0, 1) / 65535
    mixture = {"mine": 0.75, "s1": 0.25}
    expected = taught.add(networks, style).generate(images.to_tensor(photo), mixture)
    torch.testing.assert_close(found, expected[0], atol=2e-5, rtol=0)
    assert "mine" not in networks.generator.known
    weights._loaded.clear()


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch, judge):
        install("conditional", tmp_path, monkeypatch)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "photos").mkdir()
        for number, each in enumerate(PHOTOS):
            each.save(tmp_path / "photos" / f"{number}.png")
        PAINTING.save(tmp_path / "painting.png")
        load = weights.load
        monkeypatch.setattr(
            weights, "load", lambda name, *a, **k: judge if name == "perceptual" else load(name, *a, **k)
        )
        monkeypatch.setattr(TeachParams.model_fields["steps"], "default", 2)
        TeachParams.model_rebuild(force=True)
        app.command("teach")(command)
        yield tmp_path
        app.registered_commands.pop()
        monkeypatch.undo()
        TeachParams.model_rebuild(force=True)
        weights._loaded.clear()

    TEACH = "teach painting.png --photos photos -o mine.safetensors --seconds 1000"

    def test_it_teaches_and_stylizes(self, folder, monkeypatch, capsys):
        code, out, err = call(self.TEACH, monkeypatch, capsys)
        words = "mine.safetensors: learned in 2 steps; stylize takes it with --style-weights mine.safetensors"
        assert (code, out.strip(), err) == (0, words, [])
        for line in ("photos/0.png", "photos/0.png mine", "photos/0.png painting.png --method conditional"):
            command = f"stylize {line} -o out.png --overwrite --json --style-weights mine.safetensors"
            code, out, err = call(command, monkeypatch, capsys)
            assert (code, err) == (0, []) and json.loads(out)["method"] == "conditional"
        code, _, err = call("stylize photos mine -o out --style-weights mine.safetensors", monkeypatch, capsys)
        assert code == 0 and sorted(each.name for each in (folder / "out").iterdir()) == ["0-mine.png", "1-mine.png"]
        code, _, err = call(self.TEACH, monkeypatch, capsys)
        assert code == 2 and err[0].startswith("adain: mine.safetensors already exists")

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("teach painting.png -o mine", "mine should end in .safetensors; choose such a name with -o."),
            (
                "teach painting.png -o mine.safetensors --method adain",
                "adain takes any painting, so there is nothing to teach; choose conditional.",
            ),
            ("teach gone.png -o mine.safetensors", "There is no file or folder gone.png."),
            ("teach painting.png -o mine.safetensors --photos gone", "There is no file or folder gone."),
            (
                "teach photos/0.png -o my-style.safetensors",
                "my-style can't be the name of a style; use a word of letters, digits, and underscores.",
            ),
            (
                "stylize photos/0.png -o a.png --style-weights painting.png",
                "painting.png holds no style that was taught; use a file written by teach.",
            ),
        ],
    )
    def test_mistakes_are_one_sentence(self, line, words, monkeypatch, capsys):
        assert call(line, monkeypatch, capsys) == (2, "", [f"adain: {words}"])

    @pytest.mark.parametrize("after", [0, 1])
    def test_ctrl_c_keeps_what_was_learned(self, after, folder, monkeypatch, capsys):
        module = sys.modules["adain_core.cli.teach"]
        learn = module.learn

        def stopped(*given):
            for number, lesson in enumerate(learn(*given)):
                if number == after:
                    raise KeyboardInterrupt
                yield lesson

        monkeypatch.setattr(module, "learn", stopped)
        code, out, err = call(self.TEACH, monkeypatch, capsys)
        if after:
            assert code == 0 and out.startswith("mine.safetensors: learned in 1 step; ")
            assert taught.read(folder / "mine.safetensors").name == "mine"
        else:
            assert (code, err[0]) == (130, "adain: stopped before anything was learned, so nothing was written.")
            assert not (folder / "mine.safetensors").exists()


def test_teach_is_offered_once_there_is_something_to_teach():
    from adain_core.runs import known

    assert any(each.name == "teach" for each in app.registered_commands) == bool(known.every())
