"""Images without faces: drawn textures, and photographs with their faces removed."""

from __future__ import annotations

import cv2
import numpy as np

LARGEST = 320
"""The longer side, in pixels, of the images that textures are drawn for."""

Random = np.random.Generator


def beside(random: Random, image: np.ndarray, boxes: np.ndarray, smallest: float = 0.15) -> np.ndarray | None:
    """Returns a square window of an image away from its faces; None if a few attempts find none.

    Its side is at least `smallest` of the image's shorter side.
    """
    height, width = image.shape[:2]
    away = boxes + np.hstack([-(boxes[:, 2:] - boxes[:, :2]), boxes[:, 2:] - boxes[:, :2]]) * 0.25
    for _ in range(8):
        side = random.uniform(smallest, 0.7) * min(width, height)
        x0, y0 = random.uniform(0, width - side), random.uniform(0, height - side)
        if not ((away[:, 0] < x0 + side) & (away[:, 2] > x0) & (away[:, 1] < y0 + side) & (away[:, 3] > y0)).any():
            return image[int(y0) : int(y0 + side), int(x0) : int(x0 + side)]
    return None


def without_faces(random: Random, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Paints over an image's faces with one colour, a texture or shuffled pieces; hair and clothes stay."""
    image = image.copy()
    height, width = image.shape[:2]
    fill = random.random()
    if fill < 0.4:
        paint = np.empty_like(image)
        paint[:] = image[int(random.integers(height)), int(random.integers(width))]
    elif fill < 0.7:
        paint = texture(random, width, height)
    else:
        paint = cv2.resize(shuffled(random, image), (width, height))
    mask = np.zeros((height, width), np.uint8)
    for box in boxes:
        centre, reach = box.reshape(2, 2).mean(axis=0), (box[2:] - box[:2]) / 2 * random.uniform(1.0, 1.25)
        cv2.ellipse(mask, (tuple(map(float, centre)), tuple(map(float, 2 * reach)), 0.0), 255, -1)
    soft = cv2.GaussianBlur(mask, (0, 0), float(random.uniform(0.5, 4)))[..., None] / 255.0
    painted: np.ndarray = (paint * soft + image * (1 - soft)).astype(np.uint8)
    return painted


def shuffled(random: Random, image: np.ndarray) -> np.ndarray:
    """Cuts an image into pieces much smaller than a face and shuffles them."""
    pieces = int(random.integers(6, 12))
    height, width = (image.shape[0] // pieces) * pieces, (image.shape[1] // pieces) * pieces
    if min(height, width) < pieces:
        return image
    tiles = image[:height, :width].reshape(pieces, height // pieces, pieces, width // pieces, 3)
    tiles = tiles.transpose(0, 2, 1, 3, 4).reshape(pieces * pieces, height // pieces, width // pieces, 3)
    tiles = tiles[random.permutation(len(tiles))].reshape(pieces, pieces, height // pieces, width // pieces, 3)
    return np.ascontiguousarray(tiles.transpose(0, 2, 1, 3, 4).reshape(height, width, 3))


def texture(random: Random, width: int, height: int) -> np.ndarray:
    """Draws an image without a face: gradients, noise of any coarseness, stripes, shapes, text."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    low, high = random.uniform(0, 255, 3), random.uniform(0, 255, 3)
    kind = random.random()
    if kind < 0.2:
        angle = random.uniform(0, 2 * np.pi)
        ramp = (x * np.cos(angle) + y * np.sin(angle)) / LARGEST
        ramp = (ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-6)
    elif kind < 0.55:
        ramp = np.zeros((height, width), np.float32)
        for octave in range(int(random.integers(1, 5))):
            cells = int(2 ** random.uniform(1, 6))
            noise = random.random((cells, cells), np.float32)
            ramp += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / (1 + octave)
        ramp = (ramp - ramp.min()) / max(float(np.ptp(ramp)), 1e-6)
    elif kind < 0.7:
        angle, period = random.uniform(0, np.pi), random.uniform(3, 60)
        wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
        ramp = wave * 0.5 + 0.5 if random.random() < 0.5 else (wave > 0).astype(np.float32)
    else:
        ramp = np.zeros((height, width), np.float32)
    image: np.ndarray = np.clip(low + (high - low) * ramp[..., None], 0, 255).astype(np.uint8)
    if kind > 0.7 or random.random() < 0.3:
        for _ in range(int(random.integers(2, 25))):
            colour = tuple(int(v) for v in random.integers(0, 256, 3))
            centre = (int(random.integers(width)), int(random.integers(height)))
            size = (int(random.integers(3, LARGEST // 3)), int(random.integers(3, LARGEST // 3)))
            if random.random() < 0.5:
                cv2.ellipse(image, centre, size, float(random.uniform(0, 180)), 0, 360, colour, -1)
            elif random.random() < 0.5:
                cv2.rectangle(image, centre, (centre[0] + size[0], centre[1] + size[1]), colour, -1)
            else:
                write(random, image, centre, colour)
    return image


def write(random: Random, image: np.ndarray, place: tuple[int, int], colour: tuple[int, ...]) -> None:
    """Writes random letters in a random font and size on an image, in place."""
    letters = "".join(chr(int(code)) for code in random.integers(33, 123, int(random.integers(2, 24))))
    font = int(random.integers(0, 8))
    cv2.putText(image, letters, place, font, float(random.uniform(0.3, 1.4)), colour, int(random.integers(1, 3)))
