"""What happens to pictures before anyone looks at them: one fixed change for all pictures of both classes."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from bifrons_training.preprocessing import Square

BILINEAR = Image.Resampling.BILINEAR


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """One pass through JPEG with halved chroma."""
    packed = io.BytesIO()
    image.save(packed, "JPEG", quality=quality, subsampling=2)
    return Image.open(packed).convert("RGB")


def resized(image: Image.Image, factor: float, kernel: Image.Resampling = Image.Resampling.BICUBIC) -> Image.Image:
    """Another size, at least 8 pixels."""
    return image.resize((max(8, round(image.width * factor)), max(8, round(image.height * factor))), kernel)


def noisy(image: Image.Image) -> Image.Image:
    """Gaussian noise of 5 grey levels, the same for all pictures of a size."""
    values = np.asarray(image).astype(np.float32)
    noise = np.random.default_rng(3).normal(0, 5, values.shape)
    return Image.fromarray(np.clip(values + noise + 0.5, 0, 255).astype(np.uint8))


def screenshot(image: Image.Image) -> Image.Image:
    """Shown half as large again, caught, shared at 0.8 of that by JPEG 80."""
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
"""Of the whole picture, by name. "equalised" brings all sources to one size and one JPEG history, which takes away what
their formats tell."""


def framed_closer(image: Image.Image, square: Square) -> tuple[Image.Image, Square]:
    """0.8 of the square's side, around the same middle."""
    x, y, side = square
    return image, (x + 0.1 * side, y + 0.1 * side, 0.8 * side)


def face_blurred(image: Image.Image, square: Square) -> tuple[Image.Image, Square]:
    """The middle of the square, where the face is, blurred beyond recognition: backdrop and composition are left."""
    x, y, side = square
    left, top, right, bottom = (round(place + side * part) for part in (0.1, 0.9) for place in (x, y))
    result = image.copy()
    blurred = image.filter(ImageFilter.GaussianBlur(side / 12))
    result.paste(blurred.crop((left, top, right, bottom)), (left, top))
    return result, square


VIEWS = {"framed closer": framed_closer, "face blurred": face_blurred}
"""What depends on where the face is, by name: a picture and its square to what is looked at instead."""

CONDITIONS = (*CHANGES, *VIEWS)


def changed(image: Image.Image, square: Square, condition: str) -> tuple[Image.Image, Square]:
    """The picture after it, and the square that is looked at then."""
    if condition in VIEWS:
        return VIEWS[condition](image, square)
    result = CHANGES[condition](image)
    x, y, side = square
    factor = min(result.width / image.width, result.height / image.height)
    side = min(side * factor, *result.size)
    return result, (min(x * factor, result.width - side), min(y * factor, result.height - side), side)
