"""The server under load: runs per second, waiting times, and fairness with many clients at once, and its memory.

    python -m benchmarks.server [--clients 50] [--seconds 120] [--size 512] [--sessions 600]

It starts `app.py` on a free port of the loopback interface and stops it at the end. Each client is a visitor with its
own address, as reported by a proxy; it stylizes the same pair with AdaIN over and over, one run after another, and
waits a second after a refusal. The clients share the machine with the server. Pictures are uploaded once, and results
are not downloaded.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import psutil
import typer

from adain_core.system import console

ROOT = Path(__file__).parents[1]
PAIR = {"content": "examples/photos/tiger.jpg", "style": "examples/styles/night_river.jpg"}
CALL = "/gradio_api/call/v2/stylize"
BESIDE = 5  # runs of AdaIN, alone and alongside Gatys
STARTING = 3.0  # seconds until Gatys is certainly running


@dataclass
class Client:
    """A visitor: the seconds of each completed run, and the number of refused runs."""

    address: str
    seconds: list[float] = field(default_factory=list)
    refused: int = 0


@contextmanager
def serving(queue: int) -> Iterator[tuple[int, psutil.Process]]:
    """Serve the page in its own process; yield the port and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, open(Path(folder) / "log", "w+") as log:
        settings = {"GRADIO_TEMP_DIR": folder, "HF_HUB_OFFLINE": "1", "GRADIO_ANALYTICS_ENABLED": "False"}
        options = ["--port", port, "--proxies", 1, "--runs-per-minute", 0, "--queue-size", queue]
        command = [sys.executable, str(ROOT / "app.py"), *map(str, options)]
        process = subprocess.Popen(command, env={**os.environ, **settings}, cwd=folder, stdout=log, stderr=log)
        try:
            while "public link" not in (said := (Path(folder) / "log").read_text()):  # Gradio has checked its address
                if process.poll() is not None:
                    raise RuntimeError(said)
                time.sleep(0.2)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


async def lines(port: int, path: str, body: bytes | None = None, *headers: str) -> AsyncIterator[str]:
    """Send a request, a POST if there is a body, and yield the lines of the response as they arrive."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**24)
    head = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.0", f"Host: 127.0.0.1:{port}", *headers]
    if body is not None:
        head += [f"Content-Length: {len(body)}"]
    try:
        writer.write("\r\n".join([*head, "", ""]).encode() + (body or b""))
        while (await reader.readline()).strip():
            pass
        while line := await reader.readline():
            yield line.decode().strip()
    finally:
        writer.close()


async def ask(port: int, path: str, body: Any = None, *headers: str) -> Any:
    """Return the server's JSON response; the body is sent as JSON."""
    kind = ["Content-Type: application/json"] if body is not None else []
    content = None if body is None else json.dumps(body).encode()
    async with aclosing(lines(port, path, content, *kind, *headers)) as answer:
        return json.loads("".join([line async for line in answer]))


async def upload(port: int) -> dict[str, Any]:
    """Upload the pair; return it in the form that endpoints take."""
    given = {}
    for name, file in PAIR.items():
        head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{Path(file).name}"\r\n\r\n'
        body = head.encode() + (ROOT / file).read_bytes() + b"\r\n--x--\r\n"
        kind = "Content-Type: multipart/form-data; boundary=x"
        async with aclosing(lines(port, "/gradio_api/upload", body, kind)) as answer:
            (path,) = json.loads("".join([line async for line in answer]))
        given[name] = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return given


async def stylize(port: int, given: dict[str, Any], address: str = "192.0.2.1") -> bool:
    """Run once and return whether it made a picture."""
    visitor = f"X-Forwarded-For: {address}"
    event = (await ask(port, CALL, given, visitor)).get("event_id")
    if event is None:
        return False
    async with aclosing(lines(port, f"{CALL}/{event}", None, visitor)) as answer:
        async for line in answer:
            if line in ("event: complete", "event: error"):
                return line == "event: complete"
    return False


async def load(port: int, given: dict[str, Any], count: int, seconds: float) -> list[Client]:
    """Let clients run for some seconds; return them with their results."""
    ends = time.monotonic() + seconds

    async def keep_running(client: Client) -> None:
        while (start := time.monotonic()) < ends:
            if await stylize(port, given, client.address):
                client.seconds.append(time.monotonic() - start)
            else:
                client.refused += 1
                await asyncio.sleep(1)

    clients = [Client(f"198.51.{number // 250}.{number % 250 + 1}") for number in range(count)]
    await asyncio.gather(*map(keep_running, clients))
    return clients


async def beside(port: int, given: dict[str, Any]) -> tuple[float, float]:
    """Return the median seconds of an AdaIN run, alone and while another visitor runs Gatys."""

    async def typical() -> float:
        found = []
        for _ in range(BESIDE):
            start = time.monotonic()
            await stylize(port, given)
            found.append(time.monotonic() - start)
        return median(found)

    alone = await typical()
    long = asyncio.create_task(stylize(port, {**given, "method": "gatys", "options": {"steps": 2000}}, "192.0.2.2"))
    await asyncio.sleep(STARTING)
    both = await typical()
    assert not long.done()
    long.cancel()
    with suppress(asyncio.CancelledError):
        await long
    return alone, both


async def visit(port: int, count: int) -> None:
    """Open sessions, each of which calls one function of the page: which parameters a method has."""
    config = await ask(port, "/config")
    (method,) = [each["id"] for each in config["components"] if each["props"].get("elem_id") == "method"]
    (function,) = [each["id"] for each in config["dependencies"] if each["inputs"] == [method] and not each["queue"]]
    for number in range(count):
        given = {"fn_index": function, "data": ["adain"], "session_hash": f"made-up-{number}"}
        await ask(port, "/gradio_api/run/predict", given, f"X-Forwarded-For: 203.0.113.{number % 250}")


async def measure(port: int, process: psutil.Process, count: int, seconds: float, size: int, sessions: int) -> None:
    """Print the measurements, one per line."""

    def mib() -> float:
        return process.memory_info().rss / 2**20

    def tell(name: str, value: str) -> None:
        print(f"| {name} | {value} |", flush=True)

    print("| | |\n|---|---|")
    given = {**await upload(port), "size": size}
    tell("memory at the start, MiB", f"{mib():.0f}")
    await load(port, given, count, min(20, seconds))
    warm = mib()
    tell("after warm-up", f"{warm:.0f}")
    start, before = time.monotonic(), process.cpu_times()
    clients = await load(port, given, count, seconds)
    took, after = time.monotonic() - start, process.cpu_times()
    used = after.user + after.system - before.user - before.system
    every = sorted(each for client in clients for each in client.seconds)
    got = [len(client.seconds) for client in clients]
    tell("clients, seconds, pixels", f"{count}, {took:.0f}, {size}")
    tell("completed per second", f"{len(every) / took:.1f}")
    tell("CPU time per run, ms; CPUs in use", f"{1000 * used / len(every):.0f}, {used / took:.2f}")
    tell("refused", str(sum(client.refused for client in clients)))
    tell(
        "seconds of a run: median, 95%, worst",
        f"{median(every):.2f}, {quantiles(every, n=20)[-1]:.2f}, {every[-1]:.2f}",
    )
    tell("runs of a client: fewest, most", f"{min(got)}, {max(got)}")
    tell("memory after the load, MiB, over warm-up", f"{mib():.0f}, {mib() / warm:.2f}")
    await visit(port, sessions)
    tell(f"after {sessions} sessions", f"{mib():.0f}, {mib() / warm:.2f}")
    alone, both = await beside(port, given)
    tell("AdaIN alone, alongside Gatys, s", f"{alone:.2f}, {both:.2f} ({both / alone:.1f} times)")


def main(
    clients: Annotated[int, typer.Option(help="Clients at once.", min=1, max=500)] = 50,
    seconds: Annotated[float, typer.Option(help="Seconds of load after the warm-up.", min=1, max=600)] = 120,
    size: Annotated[int, typer.Option(help="Pixels of the longer side.", min=64, max=2048)] = 512,
    sessions: Annotated[int, typer.Option(help="New sessions after the load.", min=0, max=5000)] = 600,
    queue: Annotated[int, typer.Option(help="Runs that may wait.", min=1, max=500)] = 64,
) -> None:
    """Measure."""
    with serving(queue) as (port, process):
        asyncio.run(measure(port, process, clients, seconds, size, sessions))


if __name__ == "__main__":
    console.script(main, "benchmarks.server")
