"""Options for pictures that vary a run across the photograph: regions, masks, and maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from adain_core.cli.options import by_region, path
from adain_core.runs import known

RegionsOption = Annotated[
    Path | None,
    typer.Option("--regions", help="A label map: each value of its pixels is a region.", parser=path, metavar="FILE"),
]
RegionMaskOption = Annotated[
    list[str] | None,
    typer.Option(
        "--region-mask",
        help="Instead of a label map: a region's grayscale mask, such as 1=mask.png; white is inside.",
    ),
]
StyleForOption = Annotated[
    list[str] | None,
    typer.Option(
        "--style-for",
        help="A region's style, such as 1=a.png; several for one region are mixed; 1=none leaves it unchanged.",
    ),
]
RegionStrengthOption = Annotated[
    list[str] | None, typer.Option("--region-strength", help="A region's strength, such as 1=0.5.")
]
MaskOption = Annotated[
    Path | None,
    typer.Option("--mask", help="Grayscale mask: white is stylized, black is unchanged.", parser=path, metavar="FILE"),
]
StyleMaskOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--style-mask",
        help="Grayscale mask of each style, in order: the style is taken from the white part.",
        parser=path,
        metavar="FILE",
    ),
]
StrengthMapOption = Annotated[
    Path | None,
    typer.Option(
        "--strength-map",
        help="Grayscale map of the strength: white is full strength.",
        parser=path,
        metavar="FILE",
    ),
]
StyleWeightsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--style-weights",
        help="A style that teach has learned, such as mine.safetensors; its name can be given as a painting.",
        parser=path,
        metavar="FILE",
        hidden=not known.every(),
    ),
]


@dataclass(frozen=True)
class SpatialOptions:
    """Options that vary across the picture, as `pipeline.run` takes them."""

    regions: Path | dict[int, Path] | None
    style_for: dict[int, list[Path] | None]
    region_strength: dict[int, float]
    mask: Path | None
    style_masks: list[Path] | None
    strength_map: Path | None

    def paths(self) -> Iterator[Path]:
        """Yield every picture that these options name."""
        yield from self.regions.values() if isinstance(self.regions, dict) else filter(None, [self.regions])
        for group in self.style_for.values():
            yield from group or ()
        yield from filter(None, [self.mask, *(self.style_masks or ()), self.strength_map])

    @classmethod
    def parse(
        cls,
        regions: Path | None,
        region_mask: list[str] | None,
        style_for: list[str] | None,
        region_strength: list[str] | None,
        mask: Path | None,
        style_mask: list[Path] | None,
        strength_map: Path | None,
    ) -> SpatialOptions:
        """Parse the values of these options.

        Raises:
            ValueError: they contradict each other, or one has another form.
        """
        region_styles = by_region(style_for, "style-for", lambda text: None if text == "none" else path(text))
        strengths = by_region(region_strength, "region-strength", float)
        if regions is not None and region_mask:
            raise ValueError("Give a label map with --regions or masks with --region-mask, not both.")
        if (regions is not None or region_mask) and not region_styles and not strengths:
            what = "--regions" if regions is not None else "--region-mask"
            raise ValueError(
                f"{what} changes nothing by itself; give a region's style with --style-for or its strength with"
                " --region-strength."
            )
        masks = {label: found[-1] for label, found in by_region(region_mask, "region-mask", path).items()}
        return cls(
            masks or regions,
            {label: None if None in found else found for label, found in region_styles.items()},
            {label: found[-1] for label, found in strengths.items()},
            mask,
            style_mask,
            strength_map,
        )
