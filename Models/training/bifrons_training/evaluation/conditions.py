"""Test conditions: fixed changes, applied to all images of both classes, that imitate what happens to images in use."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from bifrons_training.preprocessing import Square

BILINEAR = Image.Resampling.BILINEAR


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Compresses an image as JPEG once, with chroma at half width and height."""
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality, subsampling=2)
    return Image.open(packed).convert("RGB")


def resized(image: Image.Image, factor: float, kernel: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    """Scales an image by `factor`, to at least 8 pixels per side."""
    return image.resize((max(8, round(image.width * factor)), max(8, round(image.height * factor))), kernel)


def noisy(image: Image.Image) -> Image.Image:
    """Adds Gaussian noise with a standard deviation of 5 grey levels, the same for all images of a size."""
    values = np.asarray(image).astype(np.float32)
    noise = np.random.default_rng(3).normal(0, 5, values.shape)
    return Image.fromarray(np.clip(values + noise + 0.5, 0, 255).astype(np.uint8))


def screenshot(image: Image.Image) -> Image.Image:
    """Imitates a screenshot: enlarged 1.5 times, then scaled by 0.8 and saved as JPEG 80."""
    return jpeg(resized(resized(image, 1.5, BILINEAR), 0.8), 80)


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "JPEG 95": lambda image: jpeg(image, 95),
    "JPEG 75": lambda image: jpeg(image, 75),
    "JPEG 50": lambda image: jpeg(image, 50),
    "JPEG 30": lambda image: jpeg(image, 30),
    "resize x0.5": lambda image: resized(image, 0.5),
    "resize x0.25": lambda image: resized(image, 0.25),
    "blur 1 px": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
    "blur 2 px": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "noise": noisy,
    "screenshot": screenshot,
    "equalised": lambda image: jpeg(resized(image, 128 / max(image.size), BILINEAR), 75),
}
"""Changes of the whole image, by name. "equalised" gives all sources one size and one JPEG history, which removes what
their formats reveal."""


def framed_closer(image: Image.Image, square: Square) -> tuple[Image.Image, Square]:
    """Returns the image and a square of 0.8 times the side around the same centre."""
    x, y, side = square
    return image, (x + 0.1 * side, y + 0.1 * side, 0.8 * side)


def face_blurred(image: Image.Image, square: Square) -> tuple[Image.Image, Square]:
    """Blurs the middle of the square, and with it the face, beyond recognition; backdrop and composition remain."""
    x, y, side = square
    left, top, right, bottom = (round(place + side * part) for part in (0.1, 0.9) for place in (x, y))
    result = image.copy()
    blurred = image.filter(ImageFilter.GaussianBlur(side / 12))
    result.paste(blurred.crop((left, top, right, bottom)), (left, top))
    return result, square


VIEWS = {"framed closer": framed_closer, "face blurred": face_blurred}
"""Changes that depend on the face's place, by name: they map an image and its square to those looked at instead."""

CONDITIONS = (*CHANGES, *VIEWS)


def changed(image: Image.Image, square: Square, condition: str) -> tuple[Image.Image, Square]:
    """Returns the image after a condition, and the square that is then looked at."""
    if condition in VIEWS:
        return VIEWS[condition](image, square)
    result = CHANGES[condition](image)
    x, y, side = square
    factor = min(result.width / image.width, result.height / image.height)
    side = min(side * factor, *result.size)
    return result, (min(x * factor, result.width - side), min(y * factor, result.height - side), side)
