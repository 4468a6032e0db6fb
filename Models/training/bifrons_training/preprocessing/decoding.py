"""From the bytes of an image file to an upright sRGB image: section 1 of docs/preprocessing.md."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image

from bifrons_training.preprocessing import colour_profiles, containers
from bifrons_training.preprocessing.container import Container

pillow_heif.register_heif_opener()

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF")
"""The formats by Pillow's names; HEIC is one kind of HEIF."""

LOCATING_SIDE = 640
"""The pixels that the longer side keeps, if the file has them, when faces are located."""


@dataclass(frozen=True)
class Decoded:
    """An upright RGB image, decoded `reduction` times smaller than its `width` × `height` in the file."""

    image: Image.Image
    width: int
    height: int
    reduction: int


def decode(file: Path | bytes, reduction: int | None = None) -> Decoded:
    """Decodes an image file; without a `reduction`, at the one used to locate faces. Only a JPEG is reduced.

    Raises Pillow's errors and `OSError` for files that cannot be read.
    """
    container = containers.read(file if isinstance(file, bytes) else file.read_bytes())
    if container.ends:
        return _decode(container, reduction)
    # Without an end marker, bytes appended to a JPEG must not change the image: they would replace missing rows.
    content = container.content.removesuffix(b"\xff")
    first, second = (
        _decode(replace(container, content=content + filler * 1024 + b"\xff\xd9"), reduction)
        for filler in (b"\x55", b"\xaa")
    )
    if first.image.tobytes() != second.image.tobytes():
        raise OSError("image file is truncated")
    return first


def _decode(container: Container, reduction: int | None) -> Decoded:
    with Image.open(io.BytesIO(container.content), formats=FORMATS) as image:
        stored = container.canvas or image.size
        if container.is_heif:
            _read_heif(container, image)
        if image.format == "JPEG":
            reduction = reduction or locating_reduction(*stored)
            # Pillow computes libjpeg's scale by dividing the size by the requested one, so this gives exactly
            # `reduction`.
            image.draft(None, (stored[0] / reduction, stored[1] / reduction))  # type: ignore[arg-type]
        else:
            reduction = 1
        if container.colours is not None:
            used = set(np.unique(np.asarray(image)).tolist()) - {image.info.get("transparency")}
            if max(used, default=0) >= container.colours:
                raise OSError("image file is corrupt: it uses a colour that is not in its table")
        upright = _rgb(image, container.profiles)
        if container.canvas:
            picture, upright = upright, Image.new("RGB", container.canvas, "white")
            upright.paste(picture, container.place)
        if container.orientation > 1:
            upright = upright.transpose(_TURNS[container.orientation])
        width, height = stored[::-1] if container.orientation >= 5 else stored
        return Decoded(upright, width, height, reduction)


def _read_heif(container: Container, image: Image.Image) -> None:
    """Takes the orientation and the profile from the library: Pillow states an AVIF's own transforms as EXIF would."""
    container.orientation = image.getexif().get(0x0112, 1)
    profile = colour_profiles.embedded(image.info.get("icc_profile") or b"")
    container.profiles = [profile] if profile else []


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transpositions that make images of EXIF's orientations upright."""


def _rgb(image: Image.Image, profiles: list[colour_profiles.Profile]) -> Image.Image:
    """Converts to sRGB. Transparent parts are blended with white after the conversion; 16-bit grey is rounded to 8."""
    gray = image.mode in ("1", "L", "LA", "I") or image.mode.startswith("I;16")
    if image.mode == "CMYK":
        return colour_profiles.convert(image, profiles, gray) or image.convert("RGB")
    if image.mode.startswith("I;16"):
        image = Image.fromarray(((np.asarray(image).astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8))
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        rgb = image.convert("RGB")
        return colour_profiles.convert(rgb, profiles, gray) or rgb
    rgba = image.convert("RGBA")
    rgb = rgba.convert("RGB")
    pixels = np.asarray(colour_profiles.convert(rgb, profiles, gray) or rgb).astype(np.uint32)
    alpha = np.asarray(rgba).astype(np.uint32)[..., 3:]
    return Image.fromarray(((pixels * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8))


def reduction_of(length: float, keeping: int) -> int:
    """Returns the largest of 8, 4, 2 and 1 at which a length keeps at least `keeping` whole pixels, otherwise 1."""
    return next((r for r in (8, 4, 2) if math.floor(length / r) >= keeping), 1)


def locating_reduction(width: int, height: int) -> int:
    """Returns the reduction at which faces are located."""
    return reduction_of(max(width, height), LOCATING_SIDE)
