"""What values the page and the endpoints accept."""

import io

import gradio as gr
import httpx
import pytest
from PIL import Image

from ui.serving.uploads import SafeImage
from ui.serving.values import unmet


@pytest.mark.parametrize(
    ("setting", "right", "wrong"),
    [
        (gr.Slider(0, 1), 0.5, [2, -0.1, "0.5", True, None, float("nan"), 10**400, [0]]),
        (gr.Number(minimum=1), 10**9, [0, "5", None]),
        (gr.Radio([("256 px", 256), ("512 px", 512)]), 256, [8192, "256", 256.0, None, {}]),
        (gr.Dropdown(["off", "match"], value="off"), "match", ["none", 1, ["off"], None]),
        (gr.CheckboxGroup(["adain", "gatys"]), ["gatys"], ["gatys", ["none"], [[]], None]),
        (gr.Checkbox(), False, [0, "false", None]),
        (SafeImage(), {"path": "a.png"}, [5, [], True]),
        (gr.Textbox(max_length=5), "relu", ["relu4_1", 5, None]),
    ],
)
def test_only_what_fits_is_accepted(setting, right, wrong):
    assert not unmet(setting, right) and all(unmet(setting, value) for value in wrong)


@pytest.fixture(scope="module")
def client(url):
    with httpx.Client(base_url=f"{url}gradio_api/", timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def file(client):
    stream = io.BytesIO()
    Image.new("RGB", (32, 32)).save(stream, "PNG")
    (path,) = client.post("upload", files={"files": ("a.png", stream.getvalue())}).json()
    return {"path": path}


@pytest.fixture
def call(client):
    def call(name, given):
        event = client.post(f"call/v2/{name}", json=given).json()["event_id"]
        return client.get(f"call/{name}/{event}").text

    return call


class TestEndpoints:
    """An endpoint's refusal names the parameter and says what it takes."""

    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("size", "64", "size is '64', but it must be a number."),
            ("size", None, "size is missing, but it must be a number."),
            ("size", True, "size is True, but it must be a number."),
            ("size", [1], "size is [1], but it must be a number."),
            ("size", 10**400, f"size is 1{'0' * 39}, but it must be a number."),
            ("size", 63, "size is 63, but it must be from 64 to 8192."),
            ("alpha", 1.5, "alpha is 1.5, but it must be from 0 to 1."),
            ("share_1", -1, "share_1 is -1, but it must be from 0 to 1."),
            ("color", ["off"], "color is ['off'], but it must be one of off, match,"),
            ("color", None, "color is missing, but it must be one of off, match,"),
            ("method", "x" * 50, f"method is '{'x' * 39}, but it must be one of adain, adamean,"),
            ("style_2", 5, "style_2 is 5, but it must be an uploaded picture."),
            ("options", "fast", "options must map names to values"),
        ],
        ids=lambda each: f"{each!r:.40}",
    )
    def test_a_value_must_fit(self, call, file, name, value, sentence):
        assert sentence in call("stylize", {"content": file, "style": file, name: value})

    def test_what_is_missing_is_named(self, call, file):
        found = call("regions", {"content": None, "label_map": file})
        assert "Content: This picture is missing; give one." in found
        found = call("regions", {"content": file, "label_map": None})
        assert "Label map: This picture is missing; give one." in found

    @pytest.mark.parametrize(
        ("value", "sentence"),
        [
            (None, "methods is missing, but it must be a list."),
            ("adain", "methods is 'adain', but it must be a list."),
            (["nope"], "methods is ['nope'], but it must be a list of adain, adamean,"),
        ],
    )
    def test_a_list_must_be_one(self, call, value, sentence):
        assert sentence in call("compare", {"content": None, "style": None, "methods": value})
