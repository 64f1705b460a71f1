"""AdaIN Playground: builds the page and serves it. Run `python app.py`, then open the address that it prints."""

from __future__ import annotations

import importlib.util
import logging
import os
from typing import Annotated, Any

import gradio as gr
import torch
import typer
from starlette.middleware import Middleware

from adain_core import load, pipeline
from ui import examples, server, tabs
from ui.theme import CSS, HEADER, SCRIPT, theme

DAY = 86_400  # seconds
LAUNCH: dict[str, Any] = {
    "theme": theme(),
    "css_paths": CSS,
    "js": SCRIPT.read_text(encoding="utf-8"),
    "allowed_paths": [str(examples.FOLDER)],
    "footer_links": ["api", "settings"],
    "max_file_size": "64mb",
    "show_error": False,
    "ssr_mode": False,  # Spaces would put a server of Node in front; so the page is the same as everywhere else
    "run_history": False,
    "enable_monitoring": False,
}


def build(queue_size: int = 32, fetch: list[str] | None = None) -> gr.Blocks:
    """Build the page with every tab that ui/tabs holds; fetch models meanwhile and say how far they are."""
    with gr.Blocks(title="AdaIN Playground", analytics_enabled=False, delete_cache=(DAY // 24, DAY // 4)) as page:
        gr.HTML(HEADER)
        found = tabs.find()
        for tab in found:
            if len(found) == 1:
                tab.build()
            else:
                with gr.Tab(tab.TITLE):
                    tab.build()
        if fetch:
            server.show_fetching(server.Fetching(fetch), page)
    return page.queue(max_size=queue_size, default_concurrency_limit=1)


def main(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 for all.", envvar=["ADAIN_HOST", "GRADIO_SERVER_NAME"])
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help="7860 or the next that is free.", envvar=["ADAIN_PORT", "GRADIO_SERVER_PORT"], max=65535),
    ] = None,
    share: Annotated[
        bool,
        typer.Option("--share", help="Also by a public address of Gradio's.", envvar=["ADAIN_SHARE", "GRADIO_SHARE"]),
    ] = False,
    auth: Annotated[
        Any,
        typer.Option(
            help="name:password, several with commas; for everybody if left out.",
            envvar="ADAIN_AUTH",
            parser=server.pairs,
        ),
    ] = None,
    queue_size: Annotated[int, typer.Option(help="Runs that may wait.", envvar="ADAIN_QUEUE_SIZE", min=1)] = 32,
    runs_per_minute: Annotated[
        int, typer.Option(help="From each visitor; 0 for any number.", envvar="ADAIN_RUNS_PER_MINUTE", min=0)
    ] = 300,
    max_size: Annotated[
        int, typer.Option(help="Pixels of a picture's longer side.", envvar="ADAIN_MAX_SIZE", min=64)
    ] = pipeline.MAX_SIZE,
    max_steps: Annotated[int, typer.Option(help="Of an optimization.", envvar="ADAIN_MAX_STEPS", min=1)] = 2000,
    max_seconds: Annotated[float, typer.Option(help="Of an optimization.", envvar="ADAIN_MAX_SECONDS", min=1)] = 120.0,
    fetch: Annotated[
        Any,
        typer.Option(
            help="Models to fetch meanwhile, with commas between, as in vgg19.",
            envvar="ADAIN_FETCH",
            parser=server.names,
        ),
    ] = None,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Its endpoints are tools, too, at /gradio_api/mcp/.", envvar="ADAIN_MCP")
    ] = False,
) -> None:
    """Serve the page."""
    if mcp and importlib.util.find_spec("mcp") is None:
        raise typer.BadParameter('--mcp needs a package that is not here: pip install "mcp>=1.21,<2"')
    if mcp:
        server.show_tools_pictures()
    logging.basicConfig(format="%(asctime)s %(message)s")
    logging.getLogger("adain_core").setLevel(logging.INFO)
    server.limit(max_size, max_steps, max_seconds)
    if "SPACES_ZERO_GPU" in os.environ:  # a run is a fork there, which would wait for OpenMP's threads, left behind
        torch.set_num_threads(1)
    load(device="auto")  # the first visitor shouldn't wait for it, and a ZeroGPU Space wants it before it begins
    if "SPACE_ID" in os.environ:  # its proxy says who a visitor is
        os.environ.setdefault("FORWARDED_ALLOW_IPS", "*")
    limited = [Middleware(server.RateLimit, runs=runs_per_minute)] if runs_per_minute else []
    page = build(queue_size, fetch)
    page.launch(
        **LAUNCH,
        server_name=host,
        server_port=port,
        share=share,
        auth=auth,
        app_kwargs={"middleware": limited},
        mcp_server=mcp,
    )


if __name__ == "__main__":
    typer.run(main)
