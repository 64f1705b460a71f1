import threading

import numpy as np
import pytest
import torch
from conftest import WIDTHS, make_networks
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn

import adain_core.images.vision  # noqa: F401  (makes torchvision importable beside any torch)
from adain_core import weights
from adain_core.networks import cache, cost
from adain_core.networks.model import Networks
from adain_core.networks.vgg import WIDTHS as FULL
from adain_core.networks.vgg import Decoder, Encoder, convolutions
from adain_core.normalization import statistics

PAPER_ENCODER = {0: "conv0", 2: "conv1_1", 5: "conv1_2", 9: "conv2_1", 12: "conv2_2", 16: "conv3_1"}
PAPER_ENCODER |= {19: "conv3_2", 22: "conv3_3", 25: "conv3_4", 29: "conv4_1"}
PAPER_DECODER = {1: "conv4_1", 5: "conv3_4", 8: "conv3_3", 11: "conv3_2", 14: "conv3_1", 18: "conv2_2", 21: "conv2_1"}
PAPER_DECODER |= {25: "conv1_2", 28: "conv1_1"}


def block(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(1), nn.Conv2d(inputs, outputs, 3), nn.ReLU()]


def pool() -> nn.Module:
    return nn.MaxPool2d(2, 2, ceil_mode=True)


def plain_encoder(a: int, b: int, c: int, d: int) -> nn.Sequential:
    """The paper's encoder typed out, as the numbered files lay it out."""
    return nn.Sequential(
        nn.Conv2d(3, 3, 1), *block(3, a), *block(a, a), pool(), *block(a, b), *block(b, b), pool(),
        *block(b, c), *block(c, c), *block(c, c), *block(c, c), pool(), *block(c, d),
    )  # fmt: skip


def plain_decoder(a: int, b: int, c: int, d: int) -> nn.Sequential:
    up = nn.Upsample(scale_factor=2, mode="nearest")
    return nn.Sequential(
        *block(d, c), up, *block(c, c), *block(c, c), *block(c, c), *block(c, b), up,
        *block(b, b), *block(b, a), up, *block(a, a), *block(a, 3)[:-1],
    )  # fmt: skip


def copy(source: nn.Module, plain: nn.Sequential, numbers: dict[int, str]) -> nn.Sequential:
    state = source.state_dict()
    for number, name in numbers.items():
        plain[number].load_state_dict({kind: state[f"{name}.{kind}"] for kind in ("weight", "bias")})
    return plain


def compare(encoder: Encoder, decoder: Decoder, widths: tuple[int, ...], size: tuple[int, int]) -> None:
    image = torch.rand(2, 3, *size)
    plain = copy(encoder, plain_encoder(*widths), PAPER_ENCODER)
    relus = {"relu1_1": 4, "relu1_2": 7, "relu2_1": 11, "relu2_2": 14, "relu3_1": 18, "relu3_4": 27, "relu4_1": 31}
    with torch.no_grad():
        found = encoder(image, list(relus))
        for layer, end in relus.items():
            torch.testing.assert_close(
                found[layer], plain[:end](image), msg=lambda text, layer=layer: f"{layer}: {text}"
            )
        expected = copy(decoder, plain_decoder(*widths), PAPER_DECODER)(found["relu4_1"])
        torch.testing.assert_close(decoder(found), expected)


@pytest.mark.parametrize("size", [(16, 24), (19, 33)])
def test_networks_are_the_papers_typed_out(one_level, size):
    one_level.decoder.conv1_1.bias.data.zero_()  # half of what it gives is negative: no ReLU comes after it
    compare(one_level.encoder, one_level.decoder, WIDTHS, size)


def test_the_papers_own_weights_layer_by_layer(shared):
    encoder, decoder = Encoder(FULL[:4]), Decoder(FULL[:4])
    encoder.load_state_dict(load_file(shared / "vgg19_normalised_relu4_1.safetensors"))
    decoder.load_state_dict(load_file(shared / "adain_decoder.safetensors"))
    compare(encoder, decoder, FULL[:4], (29, 40))


def test_layers_follow_torchvisions_vgg19():
    from torchvision.models import vgg19

    theirs, block, number = [], 1, 0
    with torch.device("meta"):
        layers = vgg19().features
    for each in layers:
        if isinstance(each, nn.MaxPool2d):
            block, number = block + 1, 0
        elif isinstance(each, nn.Conv2d):
            number += 1
            theirs.append((f"conv{block}_{number}", each.in_channels, each.out_channels))
    assert convolutions(FULL, "relu5_4") == theirs


def test_the_plan_ends_at_the_last_layer():
    assert [each.name for each in convolutions(WIDTHS, "relu2_1")] == ["conv1_1", "conv1_2", "conv2_1"]
    with pytest.raises(ValueError, match=r"no layer relu2_3; there are relu1_1, relu1_2, relu2_1, relu2_2\.$"):
        convolutions(WIDTHS[:2], "relu2_3")


def test_an_unknown_layer_is_named_with_those_that_there_are(tiny):
    with pytest.raises(ValueError, match=r"no layer relu5_1; it has relu1_1, relu1_2.*relu4_1\."):
        tiny.encoder(torch.rand(1, 3, 16, 16), ["relu5_1"])


@given(st.integers(9, 40), st.integers(9, 40), st.booleans())
def test_any_size_comes_back(height, width, paper):
    networks, image = make_networks(paper), torch.rand(1, 3, height, width)
    found = networks.encoder(image, ["relu1_1", "relu2_1", "relu3_1", "relu4_1"])
    for layer, step, channels in (("relu1_1", 1, 4), ("relu2_1", 2, 6), ("relu3_1", 4, 8), ("relu4_1", 8, 10)):
        assert found[layer].shape == (1, channels, -(-height // step), -(-width // step))
    whole = networks.decoder(found)
    assert height <= whole.shape[2] < height + 8 and width <= whole.shape[3] < width + 8
    picture = networks.decode(found, (height, width))
    assert picture.shape == image.shape
    assert torch.equal(picture, whole[:, :, :height, :width].clamp(0, 1))  # what is cut off is at the right and below


def test_features_keep_the_layout_and_take_no_gradients(tiny):
    encoded = tiny.encode(torch.rand(2, 3, 40, 48, requires_grad=True))
    tensors = [*encoded.features.values(), tiny.decode(encoded.features, (40, 48))]
    for each in tensors:
        assert each.is_contiguous(memory_format=torch.channels_last) and not each.is_contiguous()
        assert not each.requires_grad and each.is_inference()
    parameters = [*tiny.encoder.parameters(), *tiny.decoder.parameters()]
    assert not any(each.requires_grad for each in parameters)
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in parameters if each.ndim == 4)
    assert not tiny.encoder.training and not tiny.decoder.training


def test_nothing_is_computed_beyond_the_deepest_layer(tiny):
    tiny.encoder.conv2_2.register_forward_hook(lambda *_: pytest.fail("it went on"))
    assert list(tiny.encoder(torch.rand(1, 3, 16, 16), ["relu2_1", "relu1_1", "relu1_1"])) == ["relu1_1", "relu2_1"]


def test_the_largest_picture_depends_on_the_width():
    assert cost.max_pixels(make_networks()) == 2**28 // 4
    assert cost.max_pixels(weights.load("compact")) == 2**28 // 16  # 4096x4096


def test_gradients_reach_the_image(tiny):
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    tiny.encoder(image, ["relu4_1"])["relu4_1"].sum().backward()
    assert image.grad.abs().sum() > 0


def count_encodings(networks: Networks, monkeypatch) -> list:
    calls, encode = [], networks.encoder.forward
    monkeypatch.setattr(networks.encoder, "forward", lambda *given: (calls.append(1), encode(*given))[1])
    return calls


def test_a_picture_is_encoded_once(tiny, monkeypatch):
    calls = count_encodings(tiny, monkeypatch)
    image = torch.rand(1, 3, 16, 24)
    first = tiny.encode(image)
    assert tiny.encode(image.clone()) is first
    assert len(calls) == 1
    tiny.encode(image.flip(3))
    assert len(calls) == 2
    turned = image.permute(0, 2, 3, 1).reshape(1, 24, 16, 3).permute(0, 3, 1, 2)  # the same bytes in another shape
    assert tiny.encode(turned).features["relu2_1"].shape[2:] == (12, 8)
    assert len(calls) == 3


def test_statistics_are_kept_apart_from_features(tiny, monkeypatch):
    calls = count_encodings(tiny, monkeypatch)
    image = torch.rand(1, 3, 16, 16)
    found = tiny.statistics(image)
    assert tiny.statistics(image) is found
    assert len(calls) == 1
    assert tiny.memory.currsize == sum(4 * 2 * channels for channels in (6, 8, 10))  # two float32 a channel


def test_statistics_of_an_encoding_wait_until_they_are_asked_for(tiny, monkeypatch):
    calls, image = [], torch.rand(1, 3, 40, 32)
    monkeypatch.setattr("adain_core.networks.cache.statistics", lambda x: (calls.append(x.shape), statistics(x))[1])
    encoded = tiny.encode(image)
    assert not calls
    found = encoded.statistics
    assert encoded.statistics is found and len(calls) == len(tiny.levels)
    x = encoded.features["relu3_1"].numpy()
    np.testing.assert_allclose(found["relu3_1"].mean[0, :, 0, 0], x.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


def test_memory_is_bounded_and_forgets_the_oldest(monkeypatch):
    images = [torch.full((1, 3, 16, 16), value) for value in (0.1, 0.2, 0.3)]
    size = sum(4 * side * side * channels for side, channels in ((8, 6), (4, 8), (2, 10)))  # bytes
    monkeypatch.setattr("adain_core.networks.cache.CAPACITY", 2 * size)
    tiny = make_networks()
    for image in images:
        tiny.encode(image)
    assert tiny.memory.currsize == 2 * size
    calls = count_encodings(tiny, monkeypatch)
    tiny.encode(images[2])
    tiny.encode(images[1])
    assert not calls
    tiny.encode(images[0])
    assert calls
    tiny.encode(torch.rand(1, 3, 64, 64))  # larger than all of it: used, not kept
    assert tiny.memory.currsize <= 2 * size


def test_pictures_with_the_same_bytes_in_another_shape_are_others(tiny, monkeypatch):
    calls, image = count_encodings(tiny, monkeypatch), torch.rand(1, 3, 32, 16).to(memory_format=torch.channels_last)
    turned = image.permute(0, 2, 3, 1).reshape(1, 16, 32, 3).permute(0, 3, 1, 2)  # the same bytes in the same order
    near = image.clone()
    near[0, 2, 31, 15] += 1e-6
    sizes = [tiny.encode(each).features["relu2_1"].shape[2:] for each in (image, turned, near, image)]
    assert len(calls) == 3 and sizes == [(16, 8), (8, 16), (16, 8), (16, 8)]


def test_a_hash_cannot_be_computed_elsewhere(tiny, monkeypatch):
    calls, image = count_encodings(tiny, monkeypatch), torch.rand(1, 3, 16, 16)
    tiny.encode(image)
    monkeypatch.setattr("adain_core.networks.cache.SEED", cache.SEED ^ 1)
    tiny.encode(image)
    assert len(calls) == 2


def test_two_threads_get_their_own_pictures(tiny):
    images = [torch.full((1, 3, 24, 24), 0.1 * n) for n in range(1, 9)]
    expected = [make_networks().encode(image).features["relu4_1"] for image in images]
    wrong = []

    def work(order):
        for n in order:
            if not torch.allclose(tiny.encode(images[n]).features["relu4_1"], expected[n], atol=1e-6):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(order,)) for order in (range(8), reversed(range(8)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_rate_is_tried_once_and_then_follows_the_runs(tiny, one_level, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("adain_core.networks.cost.time.perf_counter", lambda: now[0])

    def takes(module, seconds):
        module.register_forward_hook(lambda *_: now.__setitem__(0, now[0] + seconds))

    takes(tiny.encoder, 3.0)
    takes(tiny.decoder, 1.0)
    assert tiny.pace.rate == tiny.pace.rate == 4 / 256**2
    calls = now[0]
    _ = tiny.pace.rate
    assert now[0] == calls  # nothing is tried again
    features = tiny.features(torch.rand(1, 3, 256, 512))  # twice as fast as before
    assert tiny.pace.rate == pytest.approx((3 + 1.5) / 2 / 256**2 + 1 / 256**2)
    tiny.decode(features, (256, 512))
    assert tiny.pace.rate == pytest.approx((3 + 1.5) / 2 / 256**2 + (1 + 0.5) / 2 / 256**2)
    tiny.features(torch.rand(1, 3, 64, 64))  # too small to tell
    assert tiny.pace.rate == pytest.approx(3 / 256**2)
    del one_level.parts["decoder"]
    takes(one_level.encoder, 5.0)
    assert one_level.pace.rate == 5 / 256**2
