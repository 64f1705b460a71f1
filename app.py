"""AdaIN Playground: builds the page and serves it. Run `python app.py`, then open the address that it prints."""

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

THREADS = 40  # of Gradio's beside those of runs that wait
LAUNCH: dict[str, Any] = {
    "theme": theme(),
    "css_paths": SHEETS,
    "js": script(),
    "allowed_paths": [str(examples.FOLDER)],
    "footer_links": ["api", "settings"],
    "max_file_size": "64mb",
    "show_error": False,
    "ssr_mode": False,  # Spaces would put a server of Node in front; so the page is the same as everywhere else
    "run_history": False,
    "enable_monitoring": False,
    "state_session_capacity": sessions.KEPT,
}


def build(queue_size: int = 64, fetch: list[str] | None = None, limits: Limits = UNLIMITED) -> gr.Blocks:
    """Build the page with every tab that ui/tabs holds; fetch models meanwhile and say how far they are."""
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
            memory.tell(page, tab, name)
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
        Option(help="7860 or the next that is free.", envvar=["ADAIN_PORT", "GRADIO_SERVER_PORT"], max=65535),
    ] = None,
    share: Annotated[
        bool, Option("--share", help="Also by a public address of Gradio's.", envvar=["ADAIN_SHARE", "GRADIO_SHARE"])
    ] = False,
    auth: Annotated[
        Any, Option(help="name:password[,...]; for everybody if left out.", envvar="ADAIN_AUTH", parser=server.pairs)
    ] = None,
    queue_size: Annotated[int, Option(help="Runs that may wait.", envvar="ADAIN_QUEUE_SIZE", min=1)] = 64,
    runs_per_minute: Annotated[
        int, Option(help="From each visitor; 0 for any number.", envvar="ADAIN_RUNS_PER_MINUTE", min=0)
    ] = 300,
    proxies: Annotated[
        int | None, Option(help="Proxies of yours in front; 1 on a Space, else 0.", envvar="ADAIN_PROXIES", min=0)
    ] = None,
    allowed_hosts: Annotated[
        str | None, Option(help="Names it answers for, as in a.org,*.b.org.", envvar="ADAIN_ALLOWED_HOSTS")
    ] = None,
    max_size: Annotated[
        int, Option(help="Pixels of a picture's longer side.", envvar="ADAIN_MAX_SIZE", min=64)
    ] = pipeline.MAX_SIZE,
    max_steps: Annotated[int, Option(help="Of an optimization.", envvar="ADAIN_MAX_STEPS", min=1)] = 2000,
    max_seconds: Annotated[float, Option(help="Of an optimization.", envvar="ADAIN_MAX_SECONDS", min=1)] = 120.0,
    fetch: Annotated[
        Any, Option(help="Models to fetch meanwhile, as in vgg19[,...].", envvar="ADAIN_FETCH", parser=server.names)
    ] = None,
    mcp: Annotated[
        bool, Option("--mcp", help="Its endpoints are tools, too, at /gradio_api/mcp/.", envvar="ADAIN_MCP")
    ] = False,
) -> None:
    """Serve the page."""
    with server.starting(host, port):
        server.prepare(mcp, login=auth is not None)
        load(device="auto")  # the first visitor shouldn't wait for it, and a ZeroGPU Space wants it before it begins
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
