"""What is known of a file before its pixels are decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bifrons_training.preprocessing import colour_profiles

EXIF = b"Exif\0\0"
"""The bytes before an EXIF block in a JPEG, and sometimes in other formats."""


@dataclass
class Container:
    """A file in the form in which it is decoded, and what it says about its image."""

    content: bytes
    orientation: int = 1
    """The orientation by EXIF's definition, 1…8."""
    is_heif: bool = False
    """Whether the library that decodes the file tells the orientation and the profile."""
    profiles: list[colour_profiles.Profile] = field(default_factory=list)
    """The profiles that may define the colours, the most trusted first."""
    ends: bool = True
    """Whether a JPEG has its end marker; True for other formats."""
    colours: int | None = None
    """The number of colours in a GIF's table; None for other formats."""
    canvas: tuple[int, int] | None = None
    """Width and height of the canvas on which the decoded image is placed; None if it covers it."""
    place: tuple[int, int] = (0, 0)
    """The column and the row of the canvas where the decoded image begins."""


def orientation(tiff: bytes) -> int:
    """Returns EXIF tag 0x0112 of the first directory of a TIFF block; 1 for anything but a valid orientation."""
    orders: dict[bytes, Literal["big", "little"]] = {b"MM\0*": "big", b"II*\0": "little"}
    order = orders.get(tiff[:4])
    if order is None:
        return 1

    def number(offset: int, length: int) -> int:
        if offset + length > len(tiff):
            raise IndexError
        return int.from_bytes(tiff[offset : offset + length], order)

    try:
        directory = number(4, 4)
        for entry in range(number(directory, 2)):
            offset = directory + 2 + entry * 12
            if number(offset, 2) == 0x0112:
                length = {3: 2, 4: 4}.get(number(offset + 2, 2), 0)
                value = number(offset + 8, length) if number(offset + 4, 4) == 1 and length else 1
                return value if 1 <= value <= 8 else 1
    except IndexError:
        pass
    return 1
