"""torchvision where its compiled operators don't fit the installed torch.

A CPU build of torch beside a CUDA build of torchvision fails on import, for want of two operators that nothing here
calls. With their names registered, torchvision's Python part works.
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
