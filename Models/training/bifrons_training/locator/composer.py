"""Training images for the locator, composed on the fly from faces with known positions.

The seed alone determines a composition. It begins with a background (an unchanged scene, a zoomed crop, a texture, or
part of an image without its face), gets faces pasted in, and ends with degradations: screenshot borders and text, grey,
dark, blur, noise, downscaling, JPEG. Faces appear at every angle. A box encloses the ellipse inscribed in the original
face box after the transformation: for a rotated face it is the upright box around the rotated ellipse. A rotation keeps
the centre and the diagonal of such a box, so the two define the crop of a face at any angle.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from bifrons_training.locator.catalogue import AnnotatedImage, Split, read_pixels
from bifrons_training.locator.composition import SIDE, Composition, PlacedFaces, finish, moved_faces, similarity, warp
from bifrons_training.locator.degradation import jitter_colours, screenshot, spoil
from bifrons_training.locator.negatives import Random, beside, shuffled, texture, without_faces


class Composer:
    """Composes images from scenes and crops."""

    def __init__(self, folder: Path, scenes: list[AnnotatedImage], crops: list[AnnotatedImage]) -> None:
        if not scenes or not crops:
            raise ValueError("a composer needs at least one scene and one crop")
        self.folder = folder
        self.scenes = scenes
        self.crops = crops
        by_source: dict[str, list[AnnotatedImage]] = {}
        for crop in crops:
            by_source.setdefault(crop.source, []).append(crop)
        # Sources are weighted by the square root of their size, so that no single look dominates.
        self._sources = list(by_source.values())
        weights = np.sqrt([len(members) for members in self._sources])
        self._weights = weights / weights.sum()

    @staticmethod
    def of(folder: Path, split: Split) -> Composer:
        """Returns a composer for the training part of a split."""
        return Composer(folder, split.scenes, split.crops)

    def compose(self, seed: int, side: int = SIDE) -> Composition:
        """Returns the composition of `seed`; its longer side has `side` pixels."""
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
            image, faces = self._background(random, width, height), PlacedFaces.none()
            image, faces = self._paste_some(random, image, faces, most=8)
        else:
            image, faces = self._faceless(random, width, height), PlacedFaces.none()
        if random.random() < 0.3:
            image, faces = self._paste_decoys(random, image, faces)
        if random.random() < 0.12:
            image, faces = screenshot(random, image, faces)
        return finish(spoil(random, image), faces)

    def clutter(self, seed: int, side: int = SIDE) -> Composition:
        """Returns an image of people without faces, at any angle and scale, to search for hard negatives."""
        random = np.random.default_rng(seed)
        width, height = _canvas_size(random, side)
        kind = random.random()
        if kind < 0.8:
            annotated, image = self._scene_pixels(random) if kind < 0.5 else self._crop(random)
            image = without_faces(random, image, annotated.boxes)
            fit = max(width / image.shape[1], height / image.shape[0])
            scale = fit * float(np.exp(random.uniform(np.log(0.6), np.log(4.0))))
            source = np.array([image.shape[1], image.shape[0]]) * random.uniform(0.1, 0.9, 2)
            target = np.array([width, height]) / 2
            matrix = similarity(scale, float(random.uniform(-180, 180)), source, target, random.random() < 0.5)
            border = cv2.BORDER_REFLECT_101 if random.random() < 0.5 else cv2.BORDER_CONSTANT
            image = warp(image, matrix, width, height, border, int(random.integers(256)))
        else:
            image = self._faceless(random, width, height)
        if random.random() < 0.5:
            image, _ = self._paste_decoys(random, image, PlacedFaces.none())
        if random.random() < 0.12:
            image, _ = screenshot(random, image, PlacedFaces.none())
        return finish(spoil(random, image), PlacedFaces.none())

    def rotated(self, scene: AnnotatedImage, degrees: float) -> Composition:
        """Returns a scene rotated clockwise about its centre by `degrees`; for evaluation only."""
        image = read_pixels(self.folder, scene.path)
        height, width = image.shape[:2]
        scale = SIDE / max(width, height)
        centre = np.array([width, height]) / 2
        matrix = similarity(scale, degrees, centre, np.array([SIDE, SIDE]) / 2)
        return finish(warp(image, matrix, SIDE, SIDE, cv2.BORDER_REFLECT_101), moved_faces(scene, matrix))

    def faceless(self, seed: int) -> np.ndarray:
        """Returns an image [h, w, 3] uint8 without a face, to measure false positives."""
        random = np.random.default_rng(seed)
        return spoil(random, self._faceless(random, *_canvas_size(random, SIDE)))

    # Parts of a composition.

    def _crop(self, random: Random) -> tuple[AnnotatedImage, np.ndarray]:
        source = self._sources[int(random.choice(len(self._sources), p=self._weights))]
        crop = source[int(random.integers(len(source)))]
        return crop, read_pixels(self.folder, crop.path)

    def _scene_pixels(self, random: Random) -> tuple[AnnotatedImage, np.ndarray]:
        scene = self.scenes[int(random.integers(len(self.scenes)))]
        return scene, read_pixels(self.folder, scene.path)

    def _scene(self, random: Random, width: int, height: int) -> tuple[np.ndarray, PlacedFaces]:
        """Returns a whole scene or part of one, slightly or strongly rotated."""
        scene, image = self._scene_pixels(random)
        fit = min(width / image.shape[1], height / image.shape[0])
        scale = fit * float(np.exp(random.uniform(np.log(0.45), np.log(2.2)))) if random.random() < 0.7 else fit
        degrees = _angle(random)
        focus = (scene.boxes[int(random.integers(len(scene.boxes)))].reshape(2, 2)).mean(axis=0)
        middle = np.array([image.shape[1], image.shape[0]]) / 2
        source = focus if random.random() < 0.5 else middle
        target = np.array([width, height]) * (random.uniform(0.2, 0.8, 2) if source is focus else 0.5)
        matrix = similarity(scale, degrees, source, target, random.random() < 0.5)
        # Mirrored borders would show faces without annotations.
        border = cv2.BORDER_CONSTANT if scale < 0.9 * fit else cv2.BORDER_REPLICATE
        return warp(image, matrix, width, height, border), moved_faces(scene, matrix)

    def _zoomed_crop(self, random: Random, width: int, height: int) -> tuple[np.ndarray, PlacedFaces]:
        """Returns one crop that fills the frame; the face takes 30 to 95 % of it."""
        crop, image = self._crop(random)
        box = crop.boxes[0]
        share = random.uniform(0.3, 0.95)
        scale = share * min(width, height) / float(max(box[2] - box[0], box[3] - box[1]))
        target = np.array([width, height]) * random.uniform(0.36, 0.64, 2)
        if random.random() < 0.2:
            target = np.array([width, height]) * random.uniform(0.1, 0.9, 2)
        matrix = similarity(scale, _angle(random), box.reshape(2, 2).mean(axis=0), target, random.random() < 0.5)
        frame = warp(image, matrix, width, height, cv2.BORDER_REPLICATE)
        inside = warp(np.full(image.shape[:2], 255, np.uint8), matrix, width, height, cv2.BORDER_CONSTANT, 0)
        if random.random() < 0.7:
            behind = self._background(random, width, height)
            soft = cv2.GaussianBlur(inside, (0, 0), float(random.uniform(0.5, 6)))[..., None] / 255.0
            frame = (frame * soft + behind * (1 - soft)).astype(np.uint8)
        return frame, moved_faces(crop, matrix)

    def _background(self, random: Random, width: int, height: int) -> np.ndarray:
        return self._faceless(random, width, height) if random.random() < 0.6 else texture(random, width, height)

    def _faceless(self, random: Random, width: int, height: int) -> np.ndarray:
        """Returns a texture, shuffled patches, part of a scene beside its faces, or a crop without its face."""
        kind = random.random()
        if kind < 0.25:
            return texture(random, width, height)
        if kind < 0.6:
            annotated, image = self._scene_pixels(random)
            if (part := beside(random, image, annotated.boxes)) is not None:
                size = (width, height)
                return cv2.resize(
                    part, size, interpolation=cv2.INTER_AREA if part.shape[0] > height else cv2.INTER_LINEAR
                )
        annotated, image = self._crop(random) if kind < 0.9 else self._scene_pixels(random)
        image = without_faces(random, image, annotated.boxes)
        if kind >= 0.8:
            image = shuffled(random, image)
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)

    def _paste_some(
        self, random: Random, image: np.ndarray, faces: PlacedFaces, most: int
    ) -> tuple[np.ndarray, PlacedFaces]:
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
            mask = warp(shape, matrix, width, height, cv2.BORDER_CONSTANT, 0)
            if random.random() < 0.6:
                pixels = jitter_colours(random, pixels)
            pasted = warp(pixels, matrix, width, height, cv2.BORDER_REPLICATE)
            blend = mask[..., None] / 255.0
            image = (pasted * blend + image * (1 - blend)).astype(np.uint8)
            faces = PlacedFaces(faces.boxes, faces.points, faces.visible * (1 - _covered(mask, faces.boxes)))
            faces = faces + moved_faces(crop, matrix)
        return image, faces

    def _paste_decoys(self, random: Random, image: np.ndarray, faces: PlacedFaces) -> tuple[np.ndarray, PlacedFaces]:
        """Pastes objects that are no faces the way faces are pasted, so that seams and round shapes reveal nothing."""
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
            shape = _mask(random, pixels.shape[0], pixels.shape[1], inner)
            mask = warp(shape, matrix, width, height, cv2.BORDER_CONSTANT, 0)
            if random.random() < 0.6:
                pixels = jitter_colours(random, pixels)
            blend = mask[..., None] / 255.0
            image = (warp(pixels, matrix, width, height, cv2.BORDER_REPLICATE) * blend + image * (1 - blend)).astype(
                np.uint8
            )
            faces = PlacedFaces(faces.boxes, faces.points, faces.visible * (1 - _covered(mask, faces.boxes)))
        return image, faces

    def _decoy(self, random: Random) -> np.ndarray:
        """Returns part of a scene beside its faces, a head without its face, the pieces of one, or a texture."""
        kind = random.random()
        if kind < 0.5:
            annotated, image = self._scene_pixels(random)
            if (part := beside(random, image, annotated.boxes, smallest=0.06)) is not None:
                return part
        if kind < 0.85:
            annotated, image = self._crop(random)
            image = without_faces(random, image, annotated.boxes)
            return shuffled(random, image) if kind > 0.72 else image
        return texture(random, 96, int(random.integers(64, 129)))


def _canvas_size(random: Random, side: int) -> tuple[int, int]:
    if random.random() < 0.45:
        return side, side
    shorter = int(side * random.uniform(0.5, 1.0))
    return (side, shorter) if random.random() < 0.5 else (shorter, side)


def _angle(random: Random) -> float:
    """Returns a random rotation in degrees: upright or slightly rotated in 55 % of cases, otherwise any angle."""
    kind = random.random()
    if kind < 0.45:
        return float(random.uniform(-180, 180))
    return float(random.uniform(-45, 45) if kind < 0.6 else random.normal(0, 6))


def _covered(mask: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns the share of each box's area inside the canvas that a mask covers."""
    height, width = mask.shape
    shares = np.zeros(len(boxes))
    for index, box in enumerate(boxes):
        x0, y0 = np.clip(box[:2], 0, (width, height)).astype(int)
        x1, y1 = np.clip(np.ceil(box[2:]), 0, (width, height)).astype(int)
        if x1 > x0 and y1 > y0:
            shares[index] = float((mask[y0:y1, x0:x1] > 127).mean())
    return shares


def _mask(random: Random, height: int, width: int, box: np.ndarray) -> np.ndarray:
    """Returns the mask of the part of a crop to paste: an ellipse or box around the head, or all; edges may be soft."""
    mask: np.ndarray = np.zeros((height, width), np.uint8)
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
