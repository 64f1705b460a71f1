"""Generators: their size, their normalization, and mixtures of their styles."""

import pytest
import torch
from conftest import picture
from hypothesis import given
from hypothesis import strategies as st

from adain_core import images
from adain_core.evaluation.metrics import lattice
from adain_core.networks.generators import BLOCKS, EPS, SIDE, WIDTHS, Generator, Generators, restored, thumbnail


def make(names=("a", "b"), seed=0) -> Generator:
    """Random weights, and styles that differ."""
    torch.manual_seed(seed)
    generator = Generator(names, (4, 6), 1)
    for each in generator.styles.values():
        torch.nn.init.normal_(each, 0.5, 1)
    return generator.requires_grad_(False)


@given(st.integers(5, 40), st.integers(5, 40))
def test_the_picture_has_the_photograph_s_size(height, width):
    image = make()(torch.rand(2, 3, height, width), {"a": 1.0})
    assert image.shape == (2, 3, height, width) and image.dtype == torch.float32
    assert image.isfinite().all() and image.min() >= 0 and image.max() <= 1


def test_normalization_is_conditional_as_in_equation_7():
    """1, 1, 1, 5 have mean 2 and variance 3; with gamma 2 and beta 10, the 5 becomes 10 + 2 * 3 / sqrt(3)."""
    generator = make()
    style = torch.stack([torch.full((18 + 8,), 2.0), torch.full((18 + 8,), 10.0)])[None]
    assert generator.channels == [4, 6, 6, 6, 4]
    first = next(generator._norms(style))
    found = first(torch.tensor([1.0, 1.0, 1.0, 5.0]).view(1, 1, 2, 2).expand(1, 4, 2, 2))
    root = (3 + EPS) ** 0.5
    torch.testing.assert_close(found[0, 2].flatten(), 10 + 2 * torch.tensor([-1.0, -1.0, -1.0, 3.0]) / root)


def test_each_picture_of_a_batch_has_its_style():
    generator, image = make(), torch.rand(2, 3, 20, 24)
    style = torch.stack([generator.styles[name] for name in ("b", "a")])
    found = generator.paint(image, style)
    torch.testing.assert_close(found[:1], generator(image[:1], {"b": 1.0}))
    torch.testing.assert_close(found[1:], generator(image[1:], {"a": 1.0}))
    assert (found[:1] - generator(image[:1], {"a": 1.0})).abs().max() > 0.01


def test_styles_mix_by_their_gammas_and_betas():
    generator, image = make(), torch.rand(1, 3, 20, 24)
    mixed = generator.mixed({"a": 0.25, "b": 0.75})
    torch.testing.assert_close(mixed[0], (generator.styles["a"] + 3 * generator.styles["b"]) / 4)
    generator.add("c", mixed[0])
    torch.testing.assert_close(generator(image, {"a": 0.25, "b": 0.75}), generator(image, {"c": 1.0}))


def test_the_gradient_reaches_every_weight_in_half_precision():
    generator = make().requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        generator.paint(torch.rand(1, 3, 24, 24), generator.mixed({"a": 0.5, "b": 0.5})).square().mean().backward()
    assert all(each.grad is not None and each.grad.any() for each in generator.parameters())


def test_the_gradient_reaches_a_style_alone_in_half_precision():
    generator = make()
    generator.styles.requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16):
        generator(torch.rand(1, 3, 24, 24), {"a": 1.0}).square().mean().backward()
    assert generator.styles["a"].grad.any() and generator.styles["b"].grad is None


def test_half_precision_is_nearly_the_same():
    generator, image = make(), torch.rand(1, 3, 40, 36)
    exact = generator(image, {"a": 1.0})
    with torch.inference_mode():
        half = generator.to(torch.bfloat16)(image.bfloat16(), {"a": 1.0})
    assert half.dtype == torch.float32 and (half - exact).abs().mean() < 0.01


def test_reach_is_how_far_a_pixel_is_felt():
    """Without normalizations, whose means and deviations are of the whole picture."""
    generator = make()
    generator._norms = lambda _: iter([lambda x: x] * 5)
    image = torch.rand(1, 3, 65, 65).requires_grad_()
    generator(image, {"a": 1.0})[0, :, 32, 32].sum().backward()
    rows, columns = image.grad[0].abs().sum(0).nonzero().T
    felt = max((rows - 32).abs().max(), (columns - 32).abs().max())
    assert felt == generator.reach


def test_a_flat_picture_stays_flat():
    """There is nothing to normalize, so noise must not be made into a pattern."""
    image = make()(torch.full((1, 3, 40, 40), 0.4), {"a": 1.0})
    assert image.std((2, 3)).max() < 1e-3


def test_random_weights_leave_no_lattice():
    """Without a rectifier at full resolution, upsampling leaves nothing that repeats."""
    torch.manual_seed(0)
    photo = images.to_tensor(picture(128, 128, 3))
    found = lattice(Generator(["a"]).requires_grad_(False)(photo, {"a": 1.0}))
    assert float(found[2]) < 3


def test_several_of_one_style_each():
    torch.manual_seed(0)
    several, image = Generators(["a", "b"], (4, 6), 1).requires_grad_(False), torch.rand(1, 3, 20, 20)
    torch.testing.assert_close(several(image, {"b": 1.0}), several["b"](image, {"b": 1.0}))
    assert not torch.equal(several(image, {"a": 1.0}), several(image, {"b": 1.0}))
    assert {name.partition(".")[0] for name in several.state_dict()} == {"a", "b"}
    assert several.widths == (4, 6) and several.reach == several["a"].reach and [*several.known] == ["a", "b"]


def test_a_style_is_added_with_its_thumbnail():
    generator, painting = make(), images.to_tensor(picture(50, 33, 5))
    generator.add("c", torch.zeros(2, 26), thumbnail(painting))
    assert [*generator.known] == ["a", "b", "c"] and not generator.known["a"].any()
    assert generator.known["c"].shape == (3, SIDE, SIDE) and generator.known["c"].dtype == torch.uint8
    torch.testing.assert_close(
        generator.known["c"].float().mean((1, 2)), 255 * painting.mean((0, 2, 3)), atol=3, rtol=0.02
    )


@pytest.mark.parametrize("module", [Generator(["a", "b"], (4, 6), 2), Generators(["a", "b"], (6, 8), 1)])
def test_a_network_is_built_from_its_weights_alone(module):
    found = restored(module.state_dict())
    assert type(found) is type(module) and (found.widths, found.blocks) == (module.widths, module.blocks)
    assert [*found.known] == ["a", "b"]
    image = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(found(image, {"b": 1.0}), module(image, {"b": 1.0}))


@pytest.mark.parametrize("tensors", [{}, {"a.b": torch.zeros(2)}, {"down1.weight": torch.zeros(4, 3, 5, 5)}])
def test_other_weights_build_nothing(tensors):
    with pytest.raises(ValueError, match=r"^These are not the weights of a generator; use those of a run of cond"):
        restored(tensors)


@pytest.mark.parametrize(("count", "most"), [(1, 250_000), (32, 300_000)])
def test_they_are_small(count, most):
    """Eight of one style take 4 MB in half precision, and a style of 32 about a thousand numbers."""
    generator = Generator(map(str, range(count)))
    assert sum(each.numel() for each in generator.parameters()) < most
    assert generator.styles["0"].numel() == 2 * (2 * WIDTHS[0] + (1 + 2 * BLOCKS) * WIDTHS[1]) == 1152
