"""Finds the faces of a picture as workers do.

`Locator.swift` and `CellReading.swift` in `Sources/Worker/Inference` are its other half.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import openvino

from bifrons_training import preprocessing
from bifrons_training.preprocessing import Box, Decoded
from bifrons_training.preprocessing.turning import Turn, turn_of

STRIDES = (8, 16, 32)
VALUES = 15
"""Numbers of a cell: logit, distances to left, top, right, bottom, five offsets x and y; all in units of the stride."""

CANDIDATES = 256
FACES = 16


@dataclass(frozen=True)
class Found:
    """A face: its box, the locator's logit, and five landmarks [5, 2] in pixels of the upright picture at full size."""

    box: Box
    logit: float
    landmarks: np.ndarray

    @property
    def turn(self) -> Turn:
        """How the face stands."""
        return turn_of(self.landmarks)


def cell_centres(side: int) -> np.ndarray:
    """x, y and stride of every cell, [n, 3] float64: grid by grid, row by row."""
    rows = []
    for stride in STRIDES:
        steps = (np.arange(side // stride) + 0.5) * stride
        y, x = np.meshgrid(steps, steps, indexing="ij")
        rows.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, float(stride))], axis=1))
    return np.concatenate(rows)


def suppress(boxes: np.ndarray, overlap: float) -> list[int]:
    """Greedy non-maximum suppression of boxes [n, 4] (x0, y0, x1, y1) in their order: the places of those that stay."""
    kept: list[int] = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for index, box in enumerate(boxes):
        others = boxes[kept]
        width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
        height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        if not (shared / (areas[index] + areas[kept] - shared) > overlap).any():
            kept.append(index)
    return kept


def read_cells(
    cells: np.ndarray,
    side: int,
    size: tuple[int, int],
    scale: tuple[float, float],
    score: float,
    overlap: float,
    most: int = FACES,
) -> list[Found]:
    """The faces that cells [n, 15] of an input of `side` pixels see in a picture of `size` pixels: the `most` largest.

    `scale` is how many of the picture's pixels make one of the input's, across and down. Boxes below the probability
    `score` are left out, and of boxes that overlap by more than `overlap` all but the surest.
    """
    places = np.flatnonzero(
        np.isfinite(cells[:, 0]) & (cells[:, 0].astype(np.float64) >= math.log(score / (1 - score)))
    )
    places = places[np.argsort(-cells[places, 0], kind="stable")][:CANDIDATES]
    x, y, stride = cell_centres(side)[places].T
    values = cells[places].astype(np.float64) * stride[:, None]
    boxes = np.stack([x - values[:, 1], y - values[:, 2], x + values[:, 3], y + values[:, 4]], axis=1)
    boxes *= (*scale, *scale)
    with np.errstate(invalid="ignore", over="ignore"):
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    usable = np.isfinite(area) & (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    order = np.flatnonzero(usable)
    found = []
    for index in order[suppress(boxes[order], overlap)]:
        box = _cut(boxes[index], size)
        offsets = values[index, 5:].reshape(5, 2) + np.array([x[index], y[index]])
        found.append(Found(box, float(cells[places[index], 0]), offsets * scale))
    found.sort(key=lambda face: -face.box[2] * face.box[3])  # Stable: of equal ones the surest stays first.
    return found[:most]


def _cut(box: np.ndarray, size: tuple[int, int]) -> Box:
    """The part of a box that is in the picture, in whole pixels."""

    def span(start: float, end: float, length: int) -> tuple[int, int]:
        first, last = (math.floor(min(max(value, 0.0), float(length)) + 0.5) for value in (start, end))
        first = min(first, length - 1)
        return first, max(last - first, 1)

    (left, width), (top, height) = span(box[0], box[2], size[0]), span(box[1], box[3], size[1])
    return left, top, width, height


class Locator:
    """The locator of a models' folder, in OpenVINO on one thread and in f32."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.side: int = manifest["input"]["width"]
        self.score: float = manifest["output"]["score"]
        self.overlap: float = manifest["output"]["overlap"]
        self.most = FACES
        self.digest: str = manifest["sha256"]
        settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
        core = openvino.Core()
        model = core.compile_model(core.read_model(folder / manifest["file"]), "CPU", settings)
        self._request = model.create_infer_request()

    def cells(self, tensor: np.ndarray) -> np.ndarray:
        """The network's cells [n, 15] of an input [1, 3, side, side]."""
        cells: np.ndarray = next(iter(self._request.infer([tensor]).values()))[0]
        return cells

    def faces(self, decoded: Decoded) -> list[Found]:
        """The faces of a picture, the largest first, at most 16."""
        tensor, (width, height) = preprocessing.whole(decoded.image, self.side)
        scale = (
            decoded.image.width / width * decoded.reduction,
            decoded.image.height / height * decoded.reduction,
        )
        size = (decoded.width, decoded.height)
        return read_cells(self.cells(tensor), self.side, size, scale, self.score, self.overlap, self.most)

    def stances(self, decoded: Decoded) -> list[tuple[Box, Turn]]:
        """The box of each of a picture's faces and how the face stands, the largest first."""
        return [(face.box, face.turn) for face in self.faces(decoded)]
