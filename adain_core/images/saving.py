"""Pictures to files: each format's encoder, a run's record, and what of the photograph's EXIF goes with it."""

from __future__ import annotations

import io
import os
import zlib
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from adain_core.images import exact
from adain_core.images.opening import Source, opened
from adain_core.system import files

OUTPUTS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
DEEP = ("PNG", "TIFF")  # formats that hold 16 bits a channel
RECORD = "adain"  # the PNG text that holds a run's record
MAKER = "AdaIN Playground"  # what EXIF says that the picture was made with
FLAT = "JPEG can't hold this picture's transparency, so white was put behind it."
SOFTWARE, CAMERA = 0x0131, 0x8769  # EXIF tags: the program, and the directory of the camera's own tags
KEPT = (0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x8298)  # title, maker and model of the camera, dates, author, rights
DROPPED = (0x927C, 0xA002, 0xA003, 0xA005, 0xA430, 0xA431, 0xA435)  # maker's note, size, owner, serial numbers
LONGEST = 60_000  # bytes of EXIF; a JPEG has room for a little more


def save(image: Image.Image, path: str | os.PathLike[str], exif: bytes = b"", bits: int = 8) -> None:
    """Write a picture whole or not at all; a PNG carries the record of its run, JSON in the text `adain`.

    Raises:
        ValueError: the suffix isn't one of OUTPUTS, or as `encode`.
        OSError: the folder is missing, or can't be written to.
    """
    files.write(path, encode(image, output_format(Path(path)), exif, bits))


def check_bits(kind: str, bits: int) -> None:
    """Check that a format holds so many bits a channel.

    Raises:
        ValueError: it doesn't.
    """
    if bits != 8 and kind not in DEEP:
        raise ValueError(f"{kind} has 8 bits a channel; for {bits} save the picture as .png or .tiff.")


def encode(image: Image.Image, kind: str, exif: bytes = b"", bits: int = 8) -> bytes:
    """Return a picture as a file of a format of OUTPUTS holds it; JPEG gets white behind what is transparent.

    Args:
        image: in any mode of 8 bits; what isn't 1, L, RGB or RGBA becomes RGB or RGBA.
        kind: one of the formats.
        exif: as `details` returns it.
        bits: of a channel, 8 or 16; only pictures that were stylized with `bits=16` have 16, and only PNG and TIFF.

    Raises:
        ValueError: the picture is too large for the format, or the format or the picture doesn't have so many bits.
    """
    check_bits(kind, bits)
    texts = {RECORD: image.info[RECORD]} if RECORD in image.info else {}
    if bits == 16:
        levels = exact.levels_of(image)
        return exact.to_png(levels, texts, exif) if kind == "PNG" else exact.to_tiff(levels, exif)
    if image.mode not in ("1", "L", "RGB", "RGBA"):
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"Pictures in mode {image.mode} aren't saved; bring it to 8 bits, as mode L or RGB.")
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    if kind == "JPEG" and image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    options: dict[str, Any] = {"quality": 95}
    if kind == "PNG":
        text = PngInfo()
        for word, said in texts.items():
            text.add_itxt(word, said)
        options = {"pnginfo": text, "compress_level": 3, "compress_type": zlib.Z_RLE}  # half of level 6's time
    elif kind == "TIFF":
        options = {}  # uncompressed: with libtiff's encoders Pillow can't write the camera's directory
    elif kind == "WEBP" and max(image.size) > 16_383:
        raise ValueError("WebP takes at most 16383 pixels on a side; save it as .png or .tiff.")
    if exif:
        options["exif"] = exif
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def details(source: Source) -> bytes:
    """Return what of a photograph's EXIF goes with its result: dates, camera and rights; no place and no thumbnail."""
    found = Image.Exif()
    try:
        with opened(source) as photograph:
            own = photograph.exif()
            found.update({tag: own[tag] for tag in KEPT if tag in own})
            if camera := {tag: value for tag, value in own.get_ifd(CAMERA).items() if tag not in DROPPED}:
                found[CAMERA] = camera
        found[SOFTWARE] = MAKER
        written = found.tobytes()
    except Exception:  # damaged EXIF leads anywhere, and what can't be read isn't kept
        written = b""
    if not written or len(written) > LONGEST:
        found = Image.Exif()
        found[SOFTWARE] = MAKER
        written = found.tobytes()
    return written


def is_result(path: str | os.PathLike[str]) -> bool:
    """Tell whether a picture was made by a run, by the mark that is saved with it."""
    try:
        with Image.open(path) as image:
            return RECORD in image.info or image.getexif().get(SOFTWARE) == MAKER
    except Exception:  # Pillow's decoders raise whatever damaged bytes lead them to
        return False


def output_format(path: Path) -> str:
    """Return the format that a file's suffix asks for.

    Raises:
        ValueError: pictures aren't saved as that.
    """
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(
            f"Pictures are saved as {', '.join(OUTPUTS)}, not as {path.suffix or 'a name without suffix'}."
        )
    return OUTPUTS[path.suffix.lower()]
