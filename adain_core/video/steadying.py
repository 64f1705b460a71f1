"""Steadying a method that stylizes each frame by itself, against flicker. Each stage can be switched off.

- Locking: a network that samples a picture on a grid paints differently when the picture moves by less than the grid's
  step. The frame is shifted so that the grid moves along with the picture as a whole, and shifted back afterward.
- Blending: the last output is warped along the optical flow and blended into the new one, where the flow is trusted and
  the frame's colors have not changed:

      out_t = y_t + s m_t (warp(out_{t-1}) - y_t)

  for a stylized frame y_t, the strength s, and the map m_t (`Motion.alike`).
- Sharpening: repeated blending softens fine strokes. The fine part of out_t is amplified to y_t's energy around each
  place; the next frame is blended with out_t as it was before.
- Carrying: AdaIN normalizes the photograph's features by their mean and standard deviation, which change a little from
  frame to frame. Their exponential moving average, which begins anew at a cut, takes their place. It is off by default,
  because `benchmarks.video` finds no gain.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from adain_core.contracts import Params
from adain_core.motion import flow
from adain_core.motion.flow import Floats, Frame, Motion
from adain_core.networks.cache import Encoding
from adain_core.networks.model import Networks
from adain_core.normalization import Statistics

GRID = 8  # pixels between the samples of the networks' deepest features
MEMORY = 0.9  # decay of the average of statistics at full strength
FINE = 1.5  # pixels, standard deviation of the Gaussian that separates fine from coarse
AROUND = 8.0  # pixels, standard deviation of the window in which energies are compared
MOST = 3.0  # the fine part is amplified at most so much
TINY = 1e-6


class SteadyParams(Params):
    """How to keep a video from flickering."""

    steady: float = Field(
        0.5, ge=0, le=1, title="Steadiness", description="0 stylizes every frame by itself; higher flickers less."
    )
    lock: bool = Field(
        True, title="Lock to the motion", description="Move the network's sampling grid along with the picture."
    )
    blend: bool = Field(
        True, title="Blend along the motion", description="Blend in the last frame, moved as the picture moves."
    )
    sharpen: bool = Field(True, title="Sharpen", description="Give back the fine strokes that blending softens.")
    carry: bool = Field(
        False, title="Carry statistics", description="Average the photograph's feature statistics over time, for AdaIN."
    )


class Carrying(Networks):
    """Networks that see the content of a video with statistics averaged over time.

    Args:
        networks: their parts are shared.
    """

    def __init__(self, networks: Networks) -> None:
        self.__dict__.update(copy.copy(networks.__dict__))
        self._average: Mapping[str, Statistics] | None = None
        self._share = 0.0
        self._expected = False

    def expect(self, share: float) -> None:
        """Announce a frame: the next picture to encode is its content, and `share` the part of the past to keep."""
        self._share, self._expected = share, True

    def encode(self, image: Tensor) -> Encoding:
        """Return a picture's features with its statistics, or if it is a frame, with their average."""
        found = super().encode(image)
        if not self._expected:
            return found
        self._expected = False
        own, past = found.statistics, self._average
        if past is not None and self._share:
            own = {
                layer: Statistics(*(new.lerp(old, self._share) for new, old in zip(each, past[layer], strict=True)))
                for layer, each in own.items()
            }
        self._average = own
        averaged = Encoding(found.features)
        averaged.__dict__["statistics"] = own  # as its cached property does
        return averaged


class Steady:
    """The state that one frame of a video leaves for the next.

    Args:
        params: strength and stages.
        networks: networks of the method.
        grid: pixels between the samples of the networks' deepest features, in the frames.

    Attributes:
        networks: the networks to stylize frames with.
        motion: how the latest frame follows from the one before; None for the first one.
        moved: how far the picture as a whole has moved since the latest cut, in pixels, [2].
    """

    def __init__(self, params: SteadyParams, networks: Networks, grid: float = GRID) -> None:
        self.params = params
        self._carrying = Carrying(networks) if params.steady and params.carry else None
        self.networks: Networks = self._carrying or networks
        self.motion: Motion | None = None
        self._grid, self._room = grid, math.ceil(grid) if params.steady and params.lock else 0
        self.moved = np.zeros(2)
        self._frame: Frame | None = None
        self._made: Floats | None = None

    def begin(self, frame: Frame) -> None:
        """Announce the next frame, [H,W,3] in RGB, before it is stylized."""
        self.motion = flow.between(frame, self._frame) if self.params.steady and self._frame is not None else None
        self._frame = frame
        follows = self.motion is not None and not self.motion.cut
        if self.motion is None or not follows:
            self.moved = np.zeros(2)
        else:
            self.moved -= np.median(self.motion.flow[self.motion.seen > 0], 0)
        if self._carrying is not None:
            self._carrying.expect(MEMORY * self.params.steady if follows else 0.0)

    def shift(self, image: NDArray[Any]) -> NDArray[Any]:
        """Return the announced frame, or a mask of its size, [H,W] or [H,W,3], as it is to be stylized."""
        if not self._room:
            return image
        left, top = self._offset()
        rest = self._room - top, self._room - left
        return cv2.copyMakeBorder(image, top, rest[0], left, rest[1], cv2.BORDER_REFLECT_101)

    def finish(self, made: Frame) -> Frame:
        """Return the announced frame's output, given the stylized frame in the shape that `shift` returned."""
        height, width = made.shape[0] - self._room, made.shape[1] - self._room
        left, top = self._offset() if self._room else (0, 0)
        now = made[top : top + height, left : left + width].astype(np.float32) / np.float32(255)
        found, motion = now, self.motion
        if self.params.blend and motion is not None and not motion.cut and self._made is not None:
            share = (self.params.steady * motion.alike)[..., None]
            found = now + share * (flow.warp(self._made, motion.flow).clip(0, 1) - now)
        self._made = found
        if self.params.sharpen and found is not now:
            found = sharpened(found, now)
        return np.asarray(np.rint(255 * found.clip(0, 1)), np.uint8)

    def resume(self, frame: Frame, made: Frame, moved: Sequence[float]) -> None:
        """Continue after a frame and its output, [H,W,3] in RGB, and how far the picture had moved."""
        self.moved = np.array(moved)
        self._frame, self._made = frame, made.astype(np.float32) / np.float32(255)

    def _offset(self) -> tuple[int, int]:
        """Return the shift to the right and down that puts the picture where it was on the grid."""
        left, top = np.rint(-self.moved % self._grid).astype(int) % self._room
        return int(left), int(top)


def sharpened(soft: Floats, model: Floats) -> Floats:
    """Amplify the fine part of a picture to a model's energy around each place, both [H,W,C]."""
    fine, goal = (each - cv2.GaussianBlur(each, (0, 0), FINE) for each in (soft, model))
    own, wanted = (cv2.GaussianBlur(np.square(each).mean(-1), (0, 0), AROUND) for each in (fine, goal))
    gain = np.sqrt((wanted + TINY) / (own + TINY)).clip(1, MOST)
    return np.asarray(soft + (gain - 1)[..., None] * fine, np.float32)
