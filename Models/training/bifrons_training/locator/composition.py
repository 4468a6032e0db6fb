"""A composed image with its faces, and how boxes and landmarks follow a transformation."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from bifrons_training.locator.catalogue import AnnotatedImage

SIDE = 320
SMALLEST = 8
"""The longer side in pixels below which a face is ignored: it need not be found, and may be."""

VISIBLE, HIDDEN = 0.45, 0.1
"""Visible shares of a face's box: from the first on the face must be found, below the second it counts as no face, in
between it is ignored."""


@dataclass
class Composition:
    """An image [h, w, 3] uint8 of at most `SIDE` pixels per side, with its faces."""

    pixels: np.ndarray
    boxes: np.ndarray
    """[n, 4]: x0, y0, x1, y1, inside the image."""
    points: np.ndarray
    """[n, 5, 2]: landmarks; they may lie outside the image."""
    ignored: np.ndarray
    """[n] bool: faces that are too small or too hidden to be required."""

    def turned(self, quarters: int, mirrored: bool) -> Composition:
        """Returns the composition mirrored if `mirrored`, then rotated clockwise by `quarters` times 90 degrees."""
        height, width = self.pixels.shape[:2]
        pixels, corners = self.pixels, self.boxes.reshape(-1, 2, 2).astype(np.float64)
        points = self.points.astype(np.float64)
        if mirrored:
            pixels = pixels[:, ::-1]
            corners = np.stack([width - corners[..., 0], corners[..., 1]], axis=-1)
            # The person's right eye is now the left one.
            points = np.stack([width - points[..., 0], points[..., 1]], axis=-1)[:, [1, 0, 2, 4, 3]]
        for _ in range(quarters % 4):
            corners = np.stack([height - corners[..., 1], corners[..., 0]], axis=-1)
            points = np.stack([height - points[..., 1], points[..., 0]], axis=-1)
            width, height = height, width
        boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).reshape(-1, 4)
        return Composition(
            np.ascontiguousarray(np.rot90(pixels, -quarters)),
            boxes.astype(np.float32),
            points.astype(np.float32),
            self.ignored,
        )


@dataclass
class PlacedFaces:
    """The faces on a canvas during composition: boxes not yet clipped, landmarks, and the visible share of each."""

    boxes: np.ndarray
    points: np.ndarray
    visible: np.ndarray

    @staticmethod
    def none() -> PlacedFaces:
        """Returns an empty set of faces."""
        return PlacedFaces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))

    def __add__(self, other: PlacedFaces) -> PlacedFaces:
        return PlacedFaces(
            np.vstack([self.boxes, other.boxes]),
            np.concatenate([self.points, other.points]),
            np.concatenate([self.visible, other.visible]),
        )


def move_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Returns the upright boxes around the ellipses inscribed in `boxes` [n, 4] after an affine map [2, 3]."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    radius = (boxes[:, 2:] - boxes[:, :2]) / 2
    reach = np.sqrt((radius**2) @ (matrix[:, :2].T ** 2))
    return np.hstack([centre - reach, centre + reach])


def move_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Returns points [..., 2] after an affine map [2, 3]."""
    moved: np.ndarray = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


def similarity(scale: float, degrees: float, source: np.ndarray, target: np.ndarray, flip: bool = False) -> np.ndarray:
    """Returns the map [2, 3] that scales, rotates, mirrors if `flip`, and takes the point `source` to `target`."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if flip:
        turn = turn @ np.array([[-1.0, 0.0], [0.0, 1.0]])
    return np.hstack([turn, (np.asarray(target) - turn @ np.asarray(source))[:, None]])


def moved_faces(annotated: AnnotatedImage, matrix: np.ndarray) -> PlacedFaces:
    """Returns the faces of an annotated image after an affine map [2, 3]."""
    points = move_points(annotated.points.astype(np.float64), matrix)
    if np.linalg.det(matrix[:, :2]) < 0:  # Mirrored: the person's right eye is now the left one.
        points = points[:, [1, 0, 2, 4, 3]]
    return PlacedFaces(move_boxes(annotated.boxes.astype(np.float64), matrix), points, np.ones(len(annotated.boxes)))


def finish(image: np.ndarray, faces: PlacedFaces) -> Composition:
    """Clips the boxes to the image and decides which faces count."""
    height, width = image.shape[:2]
    cut = np.clip(faces.boxes, 0, (width, height, width, height))
    size = cut[:, 2:] - cut[:, :2]
    whole = np.prod(np.maximum(faces.boxes[:, 2:] - faces.boxes[:, :2], 1e-6), axis=1)
    visible = faces.visible * np.prod(np.maximum(size, 0), axis=1) / whole
    kept = (visible >= HIDDEN) & (size.min(axis=1, initial=np.inf) >= 2)
    ignored = (visible < VISIBLE) | (size.max(axis=1, initial=0) < SMALLEST)
    return Composition(
        np.ascontiguousarray(image),
        cut[kept].astype(np.float32),
        faces.points[kept].astype(np.float32),
        ignored[kept],
    )


def warp(image: np.ndarray, matrix: np.ndarray, width: int, height: int, border: int, beyond: int = 128) -> np.ndarray:
    """Returns `image` after the affine map `matrix` [2, 3], as [height, width, ...] uint8.

    An image that gets much smaller is blurred first, against aliasing. `border` is one of OpenCV's border modes; the
    constant one uses the grey level `beyond`.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    flags = cv2.INTER_LINEAR if scale < 1.5 else cv2.INTER_CUBIC
    return cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=border, borderValue=(beyond,) * 3)
