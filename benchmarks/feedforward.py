"""Networks that know a set of styles, compared with AdaIN on `compact`, on photographs that training never saw.

    python -m benchmarks.feedforward --pictures FOLDER --weights-dir FOLDER [--run FILE ...] [--sizes 256,512]
        [--each 20] [--taught 3] [-o FOLDER]

`--pictures` holds the folders photos and art; adain_core/training/held_out.txt lists the files in them that training
never reads. The networks are those that ship, or with `--run` the weights of training runs. Photographs and paintings
are center-cropped to a square and scaled to the size. The full-size VGG-19 in `--weights-dir` measures in float32:

- style: mean and standard deviation at relu1_1, 2_1, 3_1, and 4_1 (Eq. 13, squared errors), and content: mean squared
  error at relu4_1 to the photograph's features, both averaged over the photographs (`--each` of the first 20
  for each style, in turn) and relative to AdaIN's; the table has the mean and the worst of the styles.
- lattice: as in benchmarks.compact, the median and the worst of all outputs at the worst period.
- seconds: one pass at 512 px, relative to AdaIN with the style cached; the two alternate, and the best of each counts.
- taught: the same for the first paintings of art, each learned within `--seconds`, from the photographs that
  training sees.

`-o` writes results.json and a sheet for each network and size: the styles with six photographs each and, last, the mean
of all outputs, which reveals a blob that recurs at the same place in every picture.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from typing import Annotated, Any

import torch
import typer
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from adain_core import images, methods, weights
from adain_core.contracts import parse
from adain_core.evaluation.metrics import lattice
from adain_core.networks.generators import Generators, restored
from adain_core.networks.model import Networks
from adain_core.runs.teach import TeachParams, teach
from adain_core.system import console, files
from adain_core.training import pictures as training
from adain_core.training.__main__ import stored
from adain_core.training.pictures import held_out
from adain_core.training.teacher import DEEPEST, Teacher, all_statistics, content_loss, style_loss
from adain_core.weights import taught
from benchmarks.compact import squares, transfer

PHOTOS = 20
SHOWN = 6
REPEATS = 15
TAUGHT_ON = 16  # photographs


def networks_of(run: Path) -> Networks:
    """Load a run's weights, in the precision of those that ship."""
    module = restored(stored(run))
    dtype = torch.bfloat16 if weights.has_bfloat16() else torch.float32
    name = "johnson" if isinstance(module, Generators) else "conditional"
    return Networks(name, {"generator": module}, dtype=dtype)


class Measures:
    """Measures outputs with the full-size network, relative to those of AdaIN on `compact`.

    Args:
        full: the full-size networks.
        compact: the networks of the reference.
        photos: [1,3,S,S] each.
    """

    def __init__(self, full: Networks, compact: Networks, photos: Sequence[Tensor]) -> None:
        self.teacher, self.compact, self.photos = Teacher(full, torch.device("cpu")), compact, photos
        with torch.inference_mode():
            self.own = [self.teacher.features(photo)[DEEPEST] for photo in photos]

    @torch.inference_mode()
    def style(self, networks: Networks, name: str, painting: Tensor, chosen: Sequence[int]) -> dict[str, Any]:
        """Measure a style on some of the photographs.

        Args:
            networks: networks that know the style.
            name: its name.
            painting: [1,3,S,S].
            chosen: indices of the photographs.
        """
        goal = all_statistics(self.teacher.features(painting))
        found: dict[str, list[float]] = {}
        outputs = []
        for index in chosen:
            photo = self.photos[index]
            outputs.append(networks.generate(photo, {name: 1.0}))
            for what, image in (("", outputs[-1]), ("adain ", transfer(self.compact, photo, painting))):
                features = self.teacher.features(image)
                found.setdefault(f"{what}style", []).append(float(style_loss(all_statistics(features), goal)))
                found.setdefault(f"{what}content", []).append(float(content_loss(features, self.own[index])))
            found.setdefault("lattice", []).append(max(float(each) for each in lattice(outputs[-1]).values()))
            self.compact.memory.clear()
        ratios = {what: fmean(found[what]) / fmean(found[f"adain {what}"]) for what in ("style", "content")}
        return {**ratios, "lattice": found["lattice"], "outputs": outputs}


def summary(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float]:
    """Return the mean and the worst of the styles' measures."""
    lattices = [each for one in found.values() for each in one["lattice"]]
    means = {what: fmean(one[what] for one in found.values()) for what in ("style", "content")}
    worst = {f"worst {what}": max(one[what] for one in found.values()) for what in ("style", "content")}
    return {**means, **worst, "lattice": median(lattices), "worst lattice": max(lattices)}


def sheet(photos: Sequence[Tensor], shown: Sequence[tuple[Tensor, Sequence[int], Sequence[Tensor]]]) -> Image.Image:
    """Draw a row for each style: the painting, six outputs, and the mean of all outputs."""
    blank = torch.ones_like(photos[0])
    cells = []
    for painting, chosen, outputs in shown:
        row = [painting, *outputs[:SHOWN], *[blank] * (SHOWN - len(outputs)), torch.cat([*outputs]).mean(0, True)]
        heads = [blank, *(photos[index] for index in chosen[:SHOWN]), *[blank] * (SHOWN + 1 - len(chosen[:SHOWN]))]
        cells += [*heads, *row]
    return images.sheet([images.to_image(each) for each in cells], columns=SHOWN + 2, side=200)


def speed(networks: Networks, compact: Networks, size: int = 512) -> float:
    """Return the time of a pass relative to AdaIN's, with the style cached."""
    content, style = torch.rand(1, 3, size, size), torch.rand(1, 3, size, size)
    name, best = next(iter(networks.generator.known)), [math.inf, math.inf]
    for _ in range(REPEATS):
        compact.memory.clear()
        compact.statistics(style)
        for which in (0, 1):
            start = time.perf_counter()
            if which:
                transfer(compact, content, style)
            else:
                networks.generate(content, {name: 1.0})
            best[which] = min(best[which], time.perf_counter() - start)
    return best[0] / best[1]


def taught_to(networks: Networks, folder: Path, count: int, seconds: float | None) -> tuple[Networks, list[str]]:
    """Teach the first held-out paintings; return the networks that know them, and their names."""
    held = held_out()
    photos = training.find(folder / "photos", held["photos"])[:TAUGHT_ON]
    params, names = parse(TeachParams, {"seconds": seconds}), []
    for number, painting in enumerate(tqdm(held["art"][:count], "teaching", disable=None)):
        names.append(f"taught_{number}")
        *_, lesson = teach(folder / painting, names[-1], photos, networks, params)
        networks = taught.add(networks, lesson.style)
    return networks, names


def measure(
    networks: Networks, paintings: Mapping[str, Path], measures: Measures, size: int, each: int, output: Path | None
) -> dict[str, Any]:
    """Measure, at one size, every style whose painting is available."""
    found, shown = {}, []
    for number, (name, path) in enumerate(tqdm(paintings.items(), f"{networks.name} {size} px", disable=None)):
        (painting,) = squares(path.parent, [path.name], size)
        chosen = [(number + other) % len(measures.photos) for other in range(min(each, len(measures.photos)))]
        found[name] = measures.style(networks, name, painting, chosen)
        shown.append((painting, chosen, found[name].pop("outputs")))
    if output is not None:
        sheet(measures.photos, shown).save(output / f"{networks.name}_{size}.jpg", quality=90)
    return {**summary(found), "styles": found}


def main(
    pictures: Annotated[Path, typer.Option(help="Folder with photos and art.")],
    weights_dir: Annotated[Path | None, typer.Option(help="Folder of the full-size weights.")] = None,
    run: Annotated[list[Path] | None, typer.Option(help="Weights of a run of conditional or johnson instead.")] = None,
    styles: Annotated[Path, typer.Option(help="Folder of the paintings, named as the styles.")] = weights.EXAMPLES
    / "styles",
    sizes: Annotated[str, typer.Option(help="Sides in pixels, separated by commas.")] = "256,512",
    each: Annotated[int, typer.Option(help="Photographs per style, of 20.")] = PHOTOS,
    count: Annotated[int, typer.Option("--taught", help="Held-out paintings to teach.")] = 0,
    seconds: Annotated[float | None, typer.Option(help="Time to learn each; the method's by default.")] = None,
    output: Annotated[Path | None, typer.Option("-o", help="Folder for sheets and results.json.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Measure everything and print it."""
    known = [found.known_styles for found in methods.find().values() if found.known_styles]
    networks = [networks_of(path) for path in run or ()] or [weights.load(each[0].model) for each in known]
    if not networks:
        raise ValueError("No networks with known styles ship yet; give the weights of a run with --run.")
    names, every = [one.name for one in networks], [int(side) for side in sizes.split(",")]
    if output is not None:
        sheets = [f"{name}_{size}.jpg" for name in names for size in every]
        files.check_new(output, [*sheets, "results.json"], overwrite)
        output.mkdir(parents=True, exist_ok=True)
    full = weights.load("vgg19", folder=weights_dir, download=False)
    compact = weights.load("compact")
    results: dict[str, Any] = {}
    for one in networks:
        ratio = speed(one, compact)
        print(f"{one.name}: {ratio:.2f} of the time of AdaIN on compact at 512 px", flush=True)
        results[one.name] = {"seconds": ratio}
        paintings = {name: styles / f"{name}.jpg" for name in one.generator.known}
        groups = {"": (one, {name: path for name, path in paintings.items() if path.is_file()})}
        if count:
            more, added = taught_to(one, pictures, count, seconds)
            art = dict(zip(added, (pictures / path for path in held_out()["art"]), strict=False))
            groups[" taught"] = more, art
        for size in every:
            measures = Measures(full, compact, squares(pictures, held_out()["photos"][:PHOTOS], size))
            for what, (knowing, of) in groups.items():
                found = measure(knowing, of, measures, size, each, None if what else output)
                results[one.name][f"{size} px{what}"] = found
                listed = ", ".join(f"{name} {value:.2f}" for name, value in found.items() if name != "styles")
                print(f"   {size} px{what}, {len(of)} styles: {listed}", flush=True)
    if output is not None:
        files.write(output / "results.json", json.dumps(results, indent=1).encode())


if __name__ == "__main__":
    console.script(main, "benchmarks.feedforward")
