"""Plans the work of `stylize`: pairs photographs with paintings and names the output files."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from adain_core import images
from adain_core.cli import folders
from adain_core.contracts import count
from adain_core.runs import known
from adain_core.system import files
from adain_core.system.files import identity

STDOUT = "-"
OTHERS = (  # suffixes of files, not folders, although pictures can't be saved in these formats
    *(".jfif", ".jpe", ".apng", ".pbm", ".pnm", ".heic", ".heif", ".jxl", ".jp2", ".j2k", ".psd", ".xcf", ".tga"),
    *(".ico", ".dds", ".exr", ".hdr", ".svg", ".pdf", ".eps", ".dng", ".cr2", ".nef", ".arw"),
    *(".csv", ".json", ".html", ".txt", ".zip", ".mp4"),
)


@dataclass(frozen=True)
class Job:
    """One picture to make; without an output, it is written to standard output."""

    content: Path
    styles: tuple[Path, ...]
    output: Path | None


@dataclass(frozen=True)
class Naming:
    """How outputs are named.

    Attributes:
        output: the value of -o: a file, a folder, or STDOUT.
        suffix: suffix of files in a folder, such as .png; None if not specified.
        plain: whether results are named after their photographs only.
        unstyled: replaces the painting's name if there is none.
    """

    output: str
    suffix: str | None = None
    plain: bool = False
    unstyled: str = "regions"

    @property
    def folder(self) -> Path | None:
        """The output folder, or None if there is one output file or standard output."""
        if self.output == STDOUT:
            return None
        path = Path(self.output)
        if self.output.endswith(("/", os.sep)) or path.is_dir():
            return path
        known = {*images.OUTPUTS, *images.SUFFIXES, *OTHERS}
        return None if (path.suffix or path.name).lower() in known else path  # .png is a file without its name


def split(
    pictures: Sequence[Path], styles: Sequence[Path], mixed: bool, needed: bool = True
) -> tuple[Sequence[Path], Sequence[Path]]:
    """Separate photographs from paintings on the command line.

    Args:
        pictures: the arguments: only photographs if --style is given; otherwise a photograph, then paintings.
        styles: the values of --style.
        mixed: whether --weights is given, so that there may be several paintings to mix.
        needed: whether there must be a painting.

    Raises:
        ValueError: it isn't clear which pictures are paintings, or a painting is missing.
    """
    if not styles:
        if len(pictures) > 2 and not mixed:
            raise ValueError(
                f"It isn't clear which of the {len(pictures)} pictures are paintings; give each painting with --style,"
                " or give --weights to mix all but the first."
            )
        pictures, styles = pictures[:1], pictures[1:]
    if needed and not styles:
        raise ValueError("Give at least one style.")
    return pictures, styles


def plan(
    contents: Sequence[Path],
    styles: Sequence[Path],
    naming: Naming,
    recursive: bool = False,
    names: Collection[str] = (),
) -> tuple[list[Job], list[str]]:
    """Pair contents with styles and name the outputs.

    Args:
        contents: photographs, and folders of photographs.
        styles: paintings to mix; if one is a folder, all are applied separately.
        naming: how outputs are named.
        recursive: whether to include subfolders and keep their layout in the results.
        names: names of known styles, which stand for paintings.

    Returns:
        The jobs, and sentences about files that were left out.

    Raises:
        ValueError: an input doesn't exist, a folder has no pictures, or the output doesn't suit the number of pictures.
    """
    notes: list[str] = []
    apart = any(existing(style, names).is_dir() for style in styles)
    style_paths = [path for path, _ in _pictures(styles, recursive, notes, names)]
    pictures = dict(_pictures(contents, recursive, notes))
    if (folder := naming.folder) is not None:
        jobs = _jobs(pictures, style_paths, apart, naming, folder)
        if mine := [each for each in jobs if each.output and identity(each.output) == identity(each.content)]:
            raise ValueError(
                f"{mine[0].content.name} would be overwritten by its result; choose another folder with -o."
            )
        earlier = _results([*pictures, *(style_paths if apart else [])], jobs, folder)
        if earlier:
            pictures = {path: parent for path, parent in pictures.items() if path not in earlier}
            style_paths = [path for path in style_paths if path not in earlier or not apart]
            notes.append(f"{count(len(earlier), 'picture')} skipped: results of earlier runs in the output folder.")
            if not pictures or (apart and not style_paths):
                raise ValueError("There are only results of earlier runs.")
        if naming.plain and apart and len(style_paths) > 1:
            raise ValueError(f"There are {len(style_paths)} paintings, so plain names would clash.")
        return _jobs(pictures, style_paths, apart, naming, folder), notes
    number = len(pictures) * (len(style_paths) if apart else 1)
    if number != 1:
        raise ValueError(f"There are {number} pictures to make; give -o a folder, not a file.")
    return [Job(next(iter(pictures)), tuple(style_paths), _file(naming))], notes


def check(jobs: Iterable[Job], inputs: Iterable[Path], overwrite: bool) -> None:
    """Check, before anything is computed, that the outputs can be written and don't replace inputs.

    Raises:
        ValueError: an output is one of the inputs, or see `files.check_outputs`.
        OSError: see `files.check_outputs`.
    """
    read = {identity(path) for path in inputs}
    outputs = [each.output for each in jobs if each.output is not None]
    if mine := [each for each in outputs if identity(each) in read]:
        raise ValueError(f"{files.shown(mine[0])} is one of the input pictures; choose another output with -o.")
    files.check_outputs(each for each in outputs if not files.too_long(each) and (overwrite or not there(each)))


def there(path: Path) -> bool:
    """Return whether a file exists; a broken link doesn't count."""
    return os.path.exists(path)  # Path.exists fails if a name is too long


def existing(path: Path, names: Collection[str] = ()) -> Path:
    """Return a path if it exists or is one of `names`.

    Raises:
        ValueError: it doesn't exist.
        PermissionError: its folder can't be searched.
    """
    if known.name_in(path, names) is not None:
        return path
    try:
        os.stat(path)
    except PermissionError:
        raise
    except (OSError, ValueError):
        raise ValueError(f"There is no file or folder {files.shown(path)}.") from None
    return path


def _file(naming: Naming) -> Path | None:
    """Return the single output file, or None for standard output."""
    if naming.output == STDOUT:
        return None
    path = Path(naming.output)
    kind = images.output_format(path)
    if naming.suffix and images.OUTPUTS[naming.suffix] != kind:
        raise ValueError(f"-o asks for {path.suffix}, but --format asks for {naming.suffix[1:]}; leave one out.")
    return path


def _pictures(
    paths: Iterable[Path], recursive: bool, notes: list[str], names: Collection[str] = ()
) -> Iterator[tuple[Path, Path]]:
    """Yield every picture with its parent folder, relative to the given folder."""
    for path in paths:
        if not existing(path, names).is_dir():
            yield path, Path()
            continue
        found = folders.find(path, recursive)
        notes += [f"{files.shown(path)}: {each}" for each in found.sentences()]
        if not found.pictures:
            deeper = not recursive and any(each.is_dir() for each in path.iterdir())
            hint = "; --recursive includes its subfolders" if deeper else ""
            raise ValueError(f"The folder {files.shown(path)} holds no pictures{hint}.")
        for each in found.pictures:
            yield each, each.parent.relative_to(path)


def _jobs(
    pictures: Mapping[Path, Path], style_paths: Sequence[Path], apart: bool, naming: Naming, folder: Path
) -> list[Job]:
    labels = dict(zip(style_paths, _label(style_paths), strict=True))
    names: dict[Path, str] = {}
    for parent in dict.fromkeys(pictures.values()):
        here = [path for path, its in pictures.items() if its == parent]
        names |= zip(here, _label(here), strict=True)
    jobs, taken = [], set()
    for path, parent in pictures.items():
        for group in [(each,) for each in style_paths] if apart else [tuple(style_paths)]:
            name = names[path]
            if not naming.plain:
                name += "-" + ("+".join(labels[each] for each in group) or naming.unstyled)
            while (output := folder / parent / f"{name}{naming.suffix or '.png'}").as_posix().casefold() in taken:
                name += "_"  # folders may contain files of the same name
            taken.add(output.as_posix().casefold())
            jobs.append(Job(path, group, output))
    return jobs


def _results(pictures: Iterable[Path], jobs: Iterable[Job], folder: Path) -> set[Path]:
    """Find the pictures that are results of earlier runs in the output folder, by their mark or their name."""
    whole, named = folder.resolve(), {identity(each.output) for each in jobs if each.output is not None}
    inside = (path for path in pictures if whole in path.resolve().parents)
    return {path for path in inside if identity(path) in named or images.is_result(path)}


def _label(paths: Sequence[Path]) -> list[str]:
    """Name files by their stems, or by their full names if two stems are equal."""
    stems = Counter(path.stem for path in dict.fromkeys(paths))
    return [path.stem if stems[path.stem] == 1 else path.name.replace(".", "_") for path in paths]
