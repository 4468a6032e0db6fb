"""One fixed treatment for images of both classes that removes what the file format reveals about the source.

All images get the tightest framing that every source has, one small size and one JPEG pass, so that resolution,
framing, background, grid and quality are the same. Colours stay as they are, because they belong to the content as much
as to the source. Whatever trivial statistics still separate afterwards (see the data report) is content, or an artefact
that the treatment does not reach.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.evaluation.conditions import jpeg
from bifrons_training.preprocessing import Box, Decoded

MARGIN = 1.0
"""The side of the square as a multiple of the face box: UTKFace has no more around its faces."""

SIDE = 96
"""The side of the result in pixels: nearly every face of every source is at least as large."""

QUALITY = 75


def equalise(image: Image.Image, box: Box | None) -> np.ndarray:
    """Returns the equalised face, or without a box the central square, of an RGB image: [SIDE, SIDE, 3] uint8."""
    width, height = image.size
    square = preprocessing.squares([box] if box else [], width, height, MARGIN)[0]
    view = preprocessing.view(Decoded(image, width, height, 1), square, SIDE)
    return np.asarray(jpeg(Image.fromarray(view), QUALITY))
