"""Benchmarks run to their end, tiny."""

import json
from dataclasses import replace

import pytest
import torch
from conftest import picture
from typer.testing import CliRunner

from adain_core import weights
from adain_core.networks.model import Networks
from adain_core.networks.vgg import Encoder
from adain_core.optimization.params import OptimizationParams
from adain_core.training.pictures import held_out
from adain_core.weights import load
from benchmarks import artifacts, perceptual, server


def test_of_the_server(monkeypatch):
    monkeypatch.setattr(server, "BESIDE", 1)
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
    short = replace(perceptual.GATYS, params=lambda: OptimizationParams(steps=12))
    monkeypatch.setattr(perceptual, "GATYS", short)
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
