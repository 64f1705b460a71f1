"""Weights where the disk fails, and where processes meet or are killed."""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hub import DECODER, ENCODER, FIRST, ROOT, Hub
from loading import again, kept, same
from safetensors.torch import save_file

from adain_core import weights
from adain_core.weights import WeightsError, store
from adain_core.weights import hub as client


class TestTheDisk:
    def test_it_is_full(self, hub, states, monkeypatch):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
        with pytest.raises(
            WeightsError, match="can't be cached: 0 MB is needed, but only 0 MB is free on the disk. Free"
        ):
            weights.load("vgg19")
        assert states and not hub.got()

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
    def test_it_fills_up_meanwhile(self, hub):
        file = weights.MODELS["vgg19"].file("encoder")
        store.part(f"{file.key}.{file.sha256[:8]}").symlink_to("/dev/full")
        with pytest.raises(WeightsError, match=r"vgg19 can't be cached: the disk is full\. Free some"):
            weights.load("vgg19")
        assert len(hub.got()) == 1  # no other source is asked for nothing
        assert weights.load("compact").name == "compact"

    def test_it_cant_be_written(self, hub, states):
        folder = client.assets()
        folder.mkdir(parents=True)
        with unwritable(folder):
            with pytest.raises(WeightsError, match="can't be cached: it can't be written. Free some space, o"):
                weights.load("vgg19")
        assert states and not hub.got()

    def test_a_read_only_cache_is_read(self, hub, states):
        weights.load("vgg19")
        (client.assets() / store.HASHES).unlink()
        with unwritable(client.assets()):
            assert same(again(), states)
        hub.close()

    @pytest.mark.usefixtures("hub")
    def test_unreadable_files_are_not_deleted(self, states, monkeypatch, caplog):
        weights.load("vgg19")
        before = kept()
        with unreadable(monkeypatch, ".safetensors"), pytest.raises(WeightsError, match="have not been downloaded yet"):
            again()
        assert "A weights file in the cache can't be read and is ignored." in caplog.text
        assert "damaged" not in caplog.text and kept() == before and same(again(), states)

    def test_unreadable_files_in_a_folder_are_reported(self, hub, tmp_path, monkeypatch):
        save_file({"some": torch.zeros(1)}, tmp_path / "mine.safetensors")
        shutil.copy(hub.folder / DECODER, tmp_path)
        for name in (DECODER, "mine.safetensors"):
            with unreadable(monkeypatch, name), pytest.raises(WeightsError) as error:
                weights.load("vgg19", folder=tmp_path)
            assert str(error.value) == f"{name} can't be read (Permission denied)."

    def test_weights_that_cannot_be_cached_are_used_anyway(self, hub, states, monkeypatch, caplog):
        def full(*_given):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(store, "save_file", full)
        assert same(weights.load("vgg19"), states)
        assert "could not be cached" in caplog.text and kept() == [] and hub.got()


@contextlib.contextmanager
def unreadable(monkeypatch, ending: str):
    """Take away the right to read the files whose names end so, from root too."""
    opened = Path.open

    def refused(path, *given, **named):
        if path.name.endswith(ending):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *given, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refused)
        yield


@contextlib.contextmanager
def unwritable(folder: Path):
    """Take away the right to write to a folder, from root too."""
    folder.chmod(0o555)
    root = os.geteuid() == 0
    opened = [each for each in (folder, *folder.parents) if root and not each.stat().st_mode & 0o001]
    modes = [each.stat().st_mode for each in opened]
    try:
        for each in opened:
            each.chmod(each.stat().st_mode | 0o055)
        if root:
            os.seteuid(65534)
        yield
    finally:
        if root:
            os.seteuid(0)
        for each, mode in zip(opened, modes, strict=True):
            each.chmod(mode)
        folder.chmod(0o755)


def start(hub: Hub, home: Path, line: str) -> subprocess.Popen:
    settings = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(home / "own"), "FAKE_RELEASE": hub.endpoint}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/hub.py"), str(hub.folder), *line.split()],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TestProcesses:
    def test_one_that_is_killed_leaves_nothing_wrong_and_the_next_goes_on(self, hub, home):
        hub.faults[FIRST] = "paused"
        process = start(hub, home, "weights get vgg19")
        assert hub.paused.wait(60)
        for line in process.stderr:
            if "Fetching vgg_normalised.pth: " in line:
                break
        process.send_signal(signal.SIGKILL)
        process.communicate()
        (part,) = (home / "own/assets/adain-playground").glob("*.part")
        begun = part.stat().st_size
        assert 0 < begun < (hub.folder / ENCODER).stat().st_size
        hub.faults.clear()
        process = start(hub, home, "weights get vgg19")
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert "vgg19: here, verified" in out
        ranges = [given["range"] for m, path, given in hub.asked if m == "GET" and path.startswith(FIRST)]
        assert ranges[1].startswith(f"bytes={begun}-")
        assert not part.exists()

    def test_two_at_once_download_once(self, hub, home):
        hub.faults[FIRST] = "paused"
        first = start(hub, home, "weights get vgg19")
        assert hub.paused.wait(60)
        second = start(hub, home, "weights get vgg19")
        for line in second.stderr:
            if "Another process is downloading vgg_normalised.pth; waiting for it." in line:
                break
        hub.go.set()
        for process in (first, second):
            out, err = process.communicate(timeout=120)
            assert process.returncode == 0 and "vgg19: here, verified" in out, err
        assert len(hub.got(name=ENCODER)) == len(hub.got(name=DECODER)) == 1

    def test_offline_is_honored(self, hub, home, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        out, err = start(hub, home, "weights get vgg19").communicate(timeout=120)
        assert "release: HF_HUB_OFFLINE is set. Put" in err and not hub.asked and not out
