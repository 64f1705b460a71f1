"""Sessions that cost little answer as Gradio's own do."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest
from gradio import route_utils, state_holder

from ui.serving import sessions


def in_a_loop(function):
    """Call something that needs an event loop, in a thread: a browser's tests leave one running in this."""
    with ThreadPoolExecutor() as aside:
        return aside.submit(lambda: asyncio.run(function())).result()


@pytest.fixture
def built():
    async def build():
        with sessions.Light() as page:
            outputs = [gr.HTML(), gr.Dropdown(["a"]), gr.State(1), gr.Number(), gr.Image()]
            gr.Button().click(lambda: None, None, outputs)
            gr.Button().click(lambda: None, None, outputs[:1])
        return page

    return in_a_loop(build)


def answer(built, kind, function, values):
    session = sessions.Session(built)

    async def call():
        return await kind.postprocess_data(built, built.fns[function], values, session)

    return in_a_loop(call), session


CHOICES = {"__type__": "update", "choices": ["a", "b"]}


@pytest.mark.parametrize(
    "values",
    [
        (gr.skip(),) * 5,
        ("<p>words</p>", gr.skip(), gr.skip(), gr.skip(), gr.skip()),
        (gr.skip(), CHOICES, 7, 2.5, None),
        ["<p>words</p>", "a", 3, gr.skip(), gr.skip()],
        gr.skip(),
        (gr.components._Keywords.FINISHED_ITERATING,) * 5,
    ],
)
def test_views_are_gradio_s(built, values):
    ours, session = answer(built, sessions.Light, 0, values)
    theirs, other = answer(built, gr.Blocks, 0, values)
    for value in theirs:
        if isinstance(value, dict):
            value.pop("props", None)  # of HTML, in which there is nothing
    assert ours == theirs and session.state_data == other.state_data


def test_views_by_component_and_of_one_output(built):
    html, dropdown, *_ = built.fns[0].outputs
    for function, values in ((0, {html: "words", dropdown: CHOICES}), (1, "words"), (1, gr.skip())):
        assert answer(built, sessions.Light, function, values)[0] == answer(built, gr.Blocks, function, values)[0]


def test_changes_of_a_session_are_its_own(built):
    dropdown = built.fns[0].outputs[1]
    _, session = answer(built, sessions.Light, 0, (gr.skip(), CHOICES, gr.skip(), gr.skip(), gr.skip()))
    assert session[dropdown._id].choices == [("a", "a"), ("b", "b")]
    assert built.blocks[dropdown._id].choices == sessions.Session(built)[dropdown._id].choices == [("a", "a")]
    assert session.config_values == {}


def test_unchanged_blocks_are_not_copied(built, monkeypatch):
    made = []
    monkeypatch.setattr(gr.Image, "__init__", lambda *_, **__: made.append(1))
    answer(built, sessions.Light, 0, ("words", *[gr.skip()] * 4))
    assert not made


@pytest.mark.usefixtures("built")
def test_gradio_makes_them():
    assert state_holder.SessionState is route_utils.SessionState is sessions.Session
