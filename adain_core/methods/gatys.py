"""Image style transfer by optimization (Gatys, Ecker & Bethge, CVPR 2016; coarse to fine: Gatys et al., CVPR 2017).

Departs from the paper: relu4_1 stands for conv4_2 where the networks end there, and relu5_1 is left out where they lack
it. By default Adam moves a pyramid of the picture, from the photograph, under losses in the units of
objective.py, with total variation, and pooling is the networks' own. The preset `paper` has the paper's
losses, L-BFGS, pixels, noise, average pooling and iterations; only the weight of its content loss is ours, since that
depends on how a network's weights are scaled.
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
