"""The page as a public server: startup, background downloads, MCP tools, and ZeroGPU."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import logging
import math
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

import anyio
import gradio as gr
import torch
import typer
from gradio import networking
from gradio.server_messages import ProcessCompletedMessage
from gradio.utils import get_upload_folder
from gradio_client.client import Job

from adain_core import load
from adain_core.contracts import Limits
from adain_core.runs import pipeline
from adain_core.weights import MODELS, Model, WeightsError, get, here, sources
from ui.components.widgets import QUIET, sentence
from ui.serving import guard, lanes, storage, uploads

TRIES = 10  # 3 seconds each
GPU_OVERHEAD = 10.0  # seconds of ZeroGPU time requested in addition to the runs' own
OFFERED: list[str] = []  # names of the models being downloaded while the server runs
Handler = TypeVar("Handler", bound=Callable[..., Any])
Runs = Callable[[Mapping[str, Any], Limits], Iterable[Mapping[str, Any]]]


@contextmanager
def starting(host: str, port: int | None) -> Iterator[None]:
    """Create the folder for uploads and results; if startup fails, print the reason in one sentence and exit with 1."""
    try:
        with storage.folder():
            yield
    except OSError as error:
        if "empty port" in str(error):
            words = f"Port {port or 7860} of {host} is in use or unavailable; choose another with --port."
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            words = f"The disk is full: cannot write to {get_upload_folder()}."
        else:
            words = f"{error.filename or get_upload_folder()} can't be used: {error.strerror or error}."
        typer.echo(words, err=True)
        raise typer.Exit(1) from None
    except Exception as error:
        if "localhost" not in str(error):  # Gradio's message when its own request gets no answer
            raise
        words = f"The server does not respond at {host}; set NO_PROXY={host} if there is a proxy, or try again."
        typer.echo(words, err=True)
        raise typer.Exit(1) from None


def prepare(tools: bool, login: bool = False) -> None:
    """Prepare this process to serve: logging, MCP tools if enabled, and Hugging Face Spaces settings.

    Args:
        tools: whether to serve the endpoints as MCP tools.
        login: whether visitors need a name and a password.

    Raises:
        typer.BadParameter: the MCP package is not installed, or tools are combined with a login.
    """
    if tools and login:
        raise typer.BadParameter("--mcp and --auth cannot be combined: tools cannot log in.")
    if tools:
        if importlib.util.find_spec("mcp") is None:
            raise typer.BadParameter('--mcp requires a package that is not installed: pip install "mcp>=1.21,<2"')
        prepare_tools()
    networking.url_ok = answers
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("adain_core").setLevel(logging.INFO)
    if (
        "SPACES_ZERO_GPU" in os.environ
    ):  # each run is a fork there and would hang on OpenMP threads that fork doesn't copy
        torch.set_num_threads(1)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"  # an unused summary costs up to 9 ms per run
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # guard.Proxies handles it; uvicorn trusts the leftmost address


class Lines(logging.Formatter):
    """Formats each record as one line: no traceback, and no line breaks or escape codes from what a visitor sent."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        error = record.exc_info[1] if record.exc_info else None
        words = record.getMessage() if error is None else f"{record.getMessage()}: {type(error).__name__}: {error}"
        words = "".join(each if each.isprintable() else "?" for each in " ".join(words.split()))
        return f"{self.formatTime(record)} {words[:1000]}"


def answers(url: str, once: Callable[[str], bool] = networking.url_ok) -> bool:
    """Return whether the server responds, with retries for busy machines; Gradio gives up after 3 seconds."""
    return any(once(url) for _ in range(TRIES))


def names(text: str) -> list[str]:
    """Parse comma-separated model names."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return [get(name).name for name in found]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def pairs(text: str) -> list[tuple[str, str]]:
    """Parse names and passwords, as in a:b,c:d."""
    found = [tuple(each.split(":", 1)) for each in text.split(",")]
    if not all(len(pair) == 2 and all(pair) for pair in found):
        raise typer.BadParameter("Separate name and password with a colon, as in name:password.")
    return found


def models() -> list[tuple[str, str]]:
    """Return the title and name of each model that can stylize and is available or being downloaded."""
    return [(each.title, each.name) for each in _offered() if each.file("encoder") is not None]


def judges() -> list[tuple[str, str]]:
    """Return the title and name of each model that can judge and is available or being downloaded."""
    return [(each.title, each.name) for each in _offered() if each.judges]


def _offered() -> list[Model]:
    return [each for each in MODELS.values() if each.name in OFFERED or here(each)]


class Fetching:
    """Downloads models in the background and reports progress.

    Args:
        names: the models' names.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.states = dict.fromkeys(names, "")  # "ready" once downloaded, or "failed"
        self.thread = threading.Thread(target=self._fetch, daemon=True)
        self.thread.start()

    @property
    def done(self) -> bool:
        """Whether every download has succeeded or failed."""
        return all(self.states.values())

    @property
    def ready(self) -> list[str]:
        """Names of the downloaded models."""
        return [name for name, state in self.states.items() if state == "ready"]

    def words(self) -> str:
        """Return the status of each download as HTML."""
        return "".join(map(self._sentence, self.states))

    def _sentence(self, name: str) -> str:
        title, state = MODELS[name].title, self.states[name]
        if state == "ready":
            return sentence(f"{title} is now available and selected.")
        if state:
            return sentence(f"{title} could not be downloaded; Compact is used instead.")
        progress = sources.progress(MODELS[name]) or "starting in a moment"
        return sentence(f"{title} is being downloaded ({progress}); until then, Compact is used.")

    def _fetch(self) -> None:
        for name in self.states:
            try:
                load(name)  # for the CPU: ZeroGPU provides its GPU only inside runs
                self.states[name] = "ready"
            except Exception as error:  # any kind; otherwise the page would wait forever
                message = str(error) if isinstance(error, WeightsError) else f"{type(error).__name__}: {error}"
                logging.getLogger("adain_core").warning("%s", message)  # file names and URLs go to the log only
                self.states[name] = "failed"


def show_fetching(fetching: Fetching, page: gr.Blocks) -> None:
    """Show download progress on a page, and select the first model in `Model` once downloads are complete."""
    (choice,) = [block for block in page.blocks.values() if block.elem_id == "model"]
    words = gr.HTML(fetching.words, elem_id="fetching", elem_classes="note")
    timer = gr.Timer(2)

    def refresh() -> tuple[Any, Any, Any]:
        chosen = gr.update(value=fetching.ready[0]) if fetching.done and fetching.ready else gr.skip()
        return fetching.words(), gr.Timer(active=not fetching.done), chosen

    timer.tick(refresh, None, [words, timer, choice], **QUIET)


def prepare_tools() -> None:
    """Restrict MCP tools to uploaded files, and return each of their values separately, with pictures as pictures.

    Gradio 6.31 passes a tool's values to its own client in this process, which uploads any file they name. It also
    returns pictures only to clients that ask for progress; others get all values as one text, with a server path for
    each picture.
    """
    from gradio import mcp  # needs the extra
    from gradio.mcp import GradioMCPServer

    mcp.DEFAULT_TEMP_DIR = get_upload_folder()  # set at import, possibly before the folder was chosen
    prepare_call = GradioMCPServer._prepare_tool_call_args
    report_progress = GradioMCPServer._execute_tool_with_progress

    def checked(self: GradioMCPServer, name: str, arguments: dict[str, Any]) -> Any:
        try:
            endpoint, values, headers, function = prepare_call(self, name, uploads.own(arguments))
        except gr.Error as error:  # str() would add quotation marks
            raise ValueError(error.message) from None
        caller = (
            self.mcp_server.request_context.request.client
        )  # otherwise every tool call would come from this machine
        return endpoint, values, {**headers, **({} if caller is None else {guard.CALLER: caller.host})}, function

    async def without_progress(self: GradioMCPServer, job: Job) -> list[Any]:
        async with _ended_with_client(self, job):
            return [*await asyncio.wrap_future(job.future)]

    async def with_progress(self: GradioMCPServer, job: Job, token: str | int) -> Any:
        async with _ended_with_client(self, job):
            return await report_progress(self, job, token)

    GradioMCPServer._prepare_tool_call_args = checked
    GradioMCPServer._execute_tool_without_progress = without_progress
    GradioMCPServer._execute_tool_with_progress = with_progress


@asynccontextmanager
async def _ended_with_client(server: Any, job: Job) -> AsyncIterator[None]:
    """End a tool's run when its client disconnects, which cancels the task waiting for the run.

    Gradio 6.31 cancels by session and function, but all tools share the session of the client in this process. The run
    is therefore marked as abandoned, and its lane ends it; the client here gets a message so that it stops waiting.
    """
    try:
        yield
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            while not (job.done() or job.communicator.event_id):  # it is joining the queue
                await anyio.sleep(0.05)
        events = server.blocks._queue
        if event := events.event_ids_to_events.get(job.communicator.event_id):
            events.send_message(event, ProcessCompletedMessage(output={"error": lanes.NOBODY}, success=False))
            event.alive = False
        raise


def on_gpu(runs: Runs) -> Callable[[Handler], Handler]:
    """Run a handler on a ZeroGPU Space's GPU; elsewhere, where `spaces` is not installed, return it unchanged.

    Args:
        runs: maps the handler's values and limits to the options of each core run it will start.
    """

    def duration(values: Mapping[str, Any], limits: Limits) -> int:
        try:
            each = [pipeline.lent_seconds(options, limits) for options in runs(values, limits)]
        except ValueError:  # the handler reports it
            each = []
        available = max(0.0, limits.seconds - GPU_OVERHEAD)
        return math.ceil(GPU_OVERHEAD + sum(min(seconds, available) for seconds in each))

    def lent(handler: Handler) -> Handler:
        try:
            import spaces
        except ImportError:
            return handler
        return spaces.GPU(handler, duration=duration)

    return lent
