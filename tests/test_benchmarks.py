"""Benchmarks run to their end, tiny."""

import json
from functools import partial
from types import SimpleNamespace

import pytest
import torch
from conftest import make_networks, picture
from knowing import CLASSES, make_generator, painting
from safetensors.torch import save_file
from typer.testing import CliRunner

from adain_core import images, weights
from adain_core.networks.model import Networks
from adain_core.networks.vgg import Encoder
from adain_core.optimization.params import OptimizationParams
from adain_core.training.pictures import held_out
from adain_core.weights import load
from benchmarks import artifacts, feedforward, perceptual, server, speed


def test_of_what_is_in_the_way_of_the_networks(tiny, monkeypatch):
    seen = []
    monkeypatch.setattr(tiny, "features", lambda image: (seen.append(image), Networks.features(tiny, image))[1])
    assert speed.overhead(tiny, 64, 2) > 1
    assert len(seen) == 1 + 2 * 3  # the style once, and the content by both in each turn: no cache helps


def test_of_the_server(monkeypatch):
    monkeypatch.setattr(server, "BESIDE", 1)
    monkeypatch.setattr(server, "STARTING", 1.0)
    app = server.typer.Typer()
    app.command()(server.main)
    given = ["--clients", "2", "--seconds", "1", "--size", "64", "--sessions", "3"]
    found = CliRunner().invoke(app, given, catch_exceptions=False).stdout
    rows = dict(line.strip("| ").split(" | ") for line in found.splitlines()[2:])
    assert list(rows) == [
        "memory at the start, MiB",
        "after warm-up",
        "clients, seconds, pixels",
        "completed per second",
        "CPU time per run, ms; CPUs in use",
        "refused",
        "seconds of a run: median, 95%, worst",
        "runs of a client: fewest, most",
        "memory after the load, MiB, over warm-up",
        "after 3 sessions",
        "AdaIN alone, alongside Gatys, s",
    ]
    assert rows["refused"] == "0" and float(rows["completed per second"]) > 0


def test_of_the_perceptual_network(tmp_path, monkeypatch):
    names = held_out()
    for folder, seed in (("photos", 0), ("art", 9)):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names[folder][:2]):
            picture(40, 36, seed + number).save(tmp_path / name)
    torch.manual_seed(0)
    full = Networks("vgg19", {"encoder": Encoder()})
    monkeypatch.setattr(weights, "load", lambda name, **_: full if name == "vgg19" else load(name))
    monkeypatch.setattr(perceptual, "PARAMS", OptimizationParams(steps=12))
    monkeypatch.setattr(perceptual, "TIMED", 32)
    app = perceptual.typer.Typer()
    app.command()(perceptual.main)
    given = [
        "--pictures",
        str(tmp_path),
        "--size",
        "32",
        "--pairs",
        "2",
        "--optimized",
        "1",
        "-o",
        str(tmp_path / "out"),
    ]
    found = json.loads(CliRunner().invoke(app, given, catch_exceptions=False).stdout)
    assert found == json.loads((tmp_path / "out" / "results.json").read_text())
    assert found["vgg19"]["Gram loss"] > 0
    for name in ("perceptual", "compact"):
        assert -1 <= found[name]["cosine"] <= 1 and found[name]["step"] > 0
        assert found[name]["over VGG-19's, mean"] == pytest.approx(
            found[name]["Gram loss"] / found["vgg19"]["Gram loss"]
        )


@pytest.mark.parametrize("method", [*CLASSES])
def test_of_networks_that_know_styles(method, tmp_path, monkeypatch):
    names = held_out()
    for folder, seed in (("photos", 0), ("art", 9)):
        (tmp_path / folder).mkdir()
        for number, name in enumerate(names[folder][:3]):
            picture(80, 70, seed + number).save(tmp_path / name)
        picture(80, 70, 5).save(tmp_path / folder / "seen.jpg")
    full = make_networks(paper=True)
    monkeypatch.setattr(weights, "load", lambda name, **_: full if name == "vgg19" else load(name))
    monkeypatch.setattr(feedforward, "PHOTOS", 3)
    monkeypatch.setattr(feedforward, "REPEATS", 1)
    monkeypatch.setattr(feedforward, "speed", partial(feedforward.speed, size=64))
    (tmp_path / "styles").mkdir()
    for name in ("s1", "s2"):
        painting(name).save(tmp_path / "styles" / f"{name}.jpg")
    tensors = make_generator(method).generator.state_dict()  # there is no painting of s3
    save_file({name: x.contiguous() for name, x in tensors.items()}, tmp_path / "run.safetensors")
    app = feedforward.typer.Typer()
    app.command()(feedforward.main)
    given = ["--pictures", tmp_path, "--run", tmp_path / "run.safetensors", "--sizes", "64", "--each", "2"]
    given += ["--styles", tmp_path / "styles"]
    given += ["--taught", "1", "--seconds", "0.001", "-o", tmp_path / "out"]
    done = CliRunner().invoke(app, [str(each) for each in given], catch_exceptions=False)
    found = json.loads((tmp_path / "out" / "results.json").read_text())[method]
    assert (tmp_path / "out" / f"{method}_64.jpg").exists() and found["seconds"] > 0
    assert [*found["64 px"]["styles"]] == ["s1", "s2"] and [*found["64 px taught"]["styles"]] == ["taught_0"]
    each = found["64 px"]["styles"]
    assert found["64 px"]["style"] == pytest.approx(sum(one["style"] for one in each.values()) / 2)
    assert found["64 px"]["worst lattice"] == max(max(one["lattice"]) for one in each.values())
    assert f"   64 px, 2 styles: style {found['64 px']['style']:.2f}, content " in done.stdout


def test_feed_forward_ratios_are_one_for_adain_itself():
    """Whatever makes AdaIN's own picture has its losses."""
    compact, photos = load("compact"), [images.to_tensor(picture(64, 64, seed)) for seed in (1, 2)]
    style = images.to_tensor(picture(64, 64, 3))
    measures = feedforward.Measures(make_networks(paper=True), compact, photos)
    same = SimpleNamespace(generate=lambda photo, _: feedforward.transfer(compact, photo, style))
    found = measures.style(same, "any", style, [1, 0])
    assert found["style"] == pytest.approx(1) and found["content"] == pytest.approx(1) and len(found["lattice"]) == 2


def test_of_artifacts(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "load", lambda *_, **__: load("compact"))  # in place of the full-size pair, too
    monkeypatch.setattr(artifacts, "PICTURES", {"wall": (artifacts.draw_wall, "watercolor"), "cat": ("cat", "birches")})
    app = artifacts.typer.Typer()
    app.command()(artifacts.main)
    found = CliRunner().invoke(app, ["-o", str(tmp_path / "out")], catch_exceptions=False).stdout
    rows = {cells[0]: cells[1:] for cells in (line.strip("| ").split(" | ") for line in found.splitlines()[2:])}
    assert list(rows) == ["wall", "cat", "median"]
    assert rows["wall"][2] == "1.00" and rows["wall"][3] == rows["wall"][4] != "-"  # the same model twice
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["median"]["marks"] == 1 and results["wall"]["compact marks"] > 0
    assert (tmp_path / "out" / "artifacts.jpg").exists()


@pytest.mark.parametrize("source", [each for each, _ in artifacts.PICTURES.values()])
def test_hard_pictures_have_a_figure(source):
    photo = artifacts.hard(source)
    assert max(photo.size) == artifacts.SIZE
    assert artifacts.measure(photo, dict.fromkeys(artifacts.MODELS, photo)).keys() >= {"marks", "compact bright"}
    left, top, right, bottom = artifacts.flattest(photo)
    assert 0 <= left and right <= photo.width and 0 <= top and bottom <= photo.height
