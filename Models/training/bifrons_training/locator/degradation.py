"""Degradations of a composition: light, colour, blur, noise, downscaling, JPEG, screenshots."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from bifrons_training.locator.composition import PlacedFaces, move_points
from bifrons_training.locator.negatives import Random, texture, write


def jitter_colours(random: Random, image: np.ndarray) -> np.ndarray:
    """Changes gamma, contrast, brightness and white balance by one lookup table per channel."""
    ramp = np.linspace(0, 1, 256)
    gamma, contrast, light = random.uniform(0.7, 1.4), random.uniform(0.7, 1.25), random.uniform(-0.1, 0.1)
    gains = random.uniform(0.88, 1.12, 3)
    tables = np.stack([(ramp**gamma - 0.5) * contrast * gain + 0.5 + light for gain in gains], axis=-1)
    return cv2.LUT(np.ascontiguousarray(image), np.clip(tables * 255 + 0.5, 0, 255).astype(np.uint8)[None])


def screenshot(random: Random, image: np.ndarray, faces: PlacedFaces) -> tuple[np.ndarray, PlacedFaces]:
    """Places the image on a screen, with borders, bars, and text beside and on it."""
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
    # A face that was clipped at the image's own border stays clipped.
    cut = np.clip(faces.boxes, 0, (width, height, width, height))
    whole = np.prod(np.maximum(faces.boxes[:, 2:] - faces.boxes[:, :2], 1e-6), axis=1)
    share_left = np.prod(np.maximum(cut[:, 2:] - cut[:, :2], 0), axis=1) / whole
    moved = np.hstack([move_points(cut[:, :2], matrix), move_points(cut[:, 2:], matrix)])
    return screen, PlacedFaces(moved, move_points(faces.points, matrix), faces.visible * share_left)


def spoil(random: Random, image: np.ndarray) -> np.ndarray:
    """Applies random degradations of cameras, programs and networks; positions do not change."""
    height, width = image.shape[:2]
    changes: list[tuple[float, Callable[[np.ndarray], np.ndarray]]] = [
        (0.5, lambda p: jitter_colours(random, p)),
        (0.08, lambda p: cv2.convertScaleAbs(p, alpha=float(random.uniform(0.15, 0.5)))),
        (0.12, lambda p: cv2.cvtColor(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)),
        (0.12, lambda p: cv2.GaussianBlur(p, (0, 0), float(random.uniform(0.4, 2.5)))),
        (0.15, lambda p: shrink(random, p, width, height)),
        (0.15, lambda p: add_noise(random, p)),
        (0.5, lambda p: recompress(random, p)),
    ]
    for chance, change in changes:
        if random.random() < chance:
            image = change(image)
    return image


def shrink(random: Random, image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Shrinks an image to a random size and enlarges it back to `width` and `height`."""
    share = random.uniform(0.35, 0.9)
    size = (max(1, int(width * share)), max(1, int(height * share)))
    kernels = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=kernels[int(random.integers(3))])


def add_noise(random: Random, image: np.ndarray) -> np.ndarray:
    """Adds Gaussian noise, per channel or only in brightness."""
    channels = 1 if random.random() < 0.5 else 3
    noise = random.standard_normal((*image.shape[:2], channels), np.float32) * np.float32(random.uniform(2, 18))
    noisy: np.ndarray = np.clip(image + noise, 0, 255).astype(np.uint8)
    return noisy


def recompress(random: Random, image: np.ndarray) -> np.ndarray:
    """Compresses an image as JPEG once with a random quality."""
    packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(20, 96))])[1]
    decoded = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded
