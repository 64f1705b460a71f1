"""Methods that know a set of styles: how a style is named, recognized, and refused, and where the weights come from."""

import json

import pytest
import torch
from conftest import make_networks, picture
from knowing import STYLES, install, make_generator, painting
from safetensors.torch import load_file, save_file
from test_cli import call

from adain_core import compare, forecast, images, methods, run, stylize, weights
from adain_core.networks.model import Networks
from adain_core.runs import known
from adain_core.runs.inputs import PictureError


@pytest.fixture(params=["johnson", "conditional"])
def method(request, tmp_path, monkeypatch):
    install(request.param, tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    yield request.param
    weights._loaded.clear()


@pytest.fixture
def conditional(tmp_path, monkeypatch):
    install("conditional", tmp_path, monkeypatch)
    monkeypatch.chdir(tmp_path)
    yield
    weights._loaded.clear()


def expected(method: str, photo, shares) -> torch.Tensor:
    return make_generator(method).generate(images.to_tensor(photo), shares)


def levels(image) -> torch.Tensor:
    return 255 * images.to_tensor(image)


def test_a_name_stands_for_its_style(method, photo):
    (result,) = run(photo, ["s2"], method=method, bits=16)
    exact = torch.from_numpy(result.image.info["exact"].astype("float32")).permute(2, 0, 1) / 65535
    torch.testing.assert_close(exact, expected(method, photo, {"s2": 1.0})[0], atol=2e-5, rtol=0)
    assert result.record["model"] == result.record["method"] == method and not result.notes


def test_its_painting_is_recognized_after_scaling_and_saving(method, photo, tmp_path):
    painting("s2").resize((41, 33)).save(tmp_path / "copy.jpg", quality=80)
    by_name = stylize(photo, "s2", method=method)
    for given in (painting("s2"), str(tmp_path / "copy.jpg"), tmp_path / "s2.png"):
        assert stylize(photo, given, method=method).tobytes() == by_name.tobytes()
    assert stylize(photo, painting("s1"), method=method).tobytes() != by_name.tobytes()


def test_a_style_without_a_picture_on_this_machine_is_known_by_its_weights(method, photo):
    assert stylize(photo, "s3", method=method).tobytes() == stylize(photo, painting("s3"), method=method).tobytes()
    with pytest.raises(PictureError, match=r"^Style: The painting s3 is not on this machine; give its file\.$"):
        stylize(photo, "s3", networks=make_networks())


@pytest.mark.usefixtures("method")
def test_other_methods_take_the_picture_of_that_name(photo, tmp_path):
    tiny = make_networks()
    named = stylize(photo, "s1", networks=tiny)
    assert named.tobytes() == stylize(photo, tmp_path / "s1.png", networks=tiny).tobytes()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("S2", "S2 is neither a picture nor the name of a style; did you mean s2 or s3 or s1?"),
        ("q", "q is neither a picture nor the name of a style; there are s1, s2, s3."),
        ("q.jpg", "There is no such file."),
    ],
)
def test_an_unknown_name_offers_the_nearest(method, photo, name, words):
    for chosen in (method, "adain"):
        with pytest.raises(PictureError) as refused:
            stylize(photo, ["s1", name], method=chosen, networks=make_networks())
        assert str(refused.value) == f"Style 2: {words}"


def test_another_painting_is_refused(method, photo):
    title = methods.get(method).title
    with pytest.raises(PictureError) as refused:
        stylize(photo, picture(60, 48, 9), method=method)
    assert str(refused.value) == (
        f"Style: {title} doesn't know this painting; choose one of s1, s2, s3, teach it this one with python -m"
        " adain_core teach, or choose adain, which takes any."
    )


@pytest.mark.usefixtures("conditional")
def test_styles_mix_by_their_shares(photo):
    (result,) = run(photo, ["s1", painting("s3"), "s1"], method="conditional", weights=(1, 6, 1), bits=16)
    exact = torch.from_numpy(result.image.info["exact"].astype("float32")).permute(2, 0, 1) / 65535
    mixture = expected("conditional", photo, {"s1": 0.25, "s3": 0.75})
    torch.testing.assert_close(exact, mixture[0], atol=2e-5, rtol=0)


@pytest.mark.usefixtures("conditional")
def test_settings_without_effect_are_named(photo):
    (result,) = run(photo, ["s1"], method="conditional", style_scale=2.0, color="match")
    words = "Conditional instance norm doesn't look at the painting, so style scale and color changed nothing."
    assert result.notes == (words,)
    (gray,) = run(photo, ["s1"], method="conditional", color="luminance")
    assert not gray.notes and gray.image.tobytes() != result.image.tobytes()


@pytest.mark.usefixtures("conditional")
def test_regions_are_refused(photo):
    with pytest.raises(ValueError, match=r"^Conditional instance norm doesn't support regions, masks, or tiles; leave"):
        stylize(photo, "s1", method="conditional", mask=photo.convert("L"))


def test_their_networks_are_not_a_model_to_choose(method):
    with pytest.raises(ValueError, match=rf"^{method} is the network of a method; choose the method {method} instead"):
        stylize("photo.jpg", "s1", model=method)
    assert not weights.get(method).judges and weights.state(weights.get(method)) == "here, verified"


def test_weights_are_verified_as_all_others(method, photo, tmp_path):
    stored = tmp_path / f"{method}.safetensors"
    tensors = load_file(stored)
    save_file({name: each for name, each in list(tensors.items())[1:]}, stored)
    with pytest.raises(weights.WeightsError, match=rf"^{method}\.safetensors is not the expected file: its SHA-256"):
        stylize(photo, "s1", method=method)


@pytest.mark.parametrize(("method", "other"), [("johnson", "conditional"), ("conditional", "johnson")])
def test_another_method_s_weights_do_not_fit(method, other, tmp_path, monkeypatch):
    install(method, tmp_path, monkeypatch)
    tensors = make_generator(other).generator.state_dict()
    save_file({name: each.contiguous() for name, each in tensors.items()}, tmp_path / "given.safetensors")
    (tmp_path / f"{method}.safetensors").unlink()
    with pytest.raises(weights.MissingError, match=rf"^The weights of {method} are not on this machine"):
        weights.load(method, folder=tmp_path / "given.safetensors", download=False)


def test_a_forecast_takes_the_method_s_networks(method, monkeypatch):
    monkeypatch.setattr(Networks, "encoder", property(lambda _: pytest.fail("an encoder was asked for")))
    found = forecast(picture(300, 200, 1), method=method)
    assert found.steps == found.tiles == 1 and found.seconds > 0


def test_methods_without_weights_are_not_found():
    for name, method in methods.written().items():
        assert (name in methods.find()) == (method.known_styles is None or name in weights.MODELS)


def test_a_comparison_runs_it_where_the_painting_is_known(method, photo):
    given = {"size": 64, "networks": make_networks(), "judge_networks": make_networks()}
    *_, now = compare(photo, "s2", ["adain", method], **given)
    assert [each.state for each in now.outputs.values()] == ["done", "done"]
    assert now.outputs[method].record["model"] == method and now.outputs["adain"].record["model"] == "tiny"
    *_, now = compare(photo, picture(60, 48, 9), ["adain", method], **given)
    assert [each.state for each in now.outputs.values()] == ["done", "failed"]
    assert "doesn't know this painting" in now.outputs[method].sentence


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def photograph(self, tmp_path):
        picture(70, 64, 7).save(tmp_path / "photo.png")

    def test_stylize_takes_a_name(self, method, monkeypatch, capsys, tmp_path):
        code, out, err = call(f"stylize photo.png s2 -o out.png --method {method} --json", monkeypatch, capsys)
        assert (code, err) == (0, [])
        assert json.loads(out)["model"] == method
        code, _, err = call(f"stylize photo.png -s s2 -s s1 -o mixed --method {method}", monkeypatch, capsys)
        if method == "conditional":
            assert code == 0 and (tmp_path / "mixed" / "photo-s2+s1.png").exists()
        else:
            words = "adain: Johnson has one network for each style, so it can't mix them; give one style."
            assert (code, err) == (2, [words])

    @pytest.mark.usefixtures("method")
    def test_an_unknown_name_offers_the_nearest(self, monkeypatch, capsys):
        words = "adain: s22 is neither a picture nor the name of a style; did you mean s2?"
        for line in ("stylize photo.png s22 -o out.png", "compare photo.png s22 -o out"):
            assert call(line, monkeypatch, capsys)[::2] == (2, [words])
        code, _, err = call("stylize s2 s1 -o out.png", monkeypatch, capsys)  # a photograph has no such name
        assert (code, err) == (2, ["adain: There is no file or folder s2."])

    def test_methods_are_listed_with_their_styles(self, method, monkeypatch, capsys, tmp_path):
        code, out, _ = call("methods --json", monkeypatch, capsys)
        found = {each["name"]: each for each in json.loads(out)}
        assert code == 0 and found["adain"]["styles"] is None and found["adain"]["title"] == "AdaIN"
        assert [each["name"] for each in found[method]["styles"]] == [*STYLES]
        assert found[method]["styles"][0] == {"name": "s1", "picture": str(tmp_path / "s1.png"), "model": method}
        assert found[method]["styles"][2]["picture"] is None
        assert "    knows s1, s2, s3" in call("methods", monkeypatch, capsys)[1].splitlines()

    @pytest.mark.usefixtures("method")
    def test_weights_are_listed(self, monkeypatch, capsys):
        code, out, _ = call("weights list", monkeypatch, capsys)
        assert code == 0 and "    4/6 channels, 3 styles" in out.splitlines()


def test_names_are_looked_for_in_the_table_s_own_pictures(monkeypatch):
    """Rows name their styles, and each name is that of a drawn style's file where this is a checkout."""
    monkeypatch.setattr(weights, "MODELS", {"row": type("Row", (), {"styles": ("night_river", "gone")})})
    one, other = weights.known_styles("row")
    assert one.picture is not None and one.picture.name == "night_river.jpg" and one.model == "row"
    assert other.picture is None and weights.known_styles("none") == ()


def test_without_known_styles_a_name_is_no_picture():
    assert known.every() == {} or "night_rivr" not in known.every()
    assert known.name_in("night_river", ()) is None
