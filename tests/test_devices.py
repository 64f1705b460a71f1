"""Memory that runs out, said in a sentence, and clocks that wait for a GPU. No GPU is needed."""

import types

import comparisons
import pytest
import torch
from comparisons import last, make, run

from adain_core import stylize, weights
from adain_core.contracts import SizeError, Stopwatch
from adain_core.evaluation.judge import Judge
from adain_core.evaluation.meter import Meter
from adain_core.methods import wct
from adain_core.system import console, machine

ours = comparisons.ours
HOST = "The memory ran out; choose a smaller size, or close other programs."
GPU = "The GPU ran out of memory; choose a smaller size, or run on the CPU."
CUDA = (
    "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1.00 GiB is free."
)


def too_much(*_given, **_named):
    """Ask for a petabyte, which no machine has."""
    return torch.empty(2**50)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), HOST),
        (torch.OutOfMemoryError(CUDA), GPU),
        (RuntimeError("MPS backend out of memory (MPS allocated: 17.5 GB, other allocations: 1 GB)."), GPU),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), GPU),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), None),
        (RuntimeError("The size of tensor a (3) must match the size of tensor b (4)"), None),
    ],
)
def test_errors_that_mean_too_little_memory(error, words):
    assert machine.shortage(error) == words


def test_torchs_own_error_is_known():
    with pytest.raises(RuntimeError) as error:
        too_much()
    assert machine.shortage(error.value) == HOST


def test_a_command_ends_in_one_sentence(capsys):
    with pytest.raises(SystemExit) as stop:
        console.run(too_much)
    assert stop.value.code == console.FAILED and capsys.readouterr().err == f"adain: {HOST}\n"

    def broken(**_named):
        raise RuntimeError("something else")

    with pytest.raises(RuntimeError, match="something else"):
        console.run(broken)


def test_a_comparison_says_so_in_the_methods_cell_and_goes_on(ours, tiny, caplog):
    ours["hungry"] = make("hungry", lambda *_: iter([too_much()]))
    found = last(["hungry", "approach"], tiny)
    assert (found.outputs["hungry"].state, found.outputs["hungry"].sentence) == ("failed", HOST)
    assert found.outputs["approach"].state == "done" and not caplog.records


@pytest.mark.usefixtures("ours")
def test_a_comparison_whose_judge_finds_no_memory_is_refused(tiny, monkeypatch):
    monkeypatch.setattr(Judge, "_features", too_much)
    with pytest.raises(ValueError, match=f"^{HOST}$"):
        last(["approach"], tiny)


def test_a_gpu_is_budgeted_by_its_own_memory(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 7)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (100, 1000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 60)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 40)
    assert machine.free_on("cuda") == 100 + 60 - 40
    assert machine.free_on(torch.device("cpu")) == machine.free_on("mps") == 7


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_clocks_wait_for_a_gpu(device, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    monkeypatch.setattr(torch.accelerator, "synchronize", lambda: now.__setitem__(0, now[0] + 5))
    clock = Stopwatch(device)
    with clock("decode"):
        now[0] += 1
    assert clock.seconds == {"decode": 6}
    for name in ("memory_allocated", "reset_peak_memory_stats", "max_memory_allocated"):
        monkeypatch.setattr(torch.cuda, name, lambda: 0)
    meter = Meter(device)
    with meter():
        now[0] += 1
    assert meter.seconds == 6


@pytest.mark.parametrize("bits", ["16", 16])
def test_a_comparison_in_16_bits_loads_networks_that_make_them(bits, tiny, monkeypatch):
    asked = []
    monkeypatch.setattr(weights, "load", lambda *given: asked.append(given) or tiny)
    (found,) = list(run(["adain"], None, judge_networks=tiny, options={"adain": {"bits": bits}}))[-1:]
    assert asked == [("compact", "auto", None, True, True)] and "exact" in found.outputs["adain"].image.info


class WithoutDoubles(torch.Tensor):
    """A tensor of a device that knows no float64 and solves no eigenproblem, as MPS; on the CPU it is a plain one."""

    @classmethod
    def __torch_function__(cls, function, kinds, given=(), named=None):
        name = getattr(function, "__name__", "")
        if name == "__get__" and function.__self__ is torch.Tensor.device:
            return types.SimpleNamespace(type="mps")
        if name == "cpu":
            return given[0].as_subclass(torch.Tensor)
        assert name not in ("double", "linalg_eigh", "linalg_solve"), name
        if name == "to":
            plain = [each.as_subclass(torch.Tensor) if isinstance(each, torch.Tensor) else each for each in given]
            return torch.Tensor.to(*plain).as_subclass(cls)
        return super().__torch_function__(function, kinds, given, named or {})


def test_wct_needs_no_doubles_on_the_device():
    torch.manual_seed(0)
    x, style = torch.rand(1, 6, 9, 8), torch.rand(1, 6, 7, 7)
    found = wct.recolor(x.as_subclass(WithoutDoubles), style.as_subclass(WithoutDoubles))
    torch.testing.assert_close(found.as_subclass(torch.Tensor), wct.recolor(x, style), rtol=0, atol=0)


def test_a_run_says_so_in_a_sentence(photo, painting, tiny, monkeypatch):
    monkeypatch.setattr(tiny, "decode", too_much)
    with pytest.raises(SizeError, match=f"^{HOST}$"):
        stylize(photo, painting, networks=tiny)
