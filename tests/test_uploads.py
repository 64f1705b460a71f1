"""What a visitor's file may be: every function and every input is asked for files that aren't the visitor's."""

import asyncio
import inspect
import itertools
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import gradio as gr
import httpx
import pytest
from browser import ROOT
from conftest import picture
from gradio.state_holder import SessionState

import app
from adain_core import images
from adain_core.images import labels, opening, saving
from ui.serving import guard
from ui.serving.page import checked
from ui.serving.uploads import REFUSED, Canvas, SafeImage

META = {"meta": {"_type": "gradio.FileData"}}
SHAPES = {  # how a request may name a file
    "dictionary": lambda path: {"path": path},
    "with meta": lambda path: {"path": path, **META},
    "with address": lambda path: {"path": path, "url": f"/gradio_api/file={path}", "orig_name": "a.png", **META},
    "stream": lambda path: {"path": path, "is_stream": True, **META},
    "list": lambda path: [{"path": path, **META}],
    "list without meta": lambda path: [{"path": path}],
    "canvas": lambda path: {"background": None, "layers": [{"path": path}], "composite": {"path": path, **META}},
    "gallery": lambda path: [{"image": {"path": path, **META}, "caption": None}],
    "inside": lambda path: {"value": [{"a": {"path": path}}], "__type__": "update"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The upload folder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("uploads")
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def built(folder):
    async def build():
        return app.build()

    with ThreadPoolExecutor() as aside:  # a browser's tests leave a loop running in this thread
        built = aside.submit(lambda: asyncio.run(build())).result()
    yield built
    assert folder.is_dir()


@pytest.fixture(scope="module")
def uploaded(folder):
    (folder / "a").mkdir()
    picture(20, 20, 1).save(folder / "a" / "photo.png")
    return folder / "a" / "photo.png"


@pytest.fixture(scope="module")
def strange(folder, uploaded, tmp_path_factory):
    """What is none of the visitor's files, in every form that a path may have."""
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    picture(20, 20, 2).save(outside)
    (folder / "link.png").symlink_to(outside)
    (folder / "linked").symlink_to(outside.parent)
    os.mkfifo(folder / "pipe")
    return {
        "a picture": str(outside),
        "a file that isn't there": str(outside.with_name("none.png")),
        "one that is no picture": __file__,
        "a folder": str(outside.parent),
        "a folder of uploads": str(uploaded.parent),
        "an upload that isn't there": str(uploaded.with_name("none.png")),
        "a way out": f"{folder}/a/../../{outside.parent.name}/secret.png",
        "a relative path": os.path.relpath(outside),
        "a link": str(folder / "link.png"),
        "a linked folder": str(folder / "linked" / "secret.png"),
        "a pipe": str(folder / "pipe"),
        "an address of it": f"http://127.0.0.1:7860/gradio_api/file={outside}",
        "an address elsewhere": "http://127.0.0.1:9/a.png",
        "a file's address": f"file://{outside}",
        "an address that is none": "http://[",
        "nothing": "",
        "zero": f"{uploaded}\0",
        "too long": "/a" * 5000,
        "a number": 0,
    }


def inputs(built):
    """Every input of every function that a request may fill: the function, its place, and what the page sends."""
    for function in built.fns.values():
        blocks = [*function.inputs]
        sent = [None if block.stateful else block.get_config().get("value") for block in blocks]
        for place, block in enumerate(blocks):
            if not block.stateful:
                yield function, place, block, sent


def refusal(built, function, sent, state=None) -> str | None:
    try:
        asyncio.run(built.preprocess_data(function, sent, state))
    except gr.Error as error:
        assert not error.print_exception
        return error.message
    return None


def test_no_input_of_any_function_takes_a_file_from_elsewhere(built, strange):
    """Hidden inputs too. Whether the file exists can't be told."""
    found = [*inputs(built)]
    assert len(found) > 500 and {"Canvas", "SafeImage", "DownloadButton"} <= {type(each[2]).__name__ for each in found}
    ways = itertools.cycle(itertools.product(strange.items(), SHAPES.items()))  # 19 by 9, so all inputs see all soon
    with ThreadPoolExecutor(1) as aside:
        for (function, place, block, sent), ((name, path), (shape, make)) in zip(found, ways, strict=False):
            given = [*sent[:place], make(path), *sent[place + 1 :]]
            words = aside.submit(refusal, built, function, given).result()
            assert words == REFUSED, (function.name, block.label, name, shape)


def test_no_kind_of_input_takes_one_in_any_way(built, strange):
    kinds = {type(block): block for _, _, block, _ in inputs(built)}
    assert len(kinds) > 10
    for block, path, make in itertools.product(kinds.values(), strange.values(), SHAPES.values()):
        with pytest.raises(gr.Error, match=REFUSED):
            checked(make(path), block, "It")
    for block, path in itertools.product(kinds.values(), strange.values()):
        if block.data_model is not None and path != 0 and not isinstance(block, gr.JSON):
            with pytest.raises(gr.Error, match=REFUSED):
                checked(path, block, "It")


@pytest.mark.parametrize("shape", ["dictionary", "with meta", "with address", "stream"])
@pytest.mark.parametrize("address", [False, True])
def test_an_upload_is_taken(built, uploaded, shape, address):
    path = f"http://127.0.0.1:7860/gradio_api/file={uploaded}" if address else str(uploaded)
    function = next(each for each in built.fns.values() if each.name == "_take")
    sent = SHAPES[shape](path)
    with ThreadPoolExecutor(1) as aside:
        state = SessionState(built)
        taken = aside.submit(lambda: asyncio.run(built.preprocess_data(function, [sent, 1], state))).result()
    assert taken == [str(uploaded), 1]


def test_a_visitors_later_values_are_checked_against_what_the_page_shows_by_then(built):
    """A component's new choices count; a State's value isn't taken for its component."""
    function = next(each for each in built.fns.values() if each.name == "two")  # Compare: any two pictures
    paths, one, other = function.inputs
    state = SessionState(built)
    state[paths._id] = {"New": "/new.png"}
    sent = [None, "New", other.value]
    with ThreadPoolExecutor(1) as aside:
        assert aside.submit(refusal, built, function, sent, state).result().startswith("One picture is 'New', but")
        state[one._id] = gr.Dropdown(["New"], label=one.label, render=False)
        assert aside.submit(refusal, built, function, sent, state).result() is None
        sent[1] = one.value
        assert " must be one of New." in aside.submit(refusal, built, function, sent, state).result()


def test_nothing_that_the_page_sends_is_refused_in_a_later_run(built):
    """By then, the visitor's session holds the value of every State."""
    state = SessionState(built)
    with ThreadPoolExecutor(1) as aside:
        for function in built.fns.values():
            for block in filter(lambda block: block.stateful, function.inputs):
                state[block._id] = block.value
            sent = [None if block.stateful else block.get_config().get("value") for block in function.inputs]
            assert aside.submit(refusal, built, function, sent, state).result() is None, function.name


def test_the_pages_initial_pictures_are_accepted(built):
    for _, place, block, sent in inputs(built):
        assert (checked(sent[place], block, "It") is None) == (sent[place] is None)


def test_a_server_shows_none_of_its_files(url):
    """The requests by which everything in the working folder could be read."""
    paths = [str(ROOT / "app.py"), ".git/config", "app.py", "/etc/hostname", "/etc/there-is-none"]
    with httpx.Client(base_url=f"{url}gradio_api/") as client:
        config = client.get(f"{url}config").json()
        saves = [each["id"] for each in config["dependencies"] if each["api_name"].startswith("saved")]
        assert len(saves) == 5
        for index, path in itertools.product(saves, paths):
            body = {"fn_index": index, "data": [None, {"path": path}, None], "session_hash": "x"}
            answer = client.post("run/predict", json=body)
            assert answer.json()["error"] == REFUSED
            assert client.get(f"file={path}").status_code == 403


class TestLooks:
    """What looks at an upload, or at a painting once the brush rests, is no run, and decodes in a lane."""

    @pytest.fixture
    def looks(self, built):
        """The page's functions that take files and don't go through Gradio's queue."""
        files = (SafeImage, Canvas, gr.UploadButton)
        found = [each for each in built.fns.values() if each.fn and not each.queue]
        return [each for each in found if any(isinstance(block, files) for block in each.inputs)]

    def test_they_are_no_runs_of_the_rate_limit(self, looks):
        names = {each.fn.__qualname__ for each in looks}
        assert {"_take", "picture.<locals>.take", "_update", "_load_map", "_load_masks"} <= names
        assert not guard.RUN.search("/gradio_api/run/predict") and guard.RUN.search("/gradio_api/queue/join")

    def test_no_file_is_decoded_outside_a_lane(self, looks, uploaded, monkeypatch):
        threads: list[str] = []
        opened = opening.opened

        def watched(*given, **named):
            threads.append(threading.current_thread().name)
            return opened(*given, **named)

        for module in (images, labels, saving):
            monkeypatch.setattr(module, "opened", watched)

        def value(block):
            if isinstance(block, Canvas):
                return []
            if isinstance(block, gr.UploadButton):
                return [str(uploaded)] if block.file_count == "multiple" else str(uploaded)
            takes = isinstance(block, SafeImage) or (isinstance(block, gr.State) and isinstance(block.value, str))
            return str(uploaded) if takes else block.value

        async def call(each):
            with suppress(gr.Error):
                answer = each.fn(*map(value, each.inputs))
                await answer if inspect.isawaitable(answer) else None

        with ThreadPoolExecutor() as aside:  # as above
            for each in looks:
                before = len(threads)
                aside.submit(lambda each=each: asyncio.run(call(each))).result()
                assert len(threads) > before or each.fn.__name__ == "_update", each.fn
        assert {*threads} <= {"upload checks", "short runs"}
