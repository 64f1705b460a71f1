"""The page's words and names: help is one plain line, and downloads are named by what is in them."""

import re

import pytest

from adain_core import losses, methods, weights
from adain_core.runs.pipeline import Settings
from ui import server
from ui.components import widgets

FIELDS = {
    f"{name}.{field}": info for name, found in methods.find().items() for field, info in widgets.drawn(found).items()
}
FIELDS |= Settings.model_fields


@pytest.mark.parametrize("name", FIELDS)
def test_help_is_one_plain_line(name):
    words = FIELDS[name].description
    assert 15 < len(words) <= 180 and words[-1] == "." and "'s." not in words[-4:]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("/tmp/cache/0af1/tiger.jpg", "/examples/styles/night_river.jpg", "adain"), "tiger-night_river-adain"),
        (("/tmp/x/My photo (1).final.PNG", None, "strength 0.25"), "My_photo_1_final-strength_0_25"),
        (("/tmp/x/../../etc/passwd", '/tmp/"; rm -rf.png'), "passwd-rm_rf"),
        (("/tmp/x/" + "a" * 300 + ".png",), "a" * 40),
        (("/tmp/x/???.png",), "picture"),
    ],
)
def test_downloads_are_named_by_picture_and_method_and_never_by_a_path(parts, name):
    assert widgets.named(*parts) == name and re.fullmatch(r"[\w-]+", name)


@pytest.mark.usefixtures("home")
def test_only_models_that_this_server_can_run_are_offered(monkeypatch):
    weights.release("vgg19")
    assert "compact" in dict(map(reversed, server.models())) and ("vgg19" not in dict(map(reversed, server.models())))
    monkeypatch.setattr(server, "OFFERED", ["vgg19"])
    assert [name for _, name in server.models()] == ["compact", "vgg19"]


def test_every_loss_and_method_has_a_one_sentence_summary():
    for found in (*methods.find().values(), *losses.find().values()):
        assert found.summary[-1] == "." and found.summary.count(". ") == 0 and len(found.summary) < 120
