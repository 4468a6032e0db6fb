"""How a face stands in a picture, and cutting it out upright: sections 3 and 5 of docs/preprocessing.md.

docs/preprocessing.md defines it; `Turn.swift` and `TurnedSampler.swift` in `Sources/Worker/Inference` mirror it.
Angles are never computed on the way to a byte: a turn is a cosine and a sine, which only need a square root, so that
every machine gets the same ones.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

Square = tuple[float, float, float]
"""x, y and side in pixels of the upright picture at full size. A turned one has the same middle and side."""

LAYOUT = ((-18, -20), (18, -20), (0, 0), (-15, 20), (15, 20))
"""Where an upright face has right eye, left eye, nose, right and left corner of the mouth: the five points to which
ArcFace aligns (Deng et al. 2019), about their middle, made symmetrical and whole."""

SPREAD = sum(x * x + y * y for x, y in LAYOUT)
TILT = 0.5
"""The tangent up to which a face counts as upright, or as turned by a whole quarter: 26.6°."""

FIT = 0.5
"""The share of the landmarks' spread that the turned layout must explain: else they are no face's."""

BITS = 16
"""Behind the point of a place in a picture; filters are worked out in twice as fine units."""


class Turn(NamedTuple):
    """By how much a face stands turned clockwise, as the cosine and sine of the angle; whole quarters are exact."""

    cosine: float
    sine: float

    @property
    def is_upright(self) -> bool:
        """Whether nothing is to be turned."""
        return self == UPRIGHT

    @property
    def quarters(self) -> int | None:
        """How many quarters it is, 0 to 3; None between them."""
        return QUARTERS.index(self) if self in QUARTERS else None

    @property
    def degrees(self) -> float:
        """Clockwise, more than -180 and at most 180, to a tenth: for people."""
        return round(math.degrees(math.atan2(self.sine, self.cosine)), 1)


UPRIGHT = Turn(1.0, 0.0)
QUARTERS = (UPRIGHT, Turn(0.0, 1.0), Turn(-1.0, 0.0), Turn(0.0, -1.0))


def direction(landmarks: np.ndarray) -> tuple[float, float]:
    """Where an upright face's right is of one with these landmarks [5, 2], x and y, in no unit."""
    along = across = 0.0
    for (x, y), (u, v) in zip(landmarks.tolist(), LAYOUT, strict=True):
        along += u * x + v * y
        across += u * y - v * x
    return along, across


def _spread(landmarks: np.ndarray) -> float:
    """The sum of the squared distances of points [5, 2] from their middle."""
    # Loops, because newer Pythons' sum() does not round as plain additions do.
    points = landmarks.tolist()
    middle_x = middle_y = spread = 0.0
    for x, y in points:
        middle_x, middle_y = middle_x + x, middle_y + y
    for x, y in points:
        away_x, away_y = x - middle_x / 5, y - middle_y / 5
        spread += away_x * away_x + away_y * away_y
    return spread


def turn_of(landmarks: np.ndarray) -> Turn:
    """How a face with these landmarks [5, 2] stands: the turn of the similarity that takes the layout nearest to them.

    In the sense of least squares (Umeyama 1991). Within `TILT` of upright or of a whole quarter it is that; landmarks
    that are not finite or do not look like a face's are upright.
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
    """A square of a picture [h, w, 3] uint8, decoded `reduction` times smaller, turned upright: [side, side, 3] uint8.

    Each byte is the weighted mean of the pixels about its place, by the triangle filter of the upright way, turned.
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
    """The picture `block` times smaller: rounded means of squares of that side, at two borders of less."""
    height, width = pixels.shape[:2]
    rows, columns = np.arange(0, height, block), np.arange(0, width, block)
    sums = np.add.reduceat(np.add.reduceat(pixels, rows, axis=0, dtype=np.int64), columns, axis=1)
    counts = np.minimum(block, height - rows)[:, None, None] * np.minimum(block, width - columns)[None, :, None]
    means: np.ndarray = (sums + counts // 2) // counts
    return means
