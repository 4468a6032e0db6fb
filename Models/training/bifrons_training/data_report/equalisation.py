"""One fixed treatment for pictures of both classes, which takes away what a source gives away by its format alone.

The tightest framing that all sources have, one small size, one JPEG pass: resolution, framing, background, grid and
quality are then the same for all. Colours are left alone: they belong to what is shown as much as to the source. What
trivial statistics still tell apart afterwards (see the data report) is content, or traces that the treatment does not
reach.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.evaluation.conditions import jpeg
from bifrons_training.preprocessing import Box, Decoded

MARGIN = 1.0
"""Of the face's box: UTKFace has no more around its faces."""

SIDE = 96
"""Pixels: nearly every face of every source has at least as many."""

QUALITY = 75


def equalise(image: Image.Image, box: Box | None) -> np.ndarray:
    """The equalised face of an upright RGB picture, [SIDE, SIDE, 3] uint8; without a box that of its central square."""
    width, height = image.size
    square = preprocessing.squares([box] if box else [], width, height, MARGIN)[0]
    view = preprocessing.view(Decoded(image, width, height, 1), square, SIDE)
    return np.asarray(jpeg(Image.fromarray(view), QUALITY))
