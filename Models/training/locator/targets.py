"""What each cell of the locator should say of a composition."""

from __future__ import annotations

import numpy as np

import preprocessing
from locating import STRIDES, VALUES, cell_centres
from .scenes import SIDE, Composition

SIZES = ((0.0, 44.0), (36.0, 116.0), (96.0, np.inf))
"""Pixels of the longer side of the faces that each level learns; neighbours overlap."""

NOTHING, FACE, IGNORED = 0, 1, 2

_CELLS = cell_centres(SIDE).astype(np.float32)
_CENTRES, _STRIDES = _CELLS[:, :2], _CELLS[:, 2]
_LEVEL = np.searchsorted(STRIDES, _STRIDES)


def assign(composition: Composition) -> tuple[np.ndarray, np.ndarray]:
    """(state [cells] of `NOTHING`, `FACE` or `IGNORED`, values [cells, VALUES - 1]: box and landmarks in pixels).

    A face is learned by the cells of its level within the larger of one stride and 0.16 of its size from its middle. Cells
    in a face's box but not near its middle learn "nothing", those in an ignored one learn neither.
    """
    state = np.zeros(len(_CENTRES), np.uint8)
    values = np.zeros((len(_CENTRES), VALUES - 1), np.float32)
    best = np.full(len(_CENTRES), np.inf, np.float32)
    # Small ones last: where two want a cell at the same distance, the one in front is usually the smaller.
    order = np.argsort(-np.prod(composition.boxes[:, 2:] - composition.boxes[:, :2], axis=1))
    for index in order:
        x0, y0, x1, y1 = composition.boxes[index]
        inside = (_CENTRES > (x0, y0)).all(axis=1) & (_CENTRES < (x1, y1)).all(axis=1)
        if composition.ignored[index]:
            state[inside & (state == NOTHING)] = IGNORED
            continue
        size = max(x1 - x0, y1 - y0)
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float32)
        distance = np.abs(_CENTRES - centre).max(axis=1)
        levels = [low <= size < high for low, high in SIZES]
        reach = np.maximum(_STRIDES, 0.16 * size)
        chosen = np.array(levels)[_LEVEL] & (distance <= reach) & (inside | (distance <= _STRIDES / 2))
        relative = distance / size
        chosen &= relative <= best
        best[chosen] = relative[chosen]
        state[chosen] = FACE
        values[chosen, :4] = composition.boxes[index]
        values[chosen, 4:] = composition.points[index].reshape(-1)
    return state, values


def tensor(pixels: np.ndarray) -> np.ndarray:
    """A composition's pixels as the network's input [3, SIDE, SIDE]: at the top left, 0 beside them."""
    result = np.zeros((3, SIDE, SIDE), np.float32)
    height, width = pixels.shape[:2]
    result[:, :height, :width] = preprocessing.normalise(pixels)
    return result
