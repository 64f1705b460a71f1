"""Detection of small JPEG files that would take minutes to decode, before they are decoded."""

from __future__ import annotations

import re
from typing import BinaryIO

SCANS = 100  # cameras and programs write up to about 15; each covers the whole picture, 60 ms at 36 megapixels
METADATA = 16 * 2**20  # bytes before the pixels; Pillow copies all of it for each additional segment
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # inside a scan, \xff is followed by \0 or by a restart number


def check(stream: BinaryIO) -> None:
    """Check the segments of a JPEG, then rewind it.

    Raises:
        ValueError: it has too many scans or too much metadata.
    """
    data = stream.read()
    stream.seek(0)
    offset, scans = 2, 0
    while (found := MARKER.search(data, offset)) and found[0] != b"\xff\xd9":
        offset = found.end() + max(2, int.from_bytes(data[found.end() : found.end() + 2], "big"))
        scans += found[0] == b"\xff\xda"
        if scans > SCANS:
            raise ValueError(f"This JPEG has more than {SCANS} scans; save it again, or as PNG.")
        if not scans and offset > METADATA:
            raise ValueError(f"This JPEG has more than {METADATA // 2**20} MB of metadata; save it without metadata.")
