"""Preprocessing version 3: from an image file to the numbers a network sees.

docs/preprocessing.md defines it. It is written twice, here and in `Sources/Inference` and `Sources/ImageDecoding`
(Swift), and both give the same bytes. Whoever changes it raises `VERSION`.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

import colour
import containers

import turning
from turning import UPRIGHT, Square, Turn

VERSION = 3
SIDE = 160
"""Pixels of a detector's square input."""

MARGIN = 1.6
"""The side of a face's square, in lengths of the longer side of its box."""

LONGER_SIDE = 0.8
"""The longer side of an upright face's box in lengths of its diagonal: the diagonal stays when a face is turned."""

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
LOCATING_SIDE = 640
"""Pixels that the longer side keeps, if the file has them, when faces are looked for."""

_FLOATS = [((np.arange(256) / 255 - mean) / std).astype(np.float32) for mean, std in zip(MEAN, STD, strict=True)]
"""The float of every byte, by channel: rounded once, from 64 bits."""

Box = tuple[int, int, int, int]
"""A face: x, y, width, height in whole pixels of the upright picture at full size."""


class Crop(NamedTuple):
    """What is looked at: a square inside of the picture, turned about its middle."""

    square: Square
    turn: Turn = UPRIGHT


@dataclass(frozen=True)
class Decoded:
    """An upright RGB picture, decoded `reduction` times smaller than its `width` × `height` in the file."""

    image: Image.Image
    width: int
    height: int
    reduction: int


def decode(file: Path | bytes, reduction: int | None = None) -> Decoded:
    """Decodes a JPEG or PNG. None: at the reduction at which faces are looked for. A PNG is never reduced.

    Raises Pillow's errors and `OSError` for what cannot be read.
    """
    container = containers.read(file if isinstance(file, bytes) else file.read_bytes())
    if container.ends:
        return _decode(container, reduction)
    # What is put behind a JPEG that has no end marker may not show: else it stands in for rows that are missing.
    content = container.content.removesuffix(b"\xff")
    first, second = (
        _decode(replace(container, content=content + filler * 1024 + b"\xff\xd9"), reduction)
        for filler in (b"\x55", b"\xaa")
    )
    if first.image.tobytes() != second.image.tobytes():
        raise OSError("image file is truncated")
    return first


def _decode(container: containers.Container, reduction: int | None) -> Decoded:
    with Image.open(io.BytesIO(container.content), formats=("JPEG", "PNG")) as image:
        stored = image.size
        if image.format == "JPEG":
            reduction = reduction or locating_reduction(*stored)
            # Exactly this scale of libjpeg's: Pillow divides the size by what is asked for.
            image.draft(None, (stored[0] / reduction, stored[1] / reduction))
        else:
            reduction = 1
        upright = _rgb(image, container.profiles)
        if container.orientation > 1:
            upright = upright.transpose(_TURNS[container.orientation])
        width, height = stored[::-1] if container.orientation >= 5 else stored
        return Decoded(upright, width, height, reduction)


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What makes a picture of EXIF's orientation stand upright."""


def _rgb(image: Image.Image, profiles: list[colour.Profile]) -> Image.Image:
    """sRGB; what is transparent stands on white, its colours converted before; 16-bit gray is rounded to 8 bits."""
    gray = image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;16")
    if image.mode == "CMYK":
        return colour.convert(image, profiles, gray) or image.convert("RGB")
    if image.mode.startswith("I;16"):
        image = Image.fromarray(((np.asarray(image).astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8))
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        rgb = image.convert("RGB")
        return colour.convert(rgb, profiles, gray) or rgb
    rgba = image.convert("RGBA")
    rgb = rgba.convert("RGB")
    pixels = np.asarray(colour.convert(rgb, profiles, gray) or rgb).astype(np.uint32)
    alpha = np.asarray(rgba).astype(np.uint32)[..., 3:]
    return Image.fromarray(((pixels * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8))


def reduction_of(length: float, keeping: int) -> int:
    """The largest of 8, 4, 2 and 1 at which a length keeps so many whole pixels; 1 when it never had them."""
    return next((r for r in (8, 4, 2) if math.floor(length / r) >= keeping), 1)


def locating_reduction(width: int, height: int) -> int:
    """The reduction at which faces are looked for."""
    return reduction_of(max(width, height), LOCATING_SIDE)


def central_square(width: int, height: int) -> Square:
    """The largest centred square; its corner may stand on exact halves of a pixel."""
    side = min(width, height)
    return (width - side) / 2, (height - side) / 2, float(side)


def face_square(box: Box, width: int, height: int, margin: float = MARGIN, turn: Turn = UPRIGHT) -> Square:
    """The square around a face: moved into the picture where it would stick out, cut to its shorter side."""
    x, y, box_width, box_height = box
    if turn.quarters is None:
        longer = LONGER_SIDE * math.sqrt(float(box_width * box_width + box_height * box_height))
    else:
        longer = max(box_width, box_height)
    side = min(margin * longer, float(min(width, height)))
    x0 = min(max(x + box_width / 2 - side / 2, 0.0), width - side)
    y0 = min(max(y + box_height / 2 - side / 2, 0.0), height - side)
    return x0, y0, side


def squares(boxes: list[Box], width: int, height: int, margin: float = MARGIN) -> list[Square]:
    """The squares of upright faces, or without one the central square."""
    return [face_square(box, width, height, margin) for box in boxes] or [central_square(width, height)]


def crops(faces: list[tuple[Box, Turn]], width: int, height: int, margin: float = MARGIN) -> list[Crop]:
    """What is looked at in a picture: its faces, or without one the central square."""
    found = [Crop(face_square(box, width, height, margin, turn), turn) for box, turn in faces]
    return found or [Crop(central_square(width, height))]


def fitted(width: int, height: int, side: int) -> tuple[int, int]:
    """The size of a picture whose longer side is made `side`; neither is less than 1."""
    longer = max(width, height)
    return max(1, math.floor(width * side / longer + 0.5)), max(1, math.floor(height * side / longer + 0.5))


def resize(image: Image.Image, region: tuple[float, float, float, float], width: int, height: int) -> np.ndarray:
    """The region x0, y0, x1, y1 of an RGB picture as [height, width, 3] uint8: across first, then down.

    In two calls, because Pillow goes down first when that is less work, and rounds in between either way.
    """
    x0, y0, x1, y1 = region
    across = image.resize((width, image.height), Image.Resampling.BILINEAR, box=(x0, 0, x1, image.height))
    return np.asarray(across.resize((width, height), Image.Resampling.BILINEAR, box=(0, y0, width, y1)))


def view(decoded: Decoded, square: Square, side: int = SIDE, turn: Turn = UPRIGHT) -> np.ndarray:
    """A square of a decoded picture, turned upright, as [side, side, 3] uint8."""
    if turn.quarters is None:
        return turning.cut(np.asarray(decoded.image), decoded.reduction, square, turn, side)
    x, y, length = square
    region = tuple(value / decoded.reduction for value in (x, y, x + length, y + length))
    return np.ascontiguousarray(np.rot90(resize(decoded.image, region, side, side), turn.quarters))


def views(file: Path | bytes, decoded: Decoded, wanted: list[Crop], side: int = SIDE) -> list[np.ndarray]:
    """What is looked at of a file, of which `decoded` is the picture that faces were looked for in.

    Squares that keep twice `side` pixels there are cut from it, the others from one finer picture.
    """
    reductions = [reduction_of(crop.square[2], 2 * side) for crop in wanted]
    finest = min(reductions)
    finer = decode(file, finest) if finest < decoded.reduction else decoded
    return [
        view(finer if reduction < decoded.reduction else decoded, crop.square, side, crop.turn)
        for crop, reduction in zip(wanted, reductions, strict=True)
    ]


def whole(image: Image.Image, side: int) -> tuple[np.ndarray, tuple[int, int]]:
    """A locator's input [1, 3, side, side] float32, and the width and height of the picture at its top left."""
    width, height = fitted(*image.size, side)
    tensor = np.zeros((1, 3, side, side), np.float32)
    tensor[0, :, :height, :width] = normalise(resize(image, (0, 0, *image.size), width, height))
    return tensor, (width, height)


def normalise(values: np.ndarray) -> np.ndarray:
    """[..., H, W, 3] uint8 to [..., 3, H, W] float32, as a network's input wants it."""
    planes = [_FLOATS[channel][values[..., channel]] for channel in range(3)]
    return np.stack(planes, axis=-3)


def tensor(image: Image.Image) -> np.ndarray:
    """The central square of a picture as a detector's input, [1, 3, SIDE, SIDE] float32: what a canary is scored by."""
    decoded = Decoded(image.convert("RGB"), *image.size, 1)
    return normalise(view(decoded, central_square(*image.size)))[None]
