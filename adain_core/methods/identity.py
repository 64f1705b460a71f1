"""No transfer: the encoder and the decoder only reconstruct the photograph."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from adain_core.contracts import Method, MethodParams, Steps, Style
from adain_core.feature_space.transfer import TransferParams, transfer
from adain_core.networks.model import Networks


def run(content: Tensor, styles: Sequence[Style], params: MethodParams, networks: Networks) -> Steps:
    """Encode and decode; yields one Step."""
    del styles
    return transfer(content, [], TransferParams(seed=params.seed, alpha=0), networks, lambda x, *_: x)


METHOD = Method(
    name="identity",
    title="Identity",
    paper="none",
    summary="Transfers no style; shows how well the networks reconstruct the photograph.",
    params=MethodParams,
    run=run,
    reconstructs=lambda _: True,
    needs_style=False,
)
