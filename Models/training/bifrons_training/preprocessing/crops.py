"""Which squares of a picture the detectors look at: section 3 of docs/preprocessing.md."""

from __future__ import annotations

import math
from typing import NamedTuple

from bifrons_training.preprocessing.turning import UPRIGHT, Square, Turn

MARGIN = 1.6
"""The side of a face's square, in lengths of the longer side of its box."""

LONGER_SIDE = 0.8
"""The longer side of an upright face's box in lengths of its diagonal: the diagonal stays when a face is turned."""

Box = tuple[int, int, int, int]
"""A face: x, y, width, height in whole pixels of the upright picture at full size."""


class Crop(NamedTuple):
    """What is looked at: a square inside of the picture, turned about its middle."""

    square: Square
    turn: Turn = UPRIGHT


def central_square(width: int, height: int) -> Square:
    """The largest centred square; its corner may stand on exact halves of a pixel."""
    side = min(width, height)
    return (width - side) / 2, (height - side) / 2, float(side)


def face_square(box: Box, width: int, height: int, margin: float = MARGIN, turn: Turn = UPRIGHT) -> Square:
    """The square around a face: moved into the picture where it would stick out, cut to its shorter side."""
    x, y, box_width, box_height = box
    if turn.quarters is None:
        longer = LONGER_SIDE * math.sqrt(float(box_width * box_width + box_height * box_height))
    else:
        longer = max(box_width, box_height)
    side = min(margin * longer, float(min(width, height)))
    x0 = min(max(x + box_width / 2 - side / 2, 0.0), width - side)
    y0 = min(max(y + box_height / 2 - side / 2, 0.0), height - side)
    return x0, y0, side


def squares(boxes: list[Box], width: int, height: int, margin: float = MARGIN) -> list[Square]:
    """The squares of upright faces, or without one the central square."""
    return [face_square(box, width, height, margin) for box in boxes] or [central_square(width, height)]


def crops(faces: list[tuple[Box, Turn]], width: int, height: int, margin: float = MARGIN) -> list[Crop]:
    """What is looked at in a picture: its faces, or without one the central square."""
    found = [Crop(face_square(box, width, height, margin, turn), turn) for box, turn in faces]
    return found or [Crop(central_square(width, height))]
