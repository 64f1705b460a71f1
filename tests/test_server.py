"""The page as a public server: its options and limits, visitors, the GPU that is lent, the Space and the image."""

import asyncio
import errno
import logging
import os
import pickle
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
import types
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import torch
import typer
from conftest import picture
from gradio_client import Client, handle_file
from hub import ENCODER, FIRST, ROOT
from starlette.middleware import Middleware
from typer.testing import CliRunner

import app
from adain_core import weights
from adain_core.contracts import Limits
from adain_core.weights import publish
from ui import endpoints, server
from ui.serving import delivery, guard


class TestZeroGpu:
    @pytest.mark.skipif(not hasattr(os, "fork"), reason="ZeroGPU is Linux")
    def test_a_fork_after_loading_can_compute(self):
        """OpenMP's threads don't survive a fork, and what needs them would wait forever."""
        code = (
            "import os, signal, sys, torch, app\n"
            "page = app.gr.Blocks()\n"
            "app.build = lambda *_: page\n"
            "def launch(**_):\n"
            "    if os.fork() == 0:\n"
            "        signal.alarm(30)\n"
            "        torch.ones(10**6).mul(2).sum()\n"
            "        os._exit(0)\n"
            "    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))\n"
            "page.launch = launch\n"
            "app.main()\n"
        )
        settings = {**os.environ, "SPACES_ZERO_GPU": "true", "OMP_NUM_THREADS": "2"}
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env=settings)
        assert done.returncode == 0

    def test_a_refusal_comes_back_as_its_sentence(self, monkeypatch):
        """Of other errors than Gradio's, ZeroGPU tells the class alone, and prints a traceback."""
        lent = []
        monkeypatch.setitem(sys.modules, "spaces", types.SimpleNamespace(GPU=lambda call, **_: lent.append(call)))

        def refuse(_alpha: float, limits: Limits) -> None:
            assert limits == Limits(size=64)
            yield
            raise ValueError("alpha is 2, but it must be from 0 to 1.")

        async def build():
            with server.gr.Blocks():
                endpoints.expose(refuse, "refuse", {"_alpha": server.gr.Number()}, [], lambda *_: [], Limits(size=64))

        with ThreadPoolExecutor() as aside:  # as below
            aside.submit(lambda: asyncio.run(build())).result()
        with pytest.raises(server.gr.Error) as error:
            [*lent[0]({"_alpha": 2}, Limits(size=64))]
        assert pickle.loads(pickle.dumps(error.value)).message == "alpha is 2, but it must be from 0 to 1."


class TestOptions:
    def test_help_names_every_option_and_its_variable(self):
        text = CliRunner().invoke(typer_app(), ["--help"], terminal_width=200).output
        names = [
            "host",
            "port",
            "share",
            "auth",
            "queue-size",
            "runs-per-minute",
            "proxies",
            "allowed-hosts",
            "fetch",
            "mcp",
        ]
        for name in (*names, "max-size", "max-steps", "max-seconds"):
            assert f"--{name}" in text and f"ADAIN_{name.replace('-', '_').upper()}" in text

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            (["--auth", "me"], "Separate name and password with a colon"),
            (["--fetch", "vgg"], "There is no model vgg; there are compact, vgg19"),
            (["--queue-size", "0"], "should be greater than or equal to 1"),
            (["--auth", "a:b", "--mcp"], "--mcp and --auth cannot be combined: tools cannot log in."),
        ],
    )
    def test_mistakes_get_a_sentence(self, given, words):
        done = CliRunner().invoke(typer_app(), given, terminal_width=200)
        assert done.exit_code == 2 and words in re.sub(r"[\s│]+", " ", done.output)

    def test_they_reach_the_server(self, monkeypatch):
        launched, built = {}, []
        page = types.SimpleNamespace(blocks={}, launch=lambda **given: launched.update(given))
        monkeypatch.setattr(app.delivery, "layer", lambda _: Middleware(delivery.Deliver))
        monkeypatch.setattr(app, "build", lambda *given: built.append(given) or page)
        given = [
            "--queue-size",
            "5",
            "--fetch",
            "vgg19, vgg19-imagenet",
            "--host",
            "0.0.0.0",
            "--port",
            "7000",
            "--auth",
            "a:b:c,d:e",
            "--runs-per-minute",
            "7",
            "--proxies",
            "2",
            "--allowed-hosts",
            "a.org",
        ]
        monkeypatch.setenv("ADAIN_MAX_SIZE", "1024")
        monkeypatch.setenv("ADAIN_SHARE", "1")
        monkeypatch.setenv("GRADIO_SSR_MODE", "true")  # as Spaces do
        done = CliRunner().invoke(typer_app(), given, catch_exceptions=False)
        assert done.exit_code == 0
        assert built == [(5, ["vgg19", "vgg19-imagenet"], Limits(1024, 2000, 120.0))]
        assert (launched["server_name"], launched["server_port"]) == ("0.0.0.0", 7000)
        assert launched["auth"] == [("a", "b:c"), ("d", "e")]
        passed = {each.cls: each.kwargs for each in launched["app_kwargs"]["middleware"]}
        assert passed[guard.Proxies] == {"count": 2} and passed[guard.Bounds] == {"runs": 7}
        assert passed[guard.Hosts] == {"names": ["0.0.0.0", "a.org"]}
        assert launched["share"] is True and launched["ssr_mode"] is False
        safe = {"show_error": False, "run_history": False, "enable_monitoring": False, "max_file_size": "64mb"}
        assert safe.items() <= launched.items()
        assert launched["allowed_paths"] == [str(ROOT / "examples")]

    def test_tools_without_their_package_are_refused(self, monkeypatch):
        monkeypatch.setattr(server.importlib.util, "find_spec", lambda name: None if name == "mcp" else name)
        done = CliRunner().invoke(typer_app(), ["--mcp"], terminal_width=200)
        assert done.exit_code == 2 and "pip install" in done.output and "mcp>=1.21,<2" in done.output


def test_a_record_is_a_line_without_a_traceback():
    try:
        raise RecursionError("too\ndeep")
    except RecursionError:
        record = logging.LogRecord("mcp", 40, "", 0, "POST %s", ("/a\x1b[31m\n\x00b\u2028",), sys.exc_info())
    line = server.Lines().format(record)
    assert line.endswith(" POST /a?[31m ?b : RecursionError: too deep") and line.isprintable()


class TestStart:
    def test_a_port_in_use_is_reported_in_one_line(self, tmp_path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])
            settings = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path), "HF_HUB_OFFLINE": "1"}
            command = [sys.executable, str(ROOT / "app.py"), "--port", port]
            done = subprocess.run(command, env=settings, capture_output=True, text=True)
        words = f"Port {port} of 127.0.0.1 is in use or unavailable; choose another with --port.\n"
        assert (done.returncode, done.stderr) == (1, words)

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (OSError(errno.ENOSPC, "No space left on device"), "The disk is full: cannot write to {folder}."),
            (
                ValueError("When localhost is not accessible, a shareable link must be created."),
                "The server does not respond at 127.0.0.1; set NO_PROXY=127.0.0.1 if there is a proxy, or try again.",
            ),
            (PermissionError(errno.EACCES, "Permission denied", "/b"), "/b can't be used: Permission denied."),
        ],
    )
    def test_failures_to_start_are_reported_in_one_line(self, tmp_path, monkeypatch, capsys, error, words):
        monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
        with pytest.raises(typer.Exit) as exit, server.starting("127.0.0.1", None):
            raise error
        assert exit.value.exit_code == 1 and capsys.readouterr().err == words.format(folder=tmp_path) + "\n"
        assert not [*tmp_path.iterdir()]


def test_a_busy_machine_has_time_to_answer():
    said = iter([False, False, True])
    assert server.answers("http://127.0.0.1", lambda _: next(said)) and next(said, None) is None
    assert not server.answers("http://127.0.0.1", lambda _: False)


def typer_app():
    made = app.typer.Typer()
    made.command()(app.main)
    return made


class TestFetching:
    def test_the_page_says_how_far_it_is_and_chooses_the_model(self, hub, monkeypatch):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)  # as ZeroGPU says, though there is none as yet
        hub.faults[FIRST] = "paused"
        fetching = server.Fetching(["vgg19"])
        assert hub.paused.wait(60)

        async def build():  # within a loop, of which Gradio would make one of its own and not close it
            with server.gr.Blocks() as page:
                choice = server.gr.Radio(["compact", "vgg19"], value="compact", elem_id="model")
                server.show_fetching(fetching, page)
            return page, choice

        with ThreadPoolExecutor() as aside:  # a browser's tests leave a loop running in this thread
            page, choice = aside.submit(lambda: asyncio.run(build())).result()
        (tick,) = [each.fn for each in page.fns.values() if len(each.outputs) == 3]
        words, timer, chosen = tick()
        assert f"being downloaded ({ENCODER}" in words and "until then, Compact is used" in words
        assert timer.active and "value" not in chosen and choice.value == "compact"
        hub.go.set()
        fetching.thread.join(60)
        words, timer, chosen = tick()
        assert "VGG-19 (the paper&#x27;s) is now available and selected." in words
        assert not timer.active and chosen["value"] == "vgg19"

    def test_a_failed_download_is_reported_and_its_reason_logged(self, hub, caplog):
        hub.faults = dict.fromkeys(("/a/first", "/datasets/b/second", "/spaces/c/third", "/release"), 404)
        fetching = server.Fetching(["vgg19"])
        fetching.thread.join(60)
        assert fetching.done and not fetching.ready
        assert "could not be downloaded; Compact is used instead." in fetching.words()
        assert "it no longer exists" in caplog.text and "it no longer exists" not in fetching.words()
        assert weights.load("compact").name == "compact"

    def test_an_unexpected_error_ends_it(self, monkeypatch, caplog):
        def load(_):
            raise RuntimeError("no room")

        monkeypatch.setattr(server, "load", load)
        fetching = server.Fetching(["vgg19"])
        fetching.thread.join(60)
        assert fetching.done and not fetching.ready
        assert "could not be downloaded; Compact is used instead." in fetching.words()
        assert "RuntimeError: no room" in caplog.text


def serve(folder: Path, command: list[str], cache: Path) -> tuple[subprocess.Popen, str]:
    """Start the page from a folder and wait until it answers; nothing outside may be needed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {"ADAIN_PORT": str(port), "GRADIO_TEMP_DIR": str(cache / "tmp"), "HF_HOME": str(cache / "home")}
    settings |= {"HF_HUB_OFFLINE": "1", "ADAIN_HOST": "127.0.0.1", "GRADIO_ANALYTICS_ENABLED": "False"}
    log = cache / "log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable if command[0] == "python" else command[0], *command[1:]],
            env={**{name: each for name, each in os.environ.items() if name != "PYTHONPATH"}, **settings},
            cwd=folder,
            stdout=stream,
            stderr=stream,
        )
    address = f"http://127.0.0.1:{port}/"
    while True:
        try:
            urllib.request.urlopen(address).close()
            return process, address
        except OSError:
            assert process.poll() is None, log.read_text()
            threading.Event().wait(0.1)


def stylize(address: str, folder: Path) -> tuple[str, dict]:
    for name, seed in (("photo.png", 1), ("painting.png", 2)):
        picture(90, 67, seed).save(folder / name)
    pictures = [handle_file(str(folder / name)) for name in ("photo.png", "painting.png")]
    client = Client(address, verbose=False)
    return client.predict(content=pictures[0], style=pictures[1], size=256, api_name="/stylize")


def test_a_space_starts_by_itself_shows_deleted_pictures_and_leaves_nothing(tmp_path):
    publish.space_folder(tmp_path / "space", "me/page", zero_gpu=False)
    process, address = serve(tmp_path / "space", ["python", "app.py"], tmp_path)
    try:
        _, record = stylize(address, tmp_path)
        assert record["model"] == "compact"
        (folder,) = (tmp_path / "tmp").glob("adain-*")
        components = httpx.get(f"{address}config").json()["components"]
        (opening,) = [each["props"]["value"] for each in components if each["props"].get("elem_id") == "content"]
        shutil.rmtree(folder)
        shown = httpx.get(f"{address}gradio_api/file={opening['path']}")
        assert shown.status_code == 200 and shown.headers["Content-Type"] == "image/jpeg"
        assert httpx.post(f"{address}gradio_api/upload", files={"files": ("a.png", b"abc")}).status_code == 200
        assert folder.is_dir()
        process.terminate()
        process.wait(20)
        log = (tmp_path / "log").read_text()
        assert str(tmp_path) not in log.replace(str(tmp_path / "space"), "") and "Traceback" not in log
        assert sys.platform == "win32" or not folder.exists()  # there are no signals
    finally:
        process.kill()
        process.wait()


STEPS = re.findall(r"^([A-Z]+) ((?:.*\\\n)*.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def step(name: str) -> list[str]:
    return [text.replace("\\\n", " ") for found, text in STEPS if found == name]


def test_the_docker_image_holds_a_spaces_files_and_its_health_check_works(url):
    """A Space's files start by themselves, as above; the image's are the same, started by the same command."""
    copied = {source for text in step("COPY") for source in shlex.split(text)[:-1]}
    assert copied == set(publish.CONTENTS) and step("CMD") == ['["python", "app.py"]']
    variables = dict(each.split("=") for each in step("ENV")[0].split())
    assert variables["ADAIN_HOST"] == "0.0.0.0" and step("EXPOSE") == [variables["ADAIN_PORT"]]
    names = [name for name, _ in STEPS]
    last = max(at for at, name in enumerate(names) if name in ("RUN", "COPY"))
    assert step("FROM") == ["python:3.12-slim"] and step("USER") == ["adain"] and names.index("USER") > last
    assert any("useradd" in text and " adain" in text for text in step("RUN"))
    assert any(f"--extra-index-url {publish.CPU_INDEX} -r requirements.txt" in text for text in step("RUN"))
    _, python, option, program = shlex.split(step("HEALTHCHECK")[0].partition("period=60s")[2])
    assert (python, option) == ("python", "-c")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        for port, healthy in ((url.rstrip("/").rpartition(":")[2], True), (str(silent.getsockname()[1]), False)):
            done = subprocess.run([sys.executable, option, program], env={**os.environ, "ADAIN_PORT": port},
                                  stderr=subprocess.DEVNULL)  # fmt: skip
            assert (done.returncode == 0) == healthy
