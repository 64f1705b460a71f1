"""File types by their first bytes: the supported formats, and others with advice on what to do."""

from __future__ import annotations

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "HEIF")
EXPORT = "export it as PNG or JPEG"
RAW = f"a camera raw file, which must be developed first; {EXPORT} with the camera's software or a raw converter"
VIDEO = "a video, not a picture; save one frame of it as PNG or JPEG"
HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
READ = {  # first bytes of the supported formats
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
NOT_READ = {  # first bytes of others, with a description and advice
    b"\xff\x0a": f"a JPEG XL picture, which can't be read here; {EXPORT}",
    b"\0\0\0\x0cJXL ": f"a JPEG XL picture, which can't be read here; {EXPORT}",
    b"\0\0\0\x0cjP  ": f"a JPEG 2000 picture, which can't be read here; {EXPORT}",
    b"\xff\x4f\xff\x51": f"a JPEG 2000 picture, which can't be read here; {EXPORT}",
    b"8BPS": f"a Photoshop document, not a single picture; {EXPORT}",
    b"gimp xcf": f"a GIMP document, not a single picture; {EXPORT}",
    b"%PDF": f"a PDF document, not a picture; {EXPORT}",
    b"%!PS": f"a PostScript drawing, not a bitmap picture; {EXPORT}",
    b"\xc5\xd0\xd3\xc6": f"a PostScript drawing, not a bitmap picture; {EXPORT}",
    b"\xd7\xcd\xc6\x9a": f"a Windows metafile, not a bitmap picture; {EXPORT}",
    b"\x76\x2f\x31\x01": f"an OpenEXR picture, which can't be read here; {EXPORT}, or as TIFF",
    b"#?RADIANCE": f"a Radiance HDR picture, which can't be read here; {EXPORT}, or as TIFF",
    b"#?RGBE": f"a Radiance HDR picture, which can't be read here; {EXPORT}, or as TIFF",
    b"qoif": f"a QOI picture, which can't be read here; {EXPORT}",
    b"DDS ": f"a DDS texture, which can't be read here; {EXPORT}",
    b"\0\0\1\0": f"an icon file, which can't be read here; {EXPORT}",
    b"\0\0\2\0": f"a cursor file, which can't be read here; {EXPORT}",
    b"icns": f"an icon file, which can't be read here; {EXPORT}",
    b"II\xbc\x01": f"a JPEG XR picture, which can't be read here; {EXPORT}",
    b"P7": f"a PAM picture, which can't be read here; {EXPORT}",
    b"SIMPLE  =": f"a FITS file, which can't be read here; {EXPORT}, or as TIFF",
    b"FUJIFILMCCD-RAW": RAW,
    b"IIRO": RAW,
    b"IIRS": RAW,
    b"MMOR": RAW,
    b"IIU\0": RAW,
    b"\x1aE\xdf\xa3": VIDEO,
    b"PK\x03\x04": "an archive, not a picture; unpack it, or export the picture in it as PNG or JPEG",
    b"Rar!": "an archive, not a picture; unpack it first",
    b"7z\xbc\xaf": "an archive, not a picture; unpack it first",
    b"\x1f\x8b": "compressed with gzip; unpack it first",
    b"version https://git-lfs": "a Git LFS pointer instead of the picture; run git lfs pull",
}


def kind(head: bytes) -> str | None:
    """Return the format in FORMATS that a file's first bytes belong to, or None."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        brands = {head[at : at + 4] for at in (8, *range(16, min(_length(head), 64), 4))}
        if brands & {b"avif", b"avis"}:
            return "AVIF"
        return "HEIF" if brands & set(HEIF) else None
    if head[:1] == b"P" and head[1:2] in b"123456fF" and head[2:3].isspace():
        return "PPM"
    return next((name for magic, name in READ.items() if head.startswith(magic)), None)


def describe(head: bytes) -> str:
    """Describe an unsupported file in a sentence, with advice."""
    found = next((what for magic, what in NOT_READ.items() if head.startswith(magic)), None)
    text = head[:1024].lower().lstrip(b"\xef\xbb\xbf \t\r\n")
    if _targa(head):
        found = f"a TGA picture, which can't be read here; {EXPORT}"
    elif head[4:8] == b"ftyp":
        found = RAW if head[8:11] == b"crx" else VIDEO
    elif head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        found = VIDEO
    elif head[128:132] == b"DICM":
        found = f"a DICOM file, which can't be read here; {EXPORT}"
    elif b"<svg" in text:
        found = "an SVG drawing, not a bitmap picture; export it as PNG"
    elif text.startswith((b"<!doctype html", b"<html")):
        found = "a web page, not a picture; save the picture on it instead"
    if found is not None:
        return f"This file is {found}."
    return f"This file is not a picture; {', '.join(FORMATS).replace('HEIF', 'HEIC')} can be read."


def _targa(head: bytes) -> bool:
    """Whether a file begins like a TGA, which has no signature; cursors and icons begin alike but then have a count."""
    if len(head) < 18 or head[1] > 1 or head[2] not in (1, 2, 3, 9, 10, 11) or head[16] not in (8, 15, 16, 24, 32):
        return False
    return head[1] == head[2] % 8 == 1 or (head[1] == 0 and head[3:8] == bytes(5))


def _length(head: bytes) -> int:
    return int.from_bytes(head[:4], "big")
