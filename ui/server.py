"""The page as a public server: weights fetched meanwhile, and ZeroGPU where it is."""

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

TRIES = 10  # of 3 seconds
LENT = 10.0  # seconds of a lent GPU beside those of the runs themselves
OFFERED: list[str] = []  # names of the models that are fetched while the server runs
Handler = TypeVar("Handler", bound=Callable[..., Any])
Runs = Callable[[Mapping[str, Any], Limits], Iterable[Mapping[str, Any]]]


@contextmanager
def starting(host: str, port: int | None) -> Iterator[None]:
    """Give the page a folder for uploads and results; say in a sentence why it can't start, and exit with 1."""
    try:
        with storage.folder():
            yield
    except OSError as error:
        if "empty port" in str(error):
            words = f"Port {port or 7860} of {host} is taken, or not this machine's; choose another with --port."
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            words = f"The disk is full: {get_upload_folder()} takes nothing more."
        else:
            words = f"{error.filename or get_upload_folder()} can't be used: {error.strerror or error}."
        typer.echo(words, err=True)
        raise typer.Exit(1) from None
    except Exception as error:
        if "localhost" not in str(error):  # Gradio's words where its own request gets no answer
            raise
        words = f"The server doesn't answer at {host}; set NO_PROXY={host} if there is a proxy, or try again."
        typer.echo(words, err=True)
        raise typer.Exit(1) from None


def prepare(tools: bool, login: bool = False) -> None:
    """Make this process ready to serve: its log, its tools if it has any, and what a Space needs.

    Args:
        tools: whether its endpoints are tools, too.
        login: whether visitors need a name and a password.

    Raises:
        typer.BadParameter: tools need a package that isn't installed, or can't log in.
    """
    if tools and login:
        raise typer.BadParameter("--mcp and --auth don't go together: tools have no way to log in.")
    if tools:
        if importlib.util.find_spec("mcp") is None:
            raise typer.BadParameter('--mcp needs a package that is not here: pip install "mcp>=1.21,<2"')
        prepare_tools()
    networking.url_ok = answers
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(handlers=[handler])
    logging.getLogger("adain_core").setLevel(logging.INFO)
    if "SPACES_ZERO_GPU" in os.environ:  # a run is a fork there, which would wait for OpenMP's threads, left behind
        torch.set_num_threads(1)
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"  # nobody reads a summary that takes up to 9 ms of every run
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # guard.Proxies sees to that; uvicorn believes the leftmost address


class Lines(logging.Formatter):
    """Puts every record on a line: no traceback, and nothing of what a visitor sent that begins a line or has color."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        error = record.exc_info[1] if record.exc_info else None
        words = record.getMessage() if error is None else f"{record.getMessage()}: {type(error).__name__}: {error}"
        words = "".join(each if each.isprintable() else "?" for each in " ".join(words.split()))
        return f"{self.formatTime(record)} {words[:1000]}"


def answers(url: str, once: Callable[[str], bool] = networking.url_ok) -> bool:
    """Say whether the server answers, which takes some tries on a busy machine; Gradio gives up after 3 seconds."""
    return any(once(url) for _ in range(TRIES))


def names(text: str) -> list[str]:
    """Read models' names with commas between."""
    found = [name.strip() for name in text.split(",") if name.strip()]
    try:
        return [get(name).name for name in found]
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def pairs(text: str) -> list[tuple[str, str]]:
    """Read names and passwords, as in a:b,c:d."""
    found = [tuple(each.split(":", 1)) for each in text.split(",")]
    if not all(len(pair) == 2 and all(pair) for pair in found):
        raise typer.BadParameter("Give a name and a password with a colon between, as in name:password.")
    return found


def models() -> list[tuple[str, str]]:
    """Return title and name of each model that this server can stylize with, or is fetching."""
    return [(each.title, each.name) for each in _offered() if each.file("encoder") is not None]


def judges() -> list[tuple[str, str]]:
    """Return title and name of each model that this server can measure with, or is fetching."""
    return [(each.title, each.name) for each in _offered() if each.judges]


def _offered() -> list[Model]:
    return [each for each in MODELS.values() if each.name in OFFERED or here(each)]


class Fetching:
    """Fetches models in the background and knows how far it is.

    Args:
        names: of models.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.states = dict.fromkeys(names, "")  # "ready" once it is here, or "failed"
        self.thread = threading.Thread(target=self._fetch, daemon=True)
        self.thread.start()

    @property
    def done(self) -> bool:
        """Whether nothing is to come any more."""
        return all(self.states.values())

    @property
    def ready(self) -> list[str]:
        """Models that are here."""
        return [name for name, state in self.states.items() if state == "ready"]

    def words(self) -> str:
        """Say as HTML how far each model is."""
        return "".join(map(self._sentence, self.states))

    def _sentence(self, name: str) -> str:
        title, state = MODELS[name].title, self.states[name]
        if state == "ready":
            return sentence(f"{title} is here now and chosen.")
        if state:
            return sentence(f"{title} can't be had; Compact serves in its place.")
        progress = sources.progress(MODELS[name]) or "it will begin in a moment"
        return sentence(f"{title} is being fetched ({progress}); until it is here, Compact serves.")

    def _fetch(self) -> None:
        for name in self.states:
            try:
                load(name)  # for the CPU: ZeroGPU lends its GPU to runs alone
                self.states[name] = "ready"
            except Exception as error:  # of any kind: else the page would wait for ever
                said = str(error) if isinstance(error, WeightsError) else f"{type(error).__name__}: {error}"
                logging.getLogger("adain_core").warning("%s", said)  # its files and sources are for who runs the server
                self.states[name] = "failed"


def show_fetching(fetching: Fetching, page: gr.Blocks) -> None:
    """Show on a page how far downloads are, and choose the first model in `Model` as soon as it is here."""
    (choice,) = [block for block in page.blocks.values() if block.elem_id == "model"]
    words = gr.HTML(fetching.words, elem_id="fetching", elem_classes="note")
    timer = gr.Timer(2)

    def look() -> tuple[Any, Any, Any]:
        chosen = gr.update(value=fetching.ready[0]) if fetching.done and fetching.ready else gr.skip()
        return fetching.words(), gr.Timer(active=not fetching.done), chosen

    timer.tick(look, None, [words, timer, choice], **QUIET)


def prepare_tools() -> None:
    """Let a tool take only files that were uploaded, and answer with its values one by one, a picture as a picture.

    Gradio 6.31 hands a tool's values to a client of its own, in this process, which uploads whatever files they name.
    And it shows pictures only to clients that ask for progress; to others it gives all values as one text, in which a
    picture is the server's path.
    """
    from gradio import mcp  # needs the extra
    from gradio.mcp import GradioMCPServer

    mcp.DEFAULT_TEMP_DIR = get_upload_folder()  # read when it is imported, which may be before the folder is chosen
    prepare_call = GradioMCPServer._prepare_tool_call_args
    tell_progress = GradioMCPServer._execute_tool_with_progress

    def checked(self: GradioMCPServer, name: str, arguments: dict[str, Any]) -> Any:
        try:
            endpoint, values, headers, function = prepare_call(self, name, uploads.own(arguments))
        except gr.Error as error:  # whose text has quotation marks
            raise ValueError(error.message) from None
        caller = self.mcp_server.request_context.request.client  # else all runs of tools would be this machine's
        return endpoint, values, {**headers, **({} if caller is None else {guard.CALLER: caller.host})}, function

    async def values(self: GradioMCPServer, job: Job) -> list[Any]:
        async with _ended_with_client(self, job):
            return [*await asyncio.wrap_future(job.future)]

    async def told(self: GradioMCPServer, job: Job, token: str | int) -> Any:
        async with _ended_with_client(self, job):
            return await tell_progress(self, job, token)

    GradioMCPServer._prepare_tool_call_args = checked
    GradioMCPServer._execute_tool_without_progress = values
    GradioMCPServer._execute_tool_with_progress = told


@asynccontextmanager
async def _ended_with_client(server: Any, job: Job) -> AsyncIterator[None]:
    """End a tool's run once its client hangs up, which cancels the task that waits for the run.

    Gradio 6.31 cancels by session and function, and all tools have the session of the client in this process. So the
    run is marked like one whose program hung up, and its lane ends it; the client here is told, or would wait for ever.
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
    """Run a handler on the GPU that a ZeroGPU Space lends it; elsewhere, where `spaces` is not installed, as it is.

    Args:
        runs: of what the handler is given, values and limits, to the options of every run of the core.
    """

    def duration(values: Mapping[str, Any], limits: Limits) -> int:
        try:
            each = [pipeline.lent_seconds(options, limits) for options in runs(values, limits)]
        except ValueError:  # the handler says it
            each = []
        return math.ceil(LENT + sum(min(seconds, max(0.0, limits.seconds - LENT)) for seconds in each))

    def lent(handler: Handler) -> Handler:
        try:
            import spaces
        except ImportError:
            return handler
        return spaces.GPU(handler, duration=duration)

    return lent
