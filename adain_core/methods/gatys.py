"""Image style transfer by optimization (Gatys, Ecker & Bethge, CVPR 2016; coarse to fine: Gatys et al., CVPR 2017).

Departures from the paper: relu4_1 replaces conv4_2 and relu5_1 is omitted if the networks lack these layers. By
default, Adam optimizes a pyramid of the picture, starting from the photograph, with losses in relative units (see
objective.py), total variation, and the networks' own pooling. The preset `paper` has the paper's losses, L-BFGS on
pixels, start from noise, average pooling, and number of iterations; only the weight of the content loss is ours,
because it depends on the scale of the network's weights.
"""

from __future__ import annotations

from dataclasses import replace

from adain_core.losses import gram
from adain_core.optimization.method import optimizing

GRAM = replace(gram.LOSS, layers=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"))
PAPER = {
    "steps": 500,
    "optimizer": "lbfgs",
    "pyramid": 1,
    "start": "noise",
    "pooling": "average",
    "units": "absolute",
    "reduction": "sum",
    "content_weight": 1e-5,
    "style_weight": 1.0,
    "tv_weight": 0.0,
    "average": 0.0,
    "shifts": 1,
}

METHOD = optimizing(
    lambda _: {GRAM: 1.0},
    name="gatys",
    title="Gatys",
    paper="Gatys, Ecker & Bethge 2016",
    summary="Optimizes the picture until its feature correlations (Gram matrices) match the painting's.",
    presets={"paper": PAPER},
)
