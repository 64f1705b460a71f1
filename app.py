"""AdaIN Playground: builds the page and serves it. Run `python app.py`, then open the address it prints."""

from __future__ import annotations

from typing import Annotated, Any

import gradio as gr
import typer
from typer import Option

from adain_core import load
from adain_core.contracts import UNLIMITED, Limits
from adain_core.runs import pipeline
from ui import examples, server, tabs
from ui.components import memory
from ui.components.pair import Pair
from ui.serving import delivery, guard, lanes, sessions, storage
from ui.serving.page import Page
from ui.theme import HEADER, SHEETS, script, theme

THREADS = 40  # for Gradio, in addition to one for each waiting run
LAUNCH: dict[str, Any] = {
    "theme": theme(),
    "css_paths": SHEETS,
    "js": script(),
    "allowed_paths": [str(examples.FOLDER)],
    "footer_links": ["api", "settings"],
    "max_file_size": "64mb",
    "show_error": False,
    "ssr_mode": False,  # on Spaces, Gradio would otherwise put a Node server in front of the page
    "run_history": False,
    "enable_monitoring": False,
    "state_session_capacity": sessions.KEPT,
}


def build(queue_size: int = 64, fetch: list[str] | None = None, limits: Limits = UNLIMITED) -> gr.Blocks:
    """Build the page with every tab in ui/tabs; download the models in `fetch` in the background and show progress."""
    with Page(title="AdaIN Playground", analytics_enabled=False) as page:
        gr.HTML(HEADER)
        server.OFFERED[:] = fetch or []
        pair, shown = Pair(), {}
        for tab in tabs.find():
            name = tab.__name__.rpartition(".")[2]
            with gr.Tab(tab.TITLE, elem_id=f"tab-{name}") as shown[name]:
                tab.build(pair, limits)
        pair.wire()
        for name, tab in shown.items():
            memory.track(page, tab, name)
        memory.remember(page)
        if fetch:
            server.show_fetching(server.Fetching(fetch), page)
    lanes.WAITING.total = queue_size
    return page.queue(api_open=False, max_size=queue_size, default_concurrency_limit=None)


def main(
    host: Annotated[
        str, Option(help="Address to listen on; 0.0.0.0 for all.", envvar=["ADAIN_HOST", "GRADIO_SERVER_NAME"])
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        Option(
            help="Defaults to the first free port from 7860.", envvar=["ADAIN_PORT", "GRADIO_SERVER_PORT"], max=65535
        ),
    ] = None,
    share: Annotated[
        bool, Option("--share", help="Also create a public Gradio link.", envvar=["ADAIN_SHARE", "GRADIO_SHARE"])
    ] = False,
    auth: Annotated[
        Any, Option(help="name:password[,...]; open to everyone by default.", envvar="ADAIN_AUTH", parser=server.pairs)
    ] = None,
    queue_size: Annotated[int, Option(help="Maximum number of waiting runs.", envvar="ADAIN_QUEUE_SIZE", min=1)] = 64,
    runs_per_minute: Annotated[
        int, Option(help="Per visitor; 0 for no limit.", envvar="ADAIN_RUNS_PER_MINUTE", min=0)
    ] = 300,
    proxies: Annotated[
        int | None,
        Option(help="Number of your own reverse proxies; 1 on a Space, otherwise 0.", envvar="ADAIN_PROXIES", min=0),
    ] = None,
    allowed_hosts: Annotated[
        str | None, Option(help="Host names to answer for, as in a.org,*.b.org.", envvar="ADAIN_ALLOWED_HOSTS")
    ] = None,
    max_size: Annotated[
        int, Option(help="Maximum longer side of a result, in pixels.", envvar="ADAIN_MAX_SIZE", min=64)
    ] = pipeline.MAX_SIZE,
    max_steps: Annotated[int, Option(help="Maximum steps per optimization.", envvar="ADAIN_MAX_STEPS", min=1)] = 2000,
    max_seconds: Annotated[
        float, Option(help="Maximum seconds per optimization.", envvar="ADAIN_MAX_SECONDS", min=1)
    ] = 120.0,
    fetch: Annotated[
        Any,
        Option(
            help="Models to download in the background, as in vgg19[,...].", envvar="ADAIN_FETCH", parser=server.names
        ),
    ] = None,
    mcp: Annotated[
        bool, Option("--mcp", help="Also serve the endpoints as MCP tools, at /gradio_api/mcp/.", envvar="ADAIN_MCP")
    ] = False,
) -> None:
    """Serve the page."""
    with server.starting(host, port):
        server.prepare(mcp, login=auth is not None)
        load(device="auto")  # so the first visitor doesn't wait for it; ZeroGPU Spaces expect models at startup
        layers = guard.layers(guard.proxies(proxies, share), guard.hosts(allowed_hosts, host, share), runs_per_minute)
        page = build(queue_size, fetch, Limits(max_size, max_steps, max_seconds))
        storage.tend(page, examples.paths())
        page.launch(
            **LAUNCH,
            server_name=host,
            server_port=port,
            share=share,
            auth=auth,
            max_threads=queue_size + THREADS,
            app_kwargs={"middleware": [*layers, delivery.layer(page)]},
            mcp_server=mcp,
        )


if __name__ == "__main__":
    typer.run(main)
