"""Benchmarks run to their end, tiny."""

from typer.testing import CliRunner

from benchmarks import server


def test_of_the_server(monkeypatch):
    monkeypatch.setattr(server, "BESIDE", 1)
    app = server.typer.Typer()
    app.command()(server.main)
    given = ["--clients", "2", "--seconds", "1", "--size", "64", "--sessions", "3"]
    found = CliRunner().invoke(app, given, catch_exceptions=False).stdout
    rows = dict(line.strip("| ").split(" | ") for line in found.splitlines()[2:])
    assert list(rows) == [
        "memory at the start, MiB",
        "after warm-up",
        "clients, seconds, pixels",
        "completed per second",
        "CPU time per run, ms; CPUs in use",
        "refused",
        "seconds of a run: median, 95%, worst",
        "runs of a client: fewest, most",
        "memory after the load, MiB, over warm-up",
        "after 3 sessions",
        "AdaIN alone, alongside Gatys, s",
    ]
    assert rows["refused"] == "0" and float(rows["completed per second"]) > 0
