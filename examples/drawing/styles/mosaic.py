"""The style `mosaic`."""

import numpy as np
from PIL import Image, ImageDraw

from ..brush import WIDE, blur, colors, emboss, grain, grid, noise, ramp, sample, scatter, step


def draw(rng):
    """Mosaic: a turquoise fish on a golden ground, with rows of stones that follow every contour."""
    x, y = grid(WIDE)
    cx, cy = 700, 570
    spine = cy + 40 * np.sin((x - cx) / 230)
    along, across = (x - cx) / 430, (y - spine) / 225
    body = 1 - np.hypot(along, across / np.clip(1.02 - 0.45 * np.clip(along, -1, 1), 0.3, 2))
    tail_reach = (x - 1040) / 310
    tail = np.minimum(0.62 * np.clip(tail_reach, -1, 1) + 0.12 - np.abs(y - spine) / 330, 0.85 - tail_reach)
    tail = np.minimum(tail, np.abs(y - spine) / 300 + 0.55 - tail_reach)
    fin = np.minimum(0.5 - np.hypot((x - 690) / 330, (y - 330) / 190), (spine - y) / 200 - 0.2)
    belly = np.minimum(0.5 - np.hypot((x - 640) / 200, (y - 800) / 190), (y - spine) / 200 - 0.3)
    eye = np.hypot(x - 415, y - 500)
    shape = np.stack([np.zeros(WIDE), 1.2 * fin, 1.2 * belly, 0.9 * tail, body])
    part = np.where(shape.max(0) > 0, shape.argmax(0), 0)

    swell = y + 34 * np.sin(x / 120) + 20 * np.sin(x / 61 + y / 90)
    outline = blur(np.maximum(shape[1:].max(0), -0.6), 6)
    near = step(-0.42, -0.12, outline)
    field = np.where(part == 0, swell * (1 - near) - outline * 420 * near, outline * 420)
    field = np.where(part == 4, (along + 0.12 * across**2) * 430, field)
    field = np.where((part == 3) | (part == 1), y - spine + (x - 900) * 0.25, field)
    field = np.where(eye < 75, eye, field)
    down, right = np.gradient(blur(field, 4))
    angle = np.arctan2(down, right)

    tone = noise(rng, WIDE, 240)
    sea = ramp(0.5 + 0.5 * np.sin(swell / 44 + 2 * tone), colors("a8590f", "dd9a16", "f7c52e", "fff0a0"))
    scales = ramp(0.5 + 0.5 * np.sin(field / 17 + np.cos(across * 14)), colors("0b3c74", "0f7fa8", "27c0b4", "b5f0dc"))
    belly_tone = step(0.25, 0.75, across)
    scales = scales * (1 - belly_tone[..., None]) + colors("f4fbf0")[0] * belly_tone[..., None]
    head = step(-0.5, -0.56, along)
    scales = scales * (1 - head[..., None]) + ramp(tone, colors("0f5f9a", "1a8cc0")) * head[..., None]
    fins = ramp(0.5 + 0.5 * np.sin((y - spine) / 24 + 0.1 * x / 20), colors("7a1030", "c81d3a", "f0603a"))
    rgb = np.where((part == 0)[..., None], sea, np.where((part == 4)[..., None], scales, fins))
    rgb = np.where((np.abs(outline) < 0.035)[..., None], colors("1b1420")[0], rgb)
    rgb = np.where((eye < 75)[..., None], colors("fdf6e3")[0], rgb)
    rgb = np.where((eye < 38)[..., None], colors("14110f")[0], rgb)
    sun = np.hypot(x - 250, y - 20)
    rgb = np.where(
        ((sun < 330) & (part == 0))[..., None],
        ramp((sun / 46) % 2 / 2, colors("b3122e", "e0402a", "ff8a4a")),
        rgb,
    )
    angle = np.where((sun < 330) & (part == 0), np.arctan2(y - 20, x - 250), angle)

    size = 19
    starts = scatter(rng, WIDE, 6)
    order = np.argsort(
        sample(np.where(part > 0, 0, 1), starts) * 100 + np.floor(sample(np.abs(field), starts) / size) * 0.01
    )
    taken = np.zeros(WIDE, bool)
    picture = Image.new("RGB", WIDE[::-1], (58, 40, 24))
    height = Image.new("L", WIDE[::-1], 40)
    ink, body_ink = ImageDraw.Draw(picture), ImageDraw.Draw(height)
    turn = sample(angle, starts)
    shade = sample(rgb, starts) * rng.uniform(0.78, 1.18, (len(starts), 1)) + rng.normal(0, 0.02, (len(starts), 3))
    shade = (np.clip(shade, 0, 1) * 255).astype(int)
    unit = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * size / 2
    square = np.stack(np.meshgrid(np.arange(-10, 11), np.arange(-10, 11)), -1).reshape(-1, 2) * 0.9
    spots = np.stack(np.meshgrid(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5)), -1).reshape(-1, 2) * size * 0.45
    for i in order:
        turned = np.array([[np.cos(turn[i]), np.sin(turn[i])], [-np.sin(turn[i]), np.cos(turn[i])]])
        at = (spots @ turned + starts[i]).astype(int)
        at = np.clip(at, 0, (WIDE[1] - 1, WIDE[0] - 1))
        if taken[at[:, 1], at[:, 0]].mean() > 0.12:
            continue
        stone = (unit * rng.uniform(0.86, 0.98, (4, 2))) @ turned + starts[i]
        corners = [tuple(point) for point in stone]
        ink.polygon(corners, tuple(shade[i]))
        body_ink.polygon(corners, int(rng.integers(150, 255)))
        fill = np.clip((square @ turned + starts[i]).astype(int), 0, (WIDE[1] - 1, WIDE[0] - 1))
        taken[fill[:, 1], fill[:, 0]] = True
    rgb = np.asarray(picture, np.float32) / 255
    return emboss(rgb, np.asarray(height, np.float32) / 255, 0.55) * grain(rng, WIDE, 0.1)
