import pytest
import torch
from conftest import make_networks, picture
from knowing import make_generator
from pydantic import ValidationError

from adain_core import images, methods
from adain_core.contracts import Limited, Stopwatch, Style, bounds, describe, marked, parse
from adain_core.networks.model import Networks
from adain_core.normalization import statistics

ALL = sorted(methods.written())


def tensor(width: int, height: int, seed: int) -> torch.Tensor:
    return images.to_tensor(picture(width, height, seed))


def last(name: str, content, styles, networks=None, **params) -> torch.Tensor:
    method = methods.written()[name]
    return list(method.run(content, styles, quick(method, **params), networks or suitable(name)))[-1].image


def suitable(name: str) -> Networks:
    return make_networks() if methods.written()[name].known_styles is None else make_generator(name)


def styled(width: int, height: int, seed: int, weight: float = 1.0) -> Style:
    """A painting, which a method that knows a set of styles knows by the name `s{seed}`."""
    return Style(tensor(width, height, seed), weight, name=f"s{seed}")


def quick(method, **params):
    """Parameters for a test: few steps, since rounding grows with every step of an optimization."""
    return method.params(**dict.fromkeys(marked(method.params, Limited("steps")), 3), **params)


def random(name: str, **params) -> bool:
    method = methods.written()[name]
    return method.random is not None and method.random(quick(method, **params))


def assert_alike(name: str, one: torch.Tensor, other: torch.Tensor) -> None:
    """Where features are nearly equal, a sort may swap them; Adam divides a gradient by its size, however small."""
    method = methods.written()[name]
    optimizes = method.iterations(method.params(), suitable(name)) > 1
    away = (one - other).abs() > (2e-3 if name == "histogram_match" or optimizes else 1e-5)
    assert away.float().mean() <= (0.01 if optimizes else 0)


@pytest.mark.parametrize("name", ALL)
class TestContract:
    def test_shape_and_range(self, name):
        least = 17 if name == "mrf" else 16  # of relu4_1's features a patch takes 3x3
        for size in ((33, 45), (least, least), (17, 24)):
            content = tensor(size[1], size[0], 1)
            image = last(name, content, [styled(31, 20, 2)])
            assert image.shape == content.shape
            assert image.isfinite().all() and image.min() >= 0 and image.max() <= 1

    def test_same_seed_same_result(self, name):
        styles = [styled(31, 20, 2)]
        torch.testing.assert_close(*[last(name, tensor(30, 22, 1), styles, seed=5) for _ in range(2)], rtol=0, atol=0)

    def test_the_seed_matters_where_it_is_said_to(self, name):
        content, styles = tensor(30, 22, 1), [styled(31, 20, 2)]
        one, other = (last(name, content, styles, seed=seed) for seed in (1, 2))
        assert torch.equal(one, other) != random(name)

    def test_a_batch_equals_its_singles_or_is_refused(self, name):
        singles, styles = [tensor(30, 22, seed) for seed in (1, 2)], [styled(31, 20, 3)]
        if "steps" in methods.written()[name].params.model_fields:
            with pytest.raises(ValueError, match="one picture at a time, not 2"):
                last(name, torch.cat(singles), styles)
            return
        batch = last(name, torch.cat(singles), styles)
        expected = torch.cat([last(name, each, styles) for each in singles])
        assert_alike(name, batch, expected)

    def test_several_styles(self, name):
        one, other = styled(31, 20, 2, 0.5), styled(24, 40, 3, 0.5)
        if name == "johnson":
            with pytest.raises(ValueError, match=r"^Johnson has one network .* can't mix them; give one style\.$"):
                last(name, tensor(30, 22, 1), [one, other])
            return
        mixed, same = (last(name, tensor(30, 22, 1), [one, each]) for each in (other, one))
        single = last(name, tensor(30, 22, 1), [styled(31, 20, 2)])
        if not random(name):  # such a one draws anew for each style
            assert_alike(name, same, single)
        assert torch.allclose(mixed, same, atol=1e-4) != methods.written()[name].needs_style

    def test_steps_count_and_leave_nothing_behind(self, name):
        method, content, style = methods.written()[name], tensor(30, 22, 1), styled(31, 20, 2)
        before = content.clone(), style.image.clone()
        steps = method.run(content, [style], quick(method), suitable(name))
        for number, step in enumerate(steps, start=1):
            assert not torch.is_inference_mode_enabled() and torch.is_grad_enabled()
            assert step.iteration == number <= step.iterations
            assert step.seconds and all(value >= 0 for value in step.seconds.values())
        assert torch.equal(content, before[0]) and torch.equal(style.image, before[1])

    def test_closing_early(self, name):
        method = methods.written()[name]
        steps = method.run(tensor(30, 22, 1), [styled(31, 20, 2)], method.params(), suitable(name))
        next(steps)
        steps.close()
        with pytest.raises(StopIteration):
            next(steps)

    def test_parameters_have_descriptions_and_bounds(self, name):
        method = methods.written()[name]
        assert method.name == name and method.title and method.paper and method.summary
        for info in method.params.model_fields.values():
            assert info.description and describe(info).startswith(info.description)
        with pytest.raises(ValidationError, match="frozen"):
            method.params().seed = 1


def test_a_stopwatch_adds_up(monkeypatch):
    monkeypatch.setattr("time.perf_counter", iter([0, 1, 10, 10.5, 20, 24]).__next__)
    clock = Stopwatch()
    for stage in ("decode", "encode", "decode"):
        with clock(stage):
            pass
    monkeypatch.undo()
    assert clock.seconds == {"decode": 5, "encode": 0.5}


def test_strength_zero_is_the_reconstruction(tiny):
    content = tensor(30, 22, 1)
    plain = tiny.decode(tiny.encode(content).features, content.shape[2:])
    found = last("adain", content, [Style(tensor(31, 20, 2))], tiny, alpha=0.0)
    torch.testing.assert_close(found, plain)
    torch.testing.assert_close(last("adain", content, [Style(content)], tiny), plain, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("paper", [True, False])
def test_full_strength_gives_the_decoder_the_styles_statistics(paper, monkeypatch):
    """The paper's take the style's own, the compact model's with gains, which test_compact.py types out."""
    networks, content, style, given = make_networks(paper), tensor(48, 40, 1), tensor(31, 20, 2), {}
    decode = networks.decode
    monkeypatch.setattr(networks, "decode", lambda features, size: (given.update(features), decode(features, size))[1])
    last("adain", content, [Style(style)], networks)
    assert set(given) == ({"relu4_1"} if paper else {"relu4_1", "relu3_1", "relu2_1"})
    with torch.no_grad():
        wanted, own = (
            {layer: statistics(x) for layer, x in networks.encoder(image, list(given)).items()}
            for image in (style, content)
        )
        if not paper:
            wanted = networks.target(own, wanted)
    for layer, features in given.items():
        torch.testing.assert_close(statistics(features).mean, wanted[layer].mean, atol=1e-5, rtol=1e-3)
        alive = (wanted[layer].std.flatten() > 0.03) & (own[layer].std.flatten() > 0.03)  # where eps doesn't show
        assert alive.any()
        found = features.std((2, 3), correction=0)[0, alive]
        torch.testing.assert_close(found, wanted[layer].std.flatten()[alive], atol=2e-2, rtol=5e-2)


def test_moving_strength_or_weights_encodes_nothing_again(tiny, monkeypatch):
    content, styles = tensor(30, 22, 1), [tensor(31, 20, 2), tensor(20, 20, 3)]
    last("adain", content, [Style(each, 0.5) for each in styles], tiny)
    monkeypatch.setattr(tiny.encoder, "forward", lambda *_: pytest.fail("it encoded again"))
    last("adain", content, [Style(styles[0], 0.9), Style(styles[1], 0.1)], tiny, alpha=0.3)


def test_an_unknown_method_is_refused_with_the_list():
    with pytest.raises(ValueError, match=r"^There is no method gatsy; there are adain"):
        methods.get("gatsy")


def test_bounds_and_messages():
    params = methods.get("adain").params
    assert bounds(params.model_fields["alpha"]) == (0, 1)
    with pytest.raises(ValueError, match=r"^alpha is 1.5, but it must be from 0 to 1\.$"):
        parse(params, {"alpha": 1.5})
    with pytest.raises(ValueError, match=r"^There is no setting beta; there are seed, alpha\.$"):
        parse(params, {"beta": 1})
