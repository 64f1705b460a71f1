"""Pictures that the page keeps: written beside a lane, once where they stay the same."""

import asyncio
import threading
from contextlib import aclosing
from pathlib import Path

import pytest
from PIL import Image

from adain_core import images
from ui.serving import kept, lanes


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def picture():
    return Image.new("RGB", (20, 16), "red")


def run(steps):
    async def gather():
        lane = lanes.Lane("test", lanes.Capacity(total=5, each=2))
        async with aclosing(lane.run(steps, "one")) as views:
            return [(view, Path(view).is_file()) async for view in views]

    return asyncio.run(gather())


def test_a_lane_goes_on_while_a_picture_is_written_and_shows_it_when_it_is_there(picture, monkeypatch):
    went_on, save = threading.Event(), images.save

    def slow(*given):
        assert went_on.wait(30)
        save(*given)

    monkeypatch.setattr(images, "save", slow)

    def steps():
        yield kept.keep(picture, "one.png")
        went_on.set()

    ((_, there),) = run(steps())
    assert there


def test_a_picture_that_cannot_be_written_ends_the_run(picture, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images, "save", full)
    with pytest.raises(OSError, match="No space left"):
        run(iter_of(lambda: kept.keep(picture, "one.png")))


def iter_of(make):
    yield make()


def test_a_picture_whose_own_file_goes_is_written(folder, picture):
    picture.save(folder / "own.png")

    def steps():
        with Image.open(folder / "own.png") as image:
            path = kept.keep(image, "one.png")
        (folder / "own.png").unlink()
        yield path

    assert run(steps())[0][1]


def test_the_same_picture_is_written_once(picture, monkeypatch):
    first = kept.keep_once(picture, "photograph.jpg")
    monkeypatch.setattr(images, "save", lambda *_: pytest.fail("written again"))
    assert kept.keep_once(picture.copy(), "photograph.jpg") == first
    monkeypatch.undo()
    assert kept.keep_once(Image.new("RGB", (16, 20), "red"), "photograph.jpg") != first


def test_one_that_was_deleted_is_written_again(picture):
    first = Path(kept.keep_once(picture, "photograph.jpg"))
    first.unlink()
    assert kept.keep_once(picture, "photograph.jpg") == str(first) and first.is_file()
