import copy
from statistics import median

import pytest
import torch
from conftest import LEVELS, WIDTHS, make_networks
from safetensors.torch import load_file
from torch import nn

from adain_core import images, stylize, weights
from adain_core.contracts import Style
from adain_core.evaluation.metrics import lattice
from adain_core.feature_space.transfer import TransferParams
from adain_core.losses.lattice import PERIODS
from adain_core.methods import adain
from adain_core.networks.compact import CompactDecoder, CompactEncoder, CompactInverse, Gains
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics, restyle, statistics
from ui import examples


def conv(state, name, x, stride=1):
    x = nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    return nn.functional.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], stride)


def encode(state, x):
    found = {}
    for name, stride in (
        ("conv1_1", 1), ("conv1_2", 2), ("conv2_1", 1), ("conv2_2", 2), ("conv3_1", 1), ("conv3_2", 2), ("conv4_1", 1)
    ):  # fmt: skip
        x = found[name.replace("conv", "relu")] = conv(state, name, x, stride).relu()
    return found


def decode(state, features):
    slope = 0.1 if "relu4_1" in features else 0.0

    def leaky(x):
        return torch.where(x > 0, x, slope * x)

    def up(x, beside=None):
        x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return x if beside is None else x[:, :, : beside.shape[2], : beside.shape[3]] + beside

    if "relu4_1" in features:
        deep = features["relu4_1"]
        deep = deep + conv(state, "conv4_6", leaky(conv(state, "conv4_7", deep)))
        deep = deep + conv(state, "conv4_4", leaky(conv(state, "conv4_5", deep)))
        deep = leaky(deep + conv(state, "conv4_2", leaky(conv(state, "conv4_3", deep))))
        x = up(conv(state, "conv4_1", deep), features["relu3_1"])
        matrix, bias = state["join2_1.weight"][:, :, 0, 0], state["join2_1.bias"]
        beside = torch.einsum("oi,nihw->nohw", matrix, features["relu2_1"]) + bias[:, None, None]
    else:
        x, beside = features["relu3_1"], None
    x = leaky(x + conv(state, "conv3_5", leaky(conv(state, "conv3_6", x))))
    x = leaky(x + conv(state, "conv3_3", leaky(conv(state, "conv3_4", x))))
    x = leaky(conv(state, "conv3_2", x))
    x = up(conv(state, "conv3_1", x), beside).relu()
    x = conv(state, "conv2_1", conv(state, "conv2_2", x).relu()).relu()
    wide = torch.zeros(len(x), x.shape[1] // 4, 2 * x.shape[2], 2 * x.shape[3])
    for row in range(2):
        for column in range(2):
            wide[:, :, row::2, column::2] = x[:, 2 * row + column :: 4]
    return conv(state, "conv1_1", wide)


@pytest.mark.parametrize("which", ["tiny", "shipped"])
def test_both_networks_typed_out(tiny, which):
    networks = {"tiny": lambda: tiny, "shipped": lambda: weights.load("compact")}[which]()
    image = torch.rand(2, 3, 22, 31)
    encoder, decoder = (copy.deepcopy(part).float() for part in (networks.encoder, networks.decoder))
    expected = encode(encoder.state_dict(), image)
    with torch.no_grad():
        found = encoder(image, list(expected))
        for layer, features in expected.items():
            torch.testing.assert_close(found[layer], features, msg=lambda text, layer=layer: f"{layer}: {text}")
        torch.testing.assert_close(decoder(found), decode(decoder.state_dict(), expected), atol=1e-4, rtol=1e-4)


def test_the_inverse_network_typed_out():
    torch.manual_seed(0)
    inverse, x = CompactInverse(WIDTHS), {"relu3_1": torch.rand(2, 8, 6, 7)}
    with torch.no_grad():
        torch.testing.assert_close(inverse(x), decode(inverse.state_dict(), x), atol=1e-4, rtol=1e-4)
    assert inverse(x).shape == (2, 3, 24, 28)


WIDTH = dict(zip(LEVELS, (10, 8, 6), strict=True))


def some_statistics(count, seed, width=WIDTH):
    torch.manual_seed(seed)
    return {each: Statistics(*torch.rand(2, count, channels, 1, 1)) for each, channels in width.items()}


def test_gains_typed_out(tiny):
    gains, own, goal = tiny.decoder.gains, some_statistics(1, 1), some_statistics(3, 2)
    gains.middle.uniform_(0.2, 0.8)
    gains.spread.uniform_(0.1, 2)
    found = tiny.target(own, goal)
    for n in range(3):
        rows = [
            torch.cat(
                [each[level][which][n % len(each[level][which])].flatten() for which in (0, 1) for level in LEVELS]
            )
            for each in (own, goal)
        ]
        known = torch.cat([(row - gains.middle) / gains.spread for row in rows])
        inside = (gains.first.weight @ known + gains.first.bias).clamp_min(0)
        factor = 1 + torch.tanh(gains.second.weight @ inside + gains.second.bias)
        assert factor.std() > 0.05
        expected = ((1 - factor) * rows[0] + factor * rows[1]).split([10, 8, 6] * 2)
        for place, level in enumerate(LEVELS):
            mean, std = found[level].mean[n].flatten(), found[level].std[n].flatten()
            torch.testing.assert_close(mean, expected[place], atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(std, expected[3 + place].clamp_min(0), atol=1e-5, rtol=1e-4)
            assert found[level].mean[n].shape == (WIDTH[level], 1, 1)


def test_gains_begin_as_adain_and_leave_a_picture_in_its_own_style(tiny):
    own, goal = some_statistics(2, 3), some_statistics(2, 4)
    untrained = Gains(tuple(WIDTH.values()))
    for found, expected in ((untrained(own, goal), goal), (tiny.target(goal, goal), goal)):
        for level in LEVELS:
            torch.testing.assert_close(found[level], expected[level])


def test_gains_stay_within_bounds_for_unseen_statistics(tiny):
    """A statistic goes twice as far as the painting's at most, and no deviation falls below 0."""
    own, goal = (
        some_statistics(4, 5),
        {level: Statistics(*(1e4 * x for x in each)) for level, each in some_statistics(4, 6).items()},
    )
    tiny.decoder.gains.second.weight.mul_(1e3)
    for one, other in ((own, goal), (goal, own)):
        found = tiny.target(one, other)
        for level in LEVELS:
            for a, b, x in zip(one[level], other[level], found[level], strict=True):
                assert ((x - a).abs() <= 2 * (b - a).abs() * (1 + 1e-5)).all()
            assert (found[level].std >= 0).all()


def test_gains_standardize_their_inputs():
    gains, seen = Gains(tuple(WIDTH.values())), [some_statistics(5, n) for n in (7, 8)]
    gains.standardize(seen)
    deepest = torch.cat([each["relu4_1"].mean for each in seen])[:, 3].flatten()
    assert float(gains.middle[3]) == pytest.approx(float(deepest.mean()))
    last = torch.cat([each["relu2_1"].std for each in seen])[:, -1].flatten()
    assert float(gains.spread[-1]) == pytest.approx(float(last.std()))


def test_the_papers_decoder_aims_at_the_style(one_level):
    own, goal = (some_statistics(1, n, {"relu4_1": 10}) for n in (1, 2))
    assert one_level.target(own, goal) is goal


@pytest.mark.parametrize("layer", LEVELS)
def test_every_level_reaches_the_picture(layer, shipped_pair):
    """A ReLU that is always shut would hide a level, whatever the losses say; this one's picture depends on each."""
    networks = weights.load("compact")
    content, style = (images.to_tensor(images.load(path, 256).rgb) for path in shipped_pair)
    own, goal = networks.encode(content), networks.statistics(style)
    aim = networks.target(own.statistics, goal)
    stylized = {each: restyle(x, own.statistics[each], aim[each]) for each, x in own.features.items()}
    whole = networks.decode(stylized, content.shape[2:])
    without = networks.decode({**stylized, layer: own.features[layer]}, content.shape[2:])
    assert (whole - without).abs().mean() > 1 / 255


def test_an_unknown_layer_is_named(tiny):
    with pytest.raises(ValueError, match=r"no layer relu3_3; it has relu1_1, relu1_2, relu2_1.*relu4_1\."):
        tiny.encoder(torch.rand(1, 3, 16, 16), ["relu3_3"])


def test_nothing_is_computed_beyond_the_deepest_layer(tiny):
    tiny.encoder.conv2_2.register_forward_hook(lambda *_: pytest.fail("it went on"))
    assert list(tiny.encoder(torch.rand(1, 3, 16, 16), ["relu2_1", "relu1_1", "relu1_1"])) == ["relu1_1", "relu2_1"]


def test_gradients_reach_every_weight_and_the_image():
    networks = make_networks()
    encoder, decoder = CompactEncoder(WIDTHS), CompactDecoder(WIDTHS)
    encoder.load_state_dict(networks.encoder.state_dict())
    decoder.load_state_dict(networks.decoder.state_dict())
    image = torch.rand(1, 3, 24, 32, requires_grad=True)
    features = encoder(image, [*LEVELS, "relu1_1"])
    predicted = encoder.predict(features)
    goal = some_statistics(1, 9)
    aim = decoder.target({level: statistics(features[level]) for level in LEVELS}, goal)
    aimed = sum(((x - y) ** 2).sum() for level in LEVELS for x, y in zip(aim[level], goal[level], strict=True))
    (decoder(features).square().sum() + sum(x.square().sum() for x in predicted.values()) + aimed).backward()
    for each in (image, *encoder.parameters(), *decoder.parameters()):
        assert each.grad is not None and each.grad.abs().sum() > 0


def test_heads_predict_by_a_matrix_at_every_pixel():
    encoder = CompactEncoder(WIDTHS, (5, 6, 7, 8))
    features = encoder(torch.rand(1, 3, 16, 24), ["relu3_1", "relu1_1"])
    predicted = encoder.predict(features)
    assert {layer: x.shape[1] for layer, x in predicted.items()} == {"relu1_1": 5, "relu3_1": 7}
    head = encoder.heads["relu3_1"]
    expected = head.weight[:, :, 0, 0] @ features["relu3_1"][0, :, 2, 3] + head.bias
    torch.testing.assert_close(predicted["relu3_1"][0, :, 2, 3], expected)


def test_perceptual_features_are_the_papers_own_or_predicted_ones(tiny, one_level):
    image = torch.rand(1, 3, 16, 16, requires_grad=True)
    own = one_level.perceptual(image, ["relu2_1"])["relu2_1"]
    assert torch.equal(own, one_level.encoder(image, ["relu2_1"])["relu2_1"])
    predicted = tiny.perceptual(image, ["relu2_1"])["relu2_1"]
    assert predicted.shape == (1, 128, 8, 8) and predicted.dtype == torch.float32
    (slope,) = torch.autograd.grad(predicted.square().sum(), image)
    assert slope.abs().sum() > 0


@pytest.mark.parametrize("paper", [False, True])
def test_nothing_reaches_farther_than_reach(paper):
    """Change a pixel of the input, and see how far the output changes with fixed statistics."""
    networks = make_networks(paper)
    encoder, decoder = networks.encoder.double(), networks.decoder.double()
    image = torch.rand(1, 3, 264, 200, dtype=torch.float64)
    changed = image.clone()
    changed[..., 128:136, 96:104] += 1  # a pixel of relu4_1
    with torch.no_grad():
        one, other = (decoder(encoder(each, decoder.levels)) for each in (image, changed))
    rows, columns = ((one - other).abs().amax((0, 1)) > 0).nonzero().T
    far = max(128 - rows.min(), rows.max() - 135, 96 - columns.min(), columns.max() - 103)
    assert networks.reach - 16 < far <= networks.reach + 8  # 8: pooling and up-sampling act on whole cells


def test_bfloat16_gives_the_same_picture(shipped_pair):
    state, found = load_file(weights.PRETRAINED / "compact.safetensors"), []
    content, style = (images.to_tensor(images.load(path, 320).rgb) for path in shipped_pair)
    for dtype in (torch.float32, torch.bfloat16):
        parts = {role: part for role, part in weights.get("compact").build().items() if role in ("encoder", "decoder")}
        nn.ModuleDict(parts).load_state_dict(state)
        networks = Networks("compact", parts, dtype=dtype)
        encoded = networks.encode(content)
        assert {x.dtype for x in encoded.features.values()} == {dtype}
        assert {x.dtype for each in encoded.statistics.values() for x in each} == {torch.float32}
        (step,) = adain.run(content, [Style(style)], TransferParams(), networks)
        assert step.image.dtype == torch.float32
        found.append(step.image)
    error = float((found[0] - found[1]).square().mean())
    assert 0 < error < 10**-4  # 40 dB


def test_each_file_of_weights_has_at_most_four_megabytes():
    sizes = {file.stem: file.stat().st_size for file in weights.PRETRAINED.glob("*.safetensors")}
    assert {"compact", "inverse", "perceptual"} <= set(sizes) and max(sizes.values()) <= 4_000_000
    assert sum(sizes.values()) <= 16_000_000


def test_shipped_weights_leave_no_weave():
    photos, paintings = (sorted((examples.FOLDER / kind).glob("*.jpg")) for kind in ("photos", "styles"))
    found = {period: [] for period in PERIODS}
    for photo, painting in zip(photos, paintings[::3], strict=False):
        made = images.to_tensor(stylize(photo, painting, size=256))
        for period, value in lattice(made).items():
            found[period].append(float(value))
    assert all(median(values) <= 8 for values in found.values()), found
