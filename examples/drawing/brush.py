"""Brushes, papers and fields that the styles share.

A picture is an array [H,W,3] of RGB in [0,1], drawn at twice its final size and reduced at the end, which
smooths its edges. Positions and lengths are in pixels of the large picture, angles in radians.
"""

import numpy as np
from PIL import Image, ImageDraw

WIDE, TALL, SQUARE = (1152, 1536), (1536, 1152), (1152, 1152)  # [height, width] of the large picture


def colors(*codes):
    """Palette [K,3] from hexadecimal codes such as `"1b2a6b"`."""
    return np.array([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in codes]) / 255


def ramp(value, palette):
    """Colors [...,3] for values in [0,1], blended between the evenly spaced entries of a palette."""
    stops = np.linspace(0, 1, len(palette))
    return np.stack([np.interp(value, stops, palette[:, channel]) for channel in range(3)], -1)


def mix(below, above, mask):
    """`above` laid over `below` [H,W,3] where the mask [H,W] is 1; `above` may be a single color."""
    return below + (above - below) * np.clip(mask, 0, 1)[..., None]


def grid(shape):
    """Coordinates x and y of every pixel, each [H,W]."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return x, y


def step(low, high, value):
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def noise(rng, shape, cell, octaves=4):
    """Smooth noise [H,W] that fills [0,1]; `cell` is the size of its largest lumps."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        size = max(cell / 2**octave, 1.5)
        rows, columns = (int(side / size) + 4 for side in shape)
        lumps = Image.fromarray(rng.random((rows, columns), np.float32))
        box = (1, 1, 1 + shape[1] / size, 1 + shape[0] / size)
        total += np.asarray(lumps.resize(shape[::-1], Image.Resampling.BICUBIC, box)) / 2**octave
    return (total - total.min()) / (total.max() - total.min())


def blur(array, radius):
    """Three box blurs, nearly a Gaussian of standard deviation `radius`, over the first two axes."""
    size = max(int(radius * 2) | 1, 3)
    for axis in (0, 1) * 3:
        pad = [(size // 2 + 1, size // 2) if a == axis else (0, 0) for a in range(array.ndim)]
        total = np.cumsum(np.pad(array, pad, mode="edge"), axis, dtype=np.float64)
        last, first = (np.take(total, range(k, k + array.shape[axis]), axis) for k in (size, 0))
        array = ((last - first) / size).astype(np.float32)
    return array


def sample(field, points):
    """Values of a field [H,W,...] at points [...,2] of (x, y), the nearest pixel's."""
    x, y = (np.clip(points[..., i], 0, field.shape[1 - i] - 1).astype(int) for i in (0, 1))
    return field[y, x]


def scatter(rng, shape, spacing, jitter=0.9):
    """Points [N,2] that cover the picture evenly but not regularly, in random order."""
    y, x = np.mgrid[0 : shape[0] : spacing, 0 : shape[1] : spacing]
    points = np.stack([x, y], -1).reshape(-1, 2) + spacing / 2
    points = points + rng.uniform(-jitter, jitter, points.shape) * spacing / 2
    return rng.permutation(points)


def follow(angle, starts, steps, length):
    """Paths [N,steps+1,2] that leave the starts [N,2] along an angle field [H,W]."""
    path = [np.asarray(starts, float)]
    for _ in range(steps):
        heading = sample(angle, path[-1])
        path.append(path[-1] + length * np.stack([np.cos(heading), np.sin(heading)], -1))
    return np.stack(path, 1)


def curve(points, steps=16, closed=False):
    """Smooth path [P,2] through the points [N,2] (Catmull and Rom's spline), back to the first if closed."""
    points = np.asarray(points, float)
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    ends = np.vstack([before, points, after])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    pieces = [
        b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
        for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False)
    ]
    return np.vstack([*pieces, points[:1] if closed else points[-1:]])


def swirl(shape, centers):
    """Angle field [H,W] of a stream that circles each center (x, y, radius, turn: 1 or -1)."""
    x, y = grid(shape)
    flow_x, flow_y = np.full(shape, 0.35, np.float32), np.zeros(shape, np.float32)
    for cx, cy, radius, turn in centers:
        weight = turn * np.exp(-np.hypot(x - cx, y - cy) / radius) / radius * 3
        flow_x, flow_y = flow_x - weight * (y - cy), flow_y + weight * (x - cx)
    return np.arctan2(flow_y, flow_x)


class Canvas:
    """A picture to draw on with Pillow, with the thickness of its paint kept in a second picture."""

    def __init__(self, rgb):
        """Start from the picture [H,W,3] as a bare ground."""
        self.image = Image.fromarray((np.clip(rgb, 0, 1) * 255).astype(np.uint8))
        self.relief = Image.new("L", self.image.size, 90)
        self.ink, self.body = ImageDraw.Draw(self.image), ImageDraw.Draw(self.relief)

    @property
    def rgb(self):
        """The picture as an array."""
        return np.asarray(self.image, np.float32) / 255

    def stroke(self, rng, path, width, color, bristles=9, vary=0.12):
        """One brush stroke along a path [P,2]: parallel bristles of uneven color, length and paint."""
        ahead = np.gradient(path, axis=0)
        side = np.stack([-ahead[:, 1], ahead[:, 0]], -1) / (np.hypot(*ahead.T)[:, None] + 1e-6)
        thick = max(int(width / bristles * 1.7), 1)
        tones = np.clip(color + rng.normal(0, vary, (bristles, 1)) + rng.normal(0, vary / 3, (bristles, 3)), 0, 1)
        for offset, tone in zip(rng.permutation(np.linspace(-0.5, 0.5, bristles)), tones, strict=True):
            cut = rng.integers(0, 2, 2) if len(path) > 4 else (0, 0)
            line = (path + side * offset * width)[cut[0] : len(path) - cut[1]]
            points = [tuple(point) for point in line]
            self.ink.line(points, tuple((tone * 255).astype(int)), thick, joint="curve")
            self.body.line(points, int(rng.integers(60, 255)), thick)

    def paint(self, rng, under, angle, width, length, spacing, where=None, **brush):
        """Lay strokes everywhere, or `where` a mask is set: colors from `under`, headings from `angle`."""
        starts = scatter(rng, angle.shape, spacing)
        if where is not None:
            starts = starts[sample(where, starts) > 0.5]
        shades = sample(under, starts)
        paths = follow(angle, starts, 7, length / 7)
        paths -= (paths[:, 4] - paths[:, 0])[:, None]
        for path, shade in zip(paths, shades, strict=True):
            self.stroke(rng, path, width * rng.uniform(0.6, 1.2), shade, **brush)

    def lit(self, strength=0.5):
        """Return the picture with light from the upper left on its paint."""
        return emboss(self.rgb, np.asarray(self.relief, np.float32) / 255, strength)


def emboss(rgb, height, strength=0.5):
    """Light from the upper left on a surface of the given height [H,W] in [0,1]."""
    down, across = np.gradient(blur(height, 1))
    return np.clip(rgb * (1 + strength * np.clip(4 * (down + across), -1, 1)[..., None]), 0, 1)


def grain(rng, shape, amount=0.06):
    """Factor [H,W,1] of a paper's fibers and specks, around 1."""
    fine, coarse = rng.random(shape, np.float32), noise(rng, shape, 14, 3)
    return 1 + amount * (blur(fine, 1) * 2 - 1 + coarse - 0.5)[..., None]


def shift(mask, down, right):
    """Move the mask [H,W] down and to the right, its edges drawn out."""
    return np.pad(mask, ((down, 0), (right, 0)), mode="edge")[: mask.shape[0], : mask.shape[1]]


def polygon(shape, points):
    """Mask [H,W] of a filled polygon."""
    image = Image.new("L", shape[::-1])
    ImageDraw.Draw(image).polygon([tuple(point) for point in points], 255)
    return np.asarray(image, np.float32) / 255


def trace(shape, path, width):
    """Mask [H,W] of a line with round ends along a path [P,2]; `width` is one number or one for each point."""
    image = Image.new("L", shape[::-1])
    ink, widths = ImageDraw.Draw(image), np.broadcast_to(width, len(path))
    for (x, y), radius in zip(path, widths / 2, strict=True):
        ink.ellipse((x - radius, y - radius, x + radius, y + radius), 255)
    for start, end, wide in zip(path, path[1:], widths, strict=False):
        ink.line([tuple(start), tuple(end)], 255, max(round(wide), 1))
    return np.asarray(image, np.float32) / 255


def hatch(phase, dark, soft=0.05):
    """Mask [H,W] of lines, one where `phase` passes an integer, that cover the share `dark` of the surface."""
    return step(-soft, soft, np.clip(dark, 0, 1) / 2 - np.abs(phase - np.round(phase)))


def halftone(tone, pitch, turn):
    """Mask [H,W] of dots, `pitch` apart on a grid turned by `turn`, that cover the share `tone` [H,W] of the paper."""
    x, y = grid(tone.shape)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    screen = 0.5 + 0.25 * (np.cos(2 * np.pi * u / pitch) + np.cos(2 * np.pi * v / pitch))
    return step(-0.08, 0.08, np.clip(tone, 0, 1) * 1.16 - 0.08 - (1 - screen))


def streaks(rng, shape, length, width, turn=0.0):
    """Noise [H,W] that fills [0,1], drawn out along the direction `turn` as by a dry brush."""
    reach = int(np.hypot(*shape)) + 2
    lumps = noise(rng, (int(reach * 4 / width), int(reach * 4 / length)), 4, 2)
    x, y = grid(shape)
    x, y = x - shape[1] / 2, y - shape[0] / 2
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    return sample(lumps, np.stack([(u + reach / 2) * 4 / length, (v + reach / 2) * 4 / width], -1))


def tooth(rng, shape):
    """Height [H,W] in [0,1] of rough paper."""
    return 0.7 * noise(rng, shape, 3.5, 2) + 0.3 * noise(rng, shape, 9, 2)


def rub(tooth, pressure):
    """Dry pigment [H,W] in [0,1] that a pressure [H,W] in [0,1] leaves on paper with this tooth [H,W]."""
    return step(-0.25, 0.2, pressure * 1.1 - tooth) * np.clip(0.3 + 0.8 * pressure, 0, 1)


def window(shape, points, margin):
    """Slices (rows, columns) of the part of the picture that holds the points, with a margin."""
    low = np.floor(np.min(points, 0) - margin).astype(int)
    high = np.ceil(np.max(points, 0) + margin).astype(int)
    return tuple(slice(max(low[i], 0), max(min(high[i], shape[1 - i]), 0)) for i in (1, 0))


def extent(mask, margin=0):
    """Slices (rows, columns) of the part of the picture where the mask [H,W] is not 0, with a margin."""
    rows, columns = (np.flatnonzero(mask.any(axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return window(mask.shape, [(columns[0], rows[0]), (columns[-1], rows[-1])], margin + 1)


def disc(shape, cx, cy, radius):
    """Mask [H,W] of a disc, with an edge one pixel wide."""
    x, y = grid(shape)
    return np.clip(radius - np.hypot(x - cx, y - cy) + 0.5, 0, 1)


def bricks(rng, shape, width, height, uneven):
    """Courses of bricks: number [H,W] of each brick and distance [H,W] to its edge, which wavers by `uneven`."""
    x, y = (each + uneven * 2 * (noise(rng, shape, height * 0.7, 2) - 0.5) for each in grid(shape))
    row = np.floor(y / height)
    column = np.floor(x / width + 0.5 * (row % 2))
    across, down = x / width + 0.5 * (row % 2) - column, y / height - row
    edge = np.minimum(np.minimum(across, 1 - across) * width, np.minimum(down, 1 - down) * height)
    return ((row + 1) * (shape[1] // width + 3) + column + 1).astype(int), edge


def fans(shape, size):
    """Rows of overlapping fans: distance [H,W] to the middle of the one on top, in its radii, and its row [H,W].

    The distance is 9 between the fans.
    """
    x, y = grid(shape)
    far, number = np.full(shape, 9.0), np.zeros(shape)
    for row in (np.floor(2 * y / size) - 1, np.floor(2 * y / size)):
        middle = np.round(x / (2 * size) - row % 2 / 2) * 2 * size + row % 2 * size
        out = np.hypot(x - middle, y - row * size / 2 - size) / size
        far, number = np.where(out < 1, out, far), np.where(out < 1, row, number)
    return far, number


def voronoi(rng, shape, size, jitter=0.9):
    """Cells around jittered points: labels [H,W], distance to the border [H,W] and to the point [H,W]."""
    x, y = grid(shape)
    rows, columns = int(shape[0] / size) + 5, int(shape[1] / size) + 5
    points = np.stack(np.mgrid[:rows, :columns][::-1], -1) - 1.5 + rng.uniform(-0.5, 0.5, (rows, columns, 2)) * jitter
    row, column = (y / size).astype(int) + 2, (x / size).astype(int) + 2
    near, far, label = np.full(shape, 9e9), np.full(shape, 9e9), np.zeros(shape, int)
    for down, right in np.ndindex(5, 5):
        r, c = np.clip(row + down - 2, 0, rows - 1), np.clip(column + right - 2, 0, columns - 1)
        distance = np.hypot(points[r, c, 0] - x / size, points[r, c, 1] - y / size)
        nearer = distance < near
        far = np.where(nearer, near, np.minimum(far, distance))
        label = np.where(nearer, r * columns + c, label)
        near = np.where(nearer, distance, near)
    return label, (far - near) * size / 2, near * size
