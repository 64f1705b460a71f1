"""The folder of uploads and results: what goes, what stays, and what comes back."""

import os
import stat
import time
import types

import pytest

from ui.serving import storage
from ui.serving.uploads import own

HOUR = 3600.0


@pytest.fixture
def top(tmp_path, monkeypatch):
    """A server's folder, in a folder that others have as well."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(storage, "PERMANENT", {})
    with storage.folder() as top:
        yield top


@pytest.fixture
def after(monkeypatch):
    """Let some hours pass."""
    now = time.time

    def pass_by(hours: float) -> None:
        monkeypatch.setattr(storage.time, "time", lambda: now() + hours * HOUR)

    return pass_by


def write(path, content: bytes = b"content"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_it_is_private_and_removed_at_the_end(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with storage.folder() as top:
        assert top.parent == tmp_path and stat.S_IMODE(top.stat().st_mode) == 0o700
        assert os.environ["GRADIO_TEMP_DIR"] == str(top)
        write(top / "a" / "photo.png")
    assert not [*tmp_path.iterdir()] and os.environ["GRADIO_TEMP_DIR"] == str(tmp_path)


def test_files_go_after_six_hours_and_empty_folders_with_them(top, after):
    upload, report, theirs = (
        write(top.parent / name) for name in (f"{top.name}/a/p.png", f"{top.name}/b/c/t.csv", "x")
    )
    (top / "empty").mkdir()
    after(5.9)
    storage.tidy()
    assert upload.exists() and report.exists() and not (top / "empty").exists()
    after(6.1)
    storage.tidy()
    assert not upload.exists() and not report.exists()
    after(12.2)
    storage.tidy()
    assert not [*top.iterdir()] and top.exists() and theirs.exists()


def test_a_fresh_file_whose_original_is_old_stays(top):
    os.utime(write(top / "a" / "copy.jpg"), (0, 0))
    storage.tidy()
    assert (top / "a" / "copy.jpg").exists()


def test_interrupted_uploads_are_removed_soon(top, after):
    broken, whole = write(top / "tmp1234"), write(top / "a" / "whole.png")
    after(0.3)
    storage.tidy()
    assert whole.exists() and not broken.exists()


def test_irregular_entries_do_not_stop_the_cleanup(top, after):
    """A folder where a file is expected ended Gradio's cleaner."""
    upload = write(top / "z" / "photo.png")
    (top / "a" / "photo.png").mkdir(parents=True)
    (top / "b").symlink_to(top.parent)
    os.mkfifo(top / "pipe")
    after(6.1)
    storage.tidy()
    assert not upload.exists() and not (top / "b").is_symlink() and top.parent.exists()


def test_folders_of_killed_servers_are_removed(top, after):
    left, other = write(top.parent / "adain-killed" / "a" / "p.png"), write(top.parent / "others" / "p.png")
    storage.tidy()
    assert left.exists()  # it may be running
    after(0.6)
    storage.tidy()
    assert not left.parent.parent.exists() and other.exists() and top.exists()


def test_the_pages_own_pictures_stay_and_come_back(top, after):
    opening = write(top / "a" / "photo.jpg", b"opening")
    offered = write(top.parent / "photo.jpg", b"offered")
    blocks = {1: types.SimpleNamespace(keep_in_cache={str(opening)}), 2: object()}
    storage.tend(types.SimpleNamespace(blocks=blocks, temp_file_sets=[]), [str(offered)])
    assert sorted(storage.PERMANENT.values()) == [b"offered", b"opening"]
    after(20)
    storage.tidy()
    assert opening.exists()
    for path, content in storage.PERMANENT.items():
        os.remove(path)
        assert own({"path": path})["path"] == path
        with open(path, "rb") as file:
            assert file.read() == content
    storage.restore(str(top / "a" / "another.jpg"))
    assert not (top / "a" / "another.jpg").exists()
