import json

import pytest
import torch
from conftest import make_networks, picture
from PIL import Image

from adain_core import PictureError, images, methods, run, stylize, stylize_all
from adain_core.contracts import Method, MethodParams, Step
from adain_core.images import metrics
from adain_core.networks import cost
from adain_core.runs import pipeline


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, "alpha is 1.5, but it must be from 0 to 1."),
        ({"alpha": -0.1}, "alpha is -0.1, but it must be from 0 to 1."),
        ({"alpha": float("nan")}, "alpha is nan, but it must be from 0 to 1."),
        ({"alpha": "x"}, "alpha is x, but it must be a number from 0 to 1."),
        ({"size": 0}, "size is 0, but it must be from 64 to 8192."),
        ({"size": 100000}, "size is 100000, but it must be from 64 to 8192."),
        ({"style_size": 1}, "style size is 1, but it must be from 64 to 2048."),
        ({"model": "vgg"}, "There is no model vgg; there are compact, vgg19, vgg19-imagenet, perceptual."),
        (
            {"method": "gatsy"},
            f"There is no method gatsy; there are {', '.join(methods.find())}.",
        ),
        ({"device": "tpu"}, "device is tpu, but it should be 'auto', 'cpu', 'cuda' or 'mps'."),
        (
            {"beta": 1},
            "adain has no option beta; there are tile, feather, strokes, style_size, style_scale, color,"
            " color_strength, method, preset, model, size, interval, weights, bits, device, seed, alpha.",
        ),
        ({"weights": (1, 1)}, "Styles: 1, but weights: 2 (1, 1); give one weight per style."),
        ({"weights": (float("nan"),)}, "weights is nan, but it should be a finite number."),
        ({"weights": (0,)}, "The weights 0 sum to 0; they must sum to more than 0."),
    ],
)
def test_options_out_of_bounds(photo, painting, options, message):
    with pytest.raises(ValueError) as error:
        stylize(photo, painting, networks=make_networks(), **options)
    assert str(error.value) == message


def test_a_style_is_needed(photo, tiny):
    with pytest.raises(ValueError, match="Give at least one style"):
        stylize(photo, [], networks=tiny)


def test_the_result_has_the_contents_size_and_a_record(photo, painting, tiny):
    (result,) = run(photo, [painting], networks=tiny, alpha=0.5)
    assert result.image.size == photo.size == result.content.size
    record = json.loads(result.image.info["adain"])
    assert record == result.record
    assert (record["method"], record["model"], record["alpha"], record["weights"]) == ("adain", "tiny", 0.5, [1.0])
    assert record["content_size"] == [45, 37]
    stages = ["read", "load model", "color", "encode content", "encode style", "AdaIN", "decode"]
    assert list(record["seconds"]) == stages


def test_size_and_style_size(photo, painting, tiny):
    (result,) = run(photo, [painting], networks=tiny, size=64, style_size=100)
    assert result.image.size == (64, 53)
    assert result.record["style_sizes"] == [[100, 82]]


def test_files_and_images_give_the_same(tmp_path, photo, painting, tiny):
    photo.save(tmp_path / "photo.png")
    painting.save(tmp_path / "painting.png")
    from_files = stylize(str(tmp_path / "photo.png"), tmp_path / "painting.png", networks=tiny)
    before = photo.tobytes()
    from_images = stylize(photo, [painting], networks=tiny)
    assert from_files.tobytes() == from_images.tobytes()
    assert photo.tobytes() == before  # neither changed nor closed


def test_a_file_given_open_stays_open_and_as_it_was(tmp_path, painting, tiny):
    picture(300, 200, 1).save(tmp_path / "photo.jpg")
    with Image.open(tmp_path / "photo.jpg") as given:
        assert stylize(given, painting, networks=tiny, size=64).size == (64, 43)
        assert given.size == (300, 200)


def test_pictures_of_any_sizes_one_after_the_other(painting, tiny):
    photos = [picture(45, 37, 1), picture(30, 64, 2)]
    found = list(stylize_all(photos, painting, networks=tiny, alpha=0.7))
    assert [each.size for each in found] == [(45, 37), (30, 64)]
    for photo, image in zip(photos, found, strict=True):
        assert image.tobytes() == stylize(photo, painting, networks=tiny, alpha=0.7).tobytes()


def test_a_reconstruction_is_measured(tmp_path, photo, painting, tiny):
    (plain,) = run(photo, [painting], networks=tiny)
    assert "reconstruction" not in plain.record
    photo.save(tmp_path / "photo.png")
    for content, style, alpha in ((photo, painting, 0), (tmp_path / "photo.png", tmp_path / "photo.png", 1)):
        (result,) = run(content, [style], networks=tiny, alpha=alpha)
        one, other = (images.to_tensor(each) for each in (photo, result.image))
        assert result.record["reconstruction"] == {
            "ssim": pytest.approx(float(metrics.ssim(one, other)), abs=1e-3),
            "difference": pytest.approx(255 * float((one - other).abs().mean()), abs=0.01),
        }


def test_weights_choose_between_styles(photo, painting, tiny):
    other = picture(30, 30, 7)
    both = stylize(photo, [painting, other], weights=(3, 0), networks=tiny)
    assert both.tobytes() == stylize(photo, painting, networks=tiny).tobytes()
    assert both.tobytes() != stylize(photo, [painting, other], weights=(0, 1), networks=tiny).tobytes()


def test_transparency_comes_back(photo, painting, tiny):
    alpha = Image.new("L", photo.size, 255)
    alpha.paste(0, (0, 0, 10, 10))
    photo.putalpha(alpha)
    found = stylize(photo, painting, networks=tiny)
    assert found.mode == "RGBA"
    assert found.getchannel("A").tobytes() == alpha.tobytes()


def test_a_refused_picture_says_which(tmp_path, photo, painting, tiny):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"")
    with pytest.raises(PictureError, match=r"^Style 2: This file is empty\.$") as error:
        stylize(photo, [painting, bad], networks=tiny)
    assert (error.value.role, error.value.index, error.value.sentence) == ("style", 1, "This file is empty.")
    with pytest.raises(PictureError, match=r"^Content: This file is empty\.$"):
        stylize(bad, painting, networks=tiny)


def test_notes_reach_the_user(photo, tiny):
    flat = images.ONE_COLOR
    red = Image.new("RGB", (20, 20), "red")
    (result,) = run(red, [photo, red], networks=tiny)
    assert result.notes == (flat, f"Style 2: {flat}")


@pytest.mark.parametrize(("width", "height", "most"), [(45, 37, 44), (9000, 16, 8192)])
def test_a_picture_too_large_for_the_model(painting, tiny, monkeypatch, width, height, most):
    monkeypatch.setattr(cost, "max_pixels", lambda _: width * height - 1)
    with pytest.raises(ValueError) as error:
        stylize(Image.new("RGB", (width, height)), painting, networks=tiny, tile="off")
    sentence = f"The picture has {width}x{height} pixels, too many for tiny at once; choose a size of at most {most},"
    sentence += " or tiles."
    assert str(error.value) == sentence


def test_closing_the_run_closes_the_method(photo, painting, tiny, monkeypatch):
    closed, running = [], []

    def steps(content, _styles, _params, _networks):
        try:
            for number in range(1, 10):
                yield Step(torch.zeros_like(content), number, 9)
        finally:
            closed.append(True)

    def run(*given):
        running.append(steps(*given))  # held, so that only closing it ends it
        return running[0]

    slow = Method("slow", "Slow", "nobody", "Nothing.", MethodParams, run)
    monkeypatch.setattr(methods, "get", lambda _: slow)
    results = pipeline.run(photo, [painting], networks=tiny)
    assert next(results).iterations == 9
    results.close()
    assert closed == [True]


def test_the_shipped_model_on_an_example(shipped_pair):
    photo, painting = shipped_pair
    plain, full = (stylize(photo, painting, size=128, alpha=alpha) for alpha in (0.0, 1.0))
    source = Image.open(photo).resize(plain.size, Image.Resampling.LANCZOS)
    distance = {
        name: (torch.tensor(list(image.tobytes())) - torch.tensor(list(source.tobytes()))).abs().float().mean().item()
        for name, image in (("plain", plain), ("full", full))
    }
    assert distance["plain"] < 20 < distance["full"]  # of 255: the reconstruction is near, the stylized one is not


@pytest.mark.parametrize(("size", "seen"), [((1000, 30), 534), ((30, 1000), 534), ((8000, 50), 2560)])
def test_a_narrow_style_is_seen_larger(photo, tiny, size, seen):
    (result,) = run(photo, [picture(100, 100, 3).resize(size)], networks=tiny)
    assert max(result.record["style_sizes"][0]) == seen and min(result.record["style_sizes"][0]) == 16
    assert f"Style 1: This picture is narrow, so it is scaled to {seen} pixels, not 512." in result.notes
