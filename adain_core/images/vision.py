"""torchvision, even if its compiled operators do not match the installed torch.

A CUDA build of torchvision fails to import next to a CPU build of torch, because two operators are missing that nothing
here calls. Once their names are registered, the Python part of torchvision works.
"""

from __future__ import annotations

import sys

import torch

try:
    from torchvision.utils import make_grid
except RuntimeError as error:
    if "torchvision::nms does not exist" not in str(error):
        raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    _library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]  # the names live as long as this object
    for _operator in ("nms", "qnms"):
        _library.define(f"{_operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")  # type: ignore[no-untyped-call]
    from torchvision.utils import make_grid

__all__ = ["make_grid"]
