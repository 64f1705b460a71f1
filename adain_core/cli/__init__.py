"""The commands, one per file."""

from __future__ import annotations

import typer

from adain_core.cli import compare, lists, publish, replay, stylize, teach, video, weights
from adain_core.runs import known

app = typer.Typer(
    name="adain",
    help="Show photographs in the style of paintings.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("stylize")(stylize.stylize)
app.command("replay")(replay.replay)
app.command("video")(video.video)
app.command("compare")(compare.compare_methods)
if known.every():  # a method can learn a painting once its weights ship
    app.command("teach")(teach.teach)
app.command("methods")(lists.methods)
app.command("models")(lists.models)
app.command("doctor")(lists.doctor)
app.command("publish")(publish.model)
app.add_typer(weights.app, name="weights")
app.add_typer(publish.space, name="space")
