"""The style `copper_patina`."""

import numpy as np

from ..brush import SQUARE, blur, colors, emboss, grid, hatch, mix, noise, ramp, step, voronoi


def draw(rng):
    """Copper patina: a sun over waves beaten into copper sheet, bright where hands rubbed it, green in the hollows."""
    x, y = grid(SQUARE)
    bend = noise(rng, SQUARE, 200, 3) - 0.5
    _, border, dent = voronoi(rng, SQUARE, 30, 0.9)
    hammered = np.clip(border / 12, 0, 1)
    far, around = np.hypot(x - 576, y - 430), np.arctan2(y - 430, x - 576)
    height = 0.2 + 0.22 * hammered
    ray = around / (2 * np.pi) * 24 + 0.5 * np.sin(far / 46) * step(230, 420, far)
    tongue = np.clip(1 - np.abs(ray - np.round(ray)) * 2 * (0.9 + far / 620), 0, 1)
    long = np.where(np.round(ray) % 2 == 0, 520, 400)
    rays = step(0.15, 0.5, tongue) * step(long, long - 60, far) * (far > 215)
    height = np.maximum(height, rays * (0.35 + 0.4 * tongue + 0.12 * hatch(far / 20, 0.5)))
    for low, high, top in ((200, 228, 0.95), (150, 172, 0.8)):
        height = np.where(
            (far > low) & (far < high), top * np.sin(np.pi * (far - low) / (high - low)).clip(0) ** 0.5, height
        )
    beads = np.hypot(far - 188, (around / (2 * np.pi) * 46 % 1 - 0.5) * 2 * np.pi * 188 / 46)
    height = np.where(np.abs(far - 187) < 13, 0.9 * step(12, 4, beads), height)
    face = far < 150
    spiral = (far / 25 - around / (2 * np.pi) * 2) % 1
    height = np.where(face, 0.3 + 0.65 * np.sin(np.pi * spiral) ** 0.8, height)

    level = 760 + 26 * np.sin(x / 95)
    row = np.floor((y - 720) / 62)
    cx = np.round((x - 48 * (row % 2)) / 96) * 96 + 48 * (row % 2)
    sea = np.full(SQUARE, -1.0)
    for up in (1, 0):
        line = row - up
        cx = np.round((x - 48 * (line % 2)) / 96) * 96 + 48 * (line % 2)
        out = np.hypot(x - cx, (y - 720 - 62 * (line + 1)) * 1.0)
        curl = 0.35 + 0.55 * np.abs(np.sin(np.pi * (out / 19 - np.arctan2(y - 720 - 62 * (line + 1), x - cx) / np.pi)))
        sea = np.where((out < 58) & (line >= 0) & (sea < 0), curl * step(58, 52, out) + 0.1, sea)
    water = y > level
    height = np.where(water, np.maximum(sea, 0.18 * hammered), height)
    height = np.where(np.abs(y - level) < 13, 0.9 * np.sqrt(np.clip(1 - ((y - level) / 13) ** 2, 0, 1)), height)
    edge = np.minimum(np.minimum(x, SQUARE[1] - x), np.minimum(y, SQUARE[0] - y))
    along = np.where(np.minimum(x, SQUARE[1] - x) < np.minimum(y, SQUARE[0] - y), y, x)
    height = np.where(edge < 66, 0.3 + 0.14 * hammered, height)
    rope = np.abs(np.sin(along / 15 + edge / 9))
    height = np.where(
        np.abs(edge - 66) < 15, (0.35 + 0.6 * rope) * np.sqrt(np.clip(1 - ((edge - 66) / 15) ** 2, 0, 1)), height
    )
    rivet = np.hypot(edge - 30, (along / 96 % 1 - 0.5) * 96)
    height = np.where(rivet < 17, 0.4 + 0.6 * np.sqrt(np.clip(1 - (rivet / 17) ** 2, 0, 1)), height)
    height = blur(height + 0.05 * bend, 1.5)

    mottle = noise(rng, SQUARE, 90, 6)
    wear = height - blur(height, 16) - 0.05 + 0.5 * (mottle - 0.5) + 0.6 * (noise(rng, SQUARE, 330, 3) - 0.5)
    run = noise(rng, (SQUARE[0], SQUARE[1] * 9), 260, 4)[:, ::9]
    copper = ramp(
        0.5 * height + 0.5 * noise(rng, SQUARE, 26, 4), colors("3a1a10", "7a3a1e", "b8642e", "e89a5c", "ffd9b0")
    )
    green = ramp(
        0.6 * noise(rng, SQUARE, 46, 5) + 0.4 * run, colors("0f4a4c", "1f7f78", "4fb5a0", "9fdcc4", "d8f0df", "2f8f9a")
    )
    rgb = mix(green, colors("4a2416")[0], step(-0.12, 0.02, wear) * 0.85)
    rgb = mix(rgb, copper, step(-0.02, 0.1, wear))
    crust = noise(rng, SQUARE, 11, 3)
    rgb = mix(rgb, colors("c4ecd8")[0], step(0.64, 0.74, crust) * step(0.05, -0.1, wear) * 0.8)
    rgb = mix(rgb, green, step(0.62, 0.7, run) * step(0.35, 0.7, mottle) * 0.6)
    polished = step(0.1, 0.32, wear)
    height = height + 0.1 * crust * (1 - polished)
    shade = np.clip(1 - 1.3 * (blur(height, 9) - height), 0.45, 1.15)
    rgb = emboss(rgb * shade[..., None], height * 1.3, 0.75)
    down, right = np.gradient(blur(height, 2))
    glint = polished * step(0.012, 0.05, down + right)
    return np.clip(rgb + 0.35 * glint[..., None] * colors("ffe2c0")[0], 0, 1)
