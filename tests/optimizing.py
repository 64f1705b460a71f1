"""One small pair, and runs of the loop on it."""

from conftest import make_networks, picture

from adain_core import images
from adain_core.contracts import Style
from adain_core.losses import find
from adain_core.optimization.loop import optimize
from adain_core.optimization.params import OptimizationParams

CONTENT, STYLE = images.to_tensor(picture(40, 36, 1)), images.to_tensor(picture(44, 40, 2))
GRAM = {find()["gram"]: 1.0}


def go(networks=None, losses=GRAM, content=CONTENT, start_with=None, **params):
    settings = OptimizationParams(**{"rate": 0.03, "tv_weight": 0.05, **params})
    return list(optimize(content, [Style(STYLE)], losses, settings, networks or make_networks(), start=start_with))


def spy(monkeypatch, networks):
    """Return what the networks will have been shown."""
    seen, look = [], networks.perceptual
    monkeypatch.setattr(
        networks, "perceptual", lambda image, *rest: (seen.append(image.detach()), look(image, *rest))[1]
    )
    return seen
