"""Whatever is wrong in a call, on the command line or in Python, is said in one short sentence, and nothing is made."""

import io
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import picture
from PIL import Image
from test_cli import ONE, call, call_with, files, halves, pictures  # noqa: F401

from adain_core import compare, forecast, images, methods, run, stylize
from adain_core.controls import mixing
from adain_core.runs import pipeline
from adain_core.system import console

LONG = "y" * 5000
OWNERS = {name: each.name for each in methods.find().values() for name in each.params.model_fields}
OPTIONS = sorted({*pipeline.Settings.model_fields, *OWNERS} - {"layers", "mix"})  # these two may be empty
FILES = ("style", "regions", "mask", "style-mask", "strength-map", "weights-dir")


def one_sentence(code: int, out: str, err: list[str]) -> None:
    assert (code, out, len(err)) == (2, "", 1), (code, out, err)
    assert err[0].startswith("adain: ") and len(err[0]) < 500 and err[0].isprintable(), err


def argv(monkeypatch, capsys, *words: str) -> tuple[int, str, list[str]]:
    return call_with(list(words), monkeypatch, capsys)


@pytest.fixture
def nothing_made(files):  # noqa: F811
    """Fails the test if a call changes a file."""
    before = sorted(files.rglob("*"))
    yield
    assert sorted(files.rglob("*")) == before


@pytest.mark.usefixtures("nothing_made")
class TestCommands:
    @pytest.mark.parametrize("value", ["", "nan", f"?\x1b[31m {LONG}"])
    @pytest.mark.parametrize("name", OPTIONS)
    def test_values_of_every_parameter(self, monkeypatch, capsys, name, value):
        method = ["--method", OWNERS[name]] if name in OWNERS else []
        option = f"--{name.replace('_', '-')}"
        one_sentence(*argv(monkeypatch, capsys, *ONE.split(), "-o", "out.png", *method, option, value))

    @pytest.mark.parametrize("value", ["", "none", LONG, "y" * 300])
    @pytest.mark.parametrize("name", FILES)
    def test_files_that_are_not_there(self, monkeypatch, capsys, name, value):
        if name == "weights-dir":
            monkeypatch.undo()
        one_sentence(*argv(monkeypatch, capsys, *ONE.split(), "-o", "out.png", f"--{name}", value))
        for place in (1, 2):
            words = ONE.split()
            words[place] = value
            one_sentence(*argv(monkeypatch, capsys, *words, "-o", "out.png"))
            one_sentence(*argv(monkeypatch, capsys, "compare", *words[1:], "-o", "out"))

    @pytest.mark.parametrize("value", ["", "1", "1=", "=1", "a=1", "1=none", "9" * 20, LONG])
    @pytest.mark.parametrize("name", ["region-mask", "style-for", "region-strength"])
    def test_values_by_region(self, monkeypatch, capsys, name, value):
        one_sentence(*argv(monkeypatch, capsys, *ONE.split(), "-o", "out.png", f"--{name}", value))

    @pytest.mark.parametrize(
        "more",
        [
            *(f"--method {name} --mask photos/b.png" for name, each in methods.find().items() if not each.spatial),
            "--method wct --tile on",
            "--method wct --style-mask photos/b.png",
            "--region-strength 7=1",
            "--color palette --mask photos/b.png",
            "--style-mask photos/b.png --style-mask photos/b.png",
            "--preset paper",
            "--steps 5",
            "--mask photos",
            "--format gif",
        ],
    )
    def test_combinations_are_one_sentence_for_a_folder_too(self, monkeypatch, capsys, more):
        one_sentence(*call(f"stylize photos paintings/x.png -o out {more}", monkeypatch, capsys))

    @pytest.mark.parametrize(
        "line",
        [
            f"{ONE} -o out.gif",
            f"{ONE} -o out.heic",
            f"{ONE} -o out.svg",
            f"{ONE} -o /dev/null",
            f"{ONE} -o out.png --format jpg",
            "stylize photos paintings/x.png -o out.png",
            "compare photos paintings/x.png -o out",
            "compare photos/a.png paintings/x.png -o out --methods ,",
            "compare photos/a.png paintings/x.png -o out --methods adain,adain",
            "compare photos/a.png paintings/x.png -o out --seconds nan",
            "compare photos/a.png paintings/x.png -o out --size 5",
            "compare photos/a.png paintings/x.png -o out --mode fast",
            "compare photos/a.png paintings/x.png -o out --option gatys",
            "compare photos/a.png paintings/x.png -o out --option adain.alpha=2",
            "compare photos/a.png paintings/x.png -o photos/a.png",
            "publish me/mine --weights none --dry-run out",
            "publish me/mine --dry-run photos/a.png",
            "space deploy me/page --dry-run photos/a.png",
            "weights get none",
            "weights verify none",
            "weights remove none",
            "weights none",
            "models --get none",
            "methods none",
            "doctor none",
            "none",
        ],
    )
    def test_other_mistakes(self, monkeypatch, capsys, line):
        if line.startswith(("weights", "models")):
            monkeypatch.undo()
        one_sentence(*call(line, monkeypatch, capsys))


@pytest.mark.usefixtures("files")
def test_a_picture_that_fits_no_setting_is_not_a_mistake_in_the_call(monkeypatch, capsys):
    picture(2000, 20, 1).save("photos/b.png")
    code, _, err = call("stylize photos paintings/x.png -o out --size 64", monkeypatch, capsys)
    assert (code, err[-1]) == (1, "1 made, 0 kept, 1 not made.")


@pytest.mark.usefixtures("files")
def test_a_note_about_every_picture_is_printed_once(monkeypatch, capsys):
    Image.new("RGB", (30, 30), "red").save("paintings/x.png")
    halves("photos/c.png", 9, 9)
    code, _, err = call("stylize photos paintings/x.png -o out", monkeypatch, capsys)
    flat = images.ONE_COLOR
    assert (code, err) == (0, [f"a.png: Style 1: {flat}", f"c.png: {flat}", "3 made, 0 kept, 0 not made."])


@pytest.mark.usefixtures("files")
def test_warnings_of_libraries_are_not_shown(monkeypatch, capsys):
    inner = pipeline.run

    def warned(*given, **named):
        warnings.warn("Corrupt EXIF data in a library's own words", UserWarning, stacklevel=1)
        return inner(*given, **named)

    monkeypatch.setattr(pipeline, "run", warned)
    assert call(f"{ONE} -o out.png", monkeypatch, capsys)[::2] == (0, [])


def test_names_that_are_no_text(files, monkeypatch, capsys):  # noqa: F811
    name = os.fsdecode(b"caf\xe9\x1b.png")
    (files / "photos/a.png").rename(files / "photos" / name)
    code, out, err = call(f"stylize photos/{name} paintings/x.png -o out/", monkeypatch, capsys)
    assert (code, err) == (0, []) and out.startswith("out/caf??-x.png (")


@pytest.fixture
def pair():
    return picture(40, 30, 1), picture(30, 30, 2)


@pytest.mark.parametrize(
    "given",
    [
        {"weights": ("a",)},
        {"weights": "1,2"},
        {"weights": (float("nan"),)},
        {"weights": ()},
        {"alpha": float("nan")},
        {"alpha": None},
        {"size": "big"},
        {"method": 5},
        {"model": None},
        {"region_strength": {7: 1}},
        {"regions": "map", "region_strength": {1: "x"}},
        {"regions": "map", "region_strength": {1: None}},
        {"regions": "map", "region_strength": {1: float("nan")}},
        {"regions": "map", "region_strength": {"1": 0.5}},
        {"regions": "map", "style_for": {1: "none.png"}},
        {"regions": LONG},
        {"mask": "a\0b.png"},
        {"mask": LONG},
        {"strength_map": "."},
        {"style_masks": []},
        {"mask": 5},
        {"regions": [1]},
        {"style_for": [1]},
        {"region_strength": [1]},
        {"nonsense": 1},
    ],
)
def test_in_python(tiny, pair, given):
    if given.get("regions") == "map":
        halves_of = Image.new("L", (40, 30), 1)
        halves_of.paste(2, (20, 0, 40, 30))
        given = {**given, "regions": halves_of}
    with pytest.raises(ValueError, match=r"^[A-Zarsmw].*\.$") as error:
        stylize(*pair, networks=tiny, **given)
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize("given", [None, 5, b"a.png", np.zeros((30, 40, 3), np.uint8), io.BytesIO(b"")])
def test_values_that_are_no_pictures_are_refused_in_python(tiny, pair, given):
    photo, painting = pair
    sentence = f"Give a file's path or a PIL image, not {type(given).__name__}."
    if given is None:
        sentence = "This picture is missing; give one."
    for act in (
        lambda: stylize(given, painting, networks=tiny),
        lambda: stylize(photo, given, networks=tiny),
        lambda: forecast(given, networks=tiny),
        lambda: next(compare(given, painting, networks=tiny, judge_networks=tiny)),
    ):
        with pytest.raises(ValueError, match=f"^(Content|Style): {sentence}$"):
            act()


@pytest.mark.parametrize("name", [LONG, "y" * 300, "a\0b", "", ".", "none", "/dev/null"])
def test_paths_in_python(tiny, pair, name):
    photo, painting = pair
    for act in (
        lambda: stylize(name, painting, networks=tiny),
        lambda: stylize(photo, name, networks=tiny),
        lambda: stylize(photo, [painting, Path(name)] if "\0" not in name else name, networks=tiny),
        lambda: next(run(photo, [painting], mask=name, networks=tiny)),
        lambda: forecast(name, networks=tiny),
        lambda: next(compare(name, painting, ["adain"], networks=tiny, judge_networks=tiny)),
        lambda: next(compare(photo, [name], ["adain"], networks=tiny, judge_networks=tiny)),
    ):
        with pytest.raises(pipeline.PictureError, match=r"\.$") as error:
            act()
        assert len(str(error.value)) < 200


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"methods": []}, "Choose at least one method."),
        ({"styles": []}, "Give at least one style."),
        ({"size": "x"}, "size is x, but it must be a whole number from 64 to 8192."),
        ({"seconds": "x"}, "seconds is x, but it must be above 0 and at most 3600."),
        ({"mode": None}, "There is no mode None; there are each, equal-time, equal-loss."),
        ({"options": {"wct": {}}}, "There are options for wct, which is not compared; there are adain."),
    ],
)
def test_comparisons_in_python(tiny, pair, given, sentence):
    with pytest.raises(ValueError) as error:
        next(compare(**{"content": pair[0], "styles": pair[1], "methods": "adain", "networks": tiny, **given}))
    assert str(error.value) == sentence


def test_large_weights_are_shares_all_the_same():
    assert mixing.normalize((1e308, 1e308), 2) == (0.5, 0.5)
    assert mixing.normalize((3e-320, 1e-320), 2) == pytest.approx((0.75, 0.25))
    with pytest.raises(ValueError, match=r"^The weights 1e\+308, -1e\+308 sum to 0; they must sum to more than 0\.$"):
        mixing.normalize((1e308, -1e308), 2)


def test_a_long_word_is_shortened(capsys):
    console.tell(f"There is no {LONG}, or \x1b[31mred\nwords.")
    assert capsys.readouterr().err == f"There is no {'y' * 60}...{'y' * 39},, or  [31mred words.\n".replace(",,", ",")
