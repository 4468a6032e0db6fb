"""Preprocessing version 1: from an upright RGB picture to the numbers a network sees.

The one definition is here and in `Sources/Inference` (Swift, bit-exact with this): central square, Pillow's
antialiased triangle filter with `box`, across and then down, then `(value / 255 - mean) / std`. Whoever changes it raises `VERSION`.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

VERSION = 1
SIDE = 128
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


def central_square(width: int, height: int) -> tuple[float, float, float, float]:
    """The largest centred square as (x0, y0, x1, y1); its corner may stand on exact halves of a pixel."""
    side = min(width, height)
    x0, y0 = (width - side) / 2, (height - side) / 2
    return x0, y0, x0 + side, y0 + side


def resize(image: Image.Image, box: tuple[float, float, float, float], side: int = SIDE) -> np.ndarray:
    """The region `box` of an RGB picture as [side, side, 3] uint8: across first, then down.

    In two calls, because Pillow goes down first when that is less work, and rounds in between either way.
    """
    x0, y0, x1, y1 = box
    across = image.resize((side, image.height), Image.Resampling.BILINEAR, box=(x0, 0, x1, image.height))
    return np.asarray(across.resize((side, side), Image.Resampling.BILINEAR, box=(0, y0, side, y1)))


def pixels(image: Image.Image, side: int = SIDE) -> np.ndarray:
    """The central square of a picture as [side, side, 3] uint8."""
    return resize(image.convert("RGB"), central_square(*image.size), side)


def normalise(values: np.ndarray) -> np.ndarray:
    """[..., H, W, 3] uint8 to [..., 3, H, W] float32, as the network's input wants it."""
    scaled = (values.astype(np.float32) / np.float32(255) - np.float32(MEAN)) / np.float32(STD)
    return np.ascontiguousarray(np.moveaxis(scaled, -1, -3), dtype=np.float32)


def tensor(image: Image.Image) -> np.ndarray:
    """A picture as the network's input, [1, 3, SIDE, SIDE] float32."""
    return normalise(pixels(image))[None]
