"""The commands, one per file."""

from __future__ import annotations

import typer

from adain_core.cli import compare, lists, publish, stylize, weights

app = typer.Typer(
    name="adain",
    help="Show photographs in the style of paintings.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("stylize")(stylize.stylize)
app.command("compare")(compare.compare_methods)
app.command("methods")(lists.methods)
app.command("models")(lists.models)
app.command("doctor")(lists.doctor)
app.command("publish")(publish.model)
app.add_typer(weights.app, name="weights")
app.add_typer(publish.space, name="space")
