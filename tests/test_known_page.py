"""The page and its endpoints once a method knows a set of styles."""

import pytest
from conftest import picture, within_loop
from knowing import install, painting
from PIL import Image

import app
from adain_core import weights
from adain_core.contracts import Limits
from adain_core.evaluation import comparison
from ui.tabs import compare, stylize


@pytest.fixture(autouse=True)
def conditional(tmp_path, monkeypatch):
    install("conditional", tmp_path, monkeypatch)
    monkeypatch.setattr(comparison, "best_judge", lambda *_: "perceptual")
    picture(90, 80, 7).save(tmp_path / "photo.png")
    yield tmp_path
    weights._loaded.clear()


def test_the_page_has_it_and_its_endpoints_take_a_name():
    page = within_loop(lambda: app.build(limits=Limits(512, 2, 2)))
    found = page.get_api_info()["named_endpoints"]
    for name in ("/stylize", "/compare"):
        *_, last = found[name]["parameters"]
        assert (last["parameter_name"], last["parameter_has_default"]) == ("known_style", True)
    assert not any(each["parameter_name"] == "known_style" for each in found["/regions"]["parameters"])
    chosen = next(each for each in page.blocks.values() if getattr(each, "elem_id", "") == "method")
    assert ("Conditional instance norm", "conditional") in chosen.choices


def test_stylize_by_name(tmp_path):
    photo = str(tmp_path / "photo.png")
    given = {"method": "conditional", "size": 64, "limits": Limits(512)}
    *_, (made, record) = stylize.stylize_api(photo, None, known_style="s2", **given)
    assert record["model"] == "conditional"
    painting("s2").save(tmp_path / "other.png")
    *_, (same, _) = stylize.stylize_api(photo, str(tmp_path / "other.png"), **given)
    with Image.open(made) as one, Image.open(same) as other:
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("function", [stylize.stylize_api, compare.compare_api])
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("s22", "s22 is not the name of a known style; did you mean s2?"),
        ("{folder}/photo.png", "{folder}/photo.png is not the name of a known style; there are s1, s2, s3."),
    ],
)
def test_what_is_no_name_is_never_opened(function, name, words, tmp_path):
    with pytest.raises(ValueError) as refused:
        list(function(str(tmp_path / "photo.png"), None, known_style=name.format(folder=tmp_path)))
    assert str(refused.value) == words.format(folder=tmp_path)


def test_compare_by_name(tmp_path):
    given = {"known_style": "s1", "methods": ["adain", "conditional"], "size": 64}
    *_, (_, results) = compare.compare_api(str(tmp_path / "photo.png"), None, **given)
    assert [each["record"]["model"] for each in results["outputs"].values()] == ["compact", "conditional"]
