"""Opens files and PIL images: checks their size first, then decodes their pixels as far as the file is readable."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from adain_core.images import colors, jpegs, kinds, salvage, tiff

MAX_SIDE = 16_384  # pixels, checked before decoding
MAX_PIXELS = 80_000_000  # checked before decoding: 240 MB as RGB
MIN_SIDE = 16  # pixels; relu4_1 needs 2 for reflection padding
ORIENTATION = 0x0112  # EXIF tag
TURNS = {  # transpositions that undo each EXIF orientation except 1; from 5 on, they swap width and height
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DAMAGED = "This picture is damaged or truncated; try saving or downloading it again."
PAGES = "This picture is animated or has several pages; only the first is used."

T = TypeVar("T")
Source = str | os.PathLike[str] | Image.Image


class Decoded(NamedTuple):
    """Pixels in the orientation of the file.

    Attributes:
        image: mode L, RGB, CMYK, or LAB.
        alpha: mode L, or None.
        profile: the ICC profile, or None.
        notes: sentences about what was lost.
    """

    image: Image.Image
    alpha: Image.Image | None
    profile: bytes | None
    notes: list[str]


class Opened:
    """A picture whose header has been read.

    Attributes:
        stored: width and height in the orientation of the file.
        turn: the EXIF orientation still to be applied, 1 to 8.
    """

    stored: tuple[int, int]
    turn: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return self.stored if self.turn < 5 else self.stored[::-1]

    def upright(self, image: Image.Image) -> Image.Image:
        """Apply the orientation to a picture as stored."""
        return image.transpose(TURNS[self.turn]) if self.turn in TURNS else image

    def decode(self, least: tuple[int, int] | None = None) -> Decoded:
        """Decode the picture; a JPEG may be reduced to a size that is at least `least`."""
        raise NotImplementedError

    def labels(self) -> Any:
        """Return the stored numbers, [H,W], or a PIL image if the picture has colors."""
        raise NotImplementedError

    def exif(self) -> Image.Exif:
        """Return the EXIF data of the file."""
        raise NotImplementedError


class _Tiff(Opened):
    def __init__(self, file: tiff.Tiff, stream: BinaryIO) -> None:
        self._file, self._stream = file, stream
        self.stored, self.turn = file.stored, file.turn

    def decode(self, least: tuple[int, int] | None = None) -> Decoded:
        del least
        image, alpha, notes, missing = self._whole(self._file.decode)
        notes += [PAGES] if self._file.pages > 1 else []
        if missing > 0.999:
            raise ValueError(DAMAGED)
        notes += [salvage.note(missing)] if missing else []
        return Decoded(image, alpha, self._file.profile, notes)

    def labels(self) -> Any:
        found = self._whole(self._file.labels)
        if found is not None:
            return found
        image, alpha, _, _ = self._whole(self._file.decode)
        image = colors.to_srgb(image, None, [])
        if alpha is not None:
            image.putalpha(alpha)
        return image

    def exif(self) -> Image.Exif:
        found = Image.Exif()
        self._stream.seek(0)
        found.load_from_fp(self._stream)
        return found

    def _whole(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (tiff.Refused, MemoryError):
            raise
        except Exception:  # damaged tags can raise anything
            raise ValueError(DAMAGED) from None


class _Pillow(Opened):
    def __init__(self, image: Image.Image) -> None:
        self._image = image
        tile = getattr(image, "tile", None)
        args = tile[0][3] if tile and image.format == "PNG" else ""
        self._raw = args if isinstance(args, str) else ""
        if isinstance(args, tuple) and args and isinstance(args[0], str):
            self._raw = args[0]
        self.stored = image.size

    @cached_property
    def turn(self) -> int:  # type: ignore[override]  # read only after the size was checked
        """The EXIF orientation still to be applied, 1 to 8."""
        image = self._image
        if image.format == "TIFF" and getattr(image, "tile", None):
            return 1  # Pillow reports the upright size and turns the picture itself
        try:
            turn = (_late_exif(image) or Image.Image.getexif(image)).get(ORIENTATION, 1)  # PngImageFile's decodes
        except Exception:  # as in _load; damaged EXIF doesn't affect the pixels
            return 1
        return turn if turn in TURNS else 1

    def decode(self, least: tuple[int, int] | None = None) -> Decoded:
        notes: list[str] = []
        image = self._load(least, notes)
        if image.format != "MPO" and self._frames() > 1:  # an MPO's other frames are previews
            notes.append(PAGES)
        color, alpha = colors.split(image, self._raw, notes, self._low_bytes())
        return Decoded(color, alpha, image.info.get("icc_profile"), notes)

    def labels(self) -> Any:
        image = self._load(None, [])
        if image.mode in ("1", "L", "P", "F") or image.mode.startswith("I"):
            return np.asarray(image)
        return image if image.mode in ("LA", "La", "PA") else image.convert("RGBA")

    def exif(self) -> Image.Exif:
        return self._image.getexif()

    def _frames(self) -> int:
        try:
            return int(getattr(self._image, "n_frames", 1))
        except Exception:  # as in _load; a later frame is damaged
            return 2

    def _load(self, least: tuple[int, int] | None, notes: list[str]) -> Image.Image:
        image, stream = self._image, getattr(self._image, "fp", None)
        if least is not None:
            image.draft(None, least)
        name = getattr(image, "filename", "")
        setattr(image, "filename", "")  # noqa: B010  # otherwise Pillow maps the file into memory, sometimes wrongly
        try:
            image.load()
        except Exception:  # Pillow's decoders can raise anything on damaged data
            with suppress(Exception):
                return self._salvaged(stream, least, notes)
            raise ValueError(DAMAGED) from None
        finally:
            setattr(image, "filename", name)  # noqa: B010
        return image

    def _salvaged(self, stream: Any, least: tuple[int, int] | None, notes: list[str]) -> Image.Image:
        if self._image.format in ("JPEG", "MPO"):
            stream.seek(0)
            image, missing = salvage.truncated_jpeg(stream.read(), least)
        else:
            image, missing = salvage.partly_decoded(self._image)
        notes.append(salvage.note(missing))
        return image

    def _low_bytes(self) -> Any:
        """Return a function that decodes the low bytes of a PNG's 16-bit colors, or None if the file is closed."""
        stream = getattr(self._image, "_adain_stream", None)
        if stream is None or self._raw != "RGB;16B":
            return None

        def decode() -> Image.Image:
            stream.seek(0)
            with Image.open(stream, formats=("PNG",)) as image:
                image.tile = [tile._replace(args="RGB;16L") for tile in image.tile]
                image.load()
                return image.copy()

        return decode


@contextmanager
def opened(source: Source, least: int = MIN_SIDE) -> Iterator[Opened]:
    """Open a picture, check its size, and close its file afterward; a given PIL image stays open.

    Raises:
        ValueError: the file is missing, empty, damaged, or not supported, or the picture has fewer than `least` pixels
            on a side, more than 80 megapixels, or more than 16,384 pixels on a side.
    """
    with _QUIET:
        if isinstance(source, Image.Image):
            yield _checked(_given(source), least)
            return
        if source is None:
            raise ValueError("This picture is missing; give one.")
        if not isinstance(source, str | os.PathLike):
            raise ValueError(f"Give a file's path or a PIL image, not {type(source).__name__}.")
        path = Path(source)
        with _open(path) as stream:
            yield _checked(_read_head(stream), least)


def _given(image: Image.Image) -> Opened:
    stream = getattr(image, "fp", None)
    if image.format == "TIFF" and getattr(image, "tile", None) and stream is not None and image.tell() == 0:  # not read
        with suppress(tiff.Damaged, ValueError):
            file = tiff.Tiff(stream)
            if not file.pillow:
                return _Tiff(file, stream)
    return _Pillow(image)


def _open(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise ValueError("This is a folder, not a picture.")
        if not path.is_file():
            if path.is_symlink() and not path.exists():
                raise ValueError("This is a link to a file that doesn't exist.")
            there = "This is a device or a pipe, not a file" if path.exists() else "There is no such file"
            raise ValueError(f"{there}.")
        if path.stat().st_size == 0:
            raise ValueError("This file is empty.")
        return path.open("rb")
    except PermissionError:
        raise ValueError("This file can't be opened; check its permissions.") from None
    except OSError:
        raise ValueError("There is no such file.") from None


def _read_head(stream: BinaryIO) -> Opened:
    head = stream.read(1024)
    stream.seek(0)
    kind = kinds.kind(head)
    if kind is None:
        raise ValueError(kinds.describe(head))
    if kind == "JPEG":
        jpegs.check(stream)
    try:
        if kind == "TIFF":
            file = tiff.Tiff(stream)
            if not file.pillow:
                return _Tiff(file, stream)
            stream.seek(0)
        if kind == "HEIF":
            from pi_heif import HeifImageFile  # type: ignore[import-untyped]  # rarely needed

            return _Pillow(HeifImageFile(stream))
        image = Image.open(stream, formats=(kind, "MPO") if kind == "JPEG" else (kind,))
        image._adain_stream = stream  # type: ignore[attr-defined]
        return _Pillow(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"This picture has too many pixels; at most {MAX_PIXELS // 10**6} million are read.") from None
    except tiff.Refused:
        raise
    except Exception:  # as in _load
        raise ValueError(DAMAGED) from None


def _checked(found: Opened, least: int) -> Opened:
    width, height = found.stored
    if min(width, height) < least:
        raise ValueError(f"This picture has {width}x{height} pixels; each side must have at least {least}.")
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise ValueError(
            f"This picture has {width}x{height} pixels; at most {MAX_PIXELS // 10**6} million are read, and"
            f" {MAX_SIDE} on a side."
        )
    return found


def _late_exif(image: Image.Image) -> Image.Exif | None:
    """Return the EXIF data after the pixels of a PNG that isn't decoded yet, or None if there is none."""
    stream = getattr(image, "fp", None)
    if image.format != "PNG" or "exif" in image.info or stream is None or not getattr(image, "tile", None):
        return None
    begin, found = stream.tell(), None
    stream.seek(8)
    while found is None and len(head := stream.read(8)) == 8 and head[4:] != b"IEND":
        size = int.from_bytes(head[:4], "big")
        if head[4:] == b"eXIf":
            found = Image.Exif()
            found.load(b"Exif\0\0" + stream.read(size))
        else:
            stream.seek(size + 4, 1)
    stream.seek(begin)
    return found


class _Quiet:
    """Suppresses Pillow's warnings, which contain paths, while any thread decodes."""

    def __init__(self) -> None:
        self._lock, self._depth, self._catch = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._depth += 1
            if self._depth == 1:
                self._catch = warnings.catch_warnings()
                self._catch.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._depth -= 1
            if self._depth == 0:
                self._catch.__exit__(None, None, None)


_QUIET = _Quiet()
