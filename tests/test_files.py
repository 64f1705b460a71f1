"""Files are written whole or not at all, and what is there is kept."""

import errno
import os
import resource
import stat
import threading
from contextlib import contextmanager

import pytest

from adain_core.system import files


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def small_disk():
    """No file may grow beyond 4 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names(folder):
    return sorted(each.name for each in folder.iterdir())


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_a_new_file_has_the_umasks_permissions(tmp_path, mask):
    with umask(mask):
        files.write(tmp_path / "a", b"new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask
    assert (tmp_path / "a").read_bytes() == b"new" and names(tmp_path) == ["a"]


def test_the_umask_is_never_changed_meanwhile(tmp_path, monkeypatch):
    """os.umask is the whole process's, so another thread's files would be open to everybody."""
    monkeypatch.setattr(os, "umask", lambda _: pytest.fail("the umask was changed"))
    files.write(tmp_path / "a", b"new")


def test_a_replaced_file_keeps_its_permissions(tmp_path):
    (tmp_path / "a").write_bytes(b"private")
    (tmp_path / "a").chmod(0o600)
    files.write(tmp_path / "a", b"new")
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600 and (tmp_path / "a").read_bytes() == b"new"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    for name in ("old", "new"):
        (tmp_path / name).symlink_to(tmp_path / "real" / name)
    (tmp_path / "real" / "old").write_bytes(b"old")
    for name in ("old", "new"):
        files.write(tmp_path / name, b"written")
        assert (tmp_path / name).is_symlink() and (tmp_path / "real" / name).read_bytes() == b"written"
    assert names(tmp_path / "real") == ["new", "old"]


def test_irregular_files_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("pipe", "loop", "folder", "null"):
        with pytest.raises(OSError) as error:
            files.write(tmp_path / name, b"new")
        assert error.value.filename == str(tmp_path / name)
    assert names(tmp_path) == ["folder", "loop", "null", "pipe"] and stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_file_that_may_not_be_written_is_kept(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path / "a")
    with pytest.raises(PermissionError):
        files.write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old" and names(tmp_path) == ["a"]


def test_a_full_disk_names_the_file_and_leaves_the_old_one(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with small_disk(), pytest.raises(OSError) as error:
        files.write(tmp_path / "a", bytes(10_000))
    assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == b"old" and names(tmp_path) == ["a"]


@pytest.mark.parametrize("name", ["none/a", "x" * 300])
def test_a_place_that_can_not_be_names_the_file(tmp_path, name):
    with pytest.raises(OSError) as error:
        files.write(tmp_path / name, b"new")
    assert error.value.filename == str(tmp_path / name) and names(tmp_path) == []


def test_ctrl_c_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.replacing(tmp_path / "a") as temporary:
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_concurrent_writes_do_not_collide(tmp_path):
    def write(data):
        for _ in range(20):
            files.write(tmp_path / "a", data)

    threads = [threading.Thread(target=write, args=(letter * 5000,)) for letter in (b"a", b"b")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert (tmp_path / "a").read_bytes() in (b"a" * 5000, b"b" * 5000) and names(tmp_path) == ["a"]


def test_a_folder_is_checked_and_left_as_it_was(tmp_path):
    files.check_folder(tmp_path / "deep" / "down")
    files.check_folder(tmp_path)
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "none" / "there")
    for place in ("file", "file/deep/down", "dangling"):
        with pytest.raises(ValueError, match=f"{place.partition('/')[0]} is not a folder, so nothing can be written"):
            files.check_folder(tmp_path / place)
    with pytest.raises(OSError) as error:
        files.check_folder("/proc/none/deep")  # where even root can make no file
    assert error.value.filename == "/proc/none/deep"


def test_existing_files_are_named(tmp_path):
    files.check_new(tmp_path / "none", ["a"])
    files.check_new(tmp_path, ["a", "b"])
    (tmp_path / "b").symlink_to("nowhere")
    (tmp_path / "c").touch()
    with pytest.raises(ValueError, match=r"/b already exists; choose another output, or use --overwrite"):
        files.check_new(tmp_path, ["a", "b"])
    with pytest.raises(ValueError, match=r"/b and 1 more already exist;"):
        files.check_new(tmp_path, ["a", "b", "c"])


def test_irreplaceable_outputs_are_refused_before_anything_is_computed(tmp_path):
    (tmp_path / "a").touch()
    files.check_outputs([tmp_path / "a", tmp_path / "new", tmp_path / "deep" / "new"])
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real/new")
    files.check_new(tmp_path, ["a", "link"], overwrite=True)
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("folder", "loop", "null"):
        with pytest.raises(ValueError, match=f"/{name} is not a regular file, so it can't be replaced"):
            files.check_new(tmp_path, ["a", name], overwrite=True)
    (tmp_path / "dangling").symlink_to("none/new")
    with pytest.raises(ValueError, match="/dangling is a link into a missing folder"):
        files.check_outputs([tmp_path / "dangling"])
    assert names(tmp_path) == ["a", "dangling", "folder", "link", "loop", "null", "real"]


def test_a_file_without_rights_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    (tmp_path / "a").touch()
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path / "a")
    with pytest.raises(PermissionError) as error:
        files.check_outputs([tmp_path / "a"])
    assert error.value.filename == str(tmp_path / "a")


@pytest.mark.parametrize("place", ["x" * 300, "none/" + "x" * 300, "x" * 300 + "/deep"])
def test_a_folder_whose_name_is_too_long(tmp_path, place):
    with pytest.raises(OSError) as error:
        files.check_folder(tmp_path / place)
    assert error.value.errno == errno.ENAMETOOLONG and names(tmp_path) == []


def test_paths_in_sentences():
    assert files.shown("a/b ü.png") == "a/b ü.png"
    assert files.shown("a\x1b[31m\nb") == "a?[31m?b"
    assert files.shown("a" * 5000) == "a" * 60 + "..." + "a" * 40
