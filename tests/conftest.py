"""Tiny random networks and small pictures, made here."""

import asyncio
import gc
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from hub import Hub, make, rows
from huggingface_hub import constants
from hypothesis import settings
from PIL import Image
from xdist.scheduler import LoadScopeScheduling

from adain_core import weights
from adain_core.networks.compact import CompactDecoder, CompactEncoder, Gains
from adain_core.networks.model import Networks
from adain_core.networks.vgg import Decoder, Encoder
from adain_core.weights import hub as client

pytest_plugins = ["browser"]

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("repeatable")
torch.set_num_threads(1)  # tiny networks gain nothing from more, and lose much where other programs run


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]):
    """Mark browser tests and put them last.

    Playwright leaves an event loop running in its thread, where asyncio.run would fail.
    """
    for item in items:
        if "browser" in item.fixturenames:
            item.add_marker("browser")
            item.add_marker(pytest.mark.flaky(reruns=2))  # a busy machine loses a click now and then
    done = yield
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)
    gc.freeze()  # what is imported stays, and the many collections of comparisons need not go through it
    return done


class Scheduling(LoadScopeScheduling):
    """A file's tests go to one worker, with what they share; browser tests one by one, but for those of one window."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        if window := re.search(r"\[(window\d+)-chromium", test):
            return f"{file} {window[1]}"
        return nodeid if re.search(r"[\[-]chromium[\]-]", test) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log):
    return Scheduling(config, log)


WIDTHS = (4, 6, 8, 10)
LEVELS = ("relu4_1", "relu3_1", "relu2_1")


def make_networks(paper=False, seed=0) -> Networks:
    """Random networks, the compact ones or the paper's, that vary enough to tell one input from another."""
    torch.manual_seed(seed)
    encoder, decoder = (Encoder(WIDTHS), Decoder(WIDTHS)) if paper else (CompactEncoder(WIDTHS), CompactDecoder(WIDTHS))
    deepest_first = [each for _, each in sorted(decoder.named_modules(), reverse=True)]
    for each in (*encoder.modules(), *deepest_first):
        if isinstance(each, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(each.weight)
        if isinstance(each, Gains):
            each.spread.fill_(1)
            torch.nn.init.normal_(each.second.weight, std=0.1)
    decoder.conv1_1.weight.data *= 0.2
    decoder.conv1_1.bias.data.fill_(0.5)
    return Networks("tiny", {"encoder": encoder, "decoder": decoder})


@pytest.fixture
def tiny() -> Networks:
    """Three levels, as the compact model."""
    return make_networks()


@pytest.fixture
def one_level() -> Networks:
    """One level and every layer, as the paper's."""
    return make_networks(paper=True)


def within_loop(build):
    """Build something of Gradio's in a running loop, for else Gradio makes one of its own and doesn't close it."""

    async def made():
        return build()

    with ThreadPoolExecutor() as aside:  # a browser's tests leave a loop running in this thread
        return aside.submit(lambda: asyncio.run(made())).result()


def picture(width: int, height: int, seed: int) -> Image.Image:
    """Smooth colors with a little noise, so that every channel varies."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
    noisy = smooth + rng.integers(-20, 21, smooth.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.fixture
def photo() -> Image.Image:
    return picture(45, 37, seed=1)


@pytest.fixture
def painting() -> Image.Image:
    return picture(40, 33, seed=2)


@pytest.fixture
def shared() -> Path:
    folder = Path(os.environ.get("ADAIN_SHARED", Path(__file__).parents[2] / "shared"))
    if not (folder / "weights").is_dir():
        pytest.skip("the full-size weights of shared/ are not here")
    return folder / "weights"


@pytest.fixture
def shipped_pair() -> tuple[Path, Path]:
    examples = Path(__file__).parents[1] / "examples"
    return examples / "photos" / "tiger.jpg", examples / "styles" / "night_river.jpg"


def isolate(home: Path, patch: pytest.MonkeyPatch) -> None:
    """Make a folder the HF_HOME of this process and those that it starts, without any of the user's settings."""
    patch.setenv("HF_HOME", str(home))
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_HUB_OFFLINE", "ADAIN_WEIGHTS"):
        patch.delenv(name, raising=False)
    folders = {"HF_ASSETS_CACHE": "assets", "HF_HUB_CACHE": "hub", "HF_TOKEN_PATH": "token"}
    for name, folder in {**folders, "AGENT_HARNESSES_PATH": "harnesses"}.items():
        patch.setattr(constants, name, str(home / folder))


@pytest.fixture(autouse=True, scope="session")
def nobodys_cache(tmp_path_factory):
    """What the machine's user has fetched or set changes no test, and no test changes it."""
    with pytest.MonkeyPatch.context() as patch:
        isolate(tmp_path_factory.mktemp("nobodys"), patch)
        patch.setenv("OMP_NUM_THREADS", "1")  # one core for every process that a test starts
        yield


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    """An HF_HOME that isn't there yet."""
    isolate(tmp_path / "home", monkeypatch)
    return tmp_path / "home"


@pytest.fixture
def served(tmp_path) -> Path:
    (tmp_path / "served").mkdir()
    return tmp_path / "served"


@pytest.fixture
def states(served) -> dict[str, dict]:
    """What the files of the small Hub hold."""
    return make(served)


@pytest.fixture
def hub(home, served, states, monkeypatch):
    """The small Hub, and a table of weights that knows its files; time-outs and waits are short."""
    assert not home.exists() and states
    server = Hub(served)
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    template = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_ETAG_TIMEOUT", 1.0)
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.3)
    monkeypatch.setattr(client, "WAIT", 0)
    monkeypatch.setattr(client, "RETRIES", 2)
    for name, row in rows(served, server.other).items():
        monkeypatch.setitem(weights.MODELS, name, row)
    weights._loaded.clear()
    yield server
    weights._loaded.clear()
    huggingface_hub.close_session()
    server.close()
