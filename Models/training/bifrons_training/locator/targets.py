"""The training targets: what each cell of the locator should output for a composition."""

from __future__ import annotations

import functools

import numpy as np

from bifrons_training import preprocessing
from bifrons_training.locator.composition import SIDE, Composition
from bifrons_training.preprocessing.locating import STRIDES, VALUES, cell_centres

SIZES = ((0.0, 44.0), (36.0, 116.0), (96.0, np.inf))
"""Ranges of the faces' longer side in pixels that each level learns; neighbouring ranges overlap."""

NOTHING, FACE, IGNORED = 0, 1, 2


@functools.cache
def grid(side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the centre [n, 2], stride [n] and level [n] of each cell of an input of `side` pixels."""
    cells = cell_centres(side).astype(np.float32)
    return cells[:, :2], cells[:, 2], np.searchsorted(STRIDES, cells[:, 2])


def assign(composition: Composition, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """Returns the states [cells], `NOTHING`, `FACE` or `IGNORED`, and the values [cells, VALUES - 1] in pixels.

    The values are the box and the landmarks. A face is learned by the cells of its level whose distance to its centre
    is at most one stride or 0.16 of its size, whichever is larger. Other cells inside its box learn "nothing"; those
    inside an ignored box are left out of the loss.
    """
    centres, strides, level = grid(side)
    state = np.zeros(len(centres), np.uint8)
    values = np.zeros((len(centres), VALUES - 1), np.float32)
    best = np.full(len(centres), np.inf, np.float32)
    # Small faces come last: if two want a cell at the same distance, the front one is usually the smaller.
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
    """Returns a composition's pixels as the network's input [3, side, side], at the top left and padded with 0."""
    result = np.zeros((3, side, side), np.float32)
    height, width = pixels.shape[:2]
    result[:, :height, :width] = preprocessing.normalise(pixels)
    return result
