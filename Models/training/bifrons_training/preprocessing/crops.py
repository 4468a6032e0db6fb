"""The squares of an image that the detectors look at: section 3 of docs/preprocessing.md."""

from __future__ import annotations

import math
from typing import NamedTuple

from bifrons_training.preprocessing.turning import UPRIGHT, Square, Turn

MARGIN = 1.6
"""The side of a face's square as a multiple of the longer side of its box."""

LONGER_SIDE = 0.8
"""The longer side of an upright face's box as a share of its diagonal, which does not change when the face rotates."""

Box = tuple[int, int, int, int]
"""A face box: x, y, width, height in whole pixels of the upright image at full size."""


class Crop(NamedTuple):
    """A region to look at: a square inside the image, and the turn about its centre."""

    square: Square
    turn: Turn = UPRIGHT


def central_square(width: int, height: int) -> Square:
    """Returns the largest centred square; its corner may lie on half pixels."""
    side = min(width, height)
    return (width - side) / 2, (height - side) / 2, float(side)


def face_square(box: Box, width: int, height: int, margin: float = MARGIN, turn: Turn = UPRIGHT) -> Square:
    """Returns the square around a face, limited to the image's shorter side and moved into the image if necessary."""
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
    """Returns the squares of upright faces, or the central square if there are none."""
    return [face_square(box, width, height, margin) for box in boxes] or [central_square(width, height)]


def crops(faces: list[tuple[Box, Turn]], width: int, height: int, margin: float = MARGIN) -> list[Crop]:
    """Returns the regions of an image to look at: its faces, or the central square if there are none."""
    found = [Crop(face_square(box, width, height, margin, turn), turn) for box, turn in faces]
    return found or [Crop(central_square(width, height))]
