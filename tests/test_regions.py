"""Regions, masks and strength maps: statistics by hand, who reaches whom, edges."""

import numpy as np
import pytest
import torch
from conftest import make_networks, picture, pixels
from PIL import Image

from adain_core import PictureError, images, normalization, run, stylize
from adain_core.contracts import Region, Spatial, Style
from adain_core.controls import proposals, regions
from adain_core.feature_space.transfer import TransferParams
from adain_core.methods import adain
from adain_core.normalization import EPS, Statistics, merge, restyle, statistics, weighted_statistics
from adain_core.runs.inputs import EMPTY


def halves(width, height, at=None) -> Image.Image:
    """A label map: 1 at the left, 2 at the right."""
    values = np.full((height, width), 2, np.uint8)
    values[:, : at or width // 2] = 1
    return Image.fromarray(values)


def test_weighted_statistics_of_two_values_by_hand():
    x = torch.tensor([2.0, 6.0]).view(1, 1, 1, 2)
    found = weighted_statistics(x, torch.tensor([[3.0, 1.0], [0.5, 0.5], [0.0, 0.2], [0.0, 0.0]]).view(4, 1, 1, 2))
    assert found.mean.flatten().tolist() == pytest.approx([3, 4, 6, 0])
    variances = [3, 4, 0, 0]  # p (1 - p) 16
    assert found.std.flatten().tolist() == pytest.approx([(v + EPS) ** 0.5 for v in variances], abs=1e-5)


def test_weights_of_ones_are_plain_statistics():
    x = 100 + torch.randn(1, 5, 9, 7)  # a large mean must not cost the variance its digits
    found, plain = weighted_statistics(x, torch.ones(1, 1, 9, 7)), statistics(x)
    torch.testing.assert_close(found.mean, plain.mean)
    torch.testing.assert_close(found.std, plain.std, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("channels_last", [False, True])
def test_weighted_statistics_part_by_part_are_numpys(monkeypatch, channels_last):
    monkeypatch.setattr(normalization, "NUMBERS", 70)
    x, weights = 50 + torch.randn(1, 5, 9, 11), torch.rand(3, 1, 9, 11)
    given = x.contiguous(memory_format=torch.channels_last) if channels_last else x
    found = weighted_statistics(given, weights)
    for number, weight in enumerate(weights.flatten(1).double().numpy()):
        for channel, values in enumerate(x[0].flatten(1).double().numpy()):
            mean = np.average(values, weights=weight)
            assert found.mean[number, channel].item() == pytest.approx(mean, abs=1e-4)
            variance = np.average((values - mean) ** 2, weights=weight)
            assert found.std[number, channel].item() == pytest.approx(variance**0.5, abs=1e-4)
    assert torch.equal(given, x)  # nothing of it was changed


def test_merging_parts_gives_the_whole():
    x = torch.randn(1, 4, 12, 10) * torch.arange(1, 5).view(1, 4, 1, 1)
    parts = [x[:, :, :5], x[:, :, 5:, :3], x[:, :, 5:, 3:]]
    merged = merge([(torch.tensor(float(each[0, 0].numel())), statistics(each)) for each in parts])
    torch.testing.assert_close(merged, statistics(x))


def test_a_hard_region_is_adain_on_its_pixels():
    """Against the paper's way: AdaIN on the pixels inside alone."""
    x = torch.randn(1, 3, 8, 6)
    mask = torch.zeros(2, 1, 8, 6)
    mask[0, :, :4], mask[1, :, 4:] = 1, 1
    target = Statistics(torch.randn(2, 3, 1, 1), torch.rand(2, 3, 1, 1) + 0.5)
    found = regions.restyle(x, weighted_statistics(x, mask), target, mask)
    for number, rows in enumerate((slice(0, 4), slice(4, 8))):
        inside = x[:, :, rows]
        one = Statistics(target.mean[number : number + 1], target.std[number : number + 1])
        torch.testing.assert_close(found[:, :, rows], restyle(inside, statistics(inside), one), atol=1e-4, rtol=1e-4)


def test_shares_of_overlapping_masks_sum_to_one():
    masks = torch.tensor([[1.0, 1.0, 0.2, 0.0], [1.0, 0.0, 0.3, 0.0]]).view(2, 1, 1, 1, 4)
    expected = [[0.5, 1, 0.2, 0], [0.5, 0, 0.3, 0], [0, 0, 0.5, 1]]
    assert torch.allclose(regions.cover([*masks], (1, 4)).view(3, 4), torch.tensor(expected))
    assert regions.cover([], (2, 3)).tolist() == [[[[1.0] * 3] * 2]]
    coarse = regions.cover([*(255 * masks).round().byte()], (1, 4))
    assert torch.allclose(coarse.view(3, 4), torch.tensor(expected), atol=1 / 255)


@pytest.mark.parametrize(("layer", "step"), [("relu2_1", 2), ("relu3_1", 4), ("relu4_1", 8)])
@pytest.mark.parametrize("eight_bit", [False, True])
def test_pooling_averages_areas_and_has_the_features_size(layer, step, eight_bit):
    mask = np.random.default_rng(0).integers(0, 256, (29, 22), dtype=np.uint8)
    given = torch.from_numpy(mask if eight_bit else mask / np.float32(255))[None, None]
    found = regions.pool(regions.halve(given), layer)[0, 0]
    assert found.shape == (-(-29 // step), -(-22 // step))
    assert found[1, 1] == pytest.approx(mask[step : 2 * step, step : 2 * step].mean() / 255, abs=1e-6)
    corner = mask[(28 // step) * step :, (21 // step) * step :]
    twice = np.vstack([corner, corner[-1:]])  # the last of an odd number of rows
    assert found[-1, -1] == pytest.approx(twice.mean() / 255, abs=1e-6)


def test_masks_are_cut_by_others_by_hand():
    one, other = (
        torch.tensor(levels, dtype=torch.uint8).view(1, 1, 1, 4) for levels in ([0, 255, 255, 102], [255, 255, 51, 100])
    )
    assert regions.cut(one, other).flatten().tolist() == [0, 255, 51, 40]


def test_label_maps_are_split_by_value():
    values = np.array([[0, 3], [3, 200]], np.uint8)
    found = regions.split(values)
    assert {label: np.asarray(mask()).tolist() for label, mask in found.items()} == {
        0: [[255, 0], [0, 0]], 3: [[0, 255], [255, 0]], 200: [[0, 0], [0, 255]]
    }  # fmt: skip
    assert np.asarray(regions.split(values.astype(np.uint16) + 60_000)[60_003]()).tolist() == [[0, 255], [255, 0]]


def test_feathering_keeps_the_sum_and_softens_the_edge():
    masks = [
        regions.fit(mask(), (80, 60), feather=3) / 255 for mask in regions.split(np.asarray(halves(40, 30))).values()
    ]
    torch.testing.assert_close(masks[0] + masks[1], torch.ones(1, 1, 60, 80), atol=0.02, rtol=0)
    row = masks[0][0, 0, 30]
    assert row[0] == 1 and row[-1] < 1e-6 and 0.3 < row[40] < 0.7 and (row.diff() <= 0).all()
    assert sorted(set(regions.fit(Image.fromarray(np.uint8([[0, 255]])), (2, 1)).flatten().tolist())) == [0, 255]


@pytest.mark.parametrize("paper", [False, True])
def test_only_the_style_inside_a_region_reaches_it(paper):
    networks = make_networks(paper)
    photo, one, two, three = (picture(width, 120, n) for n, width in enumerate((360, 90, 90, 90)))
    labels = halves(360, 120)
    before = stylize(photo, [], regions=labels, style_for={1: one, 2: two}, networks=networks, feather=0)
    after = stylize(photo, [], regions=labels, style_for={1: one, 2: three}, networks=networks, feather=0)
    edge = 180 - networks.reach - 8
    assert (pixels(before)[:, :edge] == pixels(after)[:, :edge]).all()
    assert (pixels(before)[:, 200:] != pixels(after)[:, 200:]).mean() > 0.05


def test_permuting_labels_with_their_styles_changes_nothing(photo, painting, tiny):
    other = picture(50, 50, 8)
    one = stylize(photo, [], regions=halves(45, 37), style_for={1: painting, 2: other}, networks=tiny)
    swapped = Image.fromarray(3 - np.asarray(halves(45, 37)))
    two = stylize(photo, [], regions=swapped, style_for={2: painting, 1: other}, networks=tiny)
    assert np.abs(pixels(one) - pixels(two)).max() <= 1


def test_one_region_with_everything_is_no_region(photo, painting, tiny):
    whole = Image.new("L", photo.size, 5)
    found = stylize(photo, [], regions=whole, style_for={5: painting}, networks=tiny)
    assert np.abs(pixels(found) - pixels(stylize(photo, painting, networks=tiny))).max() <= 1


def test_the_rest_takes_the_runs_styles_or_stays_as_it_is(photo, painting, tiny):
    other = picture(50, 50, 8)
    mask = Image.new("L", photo.size)
    mask.paste(255, (0, 0, 20, 37))
    alone = stylize(photo, [], regions={1: mask}, style_for={1: painting}, networks=tiny, feather=0)
    assert (pixels(alone)[:, 20:] == pixels(photo)[:, 20:]).all()
    assert (pixels(alone)[:, :20] != pixels(photo)[:, :20]).mean() > 0.5
    both = stylize(photo, other, regions={1: mask}, style_for={1: painting}, networks=tiny, feather=0)
    assert (pixels(both)[:, 20:] != pixels(photo)[:, 20:]).mean() > 0.5
    kept = stylize(photo, other, regions={1: mask}, style_for={1: None}, networks=tiny, feather=0)
    assert (pixels(kept)[:, :20] == pixels(photo)[:, :20]).all()
    far = np.abs(pixels(kept)[:, 25:] - pixels(photo)[:, 25:]).mean()
    assert np.abs(pixels(kept)[:, 25:] - pixels(both)[:, 25:]).mean() < far / 10  # the decoder sees what is beside it
    assert far > 10
    masked = stylize(photo, other, mask=Image.eval(mask, lambda level: 255 - level), networks=tiny, feather=0)
    assert (pixels(masked) == pixels(kept)).all()
    inside = {"regions": {1: Image.new("L", photo.size, 255)}, "style_for": {1: other}}
    found = stylize(photo, painting, mask=mask, networks=tiny, feather=0, **inside)
    assert (pixels(found)[:, 20:] == pixels(photo)[:, 20:]).all()
    assert (pixels(found)[:, :20] != pixels(photo)[:, :20]).mean() > 0.5


def test_masked_wholly_or_not_at_all(photo, painting, tiny):
    black, white = (Image.new("L", (45, 37), level) for level in (0, 255))
    assert stylize(photo, painting, mask=black, networks=tiny).tobytes() == photo.tobytes()
    plain = stylize(photo, painting, networks=tiny)
    assert np.abs(pixels(stylize(photo, painting, mask=white, networks=tiny)) - pixels(plain)).max() <= 1


def test_a_region_may_mix_styles_and_have_a_strength(photo, painting, tiny):
    other, labels = picture(50, 50, 8), halves(45, 37, at=44)
    mixed = stylize(photo, painting, regions=labels, style_for={1: [painting, other]}, networks=tiny, feather=0)
    plain = stylize(photo, [painting, other], networks=tiny)
    assert np.abs(pixels(mixed)[:, :20] - pixels(plain)[:, :20]).mean() < 4  # the last column is another region
    none = stylize(photo, painting, regions=labels, region_strength={1: 0.0}, networks=tiny, feather=0)
    reconstruction = stylize(photo, painting, alpha=0.0, networks=tiny)
    full = stylize(photo, painting, networks=tiny)
    assert np.abs(pixels(none) - pixels(reconstruction)).mean() < 0.3 * np.abs(pixels(none) - pixels(full)).mean()
    for half in (0.5, np.float32(0.5)):
        (result,) = run(photo, [painting], regions=labels, region_strength={1: half}, networks=tiny)
        assert result.record["regions"] == {"1": {"styles": 1, "strength": 0.5}}


@pytest.mark.parametrize("level", [0, 255])
def test_a_black_strength_map_has_a_note(photo, painting, tiny, level):
    *_, result = run(photo, [painting], strength_map=Image.new("L", (45, 37), level), networks=tiny)
    assert [note for note in result.notes if note.startswith("Strength map: It is black")] == (
        [f"Strength map: {EMPTY['strength map']}"] if level == 0 else []
    )


def test_a_strength_map_is_strength_by_place(photo, painting, tiny):
    for level, alpha in ((0, 0.0), (255, 1.0), (51, 0.2)):
        found = stylize(photo, painting, strength_map=Image.new("L", (45, 37), level), networks=tiny)
        assert np.abs(pixels(found) - pixels(stylize(photo, painting, alpha=alpha, networks=tiny))).max() <= 1


def test_a_style_mask_takes_a_part_of_the_style(photo):
    left, right = picture(64, 64, 3), picture(64, 64, 4)
    both = Image.new("RGB", (192, 64))
    both.paste(left.resize((96, 64)), (0, 0))
    both.paste(right.resize((96, 64)), (96, 0))
    mask = halves(192, 64).point(lambda label: 255 if label == 1 else 0)
    masked = stylize(photo, both, style_masks=[mask], style_size=192)
    cut = stylize(photo, both.crop((0, 0, 96, 64)), style_size=96)
    unmasked = stylize(photo, both, style_size=192)
    near, far = (np.abs(pixels(masked) - pixels(other)).mean() for other in (cut, unmasked))
    assert near < 0.5 * far  # features at its edge see the rest
    white = stylize(photo, both, style_masks=[Image.new("L", (36, 12), 255)], style_size=192)
    assert np.abs(pixels(white) - pixels(unmasked)).mean() < 0.03 * far  # bfloat16 rounds


def test_masks_of_bytes_are_masks_of_levels(tiny):
    bytes_ = torch.randint(0, 256, (3, 1, 1, 61, 45), dtype=torch.uint8)
    content, styles = torch.rand(1, 3, 61, 45), [[Style(torch.rand(1, 3, 20, 20))] for _ in range(3)]
    found = []
    for masks in (bytes_, bytes_ / 255):
        painted = [Region(masks[0], styles[0]), Region(masks[1], styles[1])]
        (step,) = adain.run(content, styles[2], TransferParams(), tiny, Spatial(painted, masks[2]))
        found.append(step.image)
    torch.testing.assert_close(*found)


def test_tiny_and_empty_regions(photo, painting, tiny):
    other = picture(50, 50, 8)
    labels = Image.new("L", photo.size, 1)
    labels.putpixel((12, 12), 2)
    found = stylize(photo, painting, regions=labels, style_for={2: other}, networks=tiny, feather=0)
    assert np.isfinite(pixels(found)).all()
    empty = {1: Image.new("L", (45, 37)), 2: halves(45, 37).point(lambda label: 255 * (label == 2))}
    (result,) = run(photo, [painting], regions=empty, style_for={1: other, 2: other}, networks=tiny)
    assert "Region 1 is empty." in result.notes
    without = stylize(photo, painting, regions={2: empty[2]}, style_for={2: other}, networks=tiny)
    assert np.abs(pixels(result.image) - pixels(without)).max() <= 1


def test_regions_may_be_any_number(tiny):
    """Forty bands, in turn in the one style and in the other or none: where bands are joined by style, the same."""
    photo, one = picture(48, 320, 1), picture(50, 50, 8)
    bands = Image.fromarray((np.arange(320)[:, None] // 8).astype(np.uint8)).resize(
        photo.size, Image.Resampling.NEAREST
    )
    odd = {band: one if band % 2 else None for band in range(40)}
    (result,) = run(photo, [], regions=bands, style_for=odd, networks=tiny, feather=0)
    assert len(result.record["regions"]) == 40 and not any("regions" in note for note in result.notes)
    alone = [
        stylize(photo, [], regions=bands, style_for={band: one}, networks=tiny, feather=0) for band in range(1, 40, 2)
    ]
    rows = np.arange(320) // 8 % 2 == 1
    expected = pixels(photo).copy()
    for band, found in zip(range(1, 40, 2), alone, strict=True):
        expected[8 * band : 8 * band + 8] = pixels(found)[8 * band : 8 * band + 8]
    gap = np.abs(pixels(result.image) - expected)
    assert gap[~rows].max() == 0 and gap[rows].mean() < 0.2 * np.abs(pixels(photo) - expected)[rows].mean()


def test_a_label_map_with_stray_values_is_reported(photo, painting, tiny):
    soft = Image.fromarray(np.tile(np.arange(45, dtype=np.uint8), (37, 1)))
    (result,) = run(photo, [painting], regions=soft, region_strength={3: 0.5}, networks=tiny)
    assert result.notes[0].startswith(
        "44 of the 45 regions have no style or strength of their own. If the label map was"
    )
    masks = {label: Image.new("L", photo.size, 255 * (label == 3)) for label in range(45)}
    (result,) = run(photo, [painting], regions=masks, region_strength={3: 0.5}, networks=tiny)
    assert not any("regions" in note for note in result.notes)  # masks have no stray values


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"style_for": {7: None}}, "There is no region 7; no label map or masks were given."),
        ({"regions": halves(45, 37), "style_for": {7: None}}, "There is no region 7; there are 1, 2."),
        (
            {"regions": halves(45, 37), "region_strength": {1: 1.5}},
            "The strength of region 1 is 1.5, but it must be from 0 to 1.",
        ),
        ({"style_masks": [None, None]}, "Styles: 1, but style masks: 2; give one per style, or none."),
        (
            {"style_masks": [Image.new("L", (40, 33))]},
            "Style mask: It is black or transparent everywhere; leave some of the style white.",
        ),
        (
            {"method": "wct", "style_masks": [Image.new("L", (40, 33), 255)]},
            "Whitening and coloring (WCT) doesn't support style masks; leave them out, or choose adain.",
        ),
        (
            {"color": "palette", "mask": Image.new("L", (45, 37), 255)},
            "The palette color mode recolors the whole picture; leave out regions and masks.",
        ),
    ],
)
def test_refusals_give_the_reason(photo, painting, tiny, options, sentence):
    with pytest.raises(ValueError) as error:
        stylize(photo, painting, networks=tiny, **options)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("name", "role"),
    [("regions", "Label map"), ("mask", "Mask"), ("strength_map", "Strength map"), ("style_masks", "Style mask")],
)
def test_a_bad_mask_is_named(photo, painting, tiny, tmp_path, name, role):
    (tmp_path / "bad.png").write_bytes(b"")
    given = tmp_path / "bad.png"
    with pytest.raises(PictureError, match=rf"^{role}: This file is empty\.$"):
        stylize(photo, painting, networks=tiny, **{name: [given] if name == "style_masks" else given})


def test_proposals_find_the_foreground():
    image = np.full((120, 160, 3), (30, 90, 160), np.uint8)
    image[40:90, 50:110] = (220, 180, 40)
    image = np.clip(image + np.random.default_rng(0).integers(-8, 9, image.shape), 0, 255).astype(np.uint8)
    inside = np.zeros((120, 160), bool)
    inside[40:90, 50:110] = True
    for kind in ("foreground", "colors"):
        found = proposals.propose(Image.fromarray(image), kind, 2)
        assert found.mode == "L" and found.size == (160, 120)
        assert ((np.asarray(found) == 1) == inside).mean() > 0.97
        assert found.tobytes() == proposals.propose(Image.fromarray(image), kind, 2).tobytes()
    assert set(np.unique(proposals.propose(picture(300, 600, 2), "colors", 4))) == {0, 1, 2, 3}


@pytest.mark.parametrize("kind", ["foreground", "colors"])
def test_proposals_of_a_flat_picture(kind):
    found = proposals.propose(Image.new("RGB", (50, 40), "grey"), kind)
    assert found.size == (50, 40)


def test_notes_on_a_regions_own_style_are_reported(photo, painting, tiny):
    flat = Image.new("RGB", (40, 40), "red")
    style_for = {1: [painting, flat], 2: None}
    (result,) = run(photo, [painting], networks=tiny, regions=halves(*photo.size), style_for=style_for)
    assert f"Style of region 1: {images.ONE_COLOR}" in result.notes


def test_regions_that_change_nothing_are_reported(photo, painting, tiny):
    words = "No region has a style or strength of its own, so the regions change nothing."
    maps = {"map": halves(*photo.size), "masks": {1: Image.new("L", photo.size, 255)}}
    (plain,) = run(photo, [painting], networks=tiny)
    for given in maps.values():
        (result,) = run(photo, [painting], networks=tiny, regions=given)
        assert result.notes == (words,) and result.image.tobytes() == plain.image.tobytes()
        (result,) = run(photo, [painting], networks=tiny, regions=given, region_strength={1: 0.5})
        assert words not in result.notes
