"""Random changes of a training picture. They never look at the label, so they cannot teach it."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

import preprocessing
from preprocessing import Square

SIDE = preprocessing.SIDE
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.BOX, Image.Resampling.LANCZOS)


def random_box(
    square: Square, width: int, height: int, random: np.random.Generator
) -> tuple[float, float, float, float]:
    """A square of 72 to 110 % of the one that workers look at, near its middle; that one itself one time in five."""
    x, y, length = square
    if random.random() < 0.2:
        return x, y, x + length, y + length
    side = min(length * random.uniform(0.72, 1.1), width, height)
    x0 = np.clip(x + (length - side) / 2 + random.uniform(-0.14, 0.14) * side, 0, width - side)
    y0 = np.clip(y + (length - side) / 2 + random.uniform(-0.14, 0.14) * side, 0, height - side)
    return float(x0), float(y0), float(x0 + side), float(y0 + side)


def augment(image: Image.Image, square: Square, random: np.random.Generator) -> np.ndarray:
    """A training view of an RGB picture whose `square` is what workers look at: [SIDE, SIDE, 3] uint8."""
    box = random_box(square, *image.size, random)
    if random.random() < 0.25:
        small = int(random.uniform(0.5, 1.0) * SIDE)
        down, up = (FILTERS[random.integers(len(FILTERS))] for _ in range(2))
        view = image.resize((small, small), down, box=box).resize((SIDE, SIDE), up)
    else:
        view = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR, box=box)
    if random.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if random.random() < 0.12:
        view = view.filter(ImageFilter.GaussianBlur(random.uniform(0.2, 0.9)))
    if random.random() < 0.6:
        view = _colour(view, random)
    if random.random() < 0.12:
        noise = random.normal(0, random.uniform(1, 6), (SIDE, SIDE, 1 if random.random() < 0.5 else 3))
        view = Image.fromarray(np.clip(np.asarray(view, dtype=np.float32) + noise, 0, 255).astype(np.uint8))
    if random.random() < 0.5:
        view = _jpeg(view, random)
    return np.asarray(view)


def _colour(view: Image.Image, random: np.random.Generator) -> Image.Image:
    """Gamma, contrast and white balance by one table a channel: three look-ups, no float picture."""
    ramp = np.linspace(0, 1, 256)
    gamma, contrast, light = random.uniform(0.8, 1.25), random.uniform(0.8, 1.2), random.uniform(-0.06, 0.06)
    tables = [(ramp**gamma - 0.5) * contrast * gain + 0.5 + light for gain in random.uniform(0.93, 1.07, 3)]
    return view.point(np.clip(np.concatenate(tables) * 255 + 0.5, 0, 255).astype(np.uint8).tolist())


def _jpeg(view: Image.Image, random: np.random.Generator) -> Image.Image:
    """One pass through JPEG at quality 50 to 97, chroma whole or halved."""
    packed = io.BytesIO()
    view.save(packed, "JPEG", quality=int(random.integers(50, 98)), subsampling=int(random.choice((0, 2))))
    return Image.open(packed).convert("RGB")
