"""The command line: `python -m adain_core`, or `adain` once installed.

Options of runs and methods come from their declarations; they reach them as text, and are checked there.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import json
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from adain_core import commands, images, methods, pipeline, report, weights
from adain_core.compare import FIRST, compare
from adain_core.contracts import describe
from adain_core.controls import mixing

STOPPED = 130  # the shells' exit code for Ctrl-C

app = typer.Typer(
    name="adain",
    help="Show photographs in the style of paintings.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
commands.add_to(app)


@dataclass(frozen=True)
class Job:
    """One picture to make."""

    content: Path
    styles: tuple[Path, ...]
    output: Path


@dataclass(frozen=True)
class Places:
    """What differs from place to place, as `pipeline.run` takes it."""

    regions: Path | dict[int, Path] | None
    style_for: dict[int, list[Path] | None]
    region_strength: dict[int, float]
    mask: Path | None
    style_masks: list[Path] | None
    strength_map: Path | None


def declared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every field of Settings and of each method's parameters, in place of `options`."""
    fields: dict[str, tuple[FieldInfo, str]] = {}
    for name, info in pipeline.Settings.model_fields.items():
        fields[name] = (info, "")
    for method in methods.find().values():
        for name, info in method.params.model_fields.items():
            only = "" if name == "seed" else f" ({method.name})"
            fields.setdefault(name, (info, only))
    signature = inspect.signature(command, eval_str=True)
    given = [each for each in signature.parameters.values() if each.name != "options"]
    for name, (info, only) in fields.items():
        option = typer.Option(f"--{name.replace('_', '-')}", help=describe(info) + only)
        kind = Annotated[str | None, option]
        given.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind))

    def wrapper(**values: Any) -> Any:
        options = {name: values.pop(name) for name in fields}
        return command(**values, options={name: value for name, value in options.items() if value is not None})

    wrapper.__doc__, wrapper.__name__ = command.__doc__, command.__name__
    wrapper.__signature__ = signature.replace(parameters=given)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {each.name: each.annotation for each in given}
    return wrapper


@app.command()
@declared
def stylize(
    content: Annotated[Path, typer.Argument(help="A photograph, or a folder of them.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A file (.png, .jpg, .webp), or a folder where folders are given.")
    ],
    options: dict[str, str],
    style: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Paintings; several are mixed. Of a folder, each is applied by itself. None if regions have theirs."
        ),
    ] = None,
    regions: Annotated[Path | None, typer.Option(help="A label map: each value of its pixels is a region.")] = None,
    region_mask: Annotated[
        list[str] | None,
        typer.Option(help="In place of a label map: a region's grey mask, as in 1=mask.png; white is inside."),
    ] = None,
    style_for: Annotated[
        list[str] | None,
        typer.Option(help="A region's style, as in 1=a.png; given twice they are mixed; 1=none leaves it as it is."),
    ] = None,
    region_strength: Annotated[list[str] | None, typer.Option(help="A region's strength, as in 1=0.5.")] = None,
    mask: Annotated[Path | None, typer.Option(help="Grey: white is stylized, black stays as it is.")] = None,
    style_mask: Annotated[
        list[Path] | None, typer.Option(help="Grey, one a style, in their order: white gives the style.")
    ] = None,
    strength_map: Annotated[Path | None, typer.Option(help="Grey: white for full strength.")] = None,
    weights_dir: Annotated[
        Path | None, typer.Option(help="Folder of weights, looked into before the Hub.", envvar=weights.FOLDER_VARIABLE)
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Write over pictures that are there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a picture.")] = False,
) -> int:
    """Stylize a photograph, or a folder of them."""
    from tqdm import tqdm

    values: dict[str, Any] = dict(options)
    if "weights" in values:
        values["weights"] = _numbers(values["weights"])
    settings, _ = pipeline.parse_options(values)
    looks = _by_region(style_for, "style-for", lambda text: None if text == "none" else Path(text))
    strengths = _by_region(region_strength, "region-strength", float)
    if regions is not None and region_mask:
        raise ValueError("Give a label map with --regions or masks with --region-mask, not both.")
    masks = {label: found[-1] for label, found in _by_region(region_mask, "region-mask", Path).items()}
    places = Places(
        masks or regions,
        {label: None if None in found else found for label, found in looks.items()},
        {label: found[-1] for label, found in strengths.items()},
        mask,
        style_mask,
        strength_map,
    )
    if not style and not any(places.style_for.values()):
        raise ValueError("Give at least one style.")
    jobs = list(plan(content, style or [], output, values.get("weights")))
    weights.load(settings.model, settings.device, weights_dir)  # fails before any picture is read, and only once
    bad: dict[Path, str] = {}
    kept = made = 0
    with tqdm(jobs, unit="picture", disable=None if len(jobs) > 1 else True) as bar:
        for job in bar:
            if any(path in bad for path in (job.content, *job.styles)):
                continue
            if job.output.exists() and not overwrite:
                kept += 1
                tqdm.write(f"{job.output.name} is there already and was kept; --overwrite replaces it.", sys.stderr)
                continue
            try:
                record = _make(job, values, places, weights_dir)
            except pipeline.PictureError as error:
                if error.role not in ("content", "style"):
                    raise
                path = job.content if error.role == "content" else job.styles[error.index]
                bad[path] = error.sentence
                tqdm.write(f"{path.name}: {error.sentence}", sys.stderr)
                continue
            except ValueError as error:  # the picture is too large for the model, or the file for its format
                bad[job.content] = str(error)
                tqdm.write(f"{job.content.name}: {error}", sys.stderr)
                continue
            made += 1
            if as_json:
                tqdm.write(json.dumps(record), sys.stdout)
            elif len(jobs) == 1:
                print(f"{job.output} ({sum(record['seconds'].values()):.2f} s)")
    if len(jobs) > 1:
        print(f"{made} made, {kept} kept, {len(jobs) - made - kept} not made.", file=sys.stderr)
    return 1 if bad or (kept and len(jobs) == 1) else 0


@app.command("compare")
def compare_methods(
    content: Annotated[Path, typer.Argument(help="A photograph.")],
    style: Annotated[list[Path], typer.Argument(help="A painting; several are mixed in equal shares.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="A folder for pictures, table and sheet.")],
    chosen: Annotated[str, typer.Option("--methods", help="Names, with commas between.")] = ",".join(FIRST),
    size: Annotated[int, typer.Option(help="Longer side of the photograph in pixels.")] = 256,
    seconds: Annotated[float, typer.Option(help="Bound on each optimization.")] = 30.0,
    mode: Annotated[
        str, typer.Option(help="each: steps as set; equal-time: all the seconds; equal-loss: until AdaIN's loss.")
    ] = "each",
    option: Annotated[list[str] | None, typer.Option(help="A method's parameter, as in gatys.steps=300.")] = None,
    model: Annotated[str, typer.Option(help="Which networks the methods use.")] = "compact",
    judge: Annotated[str, typer.Option(help="Which model's encoder measures.")] = "compact",
    device: Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, mps.")] = "auto",
    weights_dir: Annotated[
        Path | None, typer.Option(help="Folder of weights, looked into before the Hub.", envvar=weights.FOLDER_VARIABLE)
    ] = None,
) -> int:
    """Run several methods on one pair and write their pictures, results.json, table.csv and sheet.png."""
    from tqdm import tqdm

    names = [name.strip() for name in chosen.split(",")]
    options: Any = {"mode": mode, "options": _by_method(option), "model": model, "judge": judge, "device": device}
    with tqdm(unit="step", leave=False, disable=None) as bar:
        for now in compare(content, style, names, size=size, seconds=seconds, weights_dir=weights_dir, **options):
            made = now.outputs.get(now.changed or "")
            if made is None:
                continue
            bar.set_description(made.title)
            bar.total, bar.n = made.iterations, made.iteration
            bar.refresh()
            if made.state != "running":
                tqdm.write(" ".join(filter(None, [report.caption(made), f"({made.state})", made.sentence])), sys.stderr)
    found = report.save(now, output)
    print("\n".join("\t".join(row) for row in report.write_table(found["rows"])))
    print("\n".join(found["found"]))
    return 1 if any(each.state == "failed" for each in now.outputs.values()) else 0


@app.command("methods")
def list_methods() -> None:
    """List the methods of style transfer."""
    for method in methods.find().values():
        print(f"{method.name}  ({method.paper})  {method.summary}")
        for name, info in method.params.model_fields.items():
            print(f"    --{name.replace('_', '-')}  {describe(info)}")


@app.command("models")
def list_models(
    get: Annotated[
        str | None, typer.Option(help="Fetch this model's weights from the Hub, if they are not here.")
    ] = None,
    weights_dir: Annotated[Path | None, typer.Option(envvar=weights.FOLDER_VARIABLE)] = None,
) -> None:
    """List the models and whether their weights are here."""
    if get is not None:
        weights.load(get, folder=weights_dir)
    for model in weights.MODELS.values():
        print(f"{model.name}  {model.summary}")
        print(f"    {model.license}; {model.origin}")
        print(f"    {weights.state(model, weights_dir)}")


@app.command()
def doctor(weights_dir: Annotated[Path | None, typer.Option(envvar=weights.FOLDER_VARIABLE)] = None) -> None:
    """Say what is installed, what this machine has, and which weights are here and verified."""
    import torch

    print(f"python {platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in ("adain-playground", "torch", "torchvision", "gradio", "huggingface_hub", "pillow", "safetensors"):
        try:
            print(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"{package} not installed")
    print(f"device {weights.pick_device('auto')}, {torch.get_num_threads()} threads of {os.cpu_count()} cores")
    for model in weights.MODELS.values():
        print(f"weights {model.name}: {weights.state(model, weights_dir)}")


def plan(content: Path, styles: list[Path], output: Path, shares: Any = None) -> Iterator[Job]:
    """Pair contents with styles and name the outputs.

    Raises:
        ValueError: something named isn't there, a folder holds no picture, weights are given for styles that aren't
            mixed, or many pictures are to go into one file.
    """
    contents = _pictures(content)
    found = [_pictures(style) for style in styles]
    apart = any(style.is_dir() for style in styles)
    looks = [(path,) for group in found for path in group] if apart else [tuple(group[0] for group in found)]
    if apart and shares is not None:
        raise ValueError("Styles from a folder are applied one by one, so --weights has nothing to mix.")
    if not apart and styles:
        mixing.normalize(shares, len(styles))
    if not (content.is_dir() or apart or output.is_dir()):
        images.output_format(output)
        yield Job(content, looks[0], output)
        return
    if output.suffix and not output.is_dir():
        raise ValueError(f"There are {len(contents) * len(looks)} pictures to make; name a folder with -o, not a file.")
    names = dict(zip(contents, _label(contents), strict=True))
    paths = list(dict.fromkeys(path for look in looks for path in look))
    labels = dict(zip(paths, _label(paths), strict=True))
    taken: set[str] = set()
    for path in contents:
        for look in looks:
            name = f"{names[path]}-{'+'.join(labels[each] for each in look) or 'regions'}"
            while name in taken:  # two folders may hold the same names
                name += "_"
            taken.add(name)
            yield Job(path, look, output / f"{name}.png")


def main() -> None:
    """Run the command line; a mistake in its use ends with one sentence and exit code 2."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        if message := error.format_message():  # empty where the help was printed
            print(f"adain: {message}", file=sys.stderr)
        code = error.exit_code
    except ValueError as error:
        print(f"adain: {error}", file=sys.stderr)
        code = 2
    except OSError as error:
        print(f"adain: {error.strerror or 'The disk or the network failed'}: {error.filename or ''}", file=sys.stderr)
        code = 1
    except (KeyboardInterrupt, typer.Abort):
        code = STOPPED
    if code == STOPPED:  # typer turns Ctrl-C into its exit code
        print("adain: stopped; what was written is whole.", file=sys.stderr)
    sys.exit(code)


def _make(job: Job, options: dict[str, Any], places: Places, weights_dir: Path | None) -> dict[str, Any]:
    from tqdm import tqdm

    results = pipeline.run(job.content, job.styles, weights_dir=weights_dir, **vars(places), **options)
    result = next(results)
    with tqdm(total=result.iterations, initial=1, unit="step", leave=False, disable=None) as bar:
        for result in results:
            bar.update(result.iteration - bar.n)
    assert result.image is not None  # progress comes before
    start = time.perf_counter()
    job.output.parent.mkdir(parents=True, exist_ok=True)
    images.save(result.image, job.output)
    seconds = {**result.record["seconds"], "save": round(time.perf_counter() - start, 4)}
    settings = {name: value for name, value in result.record.items() if name not in ("seconds", "model", "method")}
    for note in result.notes:
        print(f"{job.content.name}: {note}", file=sys.stderr)
    return {
        "output": str(job.output),
        "size": list(result.image.size),
        "seconds": seconds,
        "model": result.record["model"],
        "method": result.record["method"],
        "settings": settings,
    }


def _pictures(path: Path) -> list[Path]:
    if not path.exists():
        raise ValueError(f"There is no file or folder {path}.")
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.suffix.lower() in images.SUFFIXES)
    if not found:
        raise ValueError(f"The folder {path} holds no pictures ({', '.join(images.SUFFIXES)}).")
    return found


def _label(paths: list[Path]) -> list[str]:
    """Name files by their stems; where two stems are the same, with the suffix too."""
    stems = Counter(path.stem for path in paths)
    return [path.stem if stems[path.stem] == 1 else path.name.replace(".", "_") for path in paths]


def _by_region(given: list[str] | None, name: str, read: Callable[[str], Any]) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for text in given or []:
        label, _, value = text.partition("=")
        try:
            found.setdefault(int(label), []).append(read(value))
        except ValueError:
            raise ValueError(f"--{name} is {text}; give a region's number and its value, as in 1=...") from None
    return found


def _by_method(given: list[str] | None) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for text in given or []:
        place, _, value = text.partition("=")
        method, _, name = place.partition(".")
        if not (value and name):
            raise ValueError(f"--option is {text}; give a method, its parameter and the value, as in gatys.steps=300.")
        found.setdefault(method, {})[name] = value
    return found


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError(f"The weights are {text}; give numbers with commas between, as in 0.7,0.3.") from None


if __name__ == "__main__":
    main()
