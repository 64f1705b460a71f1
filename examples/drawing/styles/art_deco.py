"""The style `art_deco`."""

import numpy as np

from ..brush import TALL, blur, colors, emboss, fans, grid, hatch, mix, noise, ramp, step, streaks


def draw(rng):
    """Art deco: a stepped tower before rays and fans, in gold leaf on black and emerald lacquer."""
    x, y = grid(TALL)
    shade = noise(rng, TALL, 90, 4)
    leaf = ramp(
        0.55 * shade + 0.45 * streaks(rng, TALL, 220, 16, 0.8), colors("6b430c", "c0892a", "f0c862", "fff2bd", "b07a22")
    )
    black, emerald, jade, ivory = colors("0b0d10", "0b4a3f", "1f8a70", "f3e6c8")
    across = np.abs(x - 576)
    far, around = np.hypot(across, y - 760), np.arctan2(across, 760 - y)

    ray = around / (2 * np.pi) * 44
    odd = np.floor(ray + 0.5) % 2
    rgb = mix(np.broadcast_to(black, (*TALL, 3)), emerald, odd * (0.7 + 0.3 * shade))
    gold = hatch(ray + 0.5, 0.06 + 12 / (far + 60), 0.02) * (far > 250)
    gold = np.maximum(gold, odd * hatch(far / 34, 0.16) * hatch(ray / 2, 0.6))
    gold = np.maximum(gold, (1 - odd) * hatch(ray * 4, 0.2) * step(420, 430, far) * hatch(far / 120, 0.55, 0.02))
    for radius, width in ((252, 14), (286, 5), (306, 5), (600, 9), (622, 4)):
        gold = np.maximum(gold, step(width, width - 3, np.abs(far - radius)))
    sun = step(252, 249, far)
    rgb = mix(rgb, ramp(far / 252, colors("f3e6c8", "e2a94a", "b5502c")), sun)
    gold = np.where(sun > 0.5, hatch(far / 25, 0.3), gold)

    steps = ((120, 190), (190, 330), (262, 520), (330, 760), (392, 1000))
    tower = np.zeros(TALL, bool)
    for half, top in steps:
        tower |= (across < half * 0.82) & (y > top)
    spire = (across < 5 + np.clip(y - 20, 0, 200) * 0.17) & (y > 20) & (y < 220)
    rgb = mix(rgb, ramp((y - 150) / 1100, colors("1c2a2c", "0b0d10", "0b0d10")), tower | spire)
    level = sum(((across < half * 0.82) & (y > top)).astype(int) for half, top in steps)
    rib = hatch(across / 24.6, 0.24)
    storey = np.hypot((across / 24.6 % 1 - 0.5) * 24.6, 0)
    windows = (storey < 5.5) & (y % 27 > 9) & (y % 27 < 22)
    lit = np.floor(y / 27) * 7.3 + np.floor(across / 24.6) * 3.7
    gold = np.where(tower, rib, np.where(spire, hatch(across / 12, 0.4), gold))
    rgb = mix(rgb, np.where((np.sin(lit * 12.9) > -0.2)[..., None], ivory, jade), tower & windows)
    gold = np.where(tower & windows, 0, gold)
    for half, top in steps:
        half = half * 0.82
        cap = (across < half) & (y > top) & (y < top + 74)
        chevron = hatch((y - top) / 15 + across / 22, 0.5)
        rgb = mix(rgb, emerald * 0.8, cap)
        gold = np.where(cap, chevron, gold)
        edge = ((np.abs(across - half) < 5) & (y > top)) | ((np.abs(y - top) < 6) & (across < half))
        gold = np.where(edge & (level <= sum(half >= h * 0.82 for h, _ in steps)), 1, gold)
    fan, row = fans(TALL, 96)
    water = (y > 1180) & (fan < 2)
    rgb = mix(rgb, np.where((row % 2 == 0)[..., None], emerald, colors("0c2f3f")[0]), water)
    rgb = mix(rgb, jade, water & (fan < 0.42))
    gold = np.where(water, np.maximum(hatch(fan * 6.5, 0.28), step(0.93, 0.95, fan)), gold)
    gold = np.where(np.abs(y - 1180) < 9, 1, gold)

    edge = np.minimum(np.minimum(x, TALL[1] - x), np.minimum(y, TALL[0] - y))
    border = edge < 78
    key = hatch((x + y) / 31, 0.45) * hatch((x - y) / 31, 0.9)
    rgb = mix(rgb, black, border)
    gold = np.where(border, np.where((edge > 26) & (edge < 56), key, 0), gold)
    gold = np.where(np.abs(edge - 72) < 6, 1, np.where(np.abs(edge - 14) < 5, 1, gold))
    corner = np.hypot(np.minimum(x, TALL[1] - x) - 40, np.minimum(y, TALL[0] - y) - 40)
    rgb = mix(rgb, emerald, corner < 150)
    gold = np.where(corner < 150, np.maximum(hatch(corner / 30, 0.35), corner > 143), gold)
    gold = gold * (1 - 0.5 * step(0.72, 0.8, noise(rng, TALL, 9, 3)))
    lacquer = rgb * (0.82 + 0.36 * noise(rng, TALL, 26, 4))[..., None]
    rgb = mix(lacquer, leaf, gold)
    return emboss(rgb, 0.3 + 0.5 * blur(gold, 1) + 0.16 * noise(rng, TALL, 8, 2), 0.45)
