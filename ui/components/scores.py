"""A comparison's table as HTML: every header explains its column and is a button that sorts (in page.js)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from adain_core.evaluation.report import COLUMNS, write_table


def draw(rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw the rows returned by report.score; the best value in each column is bold."""
    head, *body = write_table(rows)
    helps = ["The method.", *(column.help for column in COLUMNS.values())]
    heads = "".join(
        f'<th scope="col"><button title="{escape(words)}">{escape(title)}</button></th>'
        for title, words in zip(head, helps, strict=True)
    )
    best = {name: _best(name, rows) for name in COLUMNS}
    lines = []
    for row, texts in zip(rows, body, strict=True):
        cells = [f'<th scope="row" data-value="{escape(texts[0])}">{escape(texts[0])}</th>']
        for (name, value), text in zip(((name, row[name]) for name in COLUMNS), texts[1:], strict=True):
            bold = ' class="best"' if row["name"] and value is not None and value == best[name] else ""
            cells.append(f'<td data-value="{"" if value is None else value}"{bold}>{text}</td>')
        lines.append(f"<tr>{''.join(cells)}</tr>")
    return (
        "<p>Every picture, measured by one encoder. Press a column header to sort.</p>"
        '<div class="scores" tabindex="0" role="region" aria-label="Every picture, measured by one encoder"><table>'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _best(name: str, rows: Sequence[Mapping[str, Any]]) -> float | None:
    values = [row[name] for row in rows if row["name"] and row[name] is not None]
    if not values or not COLUMNS[name].best:
        return None
    return min(values) if COLUMNS[name].best == "least" else max(values)
