"""The training loop: resuming, Muon, schedules."""

import itertools
import json
import signal

import pytest
import torch
from PIL import Image
from torch import nn

from adain_core.training import loop
from adain_core.training.loop import Settings

CPU = torch.device("cpu")


class Line:
    """A stage that fits a line, so that the loop can be watched."""

    def __init__(self):
        torch.manual_seed(1)
        self.student, self.helpers = nn.Linear(1, 1), nn.Linear(1, 1)

    def groups(self, rate):
        return [{"params": self.student.parameters(), "lr": rate}, {"params": self.helpers.parameters(), "lr": rate}]

    def losses(self, batch, step):
        error = (self.student(batch[0]) + self.helpers(batch[0]) - batch[1]).square().mean()
        return {"at": torch.tensor(float(step)), "total": error}

    def sheet(self, student):  # noqa: ARG002
        return Image.new("RGB", (8, 8))


def lines(steps):
    for step in steps:
        x = torch.linspace(-1, 1, 8)[:, None] * (1 + step % 3)
        yield x, 3 * x - 1


def fit(folder, steps=60, batches=lines, **changed):
    stage, settings = Line(), Settings(**{"steps": steps, "rate": 0.1, "save_every": 20, "average": 0.5} | changed)
    loop.train(stage, batches, settings, settings.model_dump(), folder, CPU, False)
    return {name: x.clone() for name, x in stage.student.state_dict().items()}


def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path):
    whole = fit(tmp_path / "whole")

    def stopped(steps):
        for step, batch in zip(steps, lines(steps), strict=True):
            if step == 33:
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", batches=stopped)
    assert fit(tmp_path / "parts") == whole
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [line["step"] for line in logs[1]] == [25, 50, 60]
    assert logs[0][-1]["total"] == logs[1][-1]["total"] < 0.05 * logs[0][0]["total"]
    for name in ("checkpoint.pt", "weights.safetensors", "losses.png", "samples.jpg"):
        assert (tmp_path / "parts" / name).stat().st_size > 0
    with pytest.raises(ValueError, match="parts holds a run with other settings"):
        fit(tmp_path / "parts", rate=0.2)


@pytest.mark.parametrize("within", ["losses", "step", "average"])
def test_ctrl_c_within_a_step_does_it_wholly_or_not_at_all(tmp_path, monkeypatch, within):
    whole = fit(tmp_path / "whole", steps=30)
    place = {
        "losses": (Line, "losses"),
        "step": (torch.optim.Adam, "step"),
        "average": (torch.optim.swa_utils.AveragedModel, "update_parameters"),
    }[within]
    before, calls = getattr(*place), itertools.count(1)

    def pressed(*given, **named):
        if next(calls) == 17:
            signal.raise_signal(signal.SIGINT)
        return before(*given, **named)

    monkeypatch.setattr(*place, pressed)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "parts", steps=30)
    saved = torch.load(tmp_path / "parts" / "checkpoint.pt", weights_only=True)["step"]
    assert saved == (16 if within == "losses" else 17)
    assert fit(tmp_path / "parts", steps=30) == whole


def test_muon_steps_kernels_orthogonally_and_resumes():
    class Kernel(Line):
        def __init__(self):
            super().__init__()
            self.student = nn.Conv2d(2, 4, 3).to(memory_format=torch.channels_last)

        def losses(self, batch, step):  # noqa: ARG002
            return {
                "total": (self.student(batch[0].expand(1, 2, 8, 8)) - 1).square().mean() + self.helpers.bias.sum() ** 2
            }

    stage, settings = Kernel(), Settings(steps=4, rate=0.01, muon=2, warm_up=0.5)
    optimizers = loop.Optimizers(stage, settings)
    before = stage.student.weight.detach().clone()
    stage.losses((torch.rand(1, 1, 8, 8), None), 0)["total"].backward()
    optimizers.step()
    moved = (stage.student.weight.detach() - before).permute(0, 2, 3, 1).reshape(4, 18)
    values = torch.linalg.svdvals(moved) / (0.002 * 0.2 * 18**0.5)  # the first rate is a tenth
    assert values[0] < 1.6 and values[0] > 0.5  # Newton-Schulz comes that near to 1
    assert stage.student.weight.grad is None and stage.student.bias.grad is None
    again = loop.Optimizers(Kernel(), settings)
    again.load_state_dict(optimizers.state_dict())
    assert [each["lr"] for each in again.each[1].param_groups] == [
        each["lr"] for each in optimizers.each[1].param_groups
    ]


@pytest.mark.parametrize("decay", [0, 0.5])
def test_rates_follow_their_schedule(tmp_path, monkeypatch, decay):
    rates = []
    step = torch.optim.Adam.step
    monkeypatch.setattr(
        torch.optim.Adam,
        "step",
        lambda self, *a, **k: (rates.append(self.param_groups[0]["lr"]), step(self, *a, **k))[1],
    )
    fit(tmp_path, steps=40, decay=decay)
    if decay:
        assert rates == pytest.approx([0.1 / (1 + 0.5 * n) for n in range(40)])
    else:
        assert max(rates) == pytest.approx(0.1, rel=0.05) and rates.index(max(rates)) in (3, 4) and rates[-1] < 0.001
