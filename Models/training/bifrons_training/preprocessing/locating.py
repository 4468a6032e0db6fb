"""Finds the faces of an image as workers do.

`Locator.swift` and `CellReading.swift` in `Sources/Worker/Inference` are the Swift counterparts.
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
"""Values of a cell: logit, distances to left, top, right and bottom, five offsets x, y; all in units of the stride."""

CANDIDATES = 256
FACES = 16


@dataclass(frozen=True)
class Found:
    """A face: its box, the locator's logit, and landmarks [5, 2] in pixels of the upright image at full size."""

    box: Box
    logit: float
    landmarks: np.ndarray

    @property
    def turn(self) -> Turn:
        """The turn of the face."""
        return turn_of(self.landmarks)


def cell_centres(side: int) -> np.ndarray:
    """Returns the centre and stride of every cell, [n, 3] float64 as x, y, stride: by grid, then row by row."""
    rows = []
    for stride in STRIDES:
        steps = (np.arange(side // stride) + 0.5) * stride
        y, x = np.meshgrid(steps, steps, indexing="ij")
        rows.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, float(stride))], axis=1))
    return np.concatenate(rows)


def suppress(boxes: np.ndarray, overlap: float) -> list[int]:
    """Returns the indices of the boxes [n, 4] (x0, y0, x1, y1) that greedy non-maximum suppression keeps, in order."""
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


@dataclass(frozen=True)
class View:
    """How an image was placed into the network's input of `side` pixels."""

    side: int
    size: tuple[int, int]
    """Width and height of the upright image at full size, in pixels."""
    fitted: tuple[int, int]
    """Width and height of the part of the input that the upright image fills, in pixels."""
    scale: tuple[float, float]
    """Image pixels per input pixel, horizontally and vertically."""


@dataclass(frozen=True)
class Pass:
    """The network's cells [n, 15] for an image rotated clockwise by `quarters` times 90 degrees."""

    cells: np.ndarray
    quarters: int = 0

    def sees(self, lowest: float) -> bool:
        """Whether any cell has at least this logit."""
        logits = self.cells[:, 0]
        return bool((np.isfinite(logits) & (logits.astype(np.float64) >= lowest)).any())


def logit_of(probability: float) -> float:
    """Returns the logit of a probability between 0 and 1, both excluded."""
    return math.log(probability / (1 - probability))


@dataclass(frozen=True)
class Thresholds:
    """The criteria by which a locator's boxes count."""

    score: float
    """The lowest probability of a face."""
    overlap: float
    """The IoU above which only the most confident of overlapping boxes is kept."""
    turned: tuple[float, float] | None = None
    """(below, score): without a face of probability `below`, rotated copies are searched too, with `score` as the
    lowest probability; None searches none."""


def read_passes(passes: list[Pass], view: View, thresholds: Thresholds, most: int = FACES) -> list[Found]:
    """Returns the faces that one or more passes find in an image, the `most` largest, by size.

    If a rotated pass finds a face, the faces of all passes need the probability required there; otherwise only the
    upright pass counts.
    """
    lowest = logit_of(thresholds.score)
    turned = [one for one in passes if one.quarters]
    if thresholds.turned and any(one.sees(logit_of(thresholds.turned[1])) for one in turned):
        lowest = logit_of(thresholds.turned[1])
    else:
        passes = [one for one in passes if not one.quarters]
    logits, boxes, points = [], [], []
    centres = cell_centres(view.side)
    for one in passes:
        known = one.cells[:, 0]
        places = np.flatnonzero(np.isfinite(known) & (known.astype(np.float64) >= lowest))
        x, y, stride = centres[places].T
        values = one.cells[places].astype(np.float64) * stride[:, None]
        first = _upright(np.stack([x - values[:, 1], y - values[:, 2]], axis=1), one.quarters, view.fitted)
        last = _upright(np.stack([x + values[:, 3], y + values[:, 4]], axis=1), one.quarters, view.fitted)
        # A rotation by quarters exchanges the sides.
        left, right = (last, first) if one.quarters >= 2 else (first, last)
        top, bottom = (last, first) if one.quarters in (1, 2) else (first, last)
        corners = np.stack([left[:, 0], top[:, 1], right[:, 0], bottom[:, 1]], axis=1)
        offsets = values[:, 5:].reshape(-1, 5, 2) + np.stack([x, y], axis=1)[:, None]
        boxes.append(corners * (*view.scale, *view.scale))
        points.append(_upright(offsets, one.quarters, view.fitted) * view.scale)
        logits.append(known[places])
    # The sort is stable: of equal logits, the earlier pass and then the earlier cell comes first.
    order = np.argsort(-np.concatenate(logits), kind="stable")[:CANDIDATES]
    candidates, landmarks = np.concatenate(boxes)[order], np.concatenate(points)[order]
    with np.errstate(invalid="ignore", over="ignore"):
        area = (candidates[:, 2] - candidates[:, 0]) * (candidates[:, 3] - candidates[:, 1])
    usable = np.isfinite(area) & (candidates[:, 2] > candidates[:, 0]) & (candidates[:, 3] > candidates[:, 1])
    kept = np.flatnonzero(usable)[suppress(candidates[usable], thresholds.overlap)]
    surest = np.concatenate(logits)[order]
    found = [Found(_cut(candidates[index], view.size), float(surest[index]), landmarks[index]) for index in kept]
    found.sort(key=lambda face: -face.box[2] * face.box[3])  # Stable: of equal areas the most confident stays first.
    return found[:most]


def _upright(points: np.ndarray, quarters: int, fitted: tuple[int, int]) -> np.ndarray:
    """Maps points [..., 2] of an input with a rotated image to the input with the upright one."""
    x, y = points[..., 0], points[..., 1]
    width, height = fitted
    moved = {0: (x, y), 1: (y, height - x), 2: (width - x, height - y), 3: (width - y, x)}[quarters]
    return np.stack(moved, axis=-1)


def _cut(box: np.ndarray, size: tuple[int, int]) -> Box:
    """Clips a box to the image and rounds it to whole pixels."""

    def span(start: float, end: float, length: int) -> tuple[int, int]:
        first, last = (math.floor(min(max(value, 0.0), float(length)) + 0.5) for value in (start, end))
        first = min(first, length - 1)
        return first, max(last - first, 1)

    (left, width), (top, height) = span(box[0], box[2], size[0]), span(box[1], box[3], size[1])
    return left, top, width, height


class Locator:
    """The locator of a model folder, run by OpenVINO in f32 on one thread."""

    def __init__(self, folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        self.side: int = manifest["input"]["width"]
        output = manifest["output"]
        turned = output.get("turned")
        self.thresholds = Thresholds(
            output["score"], output["overlap"], (turned["below"], turned["score"]) if turned else None
        )
        self.most = FACES
        self.digest = f"{manifest['sha256']} {self.thresholds}"
        """Identifies the network and its thresholds."""
        settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
        core = openvino.Core()
        model = core.compile_model(core.read_model(folder / manifest["file"]), "CPU", settings)
        self._request = model.create_infer_request()

    def cells(self, tensor: np.ndarray) -> np.ndarray:
        """Returns the network's cells [n, 15] for an input [1, 3, side, side]."""
        cells: np.ndarray = next(iter(self._request.infer([tensor]).values()))[0].copy()
        return cells

    def faces(self, decoded: Decoded) -> list[Found]:
        """Returns the faces of an image, at most 16, the largest first."""
        tensor, (width, height) = preprocessing.whole(decoded.image, self.side)
        scale = (
            decoded.image.width / width * decoded.reduction,
            decoded.image.height / height * decoded.reduction,
        )
        view = View(self.side, (decoded.width, decoded.height), (width, height), scale)
        passes = [Pass(self.cells(tensor))]
        turned = self.thresholds.turned
        if turned and not passes[0].sees(logit_of(turned[0])):
            seen = tensor[:, :, :height, :width]
            passes += [Pass(self.cells(_turned(seen, quarters, self.side)), quarters) for quarters in (1, 2, 3)]
        return read_passes(passes, view, self.thresholds, self.most)

    def stances(self, decoded: Decoded) -> list[tuple[Box, Turn]]:
        """Returns the box and the turn of each face of an image, the largest first."""
        return [(face.box, face.turn) for face in self.faces(decoded)]


def _turned(view: np.ndarray, quarters: int, side: int) -> np.ndarray:
    """Rotates a view [1, 3, h, w] clockwise by quarters into the top left of an input [1, 3, side, side]."""
    turned = np.rot90(view, -quarters, axes=(2, 3))
    tensor = np.zeros((1, 3, side, side), np.float32)
    tensor[:, :, : turned.shape[2], : turned.shape[3]] = turned
    return tensor
