"""A comparison's results: a table measured by one fixed encoder, conclusions, a sheet, and a folder of all of them."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from PIL import Image

from adain_core import images, weights
from adain_core.contracts import count
from adain_core.evaluation import sheet
from adain_core.evaluation.comparison import Comparison, Output, Point
from adain_core.evaluation.judge import TINY, Judge
from adain_core.images import metrics
from adain_core.system import files

BRIGHTEST = {"left": 2.0, "difference": 60.0}  # values shown brightest in the maps


class Column(NamedTuple):
    """A measurement: its title, unit, number format, which value is best, and an explanation."""

    title: str
    unit: str
    digits: str
    best: Literal["least", "most", ""]
    help: str


COLUMNS = {
    "content": Column(
        "Content loss", "", ".2f", "least",
        "Mean squared difference of the judge's features at relu4_1 from the photograph's, over their variance. Brush"
        " strokes count as a difference even where everything can still be recognized.",
    ),
    "mean_std": Column(
        "Mean-std loss", "", ".3f", "least",
        "How far the mean and standard deviation of each channel are from the painting's (Eq. 13: squared errors,"
        " summed over relu1_1, 2_1, 3_1, and 4_1). It ignores where things are; AdaIN targets it.",
    ),
    "gram": Column(
        "Gram loss", "", ".3f", "least",
        "Mean squared difference of the Gram matrices from the painting's, summed over the same layers. It ignores"
        " where things are, and bright colors dominate; Gatys targets it.",
    ),
    "ssim": Column(
        "SSIM", "", ".3f", "most",
        "Structural similarity to the photograph in 11-pixel windows; 1 is identical, so a picture that isn't stylized"
        " at all scores best.",
    ),
    "color_shift": Column(
        "Color shift", "Delta E", ".1f", "",
        "Mean color difference from the photograph (CIE 1976); 2.3 is just noticeable. Neither high nor low is better:"
        " it tells how much color came from the painting.",
    ),
    "seconds": Column(
        "Time", "s", ".2f", "least",
        "Time of the method itself, with preparing and encoding both pictures, without loading weights or measuring."
        " Other work on this machine slows it down.",
    ),
    "iterations": Column(
        "Steps", "", "d", "", "How many times the picture was improved; 1 for a single pass. Steps of different"
        " methods may take very different times.",
    ),
    "memory": Column(
        "Peak memory", "MiB", ".0f", "least",
        "Peak memory above what was in use when the method began, sampled every 5 ms: shorter peaks are missed, and so"
        " is memory that is used again.",
    ),
}  # fmt: skip


class Crossing(NamedTuple):
    """The point where a curve first reaches a loss: a fractional iteration and seconds."""

    at: float
    seconds: float

    @property
    def iteration(self) -> int:
        """The first iteration at or below the loss."""
        return math.ceil(self.at - 1e-9)


def crossing(curve: Sequence[Point], goal: float) -> Crossing | None:
    """Return where a curve first reaches a loss, or None if it never does.

    Between two points, the logarithm of the loss is interpolated linearly.
    """
    for before, after in itertools.pairwise([None, *curve]):
        if after is None or after.mean_std > goal:
            continue
        if before is None:
            return Crossing(after.iteration, after.seconds)
        share = math.log(before.mean_std / max(goal, TINY)) / math.log(before.mean_std / max(after.mean_std, TINY))
        steps, seconds = after.iteration - before.iteration, after.seconds - before.seconds
        return Crossing(before.iteration + share * steps, before.seconds + share * seconds)
    return None


def judge_of(comparison: Comparison) -> Judge:
    """Return a comparison's judge, or recreate it from the settings if the comparison was loaded from a folder.

    Raises:
        WeightsError: the judge's weights are missing.
    """
    if comparison.judge is not None:
        return comparison.judge
    return Judge(weights.load(comparison.settings["judge"]), comparison.content, comparison.styles)


def score(comparison: Comparison, judge: Judge | None = None) -> list[dict[str, Any]]:
    """Measure the pictures of a comparison with one encoder.

    Args:
        comparison: a new or loaded comparison.
        judge: a judge for its pair of pictures; the comparison's own by default.

    Returns:
        A row for the photograph itself, then one per method in the order in which they ran, with `name`, `title`,
        `state`, and each of COLUMNS, None where nothing can be measured; memory in MiB.
    """
    judge, nothing = judge or judge_of(comparison), dict.fromkeys(COLUMNS)
    itself = judge.measure(comparison.content)
    rows: list[dict[str, Any]] = [{"name": "", "title": "The photograph itself", "state": "", **nothing, **itself}]
    for name, output in comparison.outputs.items():
        row = {"name": name, "title": output.title, "state": output.state, **nothing}
        if output.image is not None:
            row |= judge.measure(output.image)
            row |= {"seconds": output.seconds, "iterations": output.iteration, "memory": output.memory / 2**20}
        rows.append(row)
    return rows


def conclude(comparison: Comparison, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the conclusions of a comparison as sentences."""
    goal, improved = comparison.goal, [each for each in comparison.outputs.values() if each.optimized]
    found = [] if goal is None else [_crossing(each, goal) for each in improved if each.curve]
    measured = [row for row in rows if row["state"] in ("done", "stopped") and row["mean_std"] is not None]
    if len(measured) > 1:
        best = {name: min(measured, key=lambda row: row[name])["title"] for name in ("mean_std", "gram", "content")}
        equal, seconds = comparison.settings["mode"] == "equal-time", comparison.settings["seconds"]
        found.append(
            f"{f'With {seconds:g} s each' if equal else 'Here'}, the lowest mean-std loss is {best['mean_std']}'s, the"
            f" lowest Gram loss {best['gram']}'s, the lowest content loss {best['content']}'s."
        )
    return [*found, _partiality(comparison)]


def _partiality(comparison: Comparison) -> str:
    """State the judge's part in each method, because a judge rates methods that minimize its own losses too well."""
    judge, model = comparison.settings["judge"], weights.MODELS.get(comparison.settings["model"])
    found: dict[str, list[str]] = {}
    for each in comparison.outputs.values():
        through = each.record.get("loss_network")
        words = "had no part in {}"
        if through == judge:
            words = "is the network that {} optimized through, so it rates that too well"
        elif through is None and model is not None and judge in (model.name, model.teacher):
            words = "was the teacher of the network behind {}"
            if judge == model.name:
                words = "was the loss network that the decoder behind {} was trained with"
        found.setdefault(words, []).append(each.title)
    return f"The judge, {judge}, {'; it '.join(words.format(_listed(titles)) for words, titles in found.items())}."


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words[:-1]) + f"{' and ' if len(words) > 1 else ''}{words[-1]}"


def _crossing(output: Output, goal: float) -> str:
    met = crossing(output.curve, goal)
    if met is None:
        return (
            f"{output.title} did not reach AdaIN's mean-std loss of {goal:.3f} in"
            f" {count(output.iteration, 'step')} ({output.seconds:.1f} s)."
        )
    steps = count(met.iteration, "iteration")
    return (
        f"AdaIN = {steps} of {output.title}, which reaches AdaIN's mean-std loss of {goal:.3f} after"
        f" {met.seconds:.1f} s."
    )


def write_table(rows: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Format a table as text, with its header as the first row."""
    head = ["Method", *(f"{each.title}{f', {each.unit}' if each.unit else ''}" for each in COLUMNS.values())]
    body = [[row["title"], *(_write(row[name], column.digits) for name, column in COLUMNS.items())] for row in rows]
    return [head, *body]


def to_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Format a table as CSV with unrounded numbers."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, ["name", "title", "state", *COLUMNS], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def draw(comparison: Comparison, rows: Sequence[Mapping[str, Any]]) -> Image.Image:
    """Draw a sheet: the pair and the results with captions, the table, and the conclusions."""
    captioned = [(comparison.content, "The photograph")]
    captioned += [(style, f"Painting {number}") for number, style in enumerate(comparison.styles, start=1)]
    captioned += [(each.image, caption(each)) for each in comparison.outputs.values() if each.image is not None]
    pictures, table = sheet.sheet(captioned), sheet.table(write_table(rows))
    about = comparison.settings
    lines = [*conclude(comparison, rows), f"Judge: the encoder of {about['judge']}. Methods: {about['model']},"]
    lines[-1] += f" {about['device']}, {count(about['threads'], 'thread')}, {about['dtype']}."
    return sheet.stack([pictures, table, sheet.text(lines, max(pictures.width, table.width))])


def caption(output: Output) -> str:
    """Describe an output in one line: its method, time, and steps."""
    steps = f" · {count(output.iteration, 'step')}" if output.iterations > 1 else ""
    return f"{output.title} · {output.seconds:.2f} s{steps}"


def names(methods: Iterable[str], styles: int) -> list[str]:
    """Return the names of the files that `save` may write for these methods and this number of styles."""
    kinds = ("", "-left", "-difference")
    return [
        "content.png",
        *(f"style-{number}.png" for number in range(1, styles + 1)),
        *(f"{name}{kind}.png" for name in methods for kind in kinds),
        "results.json",
        "table.csv",
        "sheet.png",
    ]


def save(comparison: Comparison, folder: str | os.PathLike[str], overwrite: bool = False) -> dict[str, Any]:
    """Measure a comparison and write it to a folder, which is created if missing.

    The files are `content.png`, `style-1.png` and so on, `results.json`, `table.csv`, `sheet.png`, and for each method
    `NAME.png`, `NAME-left.png`, a map of the remaining distance to the style, and `NAME-difference.png`, a map of the
    color difference from the photograph.

    Args:
        comparison: a new or loaded comparison.
        folder: the folder to write to; its other files are left alone.
        overwrite: whether to replace existing files.

    Returns:
        The contents of `results.json`.

    Raises:
        ValueError: a file exists already, in which case nothing is written, or `folder` is not a folder.
        OSError: the folder can't be written to.
    """
    path = Path(folder)
    files.check_new(path, names(comparison.outputs, len(comparison.styles)), overwrite)
    path.mkdir(parents=True, exist_ok=True)
    judge = judge_of(comparison)
    rows = score(comparison, judge)
    images.save(comparison.content, path / "content.png")
    for number, style in enumerate(comparison.styles, start=1):
        images.save(style, path / f"style-{number}.png")
    for name, output in comparison.outputs.items():
        if output.image is None:
            continue
        images.save(output.image, path / f"{name}.png", bits=16 if images.EXACT in output.image.info else 8)
        left, changed = judge.left(output.image), metrics.difference(comparison.content, output.image)
        images.save(metrics.heat(left, BRIGHTEST["left"]), path / f"{name}-left.png")
        images.save(metrics.heat(changed, BRIGHTEST["difference"]), path / f"{name}-difference.png")
    results = {
        "settings": dict(comparison.settings),
        "found": conclude(comparison, rows),
        "columns": {
            name: {"title": each.title, "unit": each.unit, "says": each.help} for name, each in COLUMNS.items()
        },
        "rows": rows,
        "outputs": {name: _plain(output) for name, output in comparison.outputs.items()},
    }
    files.write(path / "results.json", json.dumps(results, indent=1).encode())
    files.write(path / "table.csv", to_csv(rows).encode())
    images.save(draw(comparison, rows), path / "sheet.png")
    return results


def load(folder: str | os.PathLike[str]) -> Comparison:
    """Read a comparison written by `save`, to show or measure it again.

    Raises:
        ValueError: the folder doesn't contain a comparison.
    """
    path = Path(folder)
    try:
        stored = json.loads((path / "results.json").read_text(encoding="utf-8"))
        outputs = {}
        for name, each in stored["outputs"].items():
            curve = tuple(Point(*point) for point in each.pop("curve"))
            image = images.load(path / f"{name}.png").rgb if (path / f"{name}.png").is_file() else None
            outputs[name] = Output(**each, curve=curve, image=image)
        numbers = range(1, len(stored["settings"]["style_sizes"]) + 1)  # an earlier comparison may have left more
        styles = [images.load(path / f"style-{number}.png").rgb for number in numbers]
        return Comparison(images.load(path / "content.png").rgb, tuple(styles), stored["settings"], outputs)
    except (OSError, KeyError, TypeError, AttributeError, ValueError):
        raise ValueError(f"The folder {path.name} holds no comparison; `compare` writes one.") from None


def _plain(output: Output) -> dict[str, Any]:
    """Return an output without its picture, for JSON."""
    return {name: value for name, value in asdict(replace(output, image=None)).items() if name != "image"}


def _write(value: float | None, digits: str) -> str:
    return "" if value is None else f"{value:{digits}}"
