import pytest
import torch

from adain_core.controls.mixing import mix, normalize
from adain_core.controls.strength import blend
from adain_core.normalization import adain, restyle, statistics


@pytest.mark.parametrize(
    ("weights", "styles", "message"),
    [
        ([1, -1], 2, "The weights 1, -1 sum to 0; they must sum to more than 0."),
        ([0, 0], 2, "The weights 0, 0 sum to 0; they must sum to more than 0."),
        ([-2, 1], 2, "The weights -2, 1 sum to -1; they must sum to more than 0."),
        ([1], 2, "Styles: 2, but weights: 1 (1); give one weight per style."),
        ([1, float("nan")], 2, "The weights are 1, nan; each must be a finite number."),
        ([1, float("inf")], 2, "The weights are 1, inf; each must be a finite number."),
        ([1, -0.99], 2, "The weights 1, -0.99 nearly cancel: divided by their sum, one would exceed 10."),
    ],
)
def test_weights_that_cannot_be_used(weights, styles, message):
    with pytest.raises(ValueError) as error:
        normalize(weights, styles)
    assert str(error.value) == message


def test_weights_sum_to_one():
    assert normalize(None, 4) == (0.25,) * 4
    assert normalize([3, 1], 2) == (0.75, 0.25)
    assert normalize([-1, 3], 2) == (-0.5, 1.5)


@pytest.mark.parametrize("weights", [(1.0,), (0.3, 0.7), (-0.5, 1.1, 0.4)])
def test_mixed_statistics_give_the_sum_of_equation_15(weights):
    torch.manual_seed(0)
    content = torch.randn(1, 3, 6, 5, dtype=torch.float64)
    styles = [torch.randn(1, 3, 4, 7, dtype=torch.float64) * (k + 1) + k for k in range(len(weights))]
    literal = sum(weight * adain(content, style) for weight, style in zip(weights, styles, strict=True))
    mixed = restyle(content, statistics(content), mix([statistics(style) for style in styles], weights))
    torch.testing.assert_close(mixed, literal)


def test_strength_by_hand():
    content, stylized = torch.tensor([0.0, 10.0]), torch.tensor([4.0, 20.0])
    assert blend(content, stylized, 0.0).tolist() == [0.0, 10.0]
    assert blend(content, stylized, 0.25).tolist() == [1.0, 12.5]
    assert blend(content, stylized, 1.0).tolist() == [4.0, 20.0]
