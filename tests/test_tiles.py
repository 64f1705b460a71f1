"""Tiles equal the whole; forecasts and refusals come before."""

import itertools
import platform
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import make_networks, picture, pixels
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from adain_core import images, methods, run, stylize, weights
from adain_core.contracts import Region, Spatial, Style
from adain_core.controls import tiles
from adain_core.feature_space.transfer import TransferParams
from adain_core.methods import adain
from adain_core.networks import cost, model
from adain_core.optimization.params import OptimizationParams
from adain_core.runs import pipeline
from adain_core.runs import plan as planning
from adain_core.system import machine


@given(st.integers(1, 700), st.integers(1, 700), st.integers(16, 300), st.integers(0, 100))
def test_cores_cover_every_pixel_once_and_see_their_margin(height, width, side, margin):
    seen = np.zeros((height, width), int)
    for tile in tiles.plan(height, width, side, margin):
        seen[tile.core] += 1
        for core, padded, length in zip(tile.core, tile.padded, (height, width), strict=True):
            assert core.start % 8 == padded.start % 8 == 0 and core.stop - core.start <= side + 8
            assert padded.start == 0 or core.start - padded.start >= margin
            assert padded.stop == length or padded.stop - core.stop >= margin
        assert np.zeros((height, width))[tile.padded][tile.inner()].shape == seen[tile.core].shape
    assert (seen == 1).all()


@pytest.mark.parametrize("paper", [False, True])
@pytest.mark.parametrize("size", [(405, 213), (97, 402)])
@pytest.mark.parametrize("kept", [False, True])
def test_tiles_give_the_whole(monkeypatch, paper, size, kept):
    monkeypatch.setattr(tiles, "KEEP", 2**40 if kept else 0)
    nets, params = make_networks(paper), TransferParams(alpha=0.9)
    content, styles = torch.rand(1, 3, *size), [Style(torch.rand(1, 3, 50, 60) * 0.5)]
    (whole,) = adain.run(content, styles, params, nets)
    seen, features = [], nets.features
    monkeypatch.setattr(nets, "features", lambda image: (seen.append(1), features(image))[1])
    steps = list(adain.run(content, styles, params, nets, Spatial(side=104)))
    count = len(tiles.plan(*size, 104, nets.reach))
    assert len(seen) == (count if kept else 2 * count)
    assert count > 3 and [step.iteration for step in steps] == list(range(1, 2 * count + 1))
    assert all(step.image is None and step.iterations == 2 * count for step in steps[:-1])
    torch.testing.assert_close(steps[-1].image, whole.image, atol=1e-5, rtol=0)


def test_tiles_with_regions_and_strength_give_the_whole(tiny):
    content, one, two = torch.rand(1, 3, 205, 190), torch.rand(1, 3, 40, 40), torch.rand(1, 3, 40, 40) * 0.3
    mask = torch.rand(2, 1, 205, 190)
    painted = [Region(mask[:1], [Style(one)], 0.7), Region(mask[1:], [])]
    for side in (None, 80):
        space = Spatial(painted, torch.linspace(0, 1, 190).expand(1, 1, 205, 190), side)
        *_, last = adain.run(content, [Style(two)], TransferParams(), tiny, space)
        if side is None:
            whole = last.image
    torch.testing.assert_close(last.image, whole, atol=1e-5, rtol=0)


def test_bytes_in_bytes_out(tiny):
    content, style = torch.randint(0, 256, (1, 3, 150, 120), dtype=torch.uint8), [Style(torch.rand(1, 3, 40, 40))]
    *_, exact = adain.run(content, style, TransferParams(), tiny, Spatial(side=64))
    (whole,) = adain.run(content / 255, style, TransferParams(), tiny)
    assert exact.image.dtype == torch.uint8
    assert (exact.image / 255 - whole.image).abs().max() <= 0.51 / 255
    one, other = (pixels(images.to_image(each.image)) for each in (exact, whole))
    assert np.abs(one - other).max() <= 1 and (one != other).mean() < 1e-3  # but where a half is rounded


def test_large_pictures_are_tiled_by_themselves(photo, painting, monkeypatch):
    tiny = make_networks()
    plain = stylize(photo, painting, networks=tiny)
    monkeypatch.setattr(cost, "TILE", 16)
    assert len(list(run(photo, [painting], networks=tiny, tile="off"))) == 1
    *steps, last = run(photo, [painting], networks=tiny)
    assert len(steps) == 2 * 3 * 3 - 1 and all(step.image is None for step in steps)
    assert [step.iteration for step in steps] == list(range(1, 18)) and last.record["tile"] == "auto"
    assert np.abs(pixels(last.image) - pixels(plain)).max() <= 1


def test_closing_stops_between_tiles(photo, painting, tiny, monkeypatch):
    monkeypatch.setattr(cost, "TILE", 16)
    seen, features = [], tiny.features
    monkeypatch.setattr(tiny, "features", lambda image: (seen.append(1), features(image))[1])
    steps = run(photo, [painting], networks=tiny)
    next(steps)
    steps.close()
    assert len(seen) == 2  # the style and one tile


def at_known_speed(networks):
    """Set the seconds per pixel, which else depend on what other programs do."""
    networks.pace._rates.update(encode=1e-8, decode=1e-8)
    return networks


def test_the_forecast_knows_tiles_size_and_memory(tmp_path, monkeypatch):
    tiny = at_known_speed(make_networks())
    picture(300, 200, 1).save(tmp_path / "photo.jpg")
    one = pipeline.forecast(tmp_path / "photo.jpg", networks=tiny)
    large = pipeline.forecast(tmp_path / "photo.jpg", networks=tiny, size=3000, tile="off", strokes="native")
    assert (one.size, one.tiles, large.size) == ((300, 200), 1, (3000, 2000))
    assert large.seconds == pytest.approx(100 * one.seconds, rel=0.01) and large.bytes > 20 * one.bytes
    monkeypatch.setattr(cost, "TILE", 512)
    tiled = pipeline.forecast(tmp_path / "photo.jpg", networks=tiny, size=3000)
    assert tiled.tiles == 3 * 2  # beyond 16 they are twice as large
    assert pipeline.forecast(tmp_path / "photo.jpg", networks=tiny, size=2000).tiles == 4 * 3
    assert tiled.bytes < large.bytes and tiled.seconds > large.seconds
    slow = pipeline.forecast(tmp_path / "photo.jpg", networks=tiny, method="gatys", steps=1000, seconds=3600)
    passes = methods.get("gatys").cost(OptimizationParams(), tiny).passes
    assert slow.seconds == pytest.approx((1 + 1000 * passes) * tiny.pace.rate * 300 * 200) and passes > 3
    assert pipeline.forecast(tmp_path / "photo.jpg", networks=tiny, method="gatys", seconds=1e-6).seconds == 1e-6
    with pytest.raises(pipeline.PictureError, match="Content: There is no such file"):
        pipeline.forecast(tmp_path / "none.jpg", networks=tiny)


def test_too_little_memory_is_refused_before_anything_is_computed(photo, painting, tiny, monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 100_000)
    monkeypatch.setattr(model.Networks, "features", lambda *_: pytest.fail("it began"))
    with pytest.raises(ValueError, match=r"A picture of 45x37 pixels needs about 0\.0 GB of memory, but 0\.0 GB is"):
        stylize(photo, painting, networks=tiny)


def test_the_forecast_follows_the_time_of_steps(painting, tiny, monkeypatch):
    content, options = picture(160, 120, 1), {"networks": at_known_speed(tiny), "method": "gatys", "seconds": 3600}
    clock = itertools.count(0.0, 0.5)  # each look at it is half a second later
    monkeypatch.setattr(planning, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    assert pipeline.forecast(content, steps=100, **options).seconds < 5
    assert len([*pipeline.run(content, [painting], steps=4, **options)]) == 4
    assert pipeline.forecast(content, steps=100, **options).seconds == pytest.approx(50, rel=0.01)
    swap = {"networks": tiny, "method": "style_swap", "by": "optimization"}
    few, many = (pipeline.forecast(content, iterations=steps, **swap).seconds for steps in (10, 100))
    assert many > 5 * few


def test_memory_is_forecast_by_hand_and_masks_count(photo, painting, tiny, monkeypatch):
    """45x37 pixels: the networks' own share, 16 bytes of the picture before and after, and 10 for each mask."""
    plain = int(45 * 37 * (cost.bytes_per_pixel(tiny) + 16))
    assert pipeline.forecast(photo, networks=tiny).bytes == plain
    assert pipeline.forecast(photo, networks=tiny, masks=3).bytes == plain + 3 * 10 * 45 * 37
    ramp = Image.linear_gradient("L").resize(photo.size)
    monkeypatch.setattr(machine, "free_memory", lambda: plain + 3 * 10 * 45 * 37 - 1)
    options = {"regions": {1: ramp, 2: ramp}, "style_for": {1: painting, 2: None}, "networks": tiny}
    stylize(photo, painting, **options)
    with pytest.raises(ValueError, match="needs about"):
        stylize(photo, painting, strength_map=ramp, **options)


@pytest.mark.parametrize("method", ["style_swap", "wct", "histogram_match", "adain"])
def test_the_forecast_follows_the_time_of_a_pass_at_any_size(method, monkeypatch):
    tiny, own = make_networks(), methods.get(method)
    monkeypatch.setattr(cost.Pace, "rate", 1e-9)
    pairs = method == "style_swap"

    def slow(content, styles, *given):
        for step in own.run(content, styles, *given):
            work = content[0, 0].numel() * (styles[0].image[0, 0].numel() if pairs else 1)
            yield replace(step, seconds={"encode content": 100.0, "own": 1e-6 * work})

    monkeypatch.setattr(methods, "get", lambda _: replace(own, run=slow))
    options = {"networks": tiny, "method": method, **({"layer": "relu4_1", "by": "network"} if pairs else {})}
    square = Image.new("RGB", (200, 200), "red")
    before = pipeline.forecast(square, **options).seconds
    takes = own.cost(own.params(**({"by": "network"} if pairs else {})), tiny)
    assert before == pytest.approx((1 + takes.passes + takes.pairs * 512**2) * 1e-9 * 200**2)
    list(pipeline.run(square, [square], **options, style_size=100))
    for size, style in ((200, 100), (400, 100), (300, 200)):
        work = size**2 * (style**2 if pairs else 1)
        found = pipeline.forecast(square, **options, size=size, style_size=style, alpha=0.5).seconds
        assert found == pytest.approx(1e-6 * work, rel=0.01)


def test_kept_features_are_forecast(tiny, monkeypatch):
    """Of the tiny networks' float32 features a pixel has 6/4 + 8/16 + 10/64, at three levels."""
    photo = Image.new("RGB", (640, 640))
    monkeypatch.setattr(cost, "TILE", 104)
    kept = pipeline.forecast(photo, networks=tiny)
    monkeypatch.setattr(tiles, "KEEP", 0)
    again = pipeline.forecast(photo, networks=tiny)
    assert kept.bytes - again.bytes == 640 * 640 * 4 * (6 / 4 + 8 / 16 + 10 / 64) and kept.seconds < again.seconds


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [4096, 8192])
def test_large_pictures_with_two_regions_take_less_than_two_gib(monkeypatch, dtype, size):
    compact = weights.load("compact", "cpu")
    _ = compact.pace.rate  # tried before the networks are said to be others
    monkeypatch.setattr(compact, "dtype", dtype)  # machines with and without bfloat16
    found = pipeline.forecast(Image.new("RGB", (64, 64)), networks=compact, size=size, masks=2)
    assert found.size == (size, size) and found.tiles > 9 and found.bytes < 2 * 2**30


def test_masks_are_held_as_bytes(photo, painting, tiny, monkeypatch):
    held, transfer = [], adain.transfer_spatially

    def watch(content, styles, alpha, networks, space, target):
        held.extend([*(each.mask for each in space.regions), space.strength])
        yield from transfer(content, styles, alpha, networks, space, target)

    monkeypatch.setattr(adain, "transfer_spatially", watch)
    ramp = Image.linear_gradient("L").resize(photo.size)
    given = {"mask": ramp, "strength_map": ramp, "regions": {1: ramp}, "style_for": {1: painting}}
    stylize(photo, painting, networks=tiny, **given)
    assert [each.nbytes for each in held] == 3 * [45 * 37]


def test_freed_memory_is_kept_but_for_tiles(photo, painting, monkeypatch):
    kept = []
    monkeypatch.setattr(machine, "reuse_memory", kept.append)
    for tile in ("off", "on"):
        stylize(photo, painting, networks=make_networks(), tile=tile)
    assert kept == [True, False]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no such setting")
@pytest.mark.parametrize("keep", [True, False])
def test_reused_memory_is_not_allocated_again(keep):
    """In a process of its own, since it takes a heap some uses to find room, and a full one more than that."""
    program = f"""
import resource
from adain_core.system import machine

def use():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 40_000_000  # written
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

machine.reuse_memory({keep})
print(min(use() for _ in range(20)))
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert int(done.stdout) < 1000 if keep else int(done.stdout) > 5000


def test_without_glibc_nothing_happens(monkeypatch):
    def missing(name):
        raise OSError(name)

    monkeypatch.setattr(machine.ctypes, "CDLL", missing)
    machine.reuse_memory(True)


def test_free_memory_is_the_containers_where_that_is_less(tmp_path):
    plain = machine.free_memory(tmp_path / "no container")
    assert plain > 2**20
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("900\n")
    (tmp_path / "memory.stat").write_text("anon 500\ninactive_file 250\n")
    assert machine.free_memory(tmp_path) == 350
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.free_memory(tmp_path) > 2**20


def test_a_picture_is_measured_as_it_is_loaded(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(80, 50, 1).save(tmp_path / "turned.jpg", exif=exif)
    for longest in (None, 64):
        assert images.measure(tmp_path / "turned.jpg", longest) == images.load(tmp_path / "turned.jpg", longest).size
