import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from conftest import make_networks, picture
from PIL import Image

from adain_core import __main__ as cli
from adain_core import images, methods, weights


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """A working folder with photographs and paintings."""
    for name, seed in (("photos/a.png", 1), ("photos/b.png", 2), ("paintings/x.png", 3), ("paintings/y.png", 4)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(40, 30, seed).save(tmp_path / name)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def files(pictures, monkeypatch):
    """The same, on tiny networks."""
    networks = make_networks()
    monkeypatch.setattr(weights, "load", lambda *_given, **_named: networks)
    return pictures


def call(line: str, monkeypatch, capsys) -> tuple[int, str, list[str]]:
    """Run the command line; return its exit code, what it printed, and its lines of complaint."""
    return call_with(line.split(), monkeypatch, capsys)


def call_with(words: list[str], monkeypatch, capsys) -> tuple[int, str, list[str]]:
    """The same with words that may be empty or hold blanks."""
    monkeypatch.setattr(sys, "argv", ["adain", *words])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    printed = capsys.readouterr()
    return stop.value.code or 0, printed.out, printed.err.splitlines()


ONE = "stylize photos/a.png paintings/x.png"


def test_one_picture(files, monkeypatch, capsys):
    code, out, err = call(f"{ONE} -o out.png --alpha 0.8 --json", monkeypatch, capsys)
    assert (code, err) == (0, [])
    line = json.loads(out)
    assert (line["output"], line["size"], line["model"], line["method"]) == ("out.png", [40, 30], "tiny", "adain")
    assert line["settings"]["alpha"] == 0.8
    assert list(line["seconds"])[-2:] == ["decode", "save"]
    with Image.open(files / "out.png") as image:
        assert image.size == (40, 30) and json.loads(image.text["adain"])["alpha"] == 0.8


def test_mixing_and_size(files, monkeypatch, capsys):
    line = "stylize photos/a.png paintings/x.png paintings/y.png -o deep/down/out.jpg --weights 3,1 --size 64 --json"
    code, out, _ = call(line, monkeypatch, capsys)
    assert code == 0
    assert json.loads(out)["settings"]["weights"] == [0.75, 0.25]
    with Image.open(files / "deep/down/out.jpg") as image:
        assert image.size == (64, 48)


def halves(path, left, right):
    image = Image.new("L", (40, 30), left)
    image.paste(right, (20, 0, 40, 30))
    image.save(path)


def test_regions_from_a_label_map(files, monkeypatch, capsys):
    halves(files / "labels.png", 1, 2)
    line = (
        "stylize photos/a.png -o out.png --regions labels.png --style-for 1=paintings/x.png --style-for 1=paintings/y"
    )
    line += ".png --style-for 2=none --region-strength 1=0.5 --feather 0 --json"
    code, out, err = call(line, monkeypatch, capsys)
    assert (code, err) == (0, [])
    settings = json.loads(out)["settings"]
    assert settings["regions"] == {"1": {"styles": 2, "strength": 0.5}, "2": {"styles": 0, "strength": 1.0}}
    with Image.open("photos/a.png") as before, Image.open("out.png") as after:
        box = (20, 0, 40, 30)
        assert before.crop(box).tobytes() == after.crop(box).tobytes() and before.tobytes() != after.tobytes()


def test_regions_from_masks(files, monkeypatch, capsys):
    halves(files / "labels.png", 1, 2)
    halves(files / "left.png", 255, 0)
    halves(files / "right.png", 0, 255)
    options = "--style-for 1=paintings/x.png --style-for 2=paintings/y.png --feather 0"
    given = {"a": "--regions labels.png", "b": "--region-mask 1=left.png --region-mask 2=right.png"}
    for name, regions in given.items():
        code, _, err = call(f"stylize photos/a.png -o {name}.png {regions} {options}", monkeypatch, capsys)
        assert (code, err) == (0, [])
    with Image.open("a.png") as one, Image.open("b.png") as other:
        assert one.tobytes() == other.tobytes()
    code, _, err = call(f"stylize photos/a.png -o c.png {' '.join(given.values())} {options}", monkeypatch, capsys)
    assert (code, err) == (2, ["adain: Give a label map with --regions or masks with --region-mask, not both."])


def test_masks_colors_scale_and_tiles(files, monkeypatch, capsys):
    halves(files / "mask.png", 0, 255)
    line = f"{ONE} -o out.png --mask mask.png --style-mask mask.png --strength-map mask.png --color match-cholesky"
    line += " --color-strength 0.5 --style-scale 0.5 --style-size 256 --tile on --feather 0 --json"
    code, out, err = call(line, monkeypatch, capsys)
    assert (code, err) == (0, [])
    line = json.loads(out)
    found = {name: line["settings"][name] for name in ("color", "color_strength", "style_scale", "tile")}
    assert found == {"color": "match-cholesky", "color_strength": 0.5, "style_scale": 0.5, "tile": "on"}
    assert line["settings"]["style_sizes"] == [[128, 96]] and line["settings"]["color_shift"] > 0
    with Image.open("photos/a.png") as before, Image.open("out.png") as after:
        assert before.crop((0, 0, 20, 30)).tobytes() == after.crop((0, 0, 20, 30)).tobytes()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ("--style-for x=1", "--style-for is x=1; give a region's number and its value, such as 1=..."),
        (
            "--region-strength 1=much",
            "--region-strength is 1=much; give a region's number and its value, such as 1=...",
        ),
        ("--regions labels.png --style-for 9=none", "There is no region 9; there are 1, 2."),
        (
            "--regions labels.png",
            "--regions changes nothing by itself; give a region's style with --style-for or its strength with"
            " --region-strength.",
        ),
        (
            "--region-mask 1=labels.png",
            "--region-mask changes nothing by itself; give a region's style with --style-for or its strength with"
            " --region-strength.",
        ),
        ("--regions none.png --style-for 1=none", "There is no file or folder none.png."),
        ("--regions labels.png --style-for 1=none.png", "There is no file or folder none.png."),
        (
            "--color grey",
            "color is grey, but it should be 'off', 'match', 'match-cholesky', 'histogram', 'luminance' or 'palette'.",
        ),
    ],
)
def test_mistakes_with_controls_are_one_sentence(files, monkeypatch, capsys, options, sentence):
    halves("labels.png", 1, 2)
    code, _, err = call(f"{ONE} -o out.png {options}", monkeypatch, capsys)
    assert code != 0 and err[0].removeprefix("adain: ").removeprefix("a.png: ") == sentence
    assert not (files / "out.png").exists()


def test_folders_make_every_pair_and_a_bad_file_is_reported_once(files, monkeypatch, capsys):
    (files / "photos/bad.jpg").write_bytes(b"no picture")
    (files / "photos/notes.txt").write_text("not tried")
    code, out, err = call("stylize photos paintings -o out --json", monkeypatch, capsys)
    made = ["a-x.png", "a-y.png", "b-x.png", "b-y.png"]
    assert sorted(path.name for path in (files / "out").iterdir()) == made
    assert [json.loads(line)["output"] for line in out.splitlines()] == [f"out/{name}" for name in made]
    assert code == 1
    assert len(err) == 3 and err[0].startswith("photos: 1 file skipped (notes.txt): This file is not a picture;")
    assert err[1].startswith("bad.jpg: This file is not a picture;") and err[2] == "4 made, 0 kept, 2 not made."


def test_existing_files_are_kept_unless_overwrite_is_given(files, monkeypatch, capsys):
    (files / "out.png").write_bytes(b"mine")
    code, _, err = call(f"{ONE} -o out.png", monkeypatch, capsys)
    assert (code, err) == (1, ["out.png already exists and was kept; --overwrite replaces it."])
    assert (files / "out.png").read_bytes() == b"mine"
    assert call(f"{ONE} -o out.png --overwrite", monkeypatch, capsys)[0] == 0
    assert (files / "out.png").read_bytes() != b"mine"
    assert call("stylize photos paintings/x.png -o out", monkeypatch, capsys)[0] == 0
    code, _, err = call("stylize photos paintings/x.png -o out", monkeypatch, capsys)
    assert (code, err[-1]) == (0, "0 made, 2 kept, 0 not made.")


def test_photographs_of_the_same_name_do_not_collide(files, monkeypatch, capsys):
    picture(40, 30, 9).save(files / "photos/a.jpg")
    assert call("stylize photos paintings/x.png -o out", monkeypatch, capsys)[0] == 0
    assert sorted(path.name for path in (files / "out").iterdir()) == ["a_jpg-x.png", "a_png-x.png", "b-x.png"]


def test_styles_of_the_same_name_do_not_collide(files, monkeypatch, capsys):
    (files / "more").mkdir()
    picture(40, 30, 9).save(files / "more/x.png")
    code, _, err = call("stylize photos/a.png --style paintings --style more -o out", monkeypatch, capsys)
    assert (code, err[-1]) == (0, "3 made, 0 kept, 0 not made.")
    assert len({path.read_bytes() for path in (files / "out").iterdir()}) == 3


def test_a_bad_style_is_reported_once_and_the_others_made(files, monkeypatch, capsys):
    (files / "paintings/bad.png").write_bytes(b"")
    code, _, err = call("stylize photos paintings -o out", monkeypatch, capsys)
    assert (code, err) == (1, ["bad.png: This file is empty.", "4 made, 0 kept, 2 not made."])


def test_one_picture_into_a_folder(files, monkeypatch, capsys):
    (files / "out").mkdir()
    assert call(f"{ONE} -o out", monkeypatch, capsys)[::2] == (0, [])
    assert [path.name for path in (files / "out").iterdir()] == ["a-x.png"]


def test_notes_are_shown(files, monkeypatch, capsys):
    Image.new("RGB", (20, 20), "red").save(files / "paintings/x.png")
    code, _, err = call(f"{ONE} -o out.png", monkeypatch, capsys)
    assert (code, err) == (0, [f"a.png: Style 1: {images.ONE_COLOR}"])


def test_transparency_in_a_jpeg_is_flattened_with_a_note(files, monkeypatch, capsys):
    cut = picture(20, 20, 1).convert("RGBA")
    cut.paste((0, 0, 0, 0), (0, 0, 10, 20))
    cut.save(files / "photos/a.png")
    code, _, err = call(f"{ONE} -o out.jpg", monkeypatch, capsys)
    assert (code, err) == (0, ["a.png: JPEG can't hold this picture's transparency, so white was put behind it."])
    with Image.open("out.jpg") as image:
        assert min(image.getpixel((3, 10))) > 240 and image.mode == "RGB"


def test_a_failing_disk_is_one_line_that_names_the_file_and_code_1(files, monkeypatch, capsys):
    def full(*_given):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = call(f"{ONE} -o out.png", monkeypatch, capsys)
    assert (code, err) == (1, ["adain: No space left on device: out.png"])
    assert sorted(each.name for each in files.iterdir()) == ["empty", "paintings", "photos"]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("kind", [KeyboardInterrupt, typer.Abort])
def test_ctrl_c_ends_in_one_line(monkeypatch, capsys, kind):
    def stop(*_given, **_named):
        raise kind

    monkeypatch.setattr(images, "encode", stop)
    code, _, err = call(f"{ONE} -o out.png", monkeypatch, capsys)
    assert (code, err) == (130, ["adain: stopped; every file written so far is complete."])


@pytest.mark.usefixtures("pictures")
def test_missing_weights_stop_before_any_picture_is_read(monkeypatch, capsys):
    monkeypatch.setattr(images, "load", lambda *_: pytest.fail("a picture was read"))
    code, _, err = call(f"{ONE} -o out.png --weights-dir none", monkeypatch, capsys)
    assert (code, err) == (2, ["adain: The given weights folder does not exist."])


def test_weights_are_fetched_when_asked(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(weights, "load", lambda *given, **named: asked.append((given, named)))
    assert call(f"models --get vgg19 --weights-dir {tmp_path}", monkeypatch, capsys)[0] == 0
    assert asked[0] == (("vgg19",), {"folder": tmp_path})


def test_the_help_says_which_methods_take_an_option(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = call("stylize --help", monkeypatch, capsys)
    panels, words = {}, {}
    for line in out.splitlines():
        if title := re.match(r"╭─ (.+?) ─", line):
            panel = title[1]
        if option := re.match(r"│ \*? *--([a-z-]+) +(.*?) *│$", line):
            panels[option[1].replace("-", "_")], words[option[1]] = panel, option[2]
    known = methods.find()
    for field in {field for method in known.values() for field in method.params.model_fields}:
        takers = [name for name, method in known.items() if field in method.params.model_fields]
        everyone = len(takers) == len(known)
        assert panels[field] == ("Any method" if everyone else f"Parameters of {', '.join(takers)}")
    assert code == 0 and panels["model"] == "Any method" and panels["overwrite"] == "Options"
    assert words["scales"].endswith("[1 to 6; default 1] For mrf, the default is 2.")
    assert words["pooling"].endswith("[default own]")


def test_without_a_command_the_help_is_shown(monkeypatch, capsys):
    code, out, err = call("", monkeypatch, capsys)
    assert (code, err) == (2, []) and "stylize" in out and "doctor" in out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{ONE} -o out.png --alpha 1.5", "alpha is 1.5, but it must be from 0 to 1."),
        (f"{ONE} -o out.png --alpha strong", "alpha is strong, but it must be a number from 0 to 1."),
        (f"{ONE} -o out.png --alpha=", "alpha is empty, but it must be a number from 0 to 1."),
        (f"{ONE} -o out.png --size 64.5", "size is 64.5, but it must be a whole number from 64 to 8192."),
        (f"{ONE} -o out.png --size 1e3", "size is 1e3, but it must be a whole number from 64 to 8192."),
        (f"{ONE} -o out.png --size 0", "size is 0, but it must be from 64 to 8192."),
        (f"{ONE} -o out.png --size 100000", "size is 100000, but it must be from 64 to 8192."),
        (
            f"{ONE} -o out.png --model vgg",
            "There is no model vgg; there are compact, vgg19, vgg19-imagenet, perceptual.",
        ),
        (
            f"{ONE} -o out.png --method gatsy",
            f"There is no method gatsy; there are {', '.join(methods.find())}.",
        ),
        (f"{ONE} -o out.png --weights 1,1", "Styles: 1, but weights: 2 (1, 1); give one weight per style."),
        (f"{ONE} -o out.png --weights 0", "The weights 0 sum to 0; they must sum to more than 0."),
        (f"{ONE} -o out.png --weights a,b", "The weights are a,b; give comma-separated numbers, such as 0.7,0.3."),
        (f"{ONE} -o out.gif", "Pictures are saved as .png, .jpg, .jpeg, .webp, .tif, .tiff, not as .gif."),
        (ONE, "Missing option '--output'"),
        ("stylize photos/a.png -o out.png", "Give at least one style."),
        ("stylize none.png paintings/x.png -o out.png", "There is no file or folder none.png."),
        ("stylize empty paintings -o out", "The folder empty holds no pictures"),
        ("stylize photos paintings -o out.png", "There are 4 pictures to make; give -o a folder, not a file."),
        ("stylize photos paintings -o out --weights 1,2", "Styles from a folder are applied one by one, so --weights"),
        (f"{ONE} -o out.png --bogus", "No such option: --bogus"),
        ("paint", "No such command 'paint'."),
    ],
)
@pytest.mark.usefixtures("files")
def test_mistakes_end_with_one_sentence_and_code_2(monkeypatch, capsys, line, message):
    code, out, err = call(line, monkeypatch, capsys)
    assert (code, out, len(err)) == (2, "", 1)
    assert err[0].startswith(f"adain: {message}")


@pytest.mark.usefixtures("files")
def test_a_refused_picture_is_no_usage_error(files, monkeypatch, capsys):
    (files / "photos/a.png").write_bytes(b"")
    code, _, err = call(f"{ONE} -o out.png", monkeypatch, capsys)
    assert (code, err) == (1, ["a.png: This file is empty."])
    assert not (files / "out.png").exists()


def test_lists(monkeypatch, capsys):
    code, out, _ = call("methods", monkeypatch, capsys)
    assert code == 0 and "adain  (Huang & Belongie 2017)" in out and "--alpha" in out
    code, out, _ = call("models", monkeypatch, capsys)
    assert code == 0 and "compact" in out and "here, verified" in out and "vgg19" in out
    code, out, _ = call("doctor", monkeypatch, capsys)
    assert code == 0 and "weights compact: here, verified" in out and "torch 2." in out and "1 thread of " in out


def test_the_module_runs_on_the_shipped_weights(tmp_path, shipped_pair):
    out = tmp_path / "out.png"
    command = [sys.executable, "-m", "adain_core", "stylize", *map(str, shipped_pair), "-o", str(out), "--size", "96"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    with Image.open(out) as image:
        assert image.size == (96, 71)
