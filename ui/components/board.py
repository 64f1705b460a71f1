"""The layout of a comparison's results: a cell for each method, the table, and closer views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from adain_core import methods
from adain_core.evaluation import report
from ui.components import fields
from ui.components.widgets import sentence

MAPS = {
    "all": ("All pictures", "The photograph, the painting, and every result."),
    "left": (
        "Distance from the style",
        "Bright areas are still far from the painting's style, measured by the mean and standard deviation of the"
        " features in a 40-pixel window. The brightest are twice as far as the photograph is overall.",
    ),
    "difference": (
        "Difference from the photograph",
        "Bright areas have changed color, the brightest by a Delta E of 60 or more.",
    ),
}


def draw_cell(ui: fields.Components, name: str, opening: Mapping[str, Any]) -> None:
    """Draw a method's picture, its caption, and its Stop button."""
    title = methods.get(name).title
    shown = {each: opening.get(f"{name}.{each}", {}) for each in ("cell", "picture", "caption")}
    with gr.Column(**shown["cell"], min_width=200, elem_classes="cell", elem_id=f"compare-{name}") as cell:
        ui[f"{name}.cell"] = cell
        ui[f"{name}.picture"] = gr.Image(
            **shown["picture"],
            label=title,
            show_label=False,
            alt_text=f"Result of {title}",
            interactive=False,
            buttons=["fullscreen"],
            elem_id=f"compare-{name}-picture",
        )
        ui[f"{name}.caption"] = gr.HTML(**shown["caption"], elem_classes="note", elem_id=f"compare-{name}-caption")
        ui[f"{name}.stop"] = gr.Button(f"Stop {title}", size="sm", visible=False, elem_id=f"compare-{name}-stop")


def draw_table(ui: fields.Components, opening: Mapping[str, Any]) -> None:
    """Draw the table, its downloads, and the meaning of its columns."""
    ui["table"] = gr.HTML(**opening["table"], padding=False, elem_id="compare-table")
    with gr.Row():
        for name, words in (("csv", "Table as CSV"), ("json", "All data as JSON"), ("sheet", "Sheet as PNG")):
            ui[name] = gr.DownloadButton(
                f"Download: {words}", **opening[name], size="md", min_width=150, elem_id=f"compare-{name}"
            )
    with gr.Accordion("What each column means, and its limits", open=False, elem_id="compare-columns"):
        items = "".join(f"<dt>{each.title}</dt><dd>{each.help}</dd>" for each in report.COLUMNS.values())
        gr.HTML(f"<dl>{items}</dl>", elem_classes="columns")


def draw_closer(ui: fields.Components, opening: Mapping[str, Any]) -> None:
    """Draw any two of the pictures side by side, and galleries of all pictures and maps."""
    with gr.Tabs(elem_id="compare-closer"):
        with gr.Tab("Any two"):
            with gr.Row():
                for name, label in (("one", "One picture"), ("other", "Another")):
                    ui[name] = gr.Dropdown(**opening[name], label=label, filterable=False, elem_id=f"compare-{name}")
            ui["slider"] = gr.ImageSlider(
                **opening["slider"],
                interactive=False,
                max_height=560,
                buttons=["fullscreen"],
                elem_id="compare-slider",
                elem_classes="outcome",
            )
            with gr.Row():
                for name in ("first", "second"):
                    ui[name] = gr.Image(
                        **opening[name],
                        alt_text=f"The {name} of the two pictures",
                        interactive=False,
                        buttons=["fullscreen"],
                        min_width=240,
                        elem_id=f"compare-{name}",
                    )
        for kind, (words, meaning) in MAPS.items():
            with gr.Tab(words):
                gr.HTML(sentence(meaning), elem_classes="note")
                ui[kind] = gr.Gallery(
                    **opening[kind],
                    label=words,
                    columns=3,
                    height="auto",
                    object_fit="contain",
                    interactive=False,
                    buttons=["fullscreen"],
                    elem_id=f"compare-{kind}",
                    elem_classes=["captioned", "outcome"],
                )
