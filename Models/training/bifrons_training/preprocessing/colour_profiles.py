"""Converts an image's colours from its profile to sRGB with LittleCMS, as browsers do.

Section 1 of docs/preprocessing.md defines it. `ColourProfile.swift` and `ColourTransform.swift` in
`Sources/Worker/ImageDecoding` are the Swift counterparts, and both give the same bytes.
"""

from __future__ import annotations

import functools
import io
import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

LARGEST = 16 << 20
"""The largest profile that is read, in bytes; a larger one is ignored."""

TOLERANCE = 1
"""A profile counts as sRGB if it moves no colour by more than this, of 255."""

STEPS = 8
"""Steps along each channel of the grid of colours on which `TOLERANCE` is checked."""

D50 = (0.9642, 1.0, 0.8249)
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))

_HEADER, _TAG, _MOST_TAGS = 128, 12, 100
_SPACES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}

Vector = tuple[float, ...]
Matrix = tuple[Vector, ...]
Curve = tuple[int, Vector]
"""A curve of ICC's parametricCurveType: the function's number and its parameters."""

SRGB_CURVE: Curve = (3, (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
BT709_CURVE: Curve = (3, (1 / 0.45, 1 / 1.099, 0.099 / 1.099, 1 / 4.5, 0.081))

BT709 = ((0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
"""White, red, green and blue as CIE 1931 x and y."""
BT2020 = ((0.3127, 0.329), (0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
DISPLAY_P3 = ((0.3127, 0.329), (0.68, 0.32), (0.265, 0.69), (0.15, 0.06))


@dataclass(frozen=True)
class Profile:
    """A validated ICC profile and Pillow's mode of the images that it applies to."""

    content: bytes
    mode: str
    table: bool = False
    """Whether the profile defines colours by a table instead of curves and a matrix."""


def power(exponent: float) -> Curve:
    """Returns the curve that raises a number to a power."""
    return 0, (exponent,)


def embedded(content: bytes) -> Profile | None:
    """Returns the profile of a file; None if it is incomplete or not one that browsers apply to images.

    LittleCMS is kept from doing what browsers do not: the floating-point tables D2Bx are hidden from it, and the table
    A2B1 replaces a missing A2B0.
    """
    size = int.from_bytes(content[:4], "big")
    if not _HEADER + 4 <= size <= len(content):
        return None
    mode = _SPACES.get(content[16:20])
    if content[36:40] != b"acsp" or content[12:16] not in (b"scnr", b"mntr", b"prtr", b"spac"):
        return None
    if mode is None or content[20:24] not in (b"XYZ ", b"Lab "):
        return None
    tags = int.from_bytes(content[_HEADER : _HEADER + 4], "big")
    if tags > _MOST_TAGS or _HEADER + 4 + tags * _TAG > size:
        return None
    hidden = bytearray(content[:size])
    table = [_HEADER + 4 + index * _TAG for index in range(tags)]
    for offset in table:
        if content[offset : offset + 3] == b"D2B":
            hidden[offset] |= 0x20
    perceptual, colorimetric = (
        [offset for offset in table if content[offset : offset + 4] == name] for name in (b"A2B0", b"A2B1")
    )
    if colorimetric and not perceptual:
        hidden[colorimetric[0] + 3] = ord("0")
    return Profile(bytes(hidden), mode, bool(perceptual or colorimetric))


def made(primaries: tuple[Vector, ...], curve: Curve) -> Profile | None:
    """Returns a profile of an RGB space; None if its matrix is singular or has values that ICC cannot store."""
    columns = _columns(primaries)
    if columns is None:
        return None
    colours = [b"XYZ \0\0\0\0" + b"".join(map(_fixed, colour)) for colour in (*columns, D50)]
    function, parameters = curve
    curve_data = b"para\0\0\0\0" + function.to_bytes(2, "big") + bytes(2) + b"".join(map(_fixed, parameters))
    offset = _HEADER + 4 + 7 * _TAG
    table = _number(7)
    for name, colour in zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), colours, strict=True):
        table += name + _number(offset) + _number(len(colour))
        offset += len(colour)
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        table += name + _number(offset) + _number(len(curve_data))
    # Version 2.1, because LittleCMS applies black point compensation to output profiles of version 4; browsers do not.
    header = _number(offset + len(curve_data)) + b"\0\0\0\0\2\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += b"".join(map(_fixed, D50))
    return Profile(header.ljust(_HEADER, b"\0") + table + b"".join(colours) + curve_data, "RGB")


def convert(image: Image.Image, profiles: list[Profile], gray: bool) -> Image.Image | None:
    """Converts an RGB or CMYK image to sRGB by the first profile that fits it and is not broken.

    Returns None if the image stays as it is. `gray` says that its red, green and blue are equal.
    """
    for profile in profiles:
        if profile.mode == image.mode or (gray and profile.mode == "L"):
            try:
                transform = _transform(profile)
            except (ImageCms.PyCMSError, OSError, ValueError):
                continue
            if transform is None:
                return None
            return transform.apply(image if profile.mode == image.mode else image.getchannel("R"))
    return None


@functools.lru_cache(maxsize=8)
def _transform(profile: Profile) -> ImageCms.ImageCmsTransform | None:
    """Returns the conversion to sRGB; None if the profile is sRGB up to rounding. Raises LittleCMS's errors."""
    target = made(BT709, SRGB_CURVE)
    assert target is not None
    source, srgb = (ImageCms.ImageCmsProfile(io.BytesIO(content)) for content in (profile.content, target.content))
    transform = ImageCms.ImageCmsTransform(source, srgb, profile.mode, "RGB", ImageCms.Intent.PERCEPTUAL)
    # A table may treat the sampled colours differently from those in between, so it is always applied.
    if profile.table and profile.mode != "L":
        return transform
    grays = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    samples = Image.fromarray(grays)
    if profile.mode == "RGB":
        levels = np.array([step * 255 // STEPS for step in range(STEPS + 1)], np.uint8)
        cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(1, -1, 3)
        samples = Image.fromarray(np.concatenate((cube, grays), axis=1))
    seen = transform.apply(samples if profile.mode == "RGB" else samples.getchannel("R"))
    moved = np.abs(np.asarray(seen).astype(int) - np.asarray(samples).astype(int))
    return None if moved.max() <= TOLERANCE else transform


def _number(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _fixed(value: float) -> bytes:
    """Encodes a number as ICC's s15Fixed16Number."""
    return _number(math.floor(value * 65536 + 0.5) & 0xFFFFFFFF)


def _columns(primaries: tuple[Vector, ...]) -> list[Vector] | None:
    """Returns X, Y and Z of full red, green and blue, adapted to D50 by Bradford's matrix; None if impossible."""
    if any(y == 0 for _, y in primaries):
        return None
    white, *colours = ((x / y, 1.0, (1 - x - y) / y) for x, y in primaries)
    inverse = _inverse(tuple(zip(*colours, strict=True)))
    back = _inverse(BRADFORD)
    if inverse is None or back is None:
        return None
    amounts, seen, wanted = _product(inverse, white), _product(BRADFORD, white), _product(BRADFORD, D50)
    columns = []
    for colour, amount in zip(colours, amounts, strict=True):
        cones = _product(BRADFORD, tuple(value * amount for value in colour))
        if not all(seen):
            return None
        columns.append(_product(back, tuple(cones[i] * (wanted[i] / seen[i]) for i in range(3))))
    return columns if all(abs(value) < 32767 for column in columns for value in column) else None


def _product(matrix: Matrix, vector: Vector) -> Vector:
    return tuple(row[0] * vector[0] + row[1] * vector[1] + row[2] * vector[2] for row in matrix)


def _inverse(m: Matrix) -> Matrix | None:
    """Returns the inverse by the adjugate; None for a singular matrix."""

    def minor(row: int, column: int) -> float:
        r, s, c, d = (row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3
        return m[r][c] * m[s][d] - m[r][d] * m[s][c]

    determinant = m[0][0] * minor(0, 0) + m[0][1] * minor(0, 1) + m[0][2] * minor(0, 2)
    if not math.isfinite(determinant) or determinant == 0:
        return None
    return tuple(tuple(minor(column, row) / determinant for column in range(3)) for row in range(3))
