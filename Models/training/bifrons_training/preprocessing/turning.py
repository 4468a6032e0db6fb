"""The turn of a face in an image, and the upright crop: sections 3 and 5 of docs/preprocessing.md.

`Turn.swift` and `TurnedSampler.swift` in `Sources/Worker/Inference` mirror it. No byte depends on the computation of an
angle: a turn is a cosine and a sine, which need no more than a square root, so that all machines get the same ones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Square = tuple[float, float, float]
"""x, y and side in pixels of the upright image at full size. A rotated square keeps its centre and side."""

LAYOUT = ((-18, -20), (18, -20), (0, 0), (-15, 20), (15, 20))
"""The positions of right eye, left eye, nose, right and left corner of the mouth in an upright face: the five points to
which ArcFace aligns (Deng et al. 2019), relative to their centre, made symmetric and integer."""

SPREAD = sum(x * x + y * y for x, y in LAYOUT)
TILT = 0.5
"""The tangent, of 26.6°, up to which a face counts as upright or as rotated by a whole quarter."""

FIT = 0.5
"""The share of the landmarks' spread that the rotated layout must explain; below it they do not form a face."""

BITS = 16
"""Fractional bits of a pixel position; the filter's positions have one more."""


class Turn(NamedTuple):
    """The clockwise rotation of a face as cosine and sine of its angle; whole quarters are exact."""

    cosine: float
    sine: float

    @property
    def is_upright(self) -> bool:
        """Whether no rotation is needed."""
        return self == UPRIGHT

    @property
    def quarters(self) -> int | None:
        """The number of quarters, 0…3; None if the turn is no whole quarter."""
        return QUARTERS.index(self) if self in QUARTERS else None

    @property
    def degrees(self) -> float:
        """The clockwise angle in degrees, above -180 and up to 180, rounded to a tenth; for display only."""
        return round(math.degrees(math.atan2(self.sine, self.cosine)), 1)


UPRIGHT = Turn(1.0, 0.0)
QUARTERS = (UPRIGHT, Turn(0.0, 1.0), Turn(-1.0, 0.0), Turn(0.0, -1.0))


def direction(landmarks: np.ndarray) -> tuple[float, float]:
    """Returns the direction (x, y) that points right in a face with these landmarks [5, 2]; its length is arbitrary."""
    along = across = 0.0
    for (x, y), (u, v) in zip(landmarks.tolist(), LAYOUT, strict=True):
        along += u * x + v * y
        across += u * y - v * x
    return along, across


def _spread(landmarks: np.ndarray) -> float:
    """Returns the sum of the squared distances of points [5, 2] from their centre."""
    # Explicit loops, because sum() of newer Python versions rounds differently from plain additions.
    points = landmarks.tolist()
    middle_x = middle_y = spread = 0.0
    for x, y in points:
        middle_x, middle_y = middle_x + x, middle_y + y
    for x, y in points:
        away_x, away_y = x - middle_x / 5, y - middle_y / 5
        spread += away_x * away_x + away_y * away_y
    return spread


def turn_of(landmarks: np.ndarray) -> Turn:
    """Returns the turn of a face with landmarks [5, 2], by the similarity that maps the layout closest to them.

    Closest means least squares (Umeyama 1991). A turn within `TILT` of upright or of a whole quarter becomes that.
    Landmarks that are not finite or do not resemble a face give upright.
    """
    along, across = direction(landmarks)
    spread = _spread(landmarks)
    square = along * along + across * across
    if not (math.isfinite(square) and math.isfinite(spread) and square > 0 and square >= FIT * SPREAD * spread):
        return UPRIGHT
    if abs(across) <= TILT * abs(along):
        return QUARTERS[0] if along > 0 else QUARTERS[2]
    if abs(along) <= TILT * abs(across):
        return QUARTERS[1] if across > 0 else QUARTERS[3]
    length = math.sqrt(square)
    return Turn(along / length, across / length)


def cut(pixels: np.ndarray, reduction: int, square: Square, turn: Turn, side: int) -> np.ndarray:
    """Crops a square of an image [h, w, 3] uint8, decoded `reduction` times smaller, upright: [side, side, 3] uint8.

    Each byte is the weighted mean of the pixels around its position, by a rotated triangle filter.
    """
    x, y, length = square
    block = max(1, math.floor(length / reduction / (2 * side)))
    if block > 1:
        pixels = _means(pixels, block)
    factor = reduction * block
    height, width = pixels.shape[:2]
    step = length / factor / side
    unit, one = 1 << BITS, 2 << BITS
    cosine, sine = _whole(turn.cosine * unit), _whole(turn.sine * unit)
    right, down = _whole(turn.cosine * step * unit), _whole(turn.sine * step * unit)
    middle_x, middle_y = _whole((x + length / 2) / factor * unit), _whole((y + length / 2) / factor * unit)
    support = max(one, _whole(step * one))

    odd = 2 * np.arange(side, dtype=np.int64) + 1 - side
    place_x = 2 * middle_x + odd[None, :] * right - odd[:, None] * down
    place_y = 2 * middle_y + odd[None, :] * down + odd[:, None] * right
    first_x, first_y = place_x // one, place_y // one
    reach = (support * (abs(cosine) + abs(sine)) >> BITS) // one + 1
    total = np.zeros((side, side), np.int64)
    sums = np.zeros((side, side, 3), np.int64)
    for row in range(-reach, reach + 1):
        for column in range(-reach, reach + 1):
            away_x = (first_x + column) * one + unit - place_x
            away_y = (first_y + row) * one + unit - place_y
            along = support - np.abs((away_x * cosine + away_y * sine) >> BITS)
            across = support - np.abs((away_y * cosine - away_x * sine) >> BITS)
            weight = np.maximum(along, 0) * np.maximum(across, 0)
            if weight.any():
                source = pixels[np.clip(first_y + row, 0, height - 1), np.clip(first_x + column, 0, width - 1)]
                total += weight
                sums += weight[..., None] * source
    return ((sums + (total >> 1)[..., None]) // total[..., None]).astype(np.uint8)


def _whole(value: float) -> int:
    return math.floor(value + 0.5)


def _means(pixels: np.ndarray, block: int) -> np.ndarray:
    """Shrinks an image `block` times by rounded means of squares of that side, which may be cut off at two borders."""
    height, width = pixels.shape[:2]
    rows, columns = np.arange(0, height, block), np.arange(0, width, block)
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0, dtype=np.int64), columns, axis=1)
    counts = np.minimum(block, height - rows)[:, None, None] * np.minimum(block, width - columns)[None, :, None]
    means: np.ndarray = (sums + counts // 2) // counts
    return means
