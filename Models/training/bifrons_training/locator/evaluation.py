"""Evaluates a published locator through its ONNX file and the workers' preprocessing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.locator.catalogue import Split
from bifrons_training.locator.composer import Composer
from bifrons_training.locator.composition import SIDE
from bifrons_training.preprocessing import turning
from bifrons_training.preprocessing.locating import CANDIDATES, Locator

OVERLAP = 0.5
"""The intersection over union from which a box counts as finding a face."""

FACELESS = 1500
COMPOSED = 600
ANGLES = range(0, 360, 15)
"""The angles in degrees by which all held-out scenes are rotated."""

WRONG_TURN = 20
"""The error of a face's turn in degrees from which it counts as wrong: a crop that is off by so much no longer stands
as faces do in photographs."""

FIRST_SEED = 1 << 40
"""The first seed of the evaluation, beyond the seeds of any training."""


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the intersection over union [n, m] of boxes [n, 4] and [m, 4], given as x0, y0, x1, y1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (first, second)]
    result: np.ndarray = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1e-9)
    return result


@dataclass
class Tally:
    """Counts of required faces, found faces and false boxes."""

    sizes: list[float] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    landmark_errors: list[float] = field(default_factory=list)
    turn_errors: list[float] = field(default_factory=list)
    images: int = 0
    false_boxes: int = 0

    def add(
        self,
        found: np.ndarray,
        found_points: np.ndarray,
        true: np.ndarray,
        points: np.ndarray,
        ignored: np.ndarray | None = None,
    ) -> None:
        """Adds one image: found boxes [n, 4] and landmarks [n, 5, 2] against the annotated ones."""
        self.images += 1
        ignored = np.zeros(len(true), bool) if ignored is None else ignored
        table = overlaps(found, true) if len(found) and len(true) else np.zeros((len(found), len(true)))
        used: set[int] = set()
        for index in range(len(true)):
            if ignored[index]:
                continue
            free = [row for row in range(len(found)) if row not in used]
            best = max(free, key=lambda row: table[row, index], default=None)
            size = float((true[index, 2:] - true[index, :2]).max())
            self.sizes.append(size)
            hit = best is not None and bool(table[best, index] >= OVERLAP)
            self.hits.append(hit)
            if best is not None and hit:
                used.add(best)
                error = np.linalg.norm(found_points[best] - points[index], axis=1).mean()
                self.landmark_errors.append(float(error) / size)
                self.turn_errors.append(abs((_angle(found_points[best]) - _angle(points[index]) + 180) % 360 - 180))
        for row in range(len(found)):
            if row not in used and not (len(true) and (table[row] >= 0.3).any()):
                self.false_boxes += 1

    def recall(self, smallest: float = 0, below: float = np.inf) -> tuple[float, int]:
        """Returns (recall, count) of the faces whose longer side is in [smallest, below) pixels."""
        chosen = [hit for size, hit in zip(self.sizes, self.hits, strict=True) if smallest <= size < below]
        return (float(np.mean(chosen)) if chosen else float("nan")), len(chosen)


def _angle(landmarks: np.ndarray) -> float:
    """Returns the angle in degrees by which a face with these landmarks [5, 2] is turned, not rounded to quarters."""
    return float(np.degrees(np.arctan2(*turning.direction(landmarks)[::-1])))


def _found(locator: Locator, decoded: preprocessing.Decoded) -> tuple[np.ndarray, np.ndarray]:
    faces = locator.faces(decoded)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in (face.box for face in faces)], float).reshape(-1, 4)
    return boxes, np.array([face.landmarks for face in faces]).reshape(-1, 5, 2)


def _as_decoded(pixels: np.ndarray) -> preprocessing.Decoded:
    return preprocessing.Decoded(Image.fromarray(pixels), pixels.shape[1], pixels.shape[0], 1)


def faceless_scores(locator: Locator, images: Iterable[np.ndarray]) -> list[list[float]]:
    """Returns the probabilities of all boxes that a locator finds, without its threshold, in images without faces."""
    strict = locator.thresholds, locator.most
    locator.thresholds, locator.most = replace(locator.thresholds, score=0.02, turned=None), CANDIDATES
    try:
        return [[1 / (1 + np.exp(-face.logit)) for face in locator.faces(_as_decoded(pixels))] for pixels in images]
    finally:
        locator.thresholds, locator.most = strict


def choose_score(locator: Locator, folder: Path, split: Split, false_boxes: float = 0.03, count: int = 2000) -> float:
    """Returns the lowest threshold with at most `false_boxes` boxes per image on `count` images without faces.

    It is chosen on compositions of the training part that no training saw, so that the held-out part stays unbiased.
    """
    composer = Composer.of(folder, split)
    scores = faceless_scores(locator, (composer.faceless(FIRST_SEED + n) for n in range(count)))
    ordered = sorted((score for of_image in scores for score in of_image), reverse=True)
    allowed = int(false_boxes * count)
    threshold = ordered[allowed] if len(ordered) > allowed else 0.02
    return round(float(min(max(threshold + 0.005, 0.05), 0.95)), 3)


def _rows(tallies: dict[str, Tally]) -> dict[str, Any]:
    rows = {}
    for name, tally in sorted(tallies.items()):
        recall, count = tally.recall()
        rows[name] = {"faces": count, "recall": round(recall, 4)}
    return rows


def evaluate(locator: Locator, folder: Path, split: Split) -> dict[str, Any]:
    """Returns all numbers of the model card."""
    scenes = Tally()
    by_source: dict[str, Tally] = {}
    for scene in split.held_out:
        boxes, points = _found(locator, preprocessing.decode(folder / scene.path))
        for tally in (scenes, by_source.setdefault(scene.source, Tally())):
            tally.add(boxes, points, scene.boxes, scene.points)
    composer = Composer(folder, split.held_out, split.held_out_crops)
    faceless = (_as_decoded(composer.faceless(FIRST_SEED + n)) for n in range(FACELESS))
    false_boxes = sum(len(locator.faces(decoded)) for decoded in faceless) / FACELESS

    thresholds = asdict(locator.thresholds)
    report: dict[str, Any] = {**thresholds, "turned_looks": thresholds.pop("turned")}
    for name, smallest, below in (
        ("40px", 40, np.inf),
        ("20px", 20, np.inf),
        ("20_to_40px", 20, 40),
        ("all", 0, np.inf),
    ):
        recall, count = scenes.recall(smallest, below)
        report[f"recall_{name}"] = round(recall, 4)
        report[f"faces_{name}"] = count
    report["landmark_error"] = round(float(np.mean(scenes.landmark_errors)), 4)
    report["held_out_scenes"] = _rows(by_source)
    report["false_boxes_per_picture"] = round(false_boxes, 4)
    report["faceless_pictures"] = FACELESS
    report["turned"] = {}
    for degrees in ANGLES:
        tally = Tally()
        for turned in (composer.rotated(scene, degrees) for scene in split.held_out):
            tally.add(*_found(locator, _as_decoded(turned.pixels)), turned.boxes, turned.points, turned.ignored)
        recall, count = tally.recall(20)
        report["turned"][str(degrees)] = {
            "faces": count,
            "recall": round(recall, 4),
            "turn_error": round(float(np.median(tally.turn_errors)), 2),
            "wrong_turns": round(float((np.array(tally.turn_errors) >= WRONG_TURN).mean()), 4),
        }
    composed = Tally()
    for number in range(COMPOSED):
        made = composer.compose(FIRST_SEED + number)
        composed.add(*_found(locator, _as_decoded(made.pixels)), made.boxes, made.points, made.ignored)
    report["composed"] = {"pictures": COMPOSED, "false_boxes_per_picture": round(composed.false_boxes / COMPOSED, 4)}
    for low, high in ((8, 20), (20, 40), (40, 96), (96, SIDE + 1)):
        recall, count = composed.recall(low, high)
        report["composed"][f"{low}_to_{high}px"] = {"faces": count, "recall": round(recall, 4)}
    return report
