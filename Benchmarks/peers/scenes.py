"""The test images: a portrait, a 12-megapixel image and a group of nine, all made from one photograph.

The photograph is the portrait that ships with matplotlib. Grain with a fixed seed makes the files as large as those of
a camera.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from support.images import face, jpeg

NAMES = ("portrait", "large", "group")


NAMES = ("portrait", "large", "group")


@dataclass(frozen=True)
class Scene:
    name: str
    title: str
    faces: int
    jpeg: bytes


def _jpeg(image: Image.Image, grain: float, quality: int) -> bytes:
    noise = np.random.default_rng(1).normal(0, grain, (image.height, image.width, 1)).astype(np.float32)
    grainy = np.clip(np.asarray(image, np.float32) + noise, 0, 255).astype(np.uint8)
    return jpeg(Image.fromarray(grainy), quality)


def portrait() -> bytes:
    """Returns a portrait of 768 x 900 pixels as a JPEG of 100 to 150 kB."""
    return _jpeg(face(768, 900), grain=2, quality=87)


def large() -> bytes:
    """Returns an image of 4000 x 3000 pixels with one face in the middle, as a JPEG."""
    canvas = face(400, 300).filter(ImageFilter.GaussianBlur(8)).resize((4000, 3000), Image.Resampling.BICUBIC)
    canvas.paste(face(2048, 2400), (976, 600))
    return _jpeg(canvas, grain=5, quality=90)


def group() -> bytes:
    """Returns an image of 1536 x 1800 pixels with nine different faces in three rows, as a JPEG."""
    canvas = Image.new("RGB", (1536, 1800))
    for place in range(9):
        one = face(512, 600)
        if place % 2:
            one = ImageOps.mirror(one)
        one = ImageEnhance.Brightness(one).enhance(0.8 + 0.05 * place)
        canvas.paste(one, (place % 3 * 512, place // 3 * 600))
    return _jpeg(canvas, grain=2, quality=90)


def scenes() -> list[Scene]:
    return [
        Scene("portrait", "Portrait, 768 x 900", 1, portrait()),
        Scene("large", "12 megapixels, 4000 x 3000", 1, large()),
        Scene("group", "Group of nine, 1536 x 1800", 9, group()),
    ]
