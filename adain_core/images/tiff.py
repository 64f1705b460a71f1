"""TIFF in the wild: any depth, strips or tiles, chunky or planar, either byte order, BigTIFF, all common color spaces.

Pillow supports a fixed list of combinations and reads some of them incorrectly. Here strips and tiles are decompressed,
each to no more bytes than it should have, and assembled. JPEG and fax compression are left to Pillow.
"""

from __future__ import annotations

import struct
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from adain_core.images import kinds, levels, strips
from adain_core.images.levels import Numbers

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
TYPES = {1: "u1", 2: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 11: "f4", 12: "f8", 13: "u4", 16: "u8"}
TYPES |= {5: "u4", 10: "i4", 17: "i8", 18: "u8"}  # two numbers per fraction
KIND, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL = 254, 256, 257, 258, 259, 262, 266
STRIPS, ORIENTATION, SAMPLES, ROWS, STRIP_BYTES, PLANAR, PREDICTOR, COLORS = 273, 274, 277, 278, 279, 284, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_BYTES, INSIDE, INKS, EXTRA, FORMAT = 322, 323, 324, 325, 330, 332, 338, 339
LUMA, SUBSAMPLING, RANGES, PROFILE, DNG = 529, 530, 532, 34675, 50706
LARGEST = 64 * 2**20  # bytes in a tag
MOST = 640_000_000  # bytes in an unpacked picture: 80 megapixels of 16-bit RGBA
PARTS = 500_000  # strips or tiles
PAGES = 1000  # counted at most
LEFT = (2, 3, 4, 6, 7)  # fax and JPEG, left to Pillow
NAMES = {34712: "JPEG 2000", 33003: "JPEG 2000", 33005: "JPEG 2000", 50001: "WebP", 50002: "JPEG XL", 34887: "LERC"}
CHANNELS = {0: 1, 1: 1, 2: 3, 3: 1, 4: 1, 5: 4, 6: 3, 8: 3, 9: 3}
MODES = {1: "L", 3: "RGB", 4: "CMYK"}


Order = Literal["<", ">"]


class Damaged(Exception):
    """The file is incomplete."""


class Refused(ValueError):
    """The content of the file is not supported; the message is a sentence for the user."""


class Tiff:
    """The first picture of a TIFF file.

    Attributes:
        stored: its width and height in the file, before the orientation is applied.
        turn: its EXIF orientation.
        pages: how many pictures the file has, not counting previews.
        profile: its ICC profile.
        pillow: whether Pillow must decode it.

    Raises:
        Damaged: the file's header can't be read.
        Refused: it is a camera raw file or is not supported.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._tags, self._order, self.pages, raw = _directories(stream)
        self.stored = (self._one(WIDTH, 0), self._one(HEIGHT, 0))
        turn = self._one(ORIENTATION, 1)
        self.turn = turn if 1 <= turn <= 8 else 1
        self.profile = bytes(self._tags[PROFILE].astype(np.uint8)) if PROFILE in self._tags else None
        self._compression, self._bits = self._one(COMPRESSION, 1), self._one(BITS, 1)
        self._samples = self._one(SAMPLES, len(self._tags.get(BITS, [1])))
        self._photometric = self._one(PHOTOMETRIC, 1 if self._samples < 3 else 2)
        self.pillow = self._compression in LEFT
        preview = self._one(KIND, 0) & 1 and INSIDE in self._tags
        if raw or DNG in self._tags or preview or self._photometric in (32803, 34892):
            raise Refused(f"This file is {kinds.RAW}.")
        if min(self.stored) < 1 or not {STRIPS, TILES} & set(self._tags):
            raise Damaged
        whole = all(len(each) for each in self._tags.values())
        if self.pillow and not (whole and self._within(stream.seek(0, 2))):
            raise Damaged  # libtiff would print warnings

    def samples(self) -> tuple[Numbers, float]:
        """Return the numbers as stored, [H,W,S], and the share that is missing from the file, which is filled with 0.

        Raises:
            Refused: they are not supported.
        """
        width, height = self.stored
        kind = self._check()
        planar = self._one(PLANAR, 1) == 2 and self._samples > 1
        planes, depth = (self._samples, 1) if planar else (1, self._samples)
        tiled = TILES in self._tags
        wide = self._one(TILE_WIDTH, 0) if tiled else width
        tall = self._one(TILE_HEIGHT, 0) if tiled else min(self._one(ROWS, height) or height, height)
        if wide < 1 or tall < 1 or (tiled and min(wide, tall) < 8):
            raise Damaged
        offsets = self._tags[TILES if tiled else STRIPS]
        counts = self._tags.get(TILE_BYTES if tiled else STRIP_BYTES, np.zeros(0, np.int64))
        across, down = -(-width // wide), -(-height // tall)
        if across * down * planes > PARTS or wide * tall * depth * self._bits > 8 * MOST:
            raise Damaged
        found = np.zeros((height, width, self._samples), kind)
        missing = 0.0
        for part in range(across * down * planes):
            plane, index = divmod(part, across * down)
            top, left = index // across * tall, index % across * wide
            rows = tall if tiled else min(tall, height - top)
            room = found[top : top + rows, left : left + wide, plane : plane + depth]
            if part >= len(offsets):
                missing += room.size
                continue
            count = int(counts[part]) if part < len(counts) else 0
            values, lack = self._read(int(offsets[part]), count, (rows, wide, depth), kind)
            room[:] = values[: room.shape[0], : room.shape[1]]
            missing += lack * room.size
        return found, missing / found.size

    def decode(self) -> tuple[Image.Image, Image.Image | None, list[str], float]:
        """Return the picture in mode L, RGB, CMYK, or LAB, its alpha channel, notes, and the share that is missing.

        Raises:
            Refused: it is not supported.
        """
        values, missing = self.samples()
        colors = CHANNELS[self._photometric]
        alpha, associated = self._alpha(values, colors)
        values = values[..., :colors]
        if self._photometric == 3:
            pixels, note = self._look_up(values[..., 0]), ""
        elif self._photometric in (8, 9):
            shift = 0 if self._bits == 8 else 8
            pixels, note = (values >> shift).astype(np.uint8), ""
            if self._photometric == 9:
                pixels[..., 1:] ^= 128  # Pillow stores a and b as signed numbers
        else:
            low, high, note = levels.span(values, self._bits)
            pixels = levels.to_bytes(values, low, high)
            if self._photometric == 0:
                np.subtract(255, pixels, out=pixels)
            if self._photometric == 6:
                pixels = self._from_luma(pixels)
        if associated and alpha is not None:
            _divide(pixels, alpha)
        mode = "LAB" if self._photometric in (8, 9) else MODES[pixels.shape[-1]]
        image = Image.frombytes(mode, self.stored, pixels.tobytes())
        return image, None if alpha is None else Image.fromarray(alpha), [note] if note else [], missing

    def labels(self) -> NDArray[np.int64] | None:
        """Return the numbers of a single-channel picture, [H,W]; None if it has more channels."""
        if CHANNELS.get(self._photometric) != 1:
            return None
        values, _ = self.samples()
        if values.dtype.kind == "f" and not (values == np.rint(values)).all():
            raise Refused("A label map holds whole numbers, but this one has fractions; save it with 8 or 16 bits.")
        labels = values[..., 0].astype(np.int64)
        alpha, _ = self._alpha(values, 1)
        if self._photometric == 0:
            labels = 2**self._bits - 1 - labels
        return labels if alpha is None else np.where(alpha < 128, 0, labels)

    def _within(self, size: int) -> bool:
        """Whether every strip or tile lies within a file of this size."""
        names = (TILES, TILE_BYTES) if TILES in self._tags else (STRIPS, STRIP_BYTES)
        offsets, counts = (self._tags.get(name, np.zeros(0)).astype(np.float64) for name in names)
        return len(offsets) == len(counts) and bool((offsets + counts <= size).all())

    def _one(self, tag: int, default: int) -> int:
        value = self._tags.get(tag)
        return default if value is None or not len(value) else int(value[0])

    def _check(self) -> np.dtype[Any]:
        """Return the type of the numbers, or raise what is not supported."""
        bits, form = self._tags.get(BITS, [1]), self._tags.get(FORMAT, [1])
        colors = CHANNELS.get(self._photometric)
        if colors is None or (self._photometric == 5 and self._one(INKS, 1) != 1):
            raise Refused("This TIFF has an unusual color space that can't be read; save it as RGB.")
        if self._samples < colors:
            raise Damaged
        if len({int(each) for each in bits}) > 1 or len({int(each) for each in form}) > 1:
            raise Refused("This TIFF has channels of different depths, which can't be read; save it with 8 or 16 bits.")
        if self._compression not in (1, *strips.DEFLATE, *strips.LIBTIFF, *LEFT):
            name = NAMES.get(self._compression, f"number {self._compression}")
            raise Refused(f"This TIFF's compression, {name}, can't be read; save it with LZW or without compression.")
        form_, lab = int(form[0]), self._photometric in (6, 8, 9)
        floats = form_ == 3 and self._bits in (16, 32, 64)
        whole = form_ in (1, 2, 4) and (1 <= self._bits <= 16 or self._bits in (32, 64))
        signed = form_ == 2
        if signed and self._bits not in (8, 16, 32, 64) or lab and (form_ == 3 or self._bits not in (8, 16)):
            whole = floats = False
        if self._photometric == 6 and self._bits != 8 or self._photometric == 3 and form_ != 1:
            whole = floats = False
        if not whole and not floats:
            raise Refused(f"This TIFF's {self._bits}-bit numbers can't be read; save it with 8 or 16 bits per channel.")
        letter = "f" if floats else "i" if signed and not lab else "u"
        size = next(each for each in (8, 16, 32, 64) if each >= self._bits) // 8
        width, height = self.stored
        if self._samples * size * width * height > MOST:
            raise Refused("This TIFF would take too much memory; save it with 8 bits per channel.")
        return np.dtype(f"{letter}{size}")

    def _read(self, offset: int, count: int, shape: tuple[int, int, int], kind: np.dtype[Any]) -> tuple[Numbers, float]:
        """Return a strip or tile, [h,w,d], and the share of it that is missing."""
        rows, wide, depth = shape
        across, down = self._subsampling() if self._photometric == 6 and depth == 3 else (1, 1)
        block = across * down + 2 if (across, down) != (1, 1) else 0
        line = -(-wide // across) * block if block else -(-wide * depth * self._bits // 8)
        need = line * (-(-rows // down) if block else rows)
        self._stream.seek(offset)
        most = need if self._compression == 1 else min(count, 2 * need + 4096)
        data = self._stream.read(most)
        if self._one(FILL, 1) == 2:
            data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)), bitorder="little").tobytes()
        data = strips.inflate(data, self._compression, need)
        lack = 1 - len(data) / need
        raw = np.frombuffer(data.ljust(need, b"\0"), np.uint8)
        if block:
            return strips.spread(raw, wide, rows, across, down), lack
        raw = raw.reshape(rows, line)
        predictor = self._one(PREDICTOR, 1) if self._compression != 1 else 1
        if predictor == 3 and kind.kind == "f":
            planes = raw.reshape(rows, -1, depth).cumsum(1, np.uint8).reshape(rows, kind.itemsize, -1)
            return strips.join(planes, kind).reshape(shape), lack
        if self._bits % 8:
            return strips.unpack(raw, wide * depth, self._bits, kind).reshape(shape), lack
        values = raw.view(kind.newbyteorder(self._order)).reshape(shape).astype(kind, copy=False)
        if predictor == 2 and kind.kind != "f":
            values = values.cumsum(1, kind)
        return values, lack

    def _alpha(self, values: Numbers, colors: int) -> tuple[NDArray[np.uint8] | None, bool]:
        """Return the alpha channel as [H,W], and whether colors were premultiplied by it."""
        extra = [int(each) for each in self._tags.get(EXTRA, [2] if self._photometric in (0, 1, 2) else [])]
        found = [n for n, each in enumerate(extra) if each in (1, 2, 999) and colors + n < values.shape[-1]]
        if not found:
            return None, False
        channel = values[..., colors + found[0]]
        low, high, _ = levels.span(channel, self._bits)
        return levels.to_bytes(channel, max(low, 0.0), high), extra[found[0]] == 1

    def _look_up(self, values: Numbers) -> NDArray[np.uint8]:
        table = self._tags.get(COLORS)
        if table is None or len(table) < 3 * 2**self._bits:
            raise Damaged
        table = table[: 3 * 2**self._bits].reshape(3, -1).T
        shades = table if table.max() < 256 else table >> 8  # some writers use 8 bits
        return shades.astype(np.uint8)[values]

    def _subsampling(self) -> tuple[int, int]:
        given = self._tags.get(SUBSAMPLING, np.array([2, 2]))
        across, down = int(given[0]), int(given[-1])
        if across not in (1, 2, 4) or down not in (1, 2, 4):
            raise Damaged
        return across, down

    def _from_luma(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Convert YCbCr to RGB with the weights and ranges of the file."""
        red, green, blue = self._fractions(LUMA, (0.299, 0.587, 0.114))
        black, white, zero, most, zero_red, most_red = self._fractions(RANGES, (0, 255, 128, 255, 128, 255))
        for top in range(0, len(pixels), levels.ROWS):
            part = pixels[top : top + levels.ROWS].astype(np.float32)
            y = (part[..., 0] - black) * (255 / ((white - black) or 255))
            cb = (part[..., 1] - zero) * (127 / ((most - zero) or 127))
            cr = (part[..., 2] - zero_red) * (127 / ((most_red - zero_red) or 127))
            r, b = y + 2 * (1 - red) * cr, y + 2 * (1 - blue) * cb
            g = (y - red * r - blue * b) / (green or 1)
            pixels[top : top + levels.ROWS] = np.rint(np.stack([r, g, b], -1).clip(0, 255)).astype(np.uint8)
        return pixels

    def _fractions(self, tag: int, default: tuple[float, ...]) -> list[float]:
        value = self._tags.get(tag)
        if value is None or len(value) < 2 * len(default) or not value[1::2].all():
            return list(default)
        return [float(a / b) for a, b in zip(value[::2], value[1::2], strict=False)]


def _directories(stream: BinaryIO) -> tuple[dict[int, NDArray[Any]], Order, int, bool]:
    """Return the first directory's tags, the byte order, the number of pages, and whether it is a CR2 file."""
    stream.seek(0)
    head = stream.read(16)
    order: Order = ">" if head[:2] == b"MM" else "<"
    big = head[2:4] in (b"+\0", b"\0+")
    try:
        (offset,) = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)
        first, offset = _directory(stream, offset, order, big)
    except struct.error:
        raise Damaged from None
    pages, seen = 1, {0}
    while offset not in seen and pages < PAGES:
        seen.add(offset)
        try:
            tags, offset = _directory(stream, offset, order, big, (KIND,))
        except (struct.error, Damaged):
            break
        pages += not int(tags.get(KIND, [0])[0]) & 5  # neither a preview nor a mask
    return first, order, pages, head[8:10] == b"CR"


def _directory(
    stream: BinaryIO, offset: int, order: Order, big: bool, wanted: tuple[int, ...] = ()
) -> tuple[dict[int, NDArray[Any]], int]:
    stream.seek(offset)
    (count,) = struct.unpack(order + ("Q" if big else "H"), stream.read(8 if big else 2))
    size = 20 if big else 12
    if count > 4096:
        raise Damaged
    table = stream.read(count * size + (8 if big else 4))
    found = {}
    for entry in range(count):
        tag, form, number = struct.unpack_from(order + ("HHQ" if big else "HHI"), table, entry * size)
        bytes_ = SIZES.get(form, 0) * number
        if not 0 < bytes_ <= LARGEST or (wanted and tag not in wanted):
            continue
        data = table[entry * size + size - (8 if big else 4) :][: 8 if big else 4]
        if bytes_ > len(data):
            stream.seek(struct.unpack(order + ("Q" if big else "I"), data)[0])
            data = stream.read(bytes_)
        whole = data[:bytes_] if len(data) >= bytes_ else b""
        found[tag] = np.frombuffer(whole, np.dtype(TYPES[form]).newbyteorder(order))
    rest = table[count * size :]
    return found, int.from_bytes(rest, "big" if order == ">" else "little")


def _divide(pixels: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """Undo the premultiplication of colors by alpha."""
    for top in range(0, len(pixels), levels.ROWS):
        part = slice(top, top + levels.ROWS)
        share = np.maximum(alpha[part], 1)[..., None].astype(np.float32) / 255
        pixels[part] = np.rint((pixels[part] / share).clip(0, 255)).astype(np.uint8)
