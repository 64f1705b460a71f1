"""Tiny random networks and small pictures, made here."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

from adain_core.compact import CompactDecoder, CompactEncoder
from adain_core.networks import Decoder, Encoder, Networks

settings.register_profile("repeatable", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("repeatable")
torch.set_num_threads(1)  # tiny networks gain nothing from more, and lose much where other programs run

WIDTHS = (4, 6, 8, 10)
LEVELS = ("relu4_1", "relu3_1", "relu2_1")


def make_networks(paper=False, seed=0) -> Networks:
    """Random networks, the compact ones or the paper's, that vary enough to tell one input from another."""
    torch.manual_seed(seed)
    encoder, decoder = (Encoder(WIDTHS), Decoder(WIDTHS)) if paper else (CompactEncoder(WIDTHS), CompactDecoder(WIDTHS))
    for each in (*encoder.modules(), *decoder.modules()):
        if isinstance(each, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(each.weight)
    decoder.conv1_1.weight.data *= 0.2
    decoder.conv1_1.bias.data.fill_(0.5)
    return Networks("tiny", encoder, decoder)


@pytest.fixture
def tiny() -> Networks:
    """Three levels, as the compact model."""
    return make_networks()


@pytest.fixture
def one_level() -> Networks:
    """One level and every layer, as the paper's."""
    return make_networks(paper=True)


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
