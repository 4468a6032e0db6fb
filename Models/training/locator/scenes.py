"""Training pictures for the locator, composed on the fly: faces of known places in pictures that never were.

A composition is made by a seed alone. It begins with a background (a scene as it is, a zoomed crop, a texture, a part of a
picture without its face), gets faces pasted in, and ends with what happens to pictures on their way: screenshots' borders
and text, gray, dark, blur, noise, small sizes, JPEG. Faces stand at every angle. Boxes are those of the ellipse in a face's
box after it was moved: for a turned face the upright box around the turned ellipse. Turning keeps such a box's middle and its
diagonal, so that both tell the crop of a face at any angle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .catalogue import Picture, Split, read_pixels
from .faceless import Random, beside, shuffled, texture, without_faces, write

SIDE = 320
SMALLEST = 8
"""Faces whose longer side has fewer pixels than this are neither asked for nor forbidden."""

VISIBLE, HIDDEN = 0.45, 0.1
"""Of a face's box: from the first share on it must be found, below the second it is none, between them it may be either."""


@dataclass
class Composition:
    """A picture [h, w, 3] of at most `SIDE` pixels a side, and its faces."""

    pixels: np.ndarray
    boxes: np.ndarray
    """[n, 4]: x0, y0, x1, y1, inside of the picture."""
    points: np.ndarray
    """[n, 5, 2]; may lie outside of it."""
    ignored: np.ndarray
    """[n] bool: faces too small or too hidden to ask for."""


    def turned(self, quarters: int, mirrored: bool) -> Composition:
        """The same, turned by whole quarters clockwise, and mirrored before that when told to."""
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
class _Faces:
    """Faces on a canvas while it is being made; boxes are not yet cut to it."""

    boxes: np.ndarray
    points: np.ndarray
    visible: np.ndarray

    @staticmethod
    def none() -> _Faces:
        return _Faces(np.empty((0, 4)), np.empty((0, 5, 2)), np.empty(0))

    def __add__(self, other: _Faces) -> _Faces:
        return _Faces(
            np.vstack([self.boxes, other.boxes]),
            np.concatenate([self.points, other.points]),
            np.concatenate([self.visible, other.visible]),
        )


def move_boxes(boxes: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """The upright boxes around the ellipses in `boxes` [n, 4] after the affine map `matrix` [2, 3]."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    radius = (boxes[:, 2:] - boxes[:, :2]) / 2
    reach = np.sqrt((radius**2) @ (matrix[:, :2].T ** 2))
    return np.hstack([centre - reach, centre + reach])


def move_points(points: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Points [..., 2] after the affine map `matrix` [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def similarity(scale: float, degrees: float, source: np.ndarray, target: np.ndarray, flip: bool = False) -> np.ndarray:
    """The map [2, 3] that scales, turns, mirrors when told to, and takes the point `source` to `target`."""
    angle = np.deg2rad(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if flip:
        turn = turn @ np.array([[-1.0, 0.0], [0.0, 1.0]])
    return np.hstack([turn, (np.asarray(target) - turn @ np.asarray(source))[:, None]])


def _moved(picture: Picture, matrix: np.ndarray) -> _Faces:
    points = move_points(picture.points.astype(np.float64), matrix)
    if np.linalg.det(matrix[:, :2]) < 0:  # Mirrored: the person's right eye is now the left one.
        points = points[:, [1, 0, 2, 4, 3]]
    return _Faces(move_boxes(picture.boxes.astype(np.float64), matrix), points, np.ones(len(picture.boxes)))


def _warp(
    image: np.ndarray, matrix: np.ndarray, width: int, height: int, border: int, beyond: int = 128
) -> np.ndarray:
    """`image` through `matrix`, `beyond` it a constant border, without the aliasing that a plain warp has when it makes a picture much smaller."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 / scale)
    flags = cv2.INTER_LINEAR if scale < 1.5 else cv2.INTER_CUBIC
    return cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=border, borderValue=(beyond,) * 3)


class Composer:
    """Composes pictures from a split's scenes and crops."""

    def __init__(self, folder: Path, scenes: list[Picture], crops: list[Picture]) -> None:
        if not scenes or not crops:
            raise ValueError("a composer needs at least one scene and one crop")
        self.folder = folder
        self.scenes = scenes
        self.crops = crops
        by_source: dict[str, list[Picture]] = {}
        for crop in crops:
            by_source.setdefault(crop.source, []).append(crop)
        # Sources count by the root of their size, so that no one look rules.
        self._sources = list(by_source.values())
        weights = np.sqrt([len(members) for members in self._sources])
        self._weights = weights / weights.sum()

    @staticmethod
    def of(folder: Path, split: Split) -> Composer:
        """The composer of a split's training part."""
        return Composer(folder, split.scenes, split.crops)

    def compose(self, seed: int, side: int = SIDE) -> Composition:
        """The composition of a seed, its longer side `side` pixels."""
        random = np.random.default_rng(seed)
        width, height = _canvas_size(random, side)
        kind = random.random()
        if kind < 0.3:
            image, faces = self._scene(random, width, height)
            if random.random() < 0.35:
                image, faces = self._paste_some(random, image, faces, most=3)
        elif kind < 0.52:
            image, faces = self._zoomed_crop(random, width, height)
        elif kind < 0.86:
            image, faces = self._background(random, width, height), _Faces.none()
            image, faces = self._paste_some(random, image, faces, most=8)
        else:
            image, faces = self._faceless(random, width, height), _Faces.none()
        if random.random() < 0.3:
            image, faces = self._paste_decoys(random, image, faces)
        if random.random() < 0.12:
            image, faces = _screenshot(random, image, faces)
        return _finish(spoil(random, image), faces)

    def clutter(self, seed: int, side: int = SIDE) -> Composition:
        """A picture of people without faces, at any angle and of any size: to look for false alarms in, for training."""
        random = np.random.default_rng(seed)
        width, height = _canvas_size(random, side)
        kind = random.random()
        if kind < 0.8:
            picture, image = self._scene_pixels(random) if kind < 0.5 else self._crop(random)
            image = without_faces(random, image, picture.boxes)
            fit = max(width / image.shape[1], height / image.shape[0])
            scale = fit * float(np.exp(random.uniform(np.log(0.6), np.log(4.0))))
            source = np.array([image.shape[1], image.shape[0]]) * random.uniform(0.1, 0.9, 2)
            target = np.array([width, height]) / 2
            matrix = similarity(scale, float(random.uniform(-180, 180)), source, target, random.random() < 0.5)
            border = cv2.BORDER_REFLECT_101 if random.random() < 0.5 else cv2.BORDER_CONSTANT
            image = _warp(image, matrix, width, height, border, int(random.integers(256)))
        else:
            image = self._faceless(random, width, height)
        if random.random() < 0.5:
            image, _ = self._paste_decoys(random, image, _Faces.none())
        if random.random() < 0.12:
            image, _ = _screenshot(random, image, _Faces.none())
        return _finish(spoil(random, image), _Faces.none())

    def rotated(self, picture: Picture, degrees: float) -> Composition:
        """A scene, turned clockwise about its middle by `degrees`: for measuring, not for training."""
        image = read_pixels(self.folder, picture.path)
        height, width = image.shape[:2]
        scale = SIDE / max(width, height)
        centre = np.array([width, height]) / 2
        matrix = similarity(scale, degrees, centre, np.array([SIDE, SIDE]) / 2)
        return _finish(_warp(image, matrix, SIDE, SIDE, cv2.BORDER_REFLECT_101), _moved(picture, matrix))

    def faceless(self, seed: int) -> np.ndarray:
        """A picture [h, w, 3] without a face: for measuring false alarms."""
        random = np.random.default_rng(seed)
        return spoil(random, self._faceless(random, *_canvas_size(random, SIDE)))

    # Parts of a composition.

    def _crop(self, random: Random) -> tuple[Picture, np.ndarray]:
        source = self._sources[int(random.choice(len(self._sources), p=self._weights))]
        crop = source[int(random.integers(len(source)))]
        return crop, read_pixels(self.folder, crop.path)

    def _scene_pixels(self, random: Random) -> tuple[Picture, np.ndarray]:
        scene = self.scenes[int(random.integers(len(self.scenes)))]
        return scene, read_pixels(self.folder, scene.path)

    def _scene(self, random: Random, width: int, height: int) -> tuple[np.ndarray, _Faces]:
        """A scene as a whole or a part of it, a little or much turned."""
        scene, image = self._scene_pixels(random)
        fit = min(width / image.shape[1], height / image.shape[0])
        scale = fit * float(np.exp(random.uniform(np.log(0.45), np.log(2.2)))) if random.random() < 0.7 else fit
        degrees = _angle(random)
        focus = (scene.boxes[int(random.integers(len(scene.boxes)))].reshape(2, 2)).mean(axis=0)
        middle = np.array([image.shape[1], image.shape[0]]) / 2
        source = focus if random.random() < 0.5 else middle
        target = np.array([width, height]) * (random.uniform(0.2, 0.8, 2) if source is focus else 0.5)
        matrix = similarity(scale, degrees, source, target, random.random() < 0.5)
        # Mirrored borders would show faces that nobody has marked: only where none is near.
        border = cv2.BORDER_CONSTANT if scale < 0.9 * fit else cv2.BORDER_REPLICATE
        return _warp(image, matrix, width, height, border), _moved(scene, matrix)

    def _zoomed_crop(self, random: Random, width: int, height: int) -> tuple[np.ndarray, _Faces]:
        """One crop that fills the frame: faces of 30 to 95 % of it."""
        crop, image = self._crop(random)
        box = crop.boxes[0]
        share = random.uniform(0.3, 0.95)
        scale = share * min(width, height) / float(max(box[2] - box[0], box[3] - box[1]))
        target = np.array([width, height]) * random.uniform(0.36, 0.64, 2)
        if random.random() < 0.2:
            target = np.array([width, height]) * random.uniform(0.1, 0.9, 2)
        matrix = similarity(scale, _angle(random), box.reshape(2, 2).mean(axis=0), target, random.random() < 0.5)
        frame = _warp(image, matrix, width, height, cv2.BORDER_REPLICATE)
        inside = _warp(np.full(image.shape[:2], 255, np.uint8), matrix, width, height, cv2.BORDER_CONSTANT, 0)
        if random.random() < 0.7:
            behind = self._background(random, width, height)
            soft = cv2.GaussianBlur(inside, (0, 0), float(random.uniform(0.5, 6)))[..., None] / 255.0
            frame = (frame * soft + behind * (1 - soft)).astype(np.uint8)
        return frame, _moved(crop, matrix)

    def _background(self, random: Random, width: int, height: int) -> np.ndarray:
        return self._faceless(random, width, height) if random.random() < 0.6 else texture(random, width, height)

    def _faceless(self, random: Random, width: int, height: int) -> np.ndarray:
        """A texture, shuffled patches, a part of a picture beside its faces, or a crop whose face is painted over."""
        kind = random.random()
        if kind < 0.25:
            return texture(random, width, height)
        if kind < 0.6:
            picture, image = self._scene_pixels(random)
            if (part := beside(random, image, picture.boxes)) is not None:
                size = (width, height)
                return cv2.resize(part, size, interpolation=cv2.INTER_AREA if part.shape[0] > height else cv2.INTER_LINEAR)
        picture, image = self._crop(random) if kind < 0.9 else self._scene_pixels(random)
        image = without_faces(random, image, picture.boxes)
        if kind >= 0.8:
            image = shuffled(random, image)
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)

    def _paste_some(
        self, random: Random, image: np.ndarray, faces: _Faces, most: int
    ) -> tuple[np.ndarray, _Faces]:
        height, width = image.shape[:2]
        count = int(random.integers(1, most + 1))
        largest = 0.95 if count == 1 else 0.9 / np.sqrt(count)
        for _ in range(count):
            crop, pixels = self._crop(random)
            box = crop.boxes[0]
            size = float(np.exp(random.uniform(np.log(0.05), np.log(largest)))) * max(width, height)
            scale = size / float(max(box[2] - box[0], box[3] - box[1]))
            target = np.array([width, height]) * random.uniform(0.05, 0.95, 2)
            matrix = similarity(scale, _angle(random), box.reshape(2, 2).mean(axis=0), target, random.random() < 0.5)
            shape = _mask(random, pixels.shape[0], pixels.shape[1], box)
            mask = _warp(shape, matrix, width, height, cv2.BORDER_CONSTANT, 0)
            if random.random() < 0.6:
                pixels = _colours(random, pixels)
            pasted = _warp(pixels, matrix, width, height, cv2.BORDER_REPLICATE)
            blend = mask[..., None] / 255.0
            image = (pasted * blend + image * (1 - blend)).astype(np.uint8)
            faces = _Faces(faces.boxes, faces.points, faces.visible * (1 - _covered(mask, faces.boxes)))
            faces = faces + _moved(crop, matrix)
        return image, faces

    def _paste_decoys(self, random: Random, image: np.ndarray, faces: _Faces) -> tuple[np.ndarray, _Faces]:
        """Pastes what is no face the way faces are pasted, so that neither a seam nor a round shape tells one."""
        height, width = image.shape[:2]
        for _ in range(int(random.integers(1, 5))):
            pixels = self._decoy(random)
            middle, reach = np.array(pixels.shape[1::-1]) / 2, np.array(pixels.shape[1::-1]) * random.uniform(0.2, 0.4)
            inner = np.concatenate([middle - reach, middle + reach])
            size = float(np.exp(random.uniform(np.log(0.05), np.log(0.6)))) * max(width, height)
            target = np.array([width, height]) * random.uniform(0.0, 1.0, 2)
            matrix = similarity(
                size / float(2 * reach.max()), float(random.uniform(-180, 180)), middle, target, random.random() < 0.5
            )
            mask = _warp(_mask(random, *pixels.shape[:2], inner), matrix, width, height, cv2.BORDER_CONSTANT, 0)
            if random.random() < 0.6:
                pixels = _colours(random, pixels)
            blend = mask[..., None] / 255.0
            image = (_warp(pixels, matrix, width, height, cv2.BORDER_REPLICATE) * blend + image * (1 - blend)).astype(
                np.uint8
            )
            faces = _Faces(faces.boxes, faces.points, faces.visible * (1 - _covered(mask, faces.boxes)))
        return image, faces

    def _decoy(self, random: Random) -> np.ndarray:
        """A part of a scene beside its faces, a head without its face, the pieces of one, or a texture."""
        kind = random.random()
        if kind < 0.5:
            picture, image = self._scene_pixels(random)
            if (part := beside(random, image, picture.boxes, smallest=0.06)) is not None:
                return part
        if kind < 0.85:
            picture, image = self._crop(random)
            image = without_faces(random, image, picture.boxes)
            return shuffled(random, image) if kind > 0.72 else image
        return texture(random, 96, int(random.integers(64, 129)))


def _canvas_size(random: Random, side: int) -> tuple[int, int]:
    if random.random() < 0.45:
        return side, side
    shorter = int(side * random.uniform(0.5, 1.0))
    return (side, shorter) if random.random() < 0.5 else (shorter, side)


def _angle(random: Random) -> float:
    """Degrees: upright or a little turned in more than half, else any."""
    kind = random.random()
    if kind < 0.45:
        return float(random.uniform(-180, 180))
    return float(random.uniform(-45, 45) if kind < 0.6 else random.normal(0, 6))


def _covered(mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The share of each box, as far as it is on the canvas, that lies under a mask."""
    height, width = mask.shape
    shares = np.zeros(len(boxes))
    for index, box in enumerate(boxes):
        x0, y0 = np.clip(box[:2], 0, (width, height)).astype(int)
        x1, y1 = np.clip(np.ceil(box[2:]), 0, (width, height)).astype(int)
        if x1 > x0 and y1 > y0:
            shares[index] = float((mask[y0:y1, x0:x1] > 127).mean())
    return shares


def _mask(random: Random, height: int, width: int, box: np.ndarray) -> np.ndarray:
    """Which part of a crop is pasted: an ellipse about the head, a box about it, or all of it; with a soft edge."""
    mask = np.zeros((height, width), np.uint8)
    centre, size = box.reshape(2, 2).mean(axis=0), box[2:] - box[:2]
    kind = random.random()
    if kind < 0.5:
        reach = size / 2 * random.uniform(1.05, 1.5, 2)
        cv2.ellipse(mask, (tuple(map(float, centre)), tuple(map(float, 2 * reach)), 0.0), 255, -1)
    elif kind < 0.7:
        reach = size / 2 * random.uniform(1.05, 1.7)
        x0, y0 = (centre - reach).astype(int)
        x1, y1 = (centre + reach).astype(int)
        cv2.rectangle(mask, (int(x0), int(y0)), (int(x1), int(y1)), 255, -1)
    else:
        mask[:] = 255
        if random.random() < 0.5:
            mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = 0, 0, 0, 0
    if random.random() < 0.7:
        mask = cv2.GaussianBlur(mask, (0, 0), float(random.uniform(0.5, 8)))
    return mask


def _colours(random: Random, image: np.ndarray) -> np.ndarray:
    """Gamma, contrast, light and white balance by one table a channel."""
    ramp = np.linspace(0, 1, 256)
    gamma, contrast, light = random.uniform(0.7, 1.4), random.uniform(0.7, 1.25), random.uniform(-0.1, 0.1)
    gains = random.uniform(0.88, 1.12, 3)
    tables = np.stack([(ramp**gamma - 0.5) * contrast * gain + 0.5 + light for gain in gains], axis=-1)
    return cv2.LUT(np.ascontiguousarray(image), np.clip(tables * 255 + 0.5, 0, 255).astype(np.uint8)[None])


def _screenshot(random: Random, image: np.ndarray, faces: _Faces) -> tuple[np.ndarray, _Faces]:
    """The picture as a part of a screen: borders, bars, text beside and on it."""
    height, width = image.shape[:2]
    share = random.uniform(0.45, 0.92)
    inner = (max(8, int(width * share)), max(8, int(height * share)))
    x0, y0 = int(random.integers(width - inner[0] + 1)), int(random.integers(height - inner[1] + 1))
    shade = int(random.choice((0, 18, 32, 200, 240, 255)))
    screen = np.full_like(image, shade) if random.random() < 0.7 else texture(random, width, height)
    for _ in range(int(random.integers(1, 8))):
        colour = tuple(int(v) for v in random.integers(0, 256, 3))
        place = (int(random.integers(width)), int(random.integers(height)))
        if random.random() < 0.6:
            write(random, screen, place, colour)
        else:
            cv2.rectangle(screen, (0, place[1]), (width, place[1] + int(random.integers(4, 40))), colour, -1)
    screen[y0 : y0 + inner[1], x0 : x0 + inner[0]] = cv2.resize(image, inner, interpolation=cv2.INTER_AREA)
    if random.random() < 0.3:
        write(random, screen, (x0 + 2, y0 + inner[1] - 4), tuple(int(v) for v in random.integers(0, 256, 3)))
    matrix = np.array([[inner[0] / width, 0, x0], [0, inner[1] / height, y0]], np.float64)
    # What was cut off at the picture's own border stays cut off.
    cut = np.clip(faces.boxes, 0, (width, height, width, height))
    whole = np.prod(np.maximum(faces.boxes[:, 2:] - faces.boxes[:, :2], 1e-6), axis=1)
    share_left = np.prod(np.maximum(cut[:, 2:] - cut[:, :2], 0), axis=1) / whole
    moved = np.hstack([move_points(cut[:, :2], matrix), move_points(cut[:, 2:], matrix)])
    return screen, _Faces(moved, move_points(faces.points, matrix), faces.visible * share_left)


def spoil(random: Random, image: np.ndarray) -> np.ndarray:
    """What cameras, programs and networks do to a picture; places stay as they are."""
    height, width = image.shape[:2]
    changes: list[tuple[float, Callable[[np.ndarray], np.ndarray]]] = [
        (0.5, lambda p: _colours(random, p)),
        (0.08, lambda p: cv2.convertScaleAbs(p, alpha=float(random.uniform(0.15, 0.5)))),
        (0.12, lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)),
        (0.12, lambda p: cv2.GaussianBlur(p, (0, 0), float(random.uniform(0.4, 2.5)))),
        (0.15, lambda p: _small(random, p, width, height)),
        (0.15, lambda p: _noise(random, p)),
        (0.5, lambda p: _jpeg(random, p)),
    ]
    for chance, change in changes:
        if random.random() < chance:
            image = change(image)
    return image


def _small(random: Random, image: np.ndarray, width: int, height: int) -> np.ndarray:
    share = random.uniform(0.35, 0.9)
    size = (max(1, int(width * share)), max(1, int(height * share)))
    kernels = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=kernels[int(random.integers(3))])


def _noise(random: Random, image: np.ndarray) -> np.ndarray:
    channels = 1 if random.random() < 0.5 else 3
    noise = random.standard_normal((*image.shape[:2], channels), np.float32) * np.float32(random.uniform(2, 18))
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def _jpeg(random: Random, image: np.ndarray) -> np.ndarray:
    bytes_ = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 96))])[1]
    return cv2.imdecode(bytes_, cv2.IMREAD_COLOR)


def _finish(image: np.ndarray, faces: _Faces) -> Composition:
    """Cuts the boxes to the picture and decides which faces count."""
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
