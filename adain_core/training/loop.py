"""The training loop: steps, averaged weights, checkpoints, and a log, plot, and sheet of samples along the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from PIL import Image
from pydantic import Field
from safetensors.torch import save as to_bytes
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from adain_core import images
from adain_core.contracts import Params
from adain_core.system import console, files

CHECKPOINT = "checkpoint.pt"
WRITTEN = ("weights.safetensors", "log.jsonl", "losses.png", "samples.jpg")
Batch = tuple[Tensor, Tensor]  # content and style crops, [N,3,H,W] each, RGB in [0,1], or uint8 before `move`


class Schedule(Params):
    """How long and how fast to train."""

    steps: int = Field(4000, ge=1, le=10_000_000, description="Total steps, including those before a resume.")
    batch: int = Field(4, ge=1, le=1024, description="Content crops per step, and as many style crops.")
    size: int = Field(128, ge=32, le=1024, description="Side of a crop, in pixels.")
    rate: float = Field(1e-3, gt=0, le=1, description="Adam's learning rate: the peak of the one-cycle schedule.")
    decay: float = Field(0.0, ge=0, le=1, description="Rate decay, 1 / (1 + decay * step); 0 for a one-cycle schedule.")
    average: float = Field(
        0.998, ge=0, lt=1, description="Decay of the weights' moving average, which is what is saved."
    )
    warm_up: float = Field(0.1, gt=0, lt=1, description="Share of the one-cycle schedule spent warming up.")
    muon: float = Field(0.0, ge=0, le=100, description="Muon's rate for kernels, relative to Adam's; 0 for Adam alone.")
    save_every: int = Field(500, ge=1, le=1_000_000, description="Steps between checkpoints.")
    fused: bool = Field(False, description="Compile the networks with torch.compile, which pays off on a GPU.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Random seed of weights, crops and pairs.")


class Settings(Schedule):
    """The same, and how crops are drawn."""

    smallest: float = Field(0.5, gt=0, le=8, description="Smallest scale of a crop relative to its picture.")
    largest: float = Field(2.5, gt=0, le=8, description="Largest scale of a crop relative to its picture.")
    sharp: float = Field(0.0, ge=0, le=1, description="Share of crops at their picture's original scale.")
    varied: float = Field(0.15, ge=0, le=1, description="Share of crops made gray, dark, flat and so on.")


class Stage(Protocol):
    """What the loop needs from a stage of training."""

    student: Any  # trained, averaged, and saved
    helpers: Any  # trained along with it, saved only in checkpoints

    def groups(self, rate: float) -> list[dict[str, Any]]:
        """Return parameter groups with their learning rates, in the form torch's optimizers take."""

    def losses(self, batch: Batch, step: int) -> Mapping[str, Tensor]:
        """Return the losses to log; `total` is the one to minimize."""

    def sheet(self, student: Any) -> Image.Image:
        """Draw samples made with the averaged weights."""


class Optimizers:
    """Adam, and optionally Muon for convolutions, with their schedules; gradients are clipped to norm 1.

    Muon (Jordan et al. 2024) orthogonalizes the update of each kernel, viewed as a matrix [outputs, inputs x 3 x 3],
    which speeds up the training of networks without normalization. torch's implementation accepts only matrices, so it
    gets views of the kernels.
    """

    def __init__(self, stage: Stage, settings: Schedule) -> None:
        self.parameters: list[Tensor] = []
        self.views: list[tuple[Tensor, Tensor]] = []  # a kernel, and a matrix that shares its memory
        kernels = {id(each.weight) for each in stage.student.modules() if getattr(each, "kernel_size", 0) == (3, 3)}
        adam, muon = [], []
        for group in stage.groups(settings.rate):
            parameters = list(group["params"])
            self.parameters += parameters
            chosen = [each for each in parameters if settings.muon and id(each) in kernels]
            rest = [each for each in parameters if not settings.muon or id(each) not in kernels]
            views = [nn.Parameter(_matrix(each.data)) for each in chosen]
            assert all(a.data_ptr() == b.data_ptr() for a, b in zip(chosen, views, strict=True)), "not channels_last"
            self.views += zip(chosen, views, strict=True)
            if rest:
                adam.append({"params": rest, "lr": group["lr"]})
            if views:
                muon.append({"params": views, "lr": settings.muon * group["lr"]})
        self.each: list[torch.optim.Optimizer] = []
        if adam:
            self.each.append(torch.optim.Adam(adam, betas=(0.9, 0.999 if settings.decay else 0.99), fused=True))
        if muon:
            self.each.append(torch.optim.Muon(muon, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"))
        self.parts: list[Any] = [*self.each, *(_schedule(each, settings) for each in self.each)]

    def step(self) -> None:
        """Take a step with the gradients, then clear them."""
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for kernel, view in self.views:
            view.grad = None if kernel.grad is None else _matrix(kernel.grad)
        for each in self.parts:
            each.step()
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return the state of every optimizer and schedule."""
        return {"states": [each.state_dict() for each in self.parts]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the state of every optimizer and schedule."""
        for each, saved in zip(self.parts, state["states"], strict=True):
            each.load_state_dict(saved)


def _matrix(kernel: Tensor) -> Tensor:
    """View a kernel as a matrix, [O,I,3,3] -> [O,9I]; memory is shared if the kernel is channels_last."""
    return kernel.permute(0, 2, 3, 1).flatten(1)


def _schedule(optimizer: torch.optim.Optimizer, settings: Schedule) -> LRScheduler:
    if settings.decay:
        return LambdaLR(optimizer, lambda step: 1 / (1 + settings.decay * step))
    highest = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(
        optimizer,
        highest,
        settings.steps + 1,
        pct_start=settings.warm_up,
        div_factor=10,
        final_div_factor=100,
        cycle_momentum=False,
    )


def check(output: Path, record: Mapping[str, object]) -> None:
    """Check, before anything is computed, that a folder can hold this run, whether it is new or being resumed.

    Raises:
        ValueError: the folder holds a run with other settings, or files named in WRITTEN without a checkpoint.
        OSError: the folder can't be written to.
    """
    files.check_folder(output)
    if (output / CHECKPOINT).exists():
        try:
            kept = torch.load(output / CHECKPOINT, map_location="cpu", weights_only=True)["record"]
        except Exception:  # damaged bytes can make torch raise anything
            raise ValueError(f"{files.shown(output / CHECKPOINT)} is not a run's checkpoint, or is damaged.") from None
        if kept != record:
            raise ValueError(
                f"{files.shown(output)} holds a run with other settings; choose another folder, or the same settings."
            )
    elif there := [name for name in WRITTEN if (output / name).exists()]:
        raise ValueError(f"{files.shown(output)} already holds {there[0]}, but no checkpoint; choose another folder.")


def train(
    stage: Stage,
    batches: Callable[[range], Iterable[Batch]],
    settings: Schedule,
    record: Mapping[str, object],
    output: Path,
    device: torch.device,
    bf16: bool,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Train a stage, or resume from the checkpoint in `output`.

    Args:
        stage: the stage to train, with its networks on `device`.
        batches: called with the range of remaining steps; yields a batch for each.
        settings: how long and how fast to train.
        record: everything the run depends on; a checkpoint with a different record is refused.
        output: folder for CHECKPOINT and the files named in WRITTEN.
        device: device of the stage's networks.
        bf16: whether convolutions run in bfloat16.
        metadata: metadata of weights.safetensors.

    Raises:
        ValueError: see `check`.
        OSError: see `check`.
    """
    check(output, record)
    output.mkdir(parents=True, exist_ok=True)
    optimizers = Optimizers(stage, settings)
    average = AveragedModel(
        stage.student,
        multi_avg_fn=get_ema_multi_avg_fn(settings.average),  # type: ignore[no-untyped-call]
    )
    kept = {
        "student": stage.student,
        "helpers": stage.helpers,
        "average": average,
        "optimizers": optimizers,
    }
    first, before = 0, 0.0
    if (checkpoint := output / CHECKPOINT).exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        for name, part in kept.items():
            part.load_state_dict(saved[name])
        first, before = saved["step"], saved["seconds"]
    log = output / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if first else []
    lines = [line for line in lines if line["step"] <= first]
    start, recent = time.monotonic(), list[dict[str, Tensor]]()

    def save(step: int) -> None:
        state = {name: part.state_dict() for name, part in kept.items()}
        state |= {"record": record, "step": step, "seconds": before + time.monotonic() - start}
        with files.replacing(checkpoint) as temporary:
            torch.save(state, temporary)
        weights = {name: tensor.contiguous().cpu() for name, tensor in average.module.state_dict().items()}
        files.write(output / "weights.safetensors", to_bytes(weights, dict(metadata or {})))
        files.write(log, "".join(json.dumps(line) + "\n" for line in lines).encode())
        plot(lines, output / "losses.png")
        images.save(stage.sheet(average.module), output / "samples.jpg")

    step = first
    try:
        progress = tqdm(batches(range(first, settings.steps)), initial=first, total=settings.steps, mininterval=5)
        for number, batch in enumerate(progress, start=first + 1):
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                losses = stage.losses(move(batch, device), number)
            losses["total"].backward()  # type: ignore[no-untyped-call]
            with console.uninterrupted():
                optimizers.step()
                average.update_parameters(stage.student)
                recent.append({name: value.detach() for name, value in losses.items()})
                step = number
            if step % 25 == 0 or step == settings.steps:
                means = {name: float(torch.stack([each[name] for each in recent]).mean()) for name in recent[0]}
                recent.clear()
                seconds = before + time.monotonic() - start
                lines.append({"step": step, "seconds": round(seconds, 1), **{k: round(v, 5) for k, v in means.items()}})
                progress.set_postfix({name: f"{value:.3g}" for name, value in means.items()}, refresh=False)
            if step % settings.save_every == 0 and step < settings.steps:
                save(step)
    finally:  # also on Ctrl-C
        if step > first:
            save(step)


def move(batch: Batch, device: torch.device) -> Batch:
    """Move a uint8 batch to a device and scale it to RGB in [0,1]."""
    photos, paintings = (each.to(device, non_blocking=True) / 255 for each in batch)
    return photos, paintings


def plot(lines: Iterable[Mapping[str, float]], path: Path) -> None:
    """Plot every loss over the steps on a logarithmic scale."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    lines = list(lines)
    figure, axes = plt.subplots(figsize=(8, 5))
    for name in [name for name in (lines[-1] if lines else {}) if name not in ("step", "seconds")]:
        axes.plot([line["step"] for line in lines], [line[name] for line in lines], label=name)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    if lines:
        axes.legend(ncols=3, fontsize="small")
    with files.replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
    plt.close(figure)


def samples_sheet(samples: tuple[Tensor, Tensor], makers: Sequence[Callable[[Tensor, Tensor], Tensor]]) -> Image.Image:
    """Draw a grid with the styles along the top, the photographs on the left, and a row per photograph and maker."""
    photos, paintings = samples
    cells = [torch.ones_like(photos[:1]), *paintings.chunk(len(paintings))]
    for photo in photos.chunk(len(photos)):
        for make in makers:
            cells += [photo, *make(photo.expand_as(paintings), paintings).float().clamp(0, 1).chunk(len(paintings))]
    pictures = [images.to_image(each.cpu()) for each in cells]
    return images.sheet(pictures, columns=1 + len(paintings), side=photos.shape[-1])
