"""What each cell of the locator should say of a composition."""

from __future__ import annotations

import functools

import numpy as np

from bifrons_training import preprocessing
from bifrons_training.locator.composition import SIDE, Composition
from bifrons_training.preprocessing.locating import STRIDES, VALUES, cell_centres

SIZES = ((0.0, 44.0), (36.0, 116.0), (96.0, np.inf))
"""Pixels of the longer side of the faces that each level learns; neighbours overlap."""

NOTHING, FACE, IGNORED = 0, 1, 2


@functools.cache
def grid(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre [n, 2], stride and level of each cell of an input of `side` pixels."""
    cells = cell_centres(side).astype(np.float32)
    return cells[:, :2], cells[:, 2], np.searchsorted(STRIDES, cells[:, 2])


def assign(composition: Composition, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """(state [cells] of `NOTHING`, `FACE` or `IGNORED`, values [cells, VALUES - 1]: box and landmarks in pixels).

    A face is learned by the cells of its level within the larger of one stride and 0.16 of its size from its middle.
    Cells in a face's box but not near its middle learn "nothing", those in an ignored one learn neither.
    """
    centres, strides, level = grid(side)
    state = np.zeros(len(centres), np.uint8)
    values = np.zeros((len(centres), VALUES - 1), np.float32)
    best = np.full(len(centres), np.inf, np.float32)
    # Small ones last: where two want a cell at the same distance, the one in front is usually the smaller.
    order = np.argsort(-np.prod(composition.boxes[:, 2:] - composition.boxes[:, :2], axis=1))
    for index in order:
        x0, y0, x1, y1 = composition.boxes[index]
        inside = (centres > (x0, y0)).all(axis=1) & (centres < (x1, y1)).all(axis=1)
        if composition.ignored[index]:
            state[inside & (state == NOTHING)] = IGNORED
            continue
        size = max(x1 - x0, y1 - y0)
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2], np.float32)
        distance = np.abs(centres - centre).max(axis=1)
        levels = [low <= size < high for low, high in SIZES]
        reach = np.maximum(strides, 0.16 * size)
        chosen = np.array(levels)[level] & (distance <= reach) & (inside | (distance <= strides / 2))
        relative = distance / size
        chosen &= relative <= best
        best[chosen] = relative[chosen]
        state[chosen] = FACE
        values[chosen, :4] = composition.boxes[index]
        values[chosen, 4:] = composition.points[index].reshape(-1)
    return state, values


def tensor(pixels: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A composition's pixels as the network's input [3, side, side]: at the top left, 0 beside them."""
    result = np.zeros((3, side, side), np.float32)
    height, width = pixels.shape[:2]
    result[:, :height, :width] = preprocessing.normalise(pixels)
    return result
