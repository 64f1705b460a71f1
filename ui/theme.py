"""The page's theme: paper, ink, and vermilion; system fonts only, so there are no external requests."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

CSS = Path(__file__).with_name("assets") / "style.css"
SHEETS = [CSS, CSS.with_name("access.css")]
SCRIPTS = [CSS.with_name(f"{name}.js") for name in ("page", "memory", "keyboard")]  # each a function without parameters

_VERMILION = gr.themes.Color(
    "#fdf3f0",
    "#fbe3dc",
    "#f6c5b8",
    "#ee9d88",
    "#e27257",
    "#d24f31",
    "#bd3a1e",
    "#9c2e18",
    "#7d2716",
    "#662214",
    "#380f08",
)
_PAPER = gr.themes.Color(
    "#fbf8f3",
    "#f4eee4",
    "#e6ddcf",
    "#cfc3b1",
    "#a99c8a",
    "#857a6b",
    "#675e52",
    "#4d463d",
    "#37322c",
    "#24211d",
    "#171513",
)
_SANS = ["ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"]
_MONO = ["ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace"]

HEADER = """
<header class="masthead">
  <div class="strokes" aria-hidden="true"><i></i><i></i><i></i><i></i><i></i></div>
  <div>
    <h1>AdaIN Playground</h1>
    <p>Your photograph, in the style of any painting, in one pass.</p>
  </div>
</header>
"""


def script() -> str:
    """Return one JavaScript function that calls each script's function."""
    calls = "".join(f"({each.read_text(encoding='utf-8').strip()})();" for each in SCRIPTS)
    return f"() => {{{calls}}}"


def theme() -> gr.themes.Base:
    """Return the page's theme."""
    return gr.themes.Base(
        primary_hue=_VERMILION,
        secondary_hue=_VERMILION,
        neutral_hue=_PAPER,
        radius_size=gr.themes.sizes.radius_md,
        font=_SANS,
        font_mono=_MONO,
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_background_fill="#ffffff",
        block_label_background_fill_dark="*neutral_900",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_100",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_title_text_weight="600",
        block_shadow="none",
        border_color_accent="*primary_600",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="#ffffff",
        button_large_text_weight="650",
        slider_color="*primary_600",
        slider_color_dark="*primary_500",
    )
