"""The canary: an image drawn by code, whose score every worker compares with the manifest before it serves.

It is neither a photograph nor anybody's face: it consists of gradients, ellipses and noise. It is not square, so that
the comparison covers cropping, half pixels and rescaling.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

WIDTH, HEIGHT = 263, 256
SEED = 1701


def draw() -> Image.Image:
    """Draws a cartoon head in front of a gradient, with fixed noise."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float64)
    ground = np.stack([60 + 0.45 * x, 90 + 0.3 * y, 170 - 0.25 * x + 0.1 * y], axis=-1)
    image = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    pen.ellipse((70, 180, 194, 330), fill=(70, 60, 110))
    pen.ellipse((76, 26, 188, 150), fill=(64, 42, 30))
    pen.ellipse((82, 44, 182, 196), fill=(222, 176, 148))
    for left in (102, 142):
        pen.ellipse((left, 100, left + 22, 112), fill=(245, 244, 240))
        pen.ellipse((left + 7, 100, left + 17, 112), fill=(52, 74, 60))
        pen.arc((left - 3, 84, left + 25, 108), 200, 340, fill=(64, 42, 30), width=3)
    pen.line((132, 112, 126, 142, 137, 143), fill=(190, 140, 116), width=3)
    pen.chord((110, 148, 156, 174), 10, 170, fill=(176, 76, 80))
    image = image.filter(ImageFilter.GaussianBlur(0.8))
    noise = np.random.Generator(np.random.PCG64(SEED)).normal(0, 2, (HEIGHT, WIDTH, 1))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
