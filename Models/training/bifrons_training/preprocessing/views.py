"""Squares of an image at a network's size, and their numbers: sections 4 and 6 of docs/preprocessing.md."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image

from bifrons_training.preprocessing import turning
from bifrons_training.preprocessing.crops import Crop, central_square
from bifrons_training.preprocessing.decoding import Decoded, decode, reduction_of
from bifrons_training.preprocessing.turning import UPRIGHT, Square, Turn

VERSION = 3
SIDE = 160
"""The usual side of a detector's square input in pixels (see `networks.detectors.SIDES`)."""


MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)

_FLOATS = [((np.arange(256) / 255 - mean) / std).astype(np.float32) for mean, std in zip(MEAN, STD, strict=True)]
"""The normalised value of every byte, by channel, rounded once from 64 bits."""


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """Returns the width and height of an image scaled to a longer side of `side` pixels, each at least 1."""
    longer = max(width, height)
    return max(1, math.floor(width * side / longer + 0.5)), max(1, math.floor(height * side / longer + 0.5))


def resize(image: Image.Image, region: tuple[float, float, float, float], width: int, height: int) -> np.ndarray:
    """Resizes the region x0, y0, x1, y1 of an RGB image to [height, width, 3] uint8, first horizontally.

    Two calls fix the order, because Pillow starts vertically if that is less work, and rounds in between either way.
    """
    x0, y0, x1, y1 = region
    across = image.resize((width, image.height), Image.Resampling.BILINEAR, box=(x0, 0, x1, image.height))
    return np.asarray(across.resize((width, height), Image.Resampling.BILINEAR, box=(0, y0, width, y1)))


def view(decoded: Decoded, square: Square, side: int = SIDE, turn: Turn = UPRIGHT) -> np.ndarray:
    """Returns a square of a decoded image, rotated upright, as [side, side, 3] uint8."""
    if turn.quarters is None:
        return turning.cut(np.asarray(decoded.image), decoded.reduction, square, turn, side)
    x, y, length = square
    reduction = decoded.reduction
    region = (x / reduction, y / reduction, (x + length) / reduction, (y + length) / reduction)
    return np.ascontiguousarray(np.rot90(resize(decoded.image, region, side, side), turn.quarters))


def views(file: Path | bytes, decoded: Decoded, wanted: list[Crop], side: int = SIDE) -> list[np.ndarray]:
    """Returns the upright view of each wanted crop; `decoded` is the image in which the faces were located.

    Squares that have at least twice `side` pixels in `decoded` are cropped from it, the others from one finer decoding.
    """
    reductions = [reduction_of(crop.square[2], 2 * side) for crop in wanted]
    finest = min(reductions)
    finer = decode(file, finest) if finest < decoded.reduction else decoded
    return [
        view(finer if reduction < decoded.reduction else decoded, crop.square, side, crop.turn)
        for crop, reduction in zip(wanted, reductions, strict=True)
    ]


def whole(image: Image.Image, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Returns a locator's input [1, 3, side, side] float32, and width and height of the image at its top left."""
    width, height = fitted(*image.size, side)
    tensor = np.zeros((1, 3, side, side), np.float32)
    tensor[0, :, :height, :width] = normalise(resize(image, (0, 0, *image.size), width, height))
    return tensor, (width, height)


def normalise(values: np.ndarray) -> np.ndarray:
    """Normalises [..., H, W, 3] uint8 to a network's input [..., 3, H, W] float32."""
    planes = [_FLOATS[channel][values[..., channel]] for channel in range(3)]
    return np.stack(planes, axis=-3)


def tensor(image: Image.Image, side: int = SIDE) -> np.ndarray:
    """Returns the central square of an image as a detector's input [1, 3, side, side] float32; canaries use it."""
    decoded = Decoded(image.convert("RGB"), *image.size, 1)
    return normalise(view(decoded, central_square(*image.size), side))[None]
