"""Which files the command line reads and writes: folders, names, formats, what is kept and what is refused."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import picture
from PIL import Image
from test_cli import ONE, call, files, pictures  # noqa: F401

from adain_core import images
from adain_core.runs import pipeline

ROOT = Path(__file__).parents[1]


def made(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


@pytest.fixture
def no_run(monkeypatch):
    """Fails the test when anything is computed."""
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pytest.fail("it computed"))


@pytest.mark.usefixtures("files")
class TestPictures:
    """What is taken for a photograph, and what for a painting."""

    def test_several_photographs(self, monkeypatch, capsys):
        line = "stylize photos/a.png photos/b.png --style paintings/x.png -o out"
        assert call(line, monkeypatch, capsys)[0] == 0
        assert made("out") == ["a-x.png", "b-x.png"]

    def test_files_and_folders_together_each_once(self, monkeypatch, capsys):
        line = "stylize photos/a.png photos --style paintings/x.png --style paintings/y.png -o out"
        assert call(line, monkeypatch, capsys)[0] == 0
        assert made("out") == ["a-x+y.png", "b-x+y.png"]

    def test_three_pictures_are_not_guessed_at(self, no_run, monkeypatch, capsys):  # noqa: ARG002
        code, _, err = call("stylize photos/a.png photos/b.png paintings/x.png -o out", monkeypatch, capsys)
        assert (code, len(err)) == (2, 1)
        assert err[0].startswith("adain: It isn't clear which of the 3 pictures are paintings; give each painting with")

    def test_weights_say_that_the_others_are_paintings(self, monkeypatch, capsys):
        line = "stylize photos/a.png paintings/x.png paintings/y.png --weights 1e308,1e308 -o out.png --json"
        code, out, _ = call(line, monkeypatch, capsys)
        assert code == 0 and json.loads(out)["settings"]["weights"] == [0.5, 0.5]

    def test_a_method_that_needs_no_painting_asks_for_none(self, monkeypatch, capsys):
        assert call("stylize photos --method identity -o out", monkeypatch, capsys)[0] == 0
        assert made("out") == ["a-identity.png", "b-identity.png"]

    def test_everything_that_can_be_decoded_is_taken(self, monkeypatch, capsys):
        kinds = {"a.jfif": "JPEG", "b.jpe": "JPEG", "c.pnm": "PPM", "e": "PNG", "f.PNG": "PNG", "g.JPG": "JPEG",
                 "h.dib": "BMP", "i.apng": "PNG", "j.mpo": "MPO", "k.png.bak": "PNG"}  # fmt: skip
        Path("in").mkdir()
        for seed, (name, kind) in enumerate(kinds.items()):
            picture(20, 18, seed).save(Path("in", name), kind)
        picture(20, 18, 9).convert("1").save("in/d.pbm", "PPM")
        code, _, err = call("stylize in paintings/x.png -o out", monkeypatch, capsys)
        assert (code, err) == (0, [f"{len(kinds) + 1} made, 0 kept, 0 not made."])

    def test_hidden_files_are_no_photographs(self, monkeypatch, capsys):
        for name in ("._a.png", ".hidden.png", ".DS_Store"):
            Path("photos", name).write_bytes(b"\0\5\26\7")
        Path("photos/.folder").mkdir()
        picture(20, 20, 1).save("photos/.folder/c.png")
        code, _, err = call("stylize photos paintings/x.png -o out --recursive", monkeypatch, capsys)
        assert (code, err) == (0, ["2 made, 0 kept, 0 not made."])

    def test_skipped_files_are_counted_with_the_reason(self, monkeypatch, capsys):
        for name in ("a.txt", "b.txt", "c.mp4", "d.db"):
            Path("photos", name).write_bytes(b"no picture")
        Path("photos/empty").touch()
        os.mkfifo("photos/pipe")
        code, _, err = call("stylize photos paintings/x.png -o out", monkeypatch, capsys)
        assert code == 0 and err[-1] == "2 made, 0 kept, 0 not made."
        assert err[0].startswith("photos: 4 files skipped (a.txt, b.txt, c.mp4, ...): This file is not a picture")
        assert err[1] == "photos: 1 file skipped (empty): This file is empty."
        assert len(err) == 4 and err[2].startswith("photos: 1 file skipped (pipe): ")

    def test_a_folder_that_can_not_be_read_is_left_out(self, monkeypatch, capsys):
        """As lost+found is on every disk."""
        for name in ("closed", "open"):
            Path("photos", name).mkdir()
            picture(20, 18, 1).save(Path("photos", name, "c.png"))
        scandir = os.scandir

        def closed(path):
            if Path(path).name == "closed":
                raise PermissionError(13, "Permission denied", str(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", closed)
        code, _, err = call("stylize photos paintings/x.png -o out -r", monkeypatch, capsys)
        assert code == 0 and made("out") == ["a-x.png", "b-x.png", "open/c-x.png"]
        assert err[0] == "photos: 1 folder skipped (closed): This folder can't be read; check its permissions."
        code, _, err = call("stylize photos/closed paintings/x.png -o out", monkeypatch, capsys)
        assert (code, err) == (1, ["adain: Permission denied: photos/closed"])

    def test_a_file_that_the_disk_does_not_give_is_left_out(self, monkeypatch, capsys):
        Path("photos/bad").write_bytes(b"GIF89a")
        measure = images.measure

        def broken(path, *more):
            if Path(path).name == "bad":
                raise OSError(5, "Input/output error")
            return measure(path, *more)

        monkeypatch.setattr(images, "measure", broken)
        code, _, err = call("stylize photos paintings/x.png -o out", monkeypatch, capsys)
        told = "photos: 1 file skipped (bad): This file can't be read: Input/output error."
        assert (code, err) == (0, [told, "2 made, 0 kept, 0 not made."])

    def test_that_a_place_can_not_be_looked_into_is_not_that_nothing_is_there(self, monkeypatch, capsys):
        stat = os.stat

        def closed(path, *more, **named):
            if str(path) == "photos/a.png":
                raise PermissionError(13, "Permission denied", path)
            return stat(path, *more, **named)

        monkeypatch.setattr(os, "stat", closed)
        assert call(f"{ONE} -o out", monkeypatch, capsys) == (1, "", ["adain: Permission denied: photos/a.png"])

    def test_recursive_keeps_the_tree(self, monkeypatch, capsys):
        for name in ("c.png", "deep/c.png", "deep/down/a.png"):
            Path("photos/more", name).parent.mkdir(parents=True, exist_ok=True)
            picture(20, 18, len(name)).save(Path("photos/more", name))
        Path("photos/more/around").symlink_to("..")
        assert call("stylize photos paintings/x.png -o flat", monkeypatch, capsys)[0] == 0
        assert made("flat") == ["a-x.png", "b-x.png"]
        assert call("stylize photos paintings/x.png -o out -r", monkeypatch, capsys)[0] == 0
        tree = ["a-x.png", "b-x.png", "more/c-x.png", "more/deep/c-x.png", "more/deep/down/a-x.png"]
        assert made("out") == tree

    def test_a_folder_of_folders_says_how_they_are_read(self, monkeypatch, capsys):
        code, _, err = call("stylize . paintings/x.png -o out", monkeypatch, capsys)
        assert (code, err) == (2, ["adain: The folder . holds no pictures; --recursive includes its subfolders."])


@pytest.mark.usefixtures("files")
class TestOutputs:
    """Where results go, and what they are called."""

    @pytest.mark.parametrize("output", [".png", ".JPG", "out.csv", "results.json"])
    def test_no_folder_is_called_like_a_file(self, no_run, monkeypatch, capsys, output):  # noqa: ARG002
        """Often `-o "$name.png"` without a name."""
        code, _, err = call(f"{ONE} -o {output}", monkeypatch, capsys)
        assert (code, len(err)) == (2, 1) and err[0].startswith("adain: Pictures are saved as .png, .jpg,")
        assert not Path(output).exists()

    @pytest.mark.parametrize("output", ["new/", "new/deep/", "out.v2", "result"])
    def test_an_output_without_a_picture_suffix_is_a_folder(self, monkeypatch, capsys, output):
        code, out, err = call(f"{ONE} -o {output}", monkeypatch, capsys)
        assert (code, err) == (0, []) and made(output) == ["a-x.png"]
        assert out.startswith(f"{output.rstrip('/')}/a-x.png (")
        assert call(f"stylize photos paintings/x.png -o {output}", monkeypatch, capsys)[0] == 0
        assert made(output) == ["a-x.png", "b-x.png"]

    @pytest.mark.parametrize(
        ("name", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("JPG", "JPEG"), ("webp", "WEBP"), ("tiff", "TIFF")]
    )
    def test_formats(self, monkeypatch, capsys, name, kind):
        assert call(f"stylize photos paintings/x.png -o out --format {name}", monkeypatch, capsys)[0] == 0
        assert made("out") == [f"{letter}-x.{name.lower()}" for letter in "ab"]
        with Image.open(Path("out", made("out")[0])) as image:
            assert image.format == kind

    def test_plain_names(self, monkeypatch, capsys):
        picture(20, 18, 5).save("photos/a.jpg")
        assert call("stylize photos paintings/x.png -o out --plain-names --format jpg", monkeypatch, capsys)[0] == 0
        assert made("out") == ["a_jpg.jpg", "a_png.jpg", "b.jpg"]
        code, _, err = call("stylize photos paintings -o other --plain-names", monkeypatch, capsys)
        assert code == 2 and err[0].startswith("adain: There are 2 paintings, so plain names would clash")

    def test_one_picture_of_a_folder_goes_into_a_file(self, monkeypatch, capsys):
        Path("photos/b.png").unlink()
        assert call("stylize photos paintings/x.png -o out.png", monkeypatch, capsys)[::2] == (0, [])
        assert Path("out.png").is_file()

    @pytest.mark.parametrize("name", ["png", "jpg", "webp"])
    def test_a_second_run_leaves_its_own_results_alone(self, monkeypatch, capsys, name):
        line = f"stylize photos paintings -o photos --format {name}"
        assert call(line, monkeypatch, capsys)[0] == 0
        first = made("photos")
        code, _, err = call(line, monkeypatch, capsys)
        assert (code, err[0]) == (0, "4 pictures skipped: results of earlier runs in the output folder.")
        assert err[-1] == "0 made, 4 kept, 0 not made." and made("photos") == first

    @pytest.mark.parametrize("name", ["png", "jpg", "webp", "tiff"])
    def test_results_in_another_style_are_not_stylized_again(self, monkeypatch, capsys, name):
        line = f"stylize photos paintings/x.png -o photos/out --plain-names --format {name}"
        assert call(line, monkeypatch, capsys)[0] == 0
        code, _, err = call("stylize photos paintings/y.png -o photos/out -r", monkeypatch, capsys)
        assert (code, err[-1]) == (0, "2 made, 0 kept, 0 not made.")
        assert made("photos/out") == sorted(["a-y.png", "b-y.png", f"a.{name}", f"b.{name}"])
        assert call("stylize photos/out paintings/y.png -o again", monkeypatch, capsys)[0] == 0  # if wanted, they are
        assert len(made("again")) == 4

    @pytest.mark.parametrize("more", ["", " --overwrite"])
    def test_an_input_is_never_replaced(self, no_run, monkeypatch, capsys, more):  # noqa: ARG002
        os.link("photos/a.png", "same.png")  # one file with two names, as photo.PNG and photo.png on some disks
        before = {path: path.read_bytes() for path in Path().rglob("*.png")}
        for line in (
            f"{ONE} -o same.png",
            f"{ONE} -o photos/a.png",
            f"{ONE} -o paintings/x.png",
            f"{ONE} --mask photos/b.png -o photos/b.png",
            "stylize photos paintings/x.png -o photos --plain-names",
            "compare photos/a.png paintings/x.png -o .",
        ):
            if line.startswith("compare"):
                Path("photos/a.png").rename("content.png")
                Path("photos/a.png").symlink_to(Path("content.png").resolve())
            code, _, err = call(line + more, monkeypatch, capsys)
            assert (code, len(err)) == (2, 1)
            assert "is one of the input pictures" in err[0] or "would be overwritten by its result" in err[0]
        assert all(path.read_bytes() == data for path, data in before.items())

    def test_a_name_too_long_ends_only_its_own_picture(self, monkeypatch, capsys):
        name = "n" * 251
        picture(20, 18, 1).save(f"photos/{name}.png")
        code, _, err = call("stylize photos paintings/x.png -o out", monkeypatch, capsys)
        assert code == 1 and made("out") == ["a-x.png", "b-x.png"]
        assert err[0].startswith("nnnn") and len(err[0]) < 250 and err[1] == "2 made, 0 kept, 1 not made."
        assert err[0].endswith("n-x.png: This name is too long for the disk; rename the photograph or the painting.")

    def test_a_link_is_followed(self, monkeypatch, capsys):
        Path("real").mkdir()
        Path("out.png").symlink_to("real/out.png")
        assert call(f"{ONE} -o out.png", monkeypatch, capsys)[0] == 0
        assert Path("out.png").is_symlink() and made("real") == ["out.png"]
        Path("real/out.png").write_bytes(b"mine")
        assert call(f"{ONE} -o out.png", monkeypatch, capsys)[0] == 1
        assert Path("real/out.png").read_bytes() == b"mine"

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            (f"{ONE} -o dangling.png", "dangling.png is a link into a missing folder"),
            ("stylize photos paintings/x.png -o out --overwrite", "out/b-x.png is not a regular file"),
        ],
    )
    def test_an_impossible_file_is_refused_first(self, no_run, monkeypatch, capsys, line, sentence):  # noqa: ARG002
        Path("dangling.png").symlink_to("none/out.png")
        Path("out/b-x.png").mkdir(parents=True)
        code, _, err = call(line, monkeypatch, capsys)
        assert (code, len(err)) == (2, 1) and err[0].startswith(f"adain: {sentence}")

    @pytest.mark.parametrize("output", ["photos/a.png/out.png", "photos/a.png/", "photos/a.png/deep/down"])
    def test_an_impossible_folder_is_refused_first(self, no_run, monkeypatch, capsys, output):  # noqa: ARG002
        code, _, err = call(f"{ONE} -o {output}", monkeypatch, capsys)
        sentence = "adain: photos/a.png is not a folder, so nothing can be written into it; choose another folder."
        assert (code, err) == (2, [sentence])

    @pytest.mark.parametrize("command", [ONE, "compare photos/a.png paintings/x.png", "publish me/mine --dry-run"])
    def test_a_folder_without_permissions_is_refused_first(self, no_run, monkeypatch, capsys, command):  # noqa: ARG002
        monkeypatch.setattr("adain_core.cli.compare.compare", lambda *_, **__: pytest.fail("it computed"))
        line = f"{command} /proc/out" if "publish" in command else f"{command} -o /proc/out"
        code, _, err = call(line, monkeypatch, capsys)  # where even root can make no file
        assert code == 1 and len(err) == 1 and err[0].startswith("adain: ") and err[0].endswith(": /proc/out")
        assert ".tmp" not in err[0]


@pytest.mark.usefixtures("files")
class TestStandardOutput:
    def test_standard_output_gets_only_the_picture(self, monkeypatch, capfdbinary):
        for more, kind in (("", "PNG"), (" --format jpg", "JPEG")):
            monkeypatch.setattr(sys, "argv", ["adain", *f"{ONE} -o -{more}".split()])
            with pytest.raises(SystemExit, match="0"):
                __import__("adain_core.__main__", fromlist=["main"]).main()
            out, err = capfdbinary.readouterr()
            with Image.open(io.BytesIO(out)) as image:
                assert (image.format, image.size, err) == (kind, (40, 30), b"")
                image.load()

    @pytest.mark.parametrize(
        ("line", "sentence"),
        [
            (f"{ONE} --json", "The picture and --json can't both go to standard output; leave one out."),
            ("stylize photos paintings/x.png", "There are 2 pictures to make; give -o a folder, not a file."),
        ],
    )
    def test_standard_output_takes_one_picture(self, no_run, monkeypatch, capsys, line, sentence):  # noqa: ARG002
        assert call(f"{line} -o -", monkeypatch, capsys) == (2, "", [f"adain: {sentence}"])

    def test_no_picture_goes_to_a_terminal(self, no_run, monkeypatch, capsys):  # noqa: ARG002
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        code, out, err = call(f"{ONE} -o -", monkeypatch, capsys)
        assert (code, out) == (2, "") and err[0].startswith("adain: A terminal can't show the picture;")


class TestCompare:
    LINE = "compare photos/a.png paintings/x.png --methods adain,wct --size 64"

    @pytest.fixture(autouse=True)
    def _tiny(self, files, monkeypatch):  # noqa: F811
        monkeypatch.setattr("adain_core.cli.compare.arrange", lambda names, _: names)
        assert files

    def test_existing_files_are_kept(self, monkeypatch, capsys):
        monkeypatch.setattr("adain_core.cli.compare.compare", lambda *_, **__: pytest.fail("it computed"))
        for name in ("content.png", "sheet.png", "style-1.png", "wct-left.png", "results.json"):
            Path(name).write_text("mine")
            code, _, err = call(f"{self.LINE} -o .", monkeypatch, capsys)
            assert (code, len(err)) == (2, 1) and err[0].startswith(f"adain: {name} already exists; choose another")
            assert Path(name).read_text() == "mine"
            Path(name).unlink()
        Path("file").touch()
        code, _, err = call(f"{self.LINE} -o file", monkeypatch, capsys)
        assert code == 2 and err[0].startswith("adain: file is not a folder, so nothing can be written into it;")

    def test_irreplaceable_outputs_are_refused_first(self, monkeypatch, capsys):
        monkeypatch.setattr("adain_core.cli.compare.compare", lambda *_, **__: pytest.fail("it computed"))
        Path("sheet.png").mkdir()
        code, _, err = call(f"{self.LINE} -o . --overwrite", monkeypatch, capsys)
        assert code == 2 and err[0].startswith("adain: sheet.png is not a regular file, so it can't be replaced;")
        code, _, err = call(f"{self.LINE} -o {'n' * 256}", monkeypatch, capsys)
        assert (code, len(err)) == (1, 1) and err[0].startswith("adain: File name too long: nnn")

    @pytest.mark.parametrize("output", ["-", "sheet.png", "table.csv", "results.json"])
    def test_no_folder_is_made_where_a_file_was_meant(self, monkeypatch, capsys, output):
        monkeypatch.setattr("adain_core.cli.compare.compare", lambda *_, **__: pytest.fail("it computed"))
        code, _, err = call(f"{self.LINE} -o {output}", monkeypatch, capsys)
        sentence = f"adain: compare writes several files, so {output} must be a folder; choose one with -o."
        assert (code, err) == (2, [sentence]) and not Path(output).exists()

    def test_existing_files_are_replaced_with_overwrite(self, monkeypatch, capsys):
        for name in ("content.png", "notes.txt"):
            Path(name).write_text("mine")
        assert call(f"{self.LINE} -o . --overwrite", monkeypatch, capsys)[0] == 0
        assert images.measure("content.png") == (64, 48) and Path("notes.txt").read_text() == "mine"
        assert {"adain-difference.png", "table.csv", "sheet.png", "style-1.png"} <= set(made("."))

    def test_a_bad_picture_is_a_run_that_fails(self, monkeypatch, capsys):
        Path("photos/a.png").write_bytes(b"")
        assert call(f"{self.LINE} -o out", monkeypatch, capsys) == (1, "", ["adain: Content: This file is empty."])
        assert not Path("out").exists()


def test_ctrl_c_while_it_starts_is_one_line(tmp_path):
    """Interrupted when torch is imported, which takes the longest."""
    code = (
        "import os, signal, sys, runpy\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'torch':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupt())\n"
        "sys.argv = ['adain', 'methods']\n"
        "runpy.run_module('adain_core', run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "adain: stopped before it began.\n")
    assert not list(tmp_path.iterdir())


def run_module(line: str, **streams) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "adain_core", *line.split()], cwd=ROOT, text=True, **streams)


def test_closed_streams():
    """As `>&- 2>&-` leave them, and some that start programs in the background."""
    shell = f'"{sys.executable}" -m adain_core'
    done = subprocess.run(f"{shell} models >&-", shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(f"{shell} models --get nothing 2>&-", shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    line = "stylize examples/page.jpg examples/sheet.jpg -o - >&-"
    done = subprocess.run(f"{shell} {line}", shell=True, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (2, "adain: Standard output is closed; choose a file with -o.\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux alone has it")
def test_a_full_disk_behind_standard_output_is_named():
    with open("/dev/full", "w") as full:
        done = run_module("models", stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (1, "adain: No space left on device: standard output\n")


def test_a_closed_pipe_ends_it_quietly():
    """As `head` does; so little is printed that it is noticed only when all has been."""
    reader, writer = os.pipe()
    os.close(reader)
    done = run_module("models", stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")
