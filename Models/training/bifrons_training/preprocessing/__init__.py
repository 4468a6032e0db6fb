"""Preprocessing version 3: from an image file to a network's input.

docs/preprocessing.md defines it. It is implemented twice, here and in Swift (`Sources/Worker/Inference` and
`Sources/Worker/ImageDecoding`), and both give the same bytes. Any change to a box or a byte raises `VERSION`.
"""

from bifrons_training.preprocessing.crops import MARGIN, Box, Crop, central_square, crops, face_square, squares
from bifrons_training.preprocessing.decoding import Decoded, decode, locating_reduction, reduction_of
from bifrons_training.preprocessing.turning import Square, Turn
from bifrons_training.preprocessing.views import (
    MEAN,
    SIDE,
    STD,
    VERSION,
    fitted,
    normalise,
    resize,
    tensor,
    view,
    views,
    whole,
)

__all__ = [
    "MARGIN",
    "MEAN",
    "SIDE",
    "STD",
    "VERSION",
    "Box",
    "Crop",
    "Decoded",
    "Square",
    "Turn",
    "central_square",
    "crops",
    "decode",
    "face_square",
    "fitted",
    "locating_reduction",
    "normalise",
    "reduction_of",
    "resize",
    "squares",
    "tensor",
    "view",
    "views",
    "whole",
]
