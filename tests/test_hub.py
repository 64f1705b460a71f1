"""Weights from a Hub that fails in every way: nothing wrong is loaded, and the message says what to do."""

import logging
import os
import pickle
import re
import shutil
import tempfile
import threading
from pathlib import Path

import huggingface_hub
import pytest
import torch
from hub import DECODER, ENCODER, FIRST, IMAGENET, SECOND, THIRD, changed, rows
from huggingface_hub import constants
from loading import again, kept, same
from safetensors.torch import load_file, save_file

from adain_core import weights
from adain_core.weights import WeightsError, store
from adain_core.weights import hub as client

ADVICE = (
    r" Put vgg_normalised.pth and decoder.pth into a folder and pass it with --weights-dir or ADAIN_WEIGHTS, or use the"
    r" compact model, which needs no download\."
)


def test_a_download_is_converted_once_and_then_needs_no_network(hub, states):
    assert same(weights.load("vgg19"), states)
    assert [path for path in hub.got() if "vgg" in path] == [f"{FIRST}/resolve/main/{ENCODER}"]
    assert kept() == [".safetensors", ".safetensors"]  # no pickle stays
    count = len(hub.asked)
    assert same(again(), states)
    assert len(hub.asked) == count
    assert weights.load("vgg19") is weights.load("vgg19", download=False)


NEXT = {  # a fault of the first source, and what is said of it; the second is taken
    "wrong bytes": "the file received is not the one announced (wrong SHA-256)",
    "other file": "it is a different file (SHA-256 000000000000)",
    "wrong size": "it is a different file (",
    "other range": "it sent a different range than requested",
    "truncated": "the connection was lost",
    "hanging": "the server timed out",
    "html": "it is a different file (27 bytes, not",
    401: "it doesn't exist, or needs an HF_TOKEN with read access",
    403: "it doesn't exist, or needs an HF_TOKEN with read access",
    "gated": "access is gated; request it on the repository's page and set HF_TOKEN",
    404: "it no longer exists",
    429: "too many requests, try again in 30 s",
    503: "it answers 503, try again later",
}


@pytest.mark.parametrize("fault", NEXT)
def test_the_next_source_is_taken(hub, states, fault, caplog):
    hub.faults[FIRST] = fault
    with caplog.at_level(logging.WARNING, "adain_core"):
        assert same(weights.load("vgg19"), states)
    assert f"from a/first: {NEXT[fault]}" in caplog.text
    assert f"{SECOND}/resolve/main/checkpoints/{ENCODER}" in hub.got()
    assert not hub.got(name=THIRD)
    if fault in ("other file", "wrong size", "html", 401, "gated", 404, 429, 503):
        assert not hub.got(name=FIRST)  # seen before anything was fetched
    assert kept() == [".safetensors", ".safetensors"]


@pytest.mark.parametrize("fault", ["truncated once", "slow", "no commit", "redirect", "whole"])
def test_harmless_faults_are_tolerated(hub, states, fault):
    hub.faults[FIRST] = fault
    assert same(weights.load("vgg19"), states)
    assert not hub.got(name=SECOND)
    ranges = [given["range"] for method, path, given in hub.asked if method == "GET" and path.startswith(FIRST)]
    size = (hub.folder / ENCODER).stat().st_size
    whole = [f"bytes=0-{size - 1}"]
    assert ranges == whole + ([f"bytes={size // 2}-{size - 1}"] if fault == "truncated once" else [])


@pytest.mark.parametrize("fault", NEXT)
def test_all_sources_fail(hub, fault):
    hub.faults = dict.fromkeys((FIRST, SECOND, THIRD), fault)
    hub.faults["/release"] = "wrong bytes" if fault in ("other file", "wrong size") else fault  # it says neither
    with pytest.raises(WeightsError, match=ADVICE) as error:
        weights.load("vgg19")
    assert "are not on this machine and could not be downloaded: " in str(error.value) and NEXT[fault] in str(
        error.value
    )
    assert "a/first, b/second, c/third" in str(error.value) and "release: " in str(error.value).replace("third, ", "")
    assert str(hub.folder.parent) not in str(error.value)
    assert weights.load("compact").name == "compact"
    hub.faults = {}
    assert weights.load("vgg19").name == "vgg19"  # a failure is not remembered


def test_the_release_is_the_last_source(hub, states):
    hub.faults = dict.fromkeys((FIRST, SECOND, THIRD, "/spaces/d/fourth", "/e/fifth"), 404)
    assert same(weights.load("vgg19"), states)
    assert hub.got(name="/release/") == [f"/release/{ENCODER}", f"/release/{DECODER}"]


def test_a_silent_server_is_asked_once(hub):
    hub.faults = dict.fromkeys((FIRST, SECOND, THIRD), "silent")
    with pytest.raises(WeightsError) as error:
        hub.faults["/release"] = 404
        weights.load("vgg19")
    assert "a/first, b/second, c/third: the server timed out; release: it no longer exists" in str(error.value)
    assert hub.got("HEAD") == [f"{FIRST}/resolve/main/{ENCODER}"]


def test_no_server(hub, states):
    hub.close()
    with pytest.raises(WeightsError, match="a/first, b/second, c/third, release: no connection" + "." + ADVICE):
        weights.load("vgg19")
    assert states and weights.load("compact").name == "compact"


def test_offline_nothing_is_asked(hub, states, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsError, match="a/first, b/second, c/third, release: HF_HUB_OFFLINE is set"):
        weights.load("vgg19")
    assert not hub.asked
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    weights.load("vgg19")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert same(again(), states)


def test_without_download_nothing_is_asked(hub):
    with pytest.raises(WeightsError, match="have not been downloaded yet" + "." + ADVICE):
        weights.load("vgg19", download=False)
    assert not hub.asked


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, states, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.faults = {FIRST: "redirect", "/spaces/d/fourth": 404, "/e/fifth": 404}
    assert same(weights.load("vgg19"), states)
    sent = {path: given.get("authorization") for _, path, given in hub.asked}
    assert sent[f"{FIRST}/resolve/main/{ENCODER}"] == "Bearer hf_secret"
    assert sent[f"/cdn{FIRST}/resolve/main/{ENCODER}"] is None
    assert sent[f"/release/{DECODER}"] is None


def test_a_file_that_the_hub_library_fetched_is_found_in_any_source(hub, states):
    path = huggingface_hub.hf_hub_download("c/third", ENCODER, repo_type="space")
    assert Path(path).is_file()
    huggingface_hub.hf_hub_download("e/fifth", DECODER)
    hub.close()
    assert same(weights.load("vgg19"), states)
    shutil.rmtree(constants.HF_HUB_CACHE)
    assert same(again(), states)


def test_a_wrong_file_in_the_hub_librarys_cache_is_not_used(hub, states):
    path = Path(huggingface_hub.hf_hub_download("a/first", ENCODER))
    path.write_bytes(bytes(path.stat().st_size))
    assert same(weights.load("vgg19"), states)
    assert hub.got(name=ENCODER)[1:] == [f"{FIRST}/resolve/main/{ENCODER}"]


def cached(role: str) -> Path:
    key = weights.MODELS["vgg19"].file(role).key
    (path,) = client.assets().glob(f"{key}-*.safetensors")
    return path


@pytest.mark.usefixtures("hub")
def test_a_poisoned_cache_is_downloaded_again(states, caplog):
    weights.load("vgg19")
    path = cached("encoder")
    good = path.read_bytes()
    path.write_bytes(good[:-4] + bytes(4))
    with pytest.raises(WeightsError, match="have not been downloaded yet"):
        again()
    assert "A weights file in the cache was damaged and has been removed." in caplog.text
    assert not path.exists() and cached("decoder").exists()
    weights.release("vgg19")
    assert same(weights.load("vgg19"), states)
    assert path.read_bytes() == good


@pytest.mark.usefixtures("hub")
def test_a_hash_is_remembered_until_the_file_changes(states, monkeypatch):
    hashed = []
    digest = store.hashlib.file_digest
    monkeypatch.setattr(store.hashlib, "file_digest", lambda *given: hashed.append(given) or digest(*given))
    weights.load("vgg19")
    again()
    hashed.clear()
    assert same(again(), states) and not hashed
    os.utime(cached("decoder"))
    assert same(again(), states) and len(hashed) == 1
    hashed.clear()
    weights.verify("vgg19")
    assert len(hashed) == 2
    (client.assets() / store.HASHES).write_text('{"nonsense": 1, "more": [')
    assert same(again(), states)


def test_a_part_from_elsewhere_is_not_built_upon(hub, states):
    key = weights.MODELS["vgg19"].file("encoder")
    part = store.part(f"{key.key}.{key.sha256[:8]}")
    part.write_bytes(b"something else")
    assert same(weights.load("vgg19"), states)
    ranges = [given["range"][:9] for method, path, given in hub.asked if method == "GET" and path.startswith(FIRST)]
    assert ranges == ["bytes=14-", "bytes=0-" + ranges[1][8]]
    part.write_bytes(bytes(10))
    weights.remove("vgg19")
    assert kept() == []


def test_a_part_is_left_where_the_whole_file_is_sent_all_the_same(hub, states):
    hub.faults[FIRST] = "whole"
    file = weights.MODELS["vgg19"].file("encoder")
    store.part(f"{file.key}.{file.sha256[:8]}").write_bytes((hub.folder / ENCODER).read_bytes()[:1000])
    assert same(weights.load("vgg19"), states)
    assert len(hub.got(name=ENCODER)) == 1


def test_a_partial_download_that_is_too_long_starts_over(hub, states):
    file = weights.MODELS["vgg19"].file("encoder")
    store.part(f"{file.key}.{file.sha256[:8]}").write_bytes(bytes(10**6))
    assert same(weights.load("vgg19"), states)
    assert len(hub.got(name=ENCODER)) == 1


def evil(path: Path) -> None:
    class Boom:
        def __reduce__(self):
            return (os.mkdir, (str(path.parent / "ran"),))

    path.write_bytes(pickle.dumps(Boom(), protocol=2))


@pytest.mark.usefixtures("hub")
def test_no_code_of_a_pickle_runs(served, monkeypatch):
    evil(served / DECODER)
    with pytest.raises(WeightsError, match=r"d/fourth, e/fifth: it is a different file \(SHA-256"):
        weights.load("vgg19")
    row = rows(served)["vgg19"]  # even if the table knew it
    monkeypatch.setitem(weights.MODELS, "vgg19", row)
    with pytest.raises(WeightsError, match=r"decoder.pth can't be read as weights \(UnpicklingError\)"):
        weights.load("vgg19")
    assert not (served / "ran").exists() and kept() == [".safetensors"]


class TestOnlyTheTensorsThatAreNeeded:
    def test_ranges_and_the_first_layer(self, hub, states):
        networks = weights.load("vgg19-imagenet")
        assert networks.decoder is None and networks.layers[-1] == "relu5_1"
        for name, value in networks.encoder.state_dict().items():
            if not name.startswith("conv0"):
                assert torch.equal(value, states["imagenet"][name])
        grey = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
        assert networks.encoder.conv0(grey.expand(1, 3, 2, 2)).abs().max() < 1e-6
        bright = grey + torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
        assert torch.allclose(networks.encoder.conv0(bright), torch.ones(1, 3, 1, 1), atol=1e-6)
        size = (hub.folder / IMAGENET).stat().st_size
        assert size > 700_000  # with the classifier, which is not fetched
        spans = [given["range"].removeprefix("bytes=").split("-") for m, _, given in hub.asked if m == "GET"]
        assert sum(int(last) + 1 - int(first) for first, last in spans) < 60_000
        hub.close()
        again("vgg19-imagenet")

    def test_no_picture_by_a_method_that_decodes(self, hub, photo, painting):
        from adain_core import run

        with pytest.raises(
            ValueError, match="vgg19-imagenet has no decoder, so it works only with methods that optimize"
        ):
            list(run(photo, [painting], model="vgg19-imagenet"))
        results = list(run(photo, [painting], model="vgg19-imagenet", method="gatys", steps=1))
        assert results[-1].image.size == photo.size and hub.asked

    def test_a_server_without_ranges_is_passed_over(self, hub, caplog):
        hub.faults["/f/sixth"] = "whole"
        weights.load("vgg19-imagenet")
        assert "f/sixth: it doesn't support range requests" in caplog.text

    def test_wrong_shapes_are_seen_before_they_are_fetched(self, hub, served, states):
        tensors = load_file(served / IMAGENET)
        name = next(each for each in tensors if each.startswith("features.") and each.endswith("weight"))
        save_file({**tensors, name: tensors[name][:, :1].contiguous()}, served / IMAGENET)
        with pytest.raises(WeightsError, match="f/sixth, g/seventh: it contains different tensors"):
            weights.load("vgg19-imagenet")
        assert states and len(hub.got()) == 4  # two headers, two requests each

    @pytest.mark.parametrize(
        "data", [b"", b"<html>", (2**40).to_bytes(8, "little"), (9).to_bytes(8, "little") + b"not json!",
                 (9).to_bytes(8, "little") + b'{"a": 1 }', (2).to_bytes(8, "little") + b"[]"]
    )  # fmt: skip
    def test_no_safetensors(self, hub, served, data):
        (served / IMAGENET).write_bytes(data)
        with pytest.raises(
            WeightsError,
            match="f/sixth, g/seventh: (this is not a safetensors file|it answers 416|it contains different)",
        ):
            weights.load("vgg19-imagenet")
        assert hub.asked

    def test_a_recorded_checksum_is_checked_wherever_they_come_from(self, hub, states, monkeypatch):
        weights.load("vgg19-imagenet")
        words = "here, unverified, no hash recorded; the tensors' checksum is ([0-9a-f]{64})"
        assert re.fullmatch(words, weights.state(weights.get("vgg19-imagenet")))
        printed = re.fullmatch(words, weights.verify("vgg19-imagenet"))
        plain = {name: each for name, each in states["imagenet"].items() if not name.startswith("conv0")}
        assert printed[1] == weights.checksum(plain)
        self.pin(monkeypatch, printed[1])
        assert weights.load("vgg19-imagenet").name == "vgg19-imagenet" and hub.asked
        assert weights.verify("vgg19-imagenet") == "here, verified"
        self.pin(monkeypatch, "0" * 64)
        words = rf"f/sixth, g/seventh: model.safetensors contains unexpected tensors \(checksum {printed[1][:12]}\)"
        for _ in ("fetched in parts", "kept whole by the Hub's library, as a Space's preload_from_hub does"):
            with pytest.raises(WeightsError, match=words):
                weights.load("vgg19-imagenet")
            huggingface_hub.hf_hub_download("f/sixth", IMAGENET)

    @staticmethod
    def pin(monkeypatch, tensors: str) -> None:
        row = changed(weights.MODELS["vgg19-imagenet"], "encoder", tensors=tensors)
        monkeypatch.setitem(weights.MODELS, "vgg19-imagenet", row)


def test_meanwhile_the_message_says_how_far_it_is(hub):
    hub.faults[FIRST] = "paused"
    thread = threading.Thread(target=weights.load, args=("vgg19",))
    thread.start()
    assert hub.paused.wait(60)
    with pytest.raises(
        WeightsError, match=r"vgg19 are being downloaded \(vgg_normalised.pth.*\); use the compact mode"
    ):
        weights.load("vgg19", download=False)
    assert weights.load("compact").name == "compact"
    hub.go.set()
    thread.join()
    assert weights.load("vgg19", download=False).name == "vgg19"


def test_the_own_repository(hub, served, monkeypatch):
    shutil.copy(weights.PRETRAINED / "compact.safetensors", served / "model.safetensors")
    monkeypatch.setitem(weights.MODELS, "own", weights.table._own("me/mine@v2"))
    with pytest.raises(WeightsError, match="me/mine: it no longer exists"):
        weights.load("own")  # the server knows no revision v2
    monkeypatch.setitem(weights.MODELS, "own", weights.table._own("me/mine"))
    mine, shipped = weights.load("own"), weights.load("compact")
    assert mine.name == "own" and mine.layers == shipped.layers
    for name, value in shipped.decoder.state_dict().items():
        assert torch.equal(mine.decoder.state_dict()[name], value)
    save_file({"conv1_1.weight": torch.zeros(1)}, served / "model.safetensors")
    assert weights.remove("own") > 1_500_000 and kept() == []
    with pytest.raises(WeightsError, match="me/mine: model.safetensors doesn't contain the expected encoder"):
        weights.load("own")
    assert hub.asked and tempfile.gettempdir() not in str(hub.asked)
