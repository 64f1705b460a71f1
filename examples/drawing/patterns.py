"""Twenty families of patterns: each draws colors [H,W,3] and a height [H,W] from a random generator and five colors."""

import numpy as np
from PIL import Image, ImageDraw

from .brush import (
    Canvas,
    blur,
    bricks,
    fans,
    follow,
    grid,
    halftone,
    hatch,
    mix,
    noise,
    ramp,
    rub,
    sample,
    scatter,
    step,
    streaks,
    swirl,
    tooth,
    voronoi,
)


def turned(rng, shape):
    """Coordinates [H,W] along a random direction and across it, a little bent."""
    x, y = grid(shape)
    turn, bend = rng.uniform(0, np.pi), rng.uniform(0, 30)
    x, y = (each + bend * (noise(rng, shape, 130, 2) - 0.5) for each in (x, y))
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def brushwork(rng, shape, palette):
    """Oil strokes that follow a stream or one direction."""
    if rng.random() < 0.5:
        centers = [(*rng.uniform(0, shape[0], 2), rng.uniform(50, 110), rng.choice([-1, 1])) for _ in range(4)]
        angle = swirl(shape, centers)
    else:
        angle = rng.uniform(0, np.pi) + 1.5 * (noise(rng, shape, 220, 2) - 0.5)
    under = ramp(noise(rng, shape, rng.uniform(40, 160), 4), palette)
    canvas = Canvas(under)
    width = rng.uniform(14, 30)
    canvas.paint(rng, under, angle, width, width * rng.uniform(2.5, 5), width * 0.85, bristles=6, vary=0.13)
    return canvas.rgb, np.asarray(canvas.relief, np.float32) / 255


def dots(rng, shape, palette):
    """Round dabs of color beside each other, smaller ones on top."""
    picture = Image.new("RGB", shape[::-1], tuple((palette[rng.integers(4)] * 255).astype(int)))
    relief = Image.new("L", shape[::-1], 90)
    ink, body = ImageDraw.Draw(picture), ImageDraw.Draw(relief)
    tone, size = noise(rng, shape, rng.uniform(60, 200), 3), rng.uniform(7, 17)
    for radius, spacing in ((size, size * 1.3), (size * 0.6, size * 1.7)):
        for cx, cy in scatter(rng, shape, spacing, rng.uniform(0.1, 1.2)):
            value = np.clip(tone[min(int(cy), shape[0] - 1), min(int(cx), shape[1] - 1)] + rng.normal(0, 0.14), 0, 1)
            shade = ramp(value, palette) if rng.random() < 0.85 else palette[rng.integers(5)]
            r = radius * rng.uniform(0.6, 1)
            ink.ellipse((cx - r, cy - r, cx + r, cy + r), tuple((shade * 255).astype(int)))
            body.ellipse((cx - r, cy - r, cx + r, cy + r), int(rng.integers(110, 220)))
    return np.asarray(picture, np.float32) / 255, np.asarray(relief, np.float32) / 255


def tiles(rng, shape, palette):
    """Square glazed tiles, each with quarter circles or a diagonal, turned at random."""
    x, y = grid(shape)
    size, rings = rng.uniform(44, 92), rng.integers(2, 6)
    column, row = np.floor(x / size).astype(int), np.floor(y / size).astype(int)
    turn = rng.integers(0, 4, (row.max() + 1, column.max() + 1))[row, column]
    u, v = x / size - column, y / size - row
    u, v = np.where(turn % 2, 1 - u, u), np.where(turn > 1, 1 - v, v)
    far = np.minimum(np.hypot(u, v), np.hypot(1 - u, 1 - v)) if rng.random() < 0.6 else np.abs(u - v) * 1.2
    band = np.floor(far * rings * 1.6).astype(int) % 5
    edge = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v)) * size
    glaze = rng.uniform(0.85, 1.1, (row.max() + 1, column.max() + 1))[row, column]
    rgb = rng.permutation(palette)[band] * (glaze * (0.9 + 0.2 * noise(rng, shape, 30, 3)))[..., None]
    joint = step(4, 2, edge)
    return mix(rgb, palette[0] * 0.7, joint), 0.8 - 0.6 * joint


def cells(rng, shape, palette):
    """Cells with walls, shaded toward their edges."""
    size = rng.uniform(26, 74)
    label, border, point = voronoi(rng, shape, size, rng.uniform(0.6, 1.0))
    shade = np.clip(rng.random(label.max() + 1)[label] * 0.8 + 0.2 * noise(rng, shape, 60, 2), 0, 1)
    wall = step(rng.uniform(3, 7), 1, border)
    kernel = step(size * 0.28, size * 0.2, point) * (rng.random() < 0.6)
    rgb = mix(ramp(shade, palette[1:]) * (0.75 + 0.4 * step(0, size * 0.3, border))[..., None], palette[4], kernel)
    return mix(rgb, palette[0] if rng.random() < 0.6 else palette[3], wall), step(0, size * 0.3, border)


def waves(rng, shape, palette):
    """Bands of waves in flat colors with a line between."""
    u, v = turned(rng, shape)
    long, high, wide = rng.uniform(50, 130), rng.uniform(6, 26), rng.uniform(14, 34)
    phase = (v + high * np.sin(2 * np.pi * u / long + 0.8 * np.sin(v / 70))) / wide
    band = np.floor(phase).astype(int)
    within = phase - band
    rgb = rng.permutation(palette)[band % 5] * (0.85 + 0.3 * within)[..., None]
    return mix(rgb, palette[0] * 0.6, hatch(phase, rng.uniform(0.1, 0.3))), np.sin(np.pi * within)


def hatching(rng, shape, palette):
    """Pen lines that swell and cross where it is dark."""
    tone = noise(rng, shape, rng.uniform(70, 200), 3)
    paper, ink = palette[3], palette[rng.integers(0, 2)]
    rgb = np.broadcast_to(paper, (*shape, 3))
    rgb = mix(rgb, palette[4], step(0.6, 0.75, noise(rng, shape, 120, 2)) * 0.6)
    pitch = rng.uniform(6, 12)
    for level in range(rng.integers(2, 4)):
        u, _ = turned(rng, shape)
        rgb = mix(rgb, ink, hatch(u / pitch, np.clip(1.15 * tone - 0.24 * level, 0, 0.8)))
    return rgb, tone


def weave(rng, shape, palette):
    """Threads over and under each other, in a plain, basket or twill weave."""
    x, y = grid(shape)
    x, y = x + 5 * (noise(rng, shape, 90, 2) - 0.5), y + 5 * (noise(rng, shape, 90, 2) - 0.5)
    thread, group, twill = rng.uniform(11, 24), rng.integers(1, 4), rng.random() < 0.4
    column, row = np.floor(x / thread).astype(int), np.floor(y / thread).astype(int)
    over = (column + row) % 4 < 2 if twill else (column // group + row // group) % 2 == 0
    stripes = rng.integers(0, 5, (2, rng.integers(3, 9)))
    warp, weft = palette[stripes[0][column % len(stripes[0])]], palette[stripes[1][row % len(stripes[1])]]
    round_x, round_y = np.sin(np.pi * (x / thread - column)), np.sin(np.pi * (y / thread - row))
    body = np.where(over, round_x * (0.6 + 0.4 * round_y), round_y * (0.6 + 0.4 * round_x))
    twist = 0.85 + 0.3 * hatch((np.where(over, x + 2 * y, y + 2 * x)) / 9, 0.5)
    return np.where(over[..., None], warp, weft) * (twist * (0.4 + 0.6 * body**0.6))[..., None], body


def splatter(rng, shape, palette):
    """Thrown paint: drops of every size and threads between them."""
    canvas = Canvas(ramp(noise(rng, shape, 150, 3), palette[2:4] if rng.random() < 0.5 else palette[:2]))
    for _ in range(rng.integers(14, 30)):
        shade = tuple((palette[rng.integers(5)] * 255).astype(int))
        path = rng.uniform(0, shape[0], 2) + np.cumsum(rng.normal(0, 26, (14, 2)) + rng.normal(0, 12, 2), 0)
        for start, end in zip(path, path[1:], strict=False):
            width = int(rng.integers(2, 7))
            canvas.ink.line([tuple(start), tuple(end)], shade, width)
            canvas.body.line([tuple(start), tuple(end)], 200, width)
    sizes = np.exp(rng.normal(1.1, 0.75, rng.integers(250, 500)))
    for r, (cx, cy) in zip(np.minimum(sizes, 26), rng.uniform(0, shape[0], (len(sizes), 2)), strict=True):
        canvas.ink.ellipse((cx - r, cy - r, cx + r, cy + r), tuple((palette[rng.integers(5)] * 255).astype(int)))
        canvas.body.ellipse((cx - r, cy - r, cx + r, cy + r), 220)
    return canvas.rgb, blur(np.asarray(canvas.relief, np.float32) / 255, 1.5)


def marble(rng, shape, palette):
    """Floated colors, combed and swirled."""
    x, y = grid(shape)
    for _ in range(rng.integers(2, 6)):
        cx, cy, reach = *rng.uniform(0, shape[0], 2), rng.uniform(40, 110)
        turn = rng.uniform(-3, 3) * np.exp(-((np.hypot(x - cx, y - cy) / reach) ** 2))
        x, y = (
            cx + (x - cx) * np.cos(turn) - (y - cy) * np.sin(turn),
            cy + (x - cx) * np.sin(turn) + (y - cy) * np.cos(turn),
        )
    pitch = rng.uniform(34, 80)
    y = y + pitch * rng.uniform(1, 3) * 0.9 ** (np.abs(x / pitch - np.round(x / pitch)) * pitch)
    label, border, point = voronoi(rng, shape, rng.uniform(50, 100), 1.0)
    place = np.stack([x % shape[1], y % shape[0]], -1)
    label, border, point = (sample(field, place) for field in (label, border, point))
    kind = rng.integers(0, 5, label.max() + 1)[label]
    rgb = mix(palette[kind], palette[(kind + 2) % 5], step(18, 16, point))
    return mix(rgb, palette[(kind + 1) % 5], step(7, 5, border)), noise(rng, shape, 60, 3)


def masonry(rng, shape, palette):
    """Courses of bricks or slabs with mortar."""
    long, high = rng.uniform(46, 120), rng.uniform(22, 50)
    number, edge = bricks(rng, shape, long, high, rng.uniform(0, 4))
    shade = np.clip(rng.random(number.max() + 1)[number] * 0.75 + 0.3 * (noise(rng, shape, 26, 4) - 0.3), 0, 1)
    joint = step(5, 2, edge)
    tones = palette[:3] if rng.random() < 0.5 else palette[1:]
    rgb = mix(ramp(shade, tones), palette[3] * 0.85 if rng.random() < 0.5 else palette[0] * 0.7, joint)
    return rgb, 0.6 - 0.5 * joint + 0.3 * noise(rng, shape, 9, 3)


def scales(rng, shape, palette):
    """Overlapping fans with rings or ribs."""
    size = rng.uniform(26, 58)
    far, row = fans(shape, size)
    x, _ = grid(shape)
    middle = np.round(x / (2 * size) - row % 2 / 2)
    tone = (0.37 * row + 0.61 * middle) % 1 if rng.random() < 0.5 else 0.25 * (row % 4)
    rgb = ramp(np.clip(1 - far + 0.35 * (tone - 0.5), 0, 1), rng.permutation(palette))
    rings = hatch(far * rng.integers(2, 6), rng.uniform(0.15, 0.4)) * (rng.random() < 0.7)
    rgb = mix(rgb, palette[3], rings * 0.8)
    return mix(rgb, palette[0] * 0.6, step(0.9, 0.96, far)), np.clip(1 - 0.6 * far, 0, 1)


def leaves(rng, shape, palette):
    """Leaves in layers, half light and half dark, with ribs."""
    canvas = Canvas(np.broadcast_to(palette[0] * 0.7, (*shape, 3)))
    length, wide = rng.uniform(46, 96), rng.uniform(0.16, 0.3)
    lean, spread = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 3)
    t = np.linspace(0, 1, 12)[:, None]
    for depth, (cx, cy) in zip(np.linspace(0, 1, 400), scatter(rng, shape, length * 0.36)[:400], strict=False):
        turn, reach = lean + rng.normal(0, spread), length * rng.uniform(0.7, 1.1)
        way, aside = (np.array([np.cos(turn + a), np.sin(turn + a)]) for a in (0, np.pi / 2))
        rib = (cx, cy) + reach * (t - 0.5) * way + 0.1 * reach * np.sin(np.pi * t) * aside
        half = wide * reach * np.sin(np.pi * t**0.8) * aside
        tone = ramp(np.clip(0.2 + 0.6 * depth + rng.normal(0, 0.14), 0, 1), palette[:4])
        tone = palette[4] if rng.random() < 0.08 else tone
        for edge, light in ((rib - half, 1.1), (rib + half, 0.8)):
            outline = [tuple(p) for p in np.vstack([rib, edge[::-1]])]
            canvas.ink.polygon(outline, tuple((np.clip(tone * light, 0, 1) * 255).astype(int)))
            canvas.body.polygon(outline, int(70 + 150 * depth))
        canvas.ink.line([tuple(p) for p in rib], tuple((palette[0] * 140).astype(int)), 2)
    return canvas.rgb, np.asarray(canvas.relief, np.float32) / 255


def plaid(rng, shape, palette):
    """Crossing stripes of thread."""
    u, v = turned(rng, shape)
    widths = rng.integers(1, 6, 7)
    order = np.repeat(rng.integers(0, 5, 7), widths)
    thread = rng.uniform(5, 11)
    across, down = (np.floor(each / thread).astype(int) for each in (u, v))
    twill = (across + down) % 4 < 2
    rgb = np.where(twill[..., None], palette[order[across % len(order)]], palette[order[down % len(order)]])
    body = np.sin(np.pi * (np.where(twill, u, v) / thread % 1)).clip(0)
    return rgb * (0.65 + 0.35 * body)[..., None], body


def wood(rng, shape, palette):
    """Growth rings around knots."""
    u, v = turned(rng, shape)
    u, v = u * rng.uniform(0.08, 0.4), v + 26 * noise(rng, shape, 170, 3)
    for _ in range(rng.integers(1, 4)):
        cx, cy = rng.uniform(0, shape[0], 2)
        x, y = grid(shape)
        v = v + rng.uniform(20, 60) * np.exp(-(((x - cx) / 90) ** 2) - ((y - cy) / 40) ** 2)
    phase = np.hypot(u, v) / rng.uniform(9, 22) + noise(rng, shape, 60, 2)
    rgb = ramp(phase % 1, palette[[0, 1, 2, 3, 2]])
    fiber = streaks(rng, shape, 160, 5, rng.uniform(0, np.pi))
    return rgb * (0.8 + 0.4 * fiber)[..., None], 0.5 * (phase % 1) + 0.5 * fiber


def fur(rng, shape, palette):
    """Hairs, grass or straw along a stream, darker below."""
    angle = rng.uniform(0, 2 * np.pi) + 2.4 * (noise(rng, shape, rng.uniform(120, 260), 2) - 0.5)
    canvas = Canvas(np.broadcast_to(palette[0] * 0.8, (*shape, 3)))
    starts = scatter(rng, shape, rng.uniform(9, 13))
    paths = follow(angle + rng.normal(0, 0.2), starts, 4, rng.uniform(6, 14))
    spots = noise(rng, shape, rng.uniform(40, 110), 2)
    for depth, path in zip(np.linspace(0, 1, len(paths)), paths, strict=True):
        tone = ramp(np.clip(0.55 * depth + 0.6 * sample(spots, path[0]) - 0.1 + rng.normal(0, 0.07), 0, 1), palette[:4])
        tone = palette[4] if rng.random() < 0.05 else tone
        points = [tuple(p) for p in path + rng.normal(0, 1, 2)]
        canvas.ink.line(points, tuple((tone * 255).astype(int)), int(rng.integers(2, 6)))
        canvas.body.line(points, int(60 + 180 * depth), 3)
    return canvas.rgb, np.asarray(canvas.relief, np.float32) / 255


def chevrons(rng, shape, palette):
    """Zigzags with finer zigzags inside."""
    u, v = turned(rng, shape)
    long, wide = rng.uniform(30, 90), rng.uniform(16, 40)
    phase = (v + long * rng.uniform(0.3, 0.9) * np.abs(u / long % 1 - 0.5) * 2) / wide
    band = np.floor(phase).astype(int)
    rgb = rng.permutation(palette)[band % rng.integers(2, 6)]
    rgb = mix(rgb, palette[3], hatch(phase * rng.integers(2, 5) + 0.5, 0.22) * (band % 2))
    thread = np.abs(np.sin(u * np.pi / rng.uniform(4, 9)))
    return rgb * (0.7 + 0.3 * thread)[..., None], thread


def facets(rng, shape, palette):
    """Flat triangles, each turned a little to the light."""
    size = rng.uniform(26, 60)
    tone = noise(rng, shape, rng.uniform(90, 240), 2)
    picture = Image.new("RGB", shape[::-1])
    ink = ImageDraw.Draw(picture)
    count = int(shape[0] / size) + 4
    mesh = (np.stack(np.mgrid[:count, :count][::-1], -1) - 1.5 + rng.uniform(-0.38, 0.38, (count, count, 2))) * size
    for r, c in np.ndindex(count - 1, count - 1):
        for corners in (
            (mesh[r, c], mesh[r, c + 1], mesh[r + 1, c]),
            (mesh[r, c + 1], mesh[r + 1, c + 1], mesh[r + 1, c]),
        ):
            value = np.clip(sample(tone, np.mean(corners, 0)) + rng.normal(0, 0.12), 0, 1)
            shade = np.clip(ramp(value, palette) * rng.uniform(0.8, 1.15), 0, 1)
            ink.polygon([tuple(p) for p in corners], tuple((shade * 255).astype(int)))
    rgb = np.asarray(picture, np.float32) / 255
    return rgb, rgb.mean(-1)


def pebbles(rng, shape, palette):
    """Rounded stones in two sizes on sand."""
    size = rng.uniform(30, 66)
    label, border, point = voronoi(rng, shape, size, 0.85)
    dome = np.sqrt(np.clip(1 - (1 - np.clip(border / (size * 0.32), 0, 1)) ** 2, 0, 1))
    shade = rng.random(label.max() + 1)[label]
    veins = hatch(noise(rng, shape, 60, 3) * 6, 0.2) * (shade > 0.6)
    stone = mix(ramp(np.clip(shade + 0.25 * (noise(rng, shape, 16, 3) - 0.5), 0, 1), palette), palette[3], veins * 0.6)
    sand = ramp(noise(rng, shape, 5, 2), palette[:3])
    rgb = mix(sand * 0.6, stone * (0.45 + 0.6 * dome)[..., None], step(2, 5, border))
    return rgb, dome


def prints(rng, shape, palette):
    """A halftone print: two plates of dots whose tones meet in waves."""
    first, second = (noise(rng, shape, rng.uniform(60, 180), 2) for _ in range(2))
    rgb = np.broadcast_to(palette[3], (*shape, 3))
    pitch, turn = rng.uniform(9, 18), rng.uniform(0, 1.5)
    for tone, ink, lean in (
        (first, palette[4], 0),
        (second, palette[rng.integers(1, 3)], 0.5),
        (first * second, palette[0], 1),
    ):
        dots_of = halftone(step(0.1, 0.95, tone), pitch, turn + lean)
        rgb = rgb * (1 - dots_of[..., None] * (1 - ink) * 0.92)
    return rgb, np.full(shape, 0.5, np.float32)


def crayon(rng, shape, palette):
    """Wax crayon or chalk rubbed over rough paper in scribbled patches."""
    rough = tooth(rng, shape)
    rgb = np.broadcast_to(palette[0] if rng.random() < 0.5 else palette[3], (*shape, 3))
    for _ in range(rng.integers(4, 7)):
        u, v = turned(rng, shape)
        scribble = hatch((v + 9 * np.sin(u / 26)) / rng.uniform(11, 22), 0.62, 0.2)
        patch = step(0.38, 0.62, noise(rng, shape, rng.uniform(80, 170), 2))
        rgb = mix(rgb, palette[rng.integers(1, 5)], rub(rough, 0.85 * scribble * patch) * 0.95)
    return rgb, rough


FAMILIES = (
    brushwork,
    dots,
    tiles,
    cells,
    waves,
    hatching,
    weave,
    splatter,
    marble,
    masonry,
    scales,
    leaves,
    plaid,
    wood,
    fur,
    chevrons,
    facets,
    pebbles,
    prints,
    crayon,
)
