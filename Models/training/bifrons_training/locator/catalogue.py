"""The locator's training and evaluation data: scenes and face crops of the data folder, validated and divided.

scenes.csv does not name the photograph of a scene, and crops of the same photographs are in train/ and val/. Therefore
a face is recognised by its pixels: a crop and a scene are linked if their faces correlate. Linked ones share the crop's
group, and a group is never split between training and evaluation.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from bifrons_training.data.catalogue import Face, group_key, read_catalogue
from bifrons_training.errors import DataError

LANDMARKS = ("right_eye", "left_eye", "nose", "mouth_right", "mouth_left")
BOX = ("box_x", "box_y", "box_w", "box_h")
POINTS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
SCENE_COLUMNS = ("path", "source", "width", "height", *BOX, *POINTS)

HELD_OUT_SHARE = 0.15
"""The share of the scenes' groups that is held out for evaluation."""

SAME_FACE = 0.8
"""The correlation of two 32 × 32 grey face patches above which they count as the same photograph."""


@dataclass
class AnnotatedImage:
    """An image with all its known faces: boxes [n, 4] as x0, y0, x1, y1 and landmarks [n, 5, 2], both in pixels."""

    path: str
    source: str
    group: str
    boxes: np.ndarray
    points: np.ndarray


@dataclass
class Split:
    """`scenes` and `crops` train the locator. `held_out` scenes evaluate it and share no photograph with them."""

    scenes: list[AnnotatedImage] = field(default_factory=list)
    crops: list[AnnotatedImage] = field(default_factory=list)
    held_out: list[AnnotatedImage] = field(default_factory=list)
    held_out_crops: list[AnnotatedImage] = field(default_factory=list)


def _numbers(table: Path, line: int, row: dict[str, str], columns: tuple[str, ...]) -> list[float]:
    values = []
    for column in columns:
        try:
            values.append(float(row[column]))
        except (TypeError, ValueError):
            raise DataError(f"{table} line {line}: {column} is {row[column]!r}, it must be a number") from None
        if not np.isfinite(values[-1]):
            raise DataError(f"{table} line {line}: {column} is {row[column]!r}, it must be finite")
    return values


def _face(numbers: list[float]) -> tuple[np.ndarray, np.ndarray]:
    x, y, width, height = numbers[:4]
    return np.array([x, y, x + width, y + height], np.float32), np.array(numbers[4:], np.float32).reshape(5, 2)


def read_scenes(folder: Path) -> list[AnnotatedImage]:
    """Reads all scenes of `folder`/scenes.csv, each its own group. Raises `DataError` for any fault."""
    table = folder / "scenes.csv"
    if not table.is_file():
        raise DataError(f"{table} is missing: the locator learns from it and from the folder scenes/ beside it")
    scenes: dict[str, AnnotatedImage] = {}
    with table.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = [name for name in SCENE_COLUMNS if name not in (reader.fieldnames or [])]
        if missing:
            raise DataError(f"{table} lacks the column {missing[0]!r}: it must have {', '.join(SCENE_COLUMNS)}")
        for line, row in enumerate(reader, start=2):
            box, points = _face(_numbers(table, line, row, (*BOX, *POINTS)))
            if box[2] <= box[0] or box[3] <= box[1]:
                raise DataError(f"{table} line {line}: the face box is empty: correct it or drop its line")
            width, height = _numbers(table, line, row, ("width", "height"))
            if box[2] <= 0 or box[3] <= 0 or box[0] >= width or box[1] >= height:
                raise DataError(f"{table} line {line}: the face box lies outside of the image: correct or drop it")
            scene = scenes.setdefault(
                row["path"], AnnotatedImage(row["path"], row["source"], "", np.empty((0, 4)), np.empty((0, 5, 2)))
            )
            scene.boxes = np.vstack([scene.boxes, box[None]]).astype(np.float32)
            scene.points = np.concatenate([scene.points, points[None]]).astype(np.float32)
    if not scenes:
        raise DataError(f"{table} lists no faces: the locator cannot learn from it")
    for path, scene in scenes.items():
        if not (folder / path).is_file():
            raise DataError(f"{folder / path} is listed in scenes.csv but missing: restore it or drop its lines")
        scene.group = path
    return list(scenes.values())


def read_crops(folder: Path) -> tuple[list[AnnotatedImage], list[Face]]:
    """Reads all crops of `folder`/faces.csv with their face, and the rows of the table. Raises `DataError`."""
    faces = read_catalogue(folder)
    table = folder / "faces.csv"
    crops = []
    with table.open(newline="", encoding="utf-8") as file:
        for line, (row, face) in enumerate(zip(csv.DictReader(file), faces, strict=True), start=2):
            missing = [name for name in (*BOX, *POINTS) if name not in row]
            if missing:
                raise DataError(f"{table} lacks the column {missing[0]!r}: the locator needs the faces' boxes")
            box, points = _face(_numbers(table, line, row, (*BOX, *POINTS)))
            crops.append(AnnotatedImage(face.path, face.source, group_key(face), box[None], points[None]))
    return crops, faces


def read_pixels(folder: Path, path: str) -> np.ndarray:
    """Reads an image as [h, w, 3] uint8, RGB. Raises `DataError` if it cannot be decoded."""
    image = cv2.imread(str(folder / path), cv2.IMREAD_COLOR)
    if image is None:
        raise DataError(f"{folder / path} is not a readable image: replace it or drop its lines")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _patches(folder: Path, images: list[AnnotatedImage]) -> np.ndarray:
    """Returns the first face of each image as a 32 × 32 grey patch of mean 0 and norm 1: [n, 1024]."""
    patches = np.empty((len(images), 1024), np.float32)
    for index, image in enumerate(images):
        gray = cv2.cvtColor(read_pixels(folder, image.path), cv2.COLOR_RGB2GRAY)
        x0, y0, x1, y1 = image.boxes[0]
        frame = cv2.getAffineTransform(
            np.array([[x0, y0], [x1, y0], [x0, y1]], np.float32), np.array([[0, 0], [31, 0], [0, 31]], np.float32)
        )
        patch = cv2.warpAffine(gray, frame, (32, 32)).astype(np.float32).ravel()
        patch -= patch.mean()
        patches[index] = patch / max(float(np.linalg.norm(patch)), 1e-6)
    return patches


def is_held_out(group: str, share: float = HELD_OUT_SHARE) -> bool:
    """Whether a group of scenes is held out for evaluation: decided by a hash, so it never changes."""
    digest = hashlib.sha256(b"locator/" + group.encode()).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def divide(folder: Path) -> Split:
    """Reads and divides the folder. Crops of the split `val` and everything linked to them never train."""
    scenes = read_scenes(folder)
    crops, faces = read_crops(folder)
    candidates = [index for index, face in enumerate(faces) if face.label == 0]
    scene_patches = _patches(folder, scenes)
    alike = scene_patches @ _patches(folder, [crops[index] for index in candidates]).T
    validation = {crop.group for crop, face in zip(crops, faces, strict=True) if face.split == "val"}
    for scene, row in zip(scenes, alike, strict=True):
        best = int(row.argmax())
        if row[best] > SAME_FACE:
            scene.group = crops[candidates[best]].group
    held = {scene.group for scene in scenes if is_held_out(scene.group)} | validation
    # A photograph may be in two scenes of different groups, or a crop may be only the second best match of a scene.
    judged = np.array([scene.group in held for scene in scenes])
    twins = (scene_patches[~judged] @ scene_patches[judged].T).max(axis=1, initial=0) > SAME_FACE
    seen_in_judged = {crops[candidates[i]].group for i in np.flatnonzero((alike[judged] > SAME_FACE).any(axis=0))}
    never = held | seen_in_judged
    split = Split(held_out=[scene for scene, is_judged in zip(scenes, judged, strict=True) if is_judged])
    remaining = [scene for scene, is_judged in zip(scenes, judged, strict=True) if not is_judged]
    split.scenes = [s for s, is_twin in zip(remaining, twins, strict=True) if not is_twin and s.group not in never]
    split.crops = [crop for crop in crops if crop.group not in never]
    split.held_out_crops = [crop for crop in crops if crop.group in validation]
    return split
