"""Strokes in proportion: the large picture is the small one with detail added."""

import numpy as np
import pytest
import torch
from conftest import make_networks, picture, pixels
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from adain_core import images, methods, run, stylize
from adain_core.contracts import Region, Spatial, Step, Style
from adain_core.controls import strokes
from adain_core.controls.strokes import coarse_to_fine, follow, reduce
from adain_core.evaluation import comparison
from adain_core.images.metrics import ssim
from adain_core.runs import pipeline
from adain_core.runs.plan import lent_seconds

ABLE = [name for name, method in methods.find().items() if method.proportional]


@pytest.fixture
def small_base(monkeypatch):
    """Strokes grow from 32 pixels on, so that pictures of a hundred pixels are large."""
    monkeypatch.setattr(strokes, "BASE", 32)


def test_sizes_by_hand():
    assert strokes.sizes((512, 300)) == [(512, 300)] and strokes.sizes((40, 60)) == [(40, 60)]
    assert strokes.sizes((1024, 512)) == [(512, 256), (1024, 512)]
    assert strokes.sizes((1365, 2048)) == [(341, 512), (1365, 2048)]
    assert strokes.sizes((4096, 4096)) == [(512, 512), (1448, 1448), (4096, 4096)]
    assert strokes.sizes((8192, 64)) == [(2048, 16), (8192, 64)]  # 512x4 can't be stylized


@given(st.integers(16, 8192), st.integers(16, 8192))
def test_sizes_grow_by_limited_steps_and_keep_the_shape(width, height):
    found = strokes.sizes((width, height))
    assert found[-1] == (width, height)
    for one, other in zip(found, found[1:], strict=False):
        assert max(one) < max(other) <= 6.02 * max(one)
    for each in found:
        assert each[0] * height == pytest.approx(each[1] * width, abs=max(width, height))  # but for rounding
    assert max(found[0]) == 512 or max(found[0]) == max(width, height) < 512 or min(found[0]) < 100


@pytest.mark.parametrize("exact", [False, True])
def test_following_takes_the_coarse_part_and_keeps_the_detail(exact):
    board = 0.1 * (-1.0) ** (torch.arange(48)[:, None] + torch.arange(64)).expand(1, 3, 48, 64)
    image, small = 0.5 + board, torch.full((1, 3, 12, 16), 0.7)
    given = (255 * image).round().to(torch.uint8) if exact else image
    found = follow(given, small)
    assert found.dtype == given.dtype and found.shape == image.shape
    torch.testing.assert_close(found / 255 if exact else found, 0.7 + board, atol=0.01 if exact else 1e-5, rtol=0)
    bright = follow(given, torch.ones(1, 3, 12, 16))  # clipped where detail goes beyond white
    assert float(bright.max()) == (255 if exact else 1)


def test_what_follows_a_picture_reduces_to_it():
    torch.manual_seed(0)
    small = torch.from_numpy(pixels(picture(16, 12, 1)) / 255).float().permute(2, 0, 1)[None]
    image = torch.from_numpy(pixels(picture(64, 48, 2)) / 255).float().permute(2, 0, 1)[None]
    before = (reduce(image, (16, 12)) - small).abs().mean()
    found = follow(image, small)
    assert (reduce(found, (16, 12)) - small).abs().mean() < 0.2 * before
    torch.testing.assert_close(follow(image, reduce(image, (16, 12))), image, atol=1e-5, rtol=0)


def test_coarse_to_fine_step_by_step():
    """A method that inverts, so that the large picture's coarse part is the inverted small one's."""

    def invert(content, number):
        seen.append((number, content))
        yield Step(None, 1, 2, seconds={"encode": 1.0}, progress=0.5)
        yield Step(1 - content, 2, 2, seconds={"encode": 1.0, "decode": 2.0})

    seen = []
    contents = [torch.full((1, 3, 8, 8), 0.2), torch.full((1, 3, 32, 32), 0.3)]
    steps = list(coarse_to_fine(contents, [100, 300], invert))
    torch.testing.assert_close(seen[1][1], torch.full((1, 3, 32, 32), 0.8))  # the photograph in the small one's colors
    assert [number for number, _ in seen] == [0, 1]
    torch.testing.assert_close(steps[-1].image, torch.full((1, 3, 32, 32), 0.8))
    assert [step.image is None for step in steps] == [True, True, True, False]
    assert [step.done for step in steps] == [0.125, 0.25, 0.625, 1]
    assert [(step.iteration, step.iterations) for step in steps] == [(1, 2), (1, 2), (1, 2), (2, 2)]
    assert steps[-1].seconds == {"encode": 2.0, "decode": 4.0}


def test_styles_are_enlarged_and_regions_reduced_with_their_masks():
    style = Style(torch.rand(1, 3, 40, 60), 0.3, torch.full((1, 1, 40, 60), 255, dtype=torch.uint8))
    large = strokes.enlarge_style(style, 1.5)
    assert large.image.shape == (1, 3, 60, 90) and large.mask.shape == (1, 1, 60, 90) and large.weight == 0.3
    assert (
        large.mask.dtype == torch.uint8 and large.mask.min() == 255 and 0 <= large.image.min() < large.image.max() <= 1
    )
    assert strokes.enlarge_style(style, 1.0) is style
    mask = torch.zeros(1, 1, 80, 90)
    mask[..., :45] = 1
    space = strokes.reduce_spatial(Spatial([Region(mask, [style], 0.5)], mask), (30, 20), 1.5)
    (region,) = space.regions
    assert region.mask.shape == space.strength.shape == (1, 1, 20, 30) and region.strength == 0.5
    assert region.mask[..., :15].min() == 1 and region.mask[..., 15:].max() == 0
    assert region.styles[0].image.shape == (1, 3, 60, 90)


@pytest.mark.usefixtures("small_base")
@pytest.mark.parametrize("name", ABLE)
def test_methods_of_a_single_pass_have_both_kinds(name, tiny, painting):
    photo = picture(120, 90, 3)
    (small,) = run(photo.resize((32, 24), Image.Resampling.LANCZOS), [painting], networks=tiny, method=name)
    *_, native = run(photo, [painting], networks=tiny, method=name, strokes="native")
    *_, found = run(photo, [painting], networks=tiny, method=name)
    assert (found.record["strokes"], native.record["strokes"]) == ("proportional", "native")
    assert found.iterations == 2 and native.iterations == 1 and found.image.size == (120, 90)
    reduced, other = (each.image.resize((32, 24), Image.Resampling.BOX) for each in (found, native))
    far = [np.abs(pixels(each) - pixels(small.image)).mean() for each in (reduced, other)]
    assert far[0] < 0.6 * far[1]
    *_, again = run(photo, [painting], networks=make_networks(), method=name)
    assert (pixels(again.image) == pixels(found.image)).all()


@pytest.mark.parametrize("size", [32, 512])
def test_up_to_512_pixels_both_are_the_same(size, tiny, painting):
    photo = picture(size, size // 2, 1)
    one, other = (stylize(photo, painting, networks=tiny, strokes=kind) for kind in ("proportional", "native"))
    assert (pixels(one) == pixels(other)).all()


@pytest.mark.usefixtures("small_base")
def test_with_regions_masks_mixing_and_tiles(tiny, painting):
    photo, other = picture(150, 100, 3), picture(50, 60, 4)
    half = Image.new("L", (150, 100), 0)
    half.paste(255, (75, 0, 150, 100))
    given = {
        "regions": {1: half},
        "style_for": {1: None},
        "strength_map": Image.linear_gradient("L").resize((150, 100)),
        "style_masks": [None, Image.new("L", (50, 60), 255)],
        "weights": (1.0, 3.0),
        "feather": 0,
    }
    (whole, tiled) = (stylize(photo, [painting, other], networks=tiny, tile=tile, **given) for tile in ("off", "on"))
    assert np.abs(pixels(whole) - pixels(tiled)).max() <= 6
    assert (pixels(whole)[:, 80:] == pixels(photo)[:, 80:]).all()
    assert (pixels(whole)[90:, :70] != pixels(photo)[90:, :70]).any()


@pytest.mark.usefixtures("small_base")
def test_16_bits_and_transparency(tiny, painting):
    photo = picture(130, 100, 3)
    photo.putalpha(Image.linear_gradient("L").resize((130, 100)))
    eight, sixteen = (stylize(photo, painting, networks=tiny, bits=bits) for bits in (8, 16))
    assert eight.mode == "RGBA" and sixteen.info["exact"].shape == (100, 130, 4)
    assert np.abs(pixels(eight)[..., :3] - sixteen.info["exact"][..., :3].astype(float) / 257).max() <= 1


@pytest.mark.usefixtures("small_base")
def test_the_network_sees_the_painting_enlarged(tiny, painting, monkeypatch):
    seen, features = [], tiny.features
    monkeypatch.setattr(tiny, "features", lambda image: (seen.append(tuple(image.shape[2:])), features(image))[1])
    stylize(picture(64, 64, 1), painting, networks=tiny, style_size=80)
    assert seen == [(32, 32), (66, 80), (64, 64), (82, 100)]
    seen.clear()
    stylize(picture(64, 64, 1), painting, networks=tiny, style_size=80, method="style_swap", layer="relu4_1")
    assert (66, 80) in seen and (82, 100) not in seen  # its search would take 1.6 times as long


@pytest.mark.parametrize(
    "options", [{"method": "gatys", "steps": 1}, {"method": "style_swap", "by": "optimization"}, {"method": "identity"}]
)
def test_methods_without_them_refuse_or_leave_them_out(options, tiny, photo, painting):
    with pytest.raises(ValueError, match="can't make proportional strokes in this way.*single pass: adain, "):
        next(run(photo, [painting], networks=tiny, strokes="proportional", **options))
    found = next(run(photo, [painting], networks=tiny, **options))
    assert found.record["strokes"] == "native"


def test_forecasts_and_lent_seconds_know_of_them(tiny, tmp_path):
    picture(300, 200, 1).save(tmp_path / "photo.png")
    found = {
        kind: pipeline.forecast(tmp_path / "photo.png", networks=tiny, size=4096, strokes=kind)
        for kind in ("proportional", "native")
    }
    small, grown = found["native"], found["proportional"]
    assert 1.05 < grown.seconds / small.seconds < 1.2 and grown.bytes >= small.bytes and grown.steps == 1
    assert grown.tiles == small.tiles
    lent = [lent_seconds({"size": 2048, "strokes": kind}) for kind in ("proportional", "native")]
    assert lent[0] == pytest.approx(lent[1] * (1 + 1 / 16))


def test_comparisons_keep_strokes_native():
    assert comparison.prepare("adain", {}, "each", "compact", "cpu")["strokes"] == "native"


def test_a_large_picture_reduced_is_the_small_one(shipped_pair):
    made = {
        kind: images.to_tensor(
            stylize(*shipped_pair, size=1536, strokes=kind).resize((512, 377), Image.Resampling.LANCZOS)
        )
        for kind in ("proportional", "native")
    }
    small = images.to_tensor(stylize(*shipped_pair, size=512))
    found = {kind: float(ssim(each, small)) for kind, each in made.items()}
    assert found["proportional"] > 0.9 > 0.75 > found["native"]
