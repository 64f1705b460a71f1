"""Saving pictures: encoders, the run's record, and the parts of the photograph's EXIF that are kept.

A PNG holds the record as JSON in the text chunk `adain`, other formats in the EXIF UserComment.
"""

from __future__ import annotations

import io
import json
import os
import warnings
import zlib
from pathlib import Path
from typing import Any, TypeGuard

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
DEEP = ("PNG", "TIFF")  # formats that hold 16 bits per channel
RECORD = "adain"  # the PNG text that holds a run's record
COMMENT = 0x9286  # EXIF tag, in the Exif IFD: UserComment, which holds the record in other formats
ASCII = b"ASCII\0\0\0"  # the comment's prefix
MOST = 2**20  # bytes of a JSON file that are read
MAKER = "AdaIN Playground"  # the Software entry in the EXIF
FLAT = "JPEG can't hold this picture's transparency, so white was put behind it."
SOFTWARE, CAMERA = 0x0131, 0x8769  # EXIF tags: the program and the Exif IFD
KEPT = (0x010E, 0x010F, 0x0110, 0x0132, 0x013B, 0x8298)  # title, maker and model of the camera, dates, author, rights
DROPPED = (
    COMMENT,
    0x927C,
    0xA002,
    0xA003,
    0xA005,
    0xA430,
    0xA431,
    0xA435,
)  # maker's note, size, owner, serial numbers, comment
LONGEST = 60_000  # bytes of EXIF; a JPEG has room for slightly more


def save(image: Image.Image, path: str | os.PathLike[str], exif: bytes = b"", bits: int = 8) -> None:
    """Write a picture completely or not at all, with the run's record.

    Raises:
        ValueError: the suffix is not in OUTPUTS, or as for `encode`.
        OSError: the folder is missing or not writable.
    """
    files.write(path, encode(image, output_format(Path(path)), exif, bits))


def check_bits(kind: str, bits: int) -> None:
    """Check that a format supports this many bits per channel.

    Raises:
        ValueError: it does not.
    """
    if bits != 8 and kind not in DEEP:
        raise ValueError(f"{kind} has 8 bits per channel; for {bits} save the picture as .png or .tiff.")


def encode(image: Image.Image, kind: str, exif: bytes = b"", bits: int = 8) -> bytes:
    """Encode a picture in one of the formats in OUTPUTS; in a JPEG, transparent areas become white.

    Args:
        image: any 8-bit mode; modes other than 1, L, RGB, and RGBA are converted to RGB or RGBA.
        kind: one of the formats.
        exif: as `details` returns it.
        bits: per channel, 8 or 16; 16 needs a picture that was stylized with `bits=16`, and PNG or TIFF.

    Raises:
        ValueError: the picture is too large for the format, or the format or the picture lacks these bits.
    """
    check_bits(kind, bits)
    texts = {RECORD: image.info[RECORD]} if RECORD in image.info else {}
    if texts and kind != "PNG":
        exif = commented(exif, texts[RECORD])
    if bits == 16:
        levels = exact.levels_of(image)
        return exact.to_png(levels, texts, exif) if kind == "PNG" else exact.to_tiff(levels, exif)
    if image.mode not in ("1", "L", "RGB", "RGBA"):
        if image.mode.startswith(("I", "F")):
            raise ValueError(f"Pictures in mode {image.mode} can't be saved; convert it to 8 bits, in mode L or RGB.")
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
        options = {}  # uncompressed: with libtiff's encoders, Pillow can't write the Exif IFD
    elif kind == "WEBP" and max(image.size) > 16_383:
        raise ValueError("WebP allows at most 16383 pixels on a side; save it as .png or .tiff.")
    if exif:
        options["exif"] = exif
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def details(source: Source) -> bytes:
    """Return the EXIF that a result keeps: dates, camera, and rights, but neither location nor thumbnail."""
    found = Image.Exif()
    try:
        with opened(source) as photograph:
            own = photograph.exif()
            found.update({tag: own[tag] for tag in KEPT if tag in own})
            if camera := {tag: value for tag, value in own.get_ifd(CAMERA).items() if tag not in DROPPED}:
                found[CAMERA] = camera
        found[SOFTWARE] = MAKER
        written = found.tobytes()
    except Exception:  # damaged EXIF can raise anything; what can't be read is not kept
        written = b""
    if not written or len(written) > LONGEST:
        found = Image.Exif()
        found[SOFTWARE] = MAKER
        written = found.tobytes()
    return written


def commented(exif: bytes, record: str) -> bytes:
    """Return EXIF with a record as its UserComment; if both are too long for a file, only the record is kept."""
    found = Image.Exif()
    if exif:
        found.load(exif)
    own = dict(found.get_ifd(CAMERA))
    found[CAMERA] = {**own, COMMENT: ASCII + json.dumps(json.loads(record)).encode("ascii")}
    written = found.tobytes()
    if len(written) > LONGEST:
        return commented(b"", record) if exif else b""
    return written


def read_record(path: str | os.PathLike[str]) -> str | None:
    """Return the record, as JSON, in a picture or a JSON file; None if there is none.

    Raises:
        ValueError: the file can't be read, or it is neither JSON nor a picture.
    """
    try:
        with open(path, "rb") as stream:
            head = stream.read(MOST)
        if head.lstrip()[:1] == b"{":
            return head.decode("utf-8", "replace")
        with warnings.catch_warnings(), Image.open(path, formats=sorted({*OUTPUTS.values()})) as image:
            warnings.simplefilter("ignore")  # of many pixels, which aren't decoded here
            if image.format == "PNG":  # the other way would decode it
                return image.info.get(RECORD)
            comment = image.getexif().get_ifd(CAMERA).get(COMMENT)
    except Exception:  # Pillow's decoders can raise anything on damaged data
        raise ValueError(f"This file is neither a picture in {', '.join(OUTPUTS)} nor a record in JSON.") from None
    return comment[len(ASCII) :].decode("ascii", "replace") if _holds(comment) else None


def _holds(comment: Any) -> TypeGuard[bytes]:
    """Whether an EXIF UserComment holds a record rather than a photographer's words."""
    return isinstance(comment, bytes) and comment.startswith(ASCII + b"{")


def is_result(path: str | os.PathLike[str]) -> bool:
    """Whether a picture was made by a run, judging by the mark saved with it."""
    if not os.path.isfile(path):  # opening a pipe would wait for someone to write into it
        return False
    try:
        with Image.open(path) as image:
            return RECORD in image.info or image.getexif().get(SOFTWARE) == MAKER
    except Exception:  # Pillow's decoders can raise anything on damaged data
        return False


def output_format(path: Path) -> str:
    """Return the format for a file's suffix.

    Raises:
        ValueError: the suffix is not supported.
    """
    if path.suffix.lower() not in OUTPUTS:
        raise ValueError(
            f"Pictures are saved as {', '.join(OUTPUTS)}, not as {path.suffix or 'a name without a suffix'}."
        )
    return OUTPUTS[path.suffix.lower()]
