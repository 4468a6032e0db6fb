"""Takes the first frame out of a WebP or a GIF: a file of its own with only that, and its place on the canvas.

Section 1 of docs/preprocessing.md defines it. `WebPStructure.swift` and `GIFStructure.swift` in
`Sources/Worker/ImageDecoding` are the Swift counterparts.
"""

from __future__ import annotations

from collections.abc import Iterator

from bifrons_training.preprocessing import colour_profiles
from bifrons_training.preprocessing.container import EXIF, Container, orientation

_WEBP_PICTURE = (b"ALPH", b"VP8 ", b"VP8L")


def webp(content: bytes) -> Container:
    """Keeps only the image data, of an animation those of the first frame, as a file of its own."""
    end = 8 + int.from_bytes(content[4:8], "little")
    if end > len(content):
        raise OSError("image file is truncated")
    chunks = list(_riff_chunks(content, 12, end))
    found = Container(content)
    if not chunks or chunks[0][0] != b"VP8X":
        found.content, _ = _webp_file(chunks[:1])
        return found
    header = chunks[0][1]
    if len(header) < 10 or any(name == b"VP8X" for name, _ in chunks[1:]):
        raise OSError("image file is corrupt: not one whole VP8X chunk")
    canvas = (1 + int.from_bytes(header[4:7], "little"), 1 + int.from_bytes(header[7:10], "little"))
    frames = [data for name, data in chunks if name == b"ANMF"]
    pictures = [chunk for chunk in chunks if chunk[0] in _WEBP_PICTURE]
    if header[0] & 0x02:
        if pictures or not frames or len(frames[0]) < 16:
            raise OSError("image file is corrupt: an animation without a first frame, or with an image beside it")
        x, y, width, height = (int.from_bytes(frames[0][start : start + 3], "little") for start in (0, 3, 6, 9))
        found.place = (2 * x, 2 * y)
        found.content, size = _webp_file(list(_riff_chunks(frames[0], 16, len(frames[0]))))
        fits = size == (width + 1, height + 1)
    else:
        found.content, size = _webp_file(pictures)
        fits = size == canvas and not frames
    if not fits or any(at + side > most for at, side, most in zip(found.place, size, canvas, strict=True)):
        raise OSError("image file is corrupt: its image, its frame and its canvas differ")
    found.canvas = None if size == canvas else canvas
    first = dict(reversed(chunks))
    if header[0] & 0x08 and b"EXIF" in first:
        found.orientation = orientation(first[b"EXIF"].removeprefix(EXIF))
    if header[0] & 0x20 and len(first.get(b"ICCP", b"")) <= colour_profiles.LARGEST:
        profile = colour_profiles.embedded(first.get(b"ICCP", b""))
        found.profiles = [profile] if profile else []
    return found


def _riff_chunks(content: bytes, offset: int, end: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the name and the data of each chunk between two offsets. Raises `OSError` if one is not whole."""
    while offset < end:
        start = offset + 8
        length = int.from_bytes(content[offset + 4 : start], "little")
        if start + length > end:
            raise OSError("image file is corrupt: a chunk reaches beyond its end")
        yield content[offset : offset + 4], content[start : start + length]
        offset = start + length + length % 2


def _webp_file(chunks: list[tuple[bytes, bytes]]) -> tuple[bytes, tuple[int, int]]:
    """Returns a file of the image data in some chunks, and the image's size. Raises `OSError` if they do not fit."""
    pictures = [chunk for chunk in chunks if chunk[0] in _WEBP_PICTURE]
    names = [name for name, _ in pictures]
    if names not in ([b"VP8L"], [b"VP8 "], [b"ALPH", b"VP8 "]):
        raise OSError("image file is corrupt: it has no image data, or several")
    data = pictures[-1][1]
    if names == [b"VP8L"]:
        numbers = int.from_bytes(data[1:5], "little")
        size = (1 + (numbers & 0x3FFF), 1 + (numbers >> 14 & 0x3FFF))
    else:
        size = (int.from_bytes(data[6:8], "little") & 0x3FFF, int.from_bytes(data[8:10], "little") & 0x3FFF)
    if len(names) == 2 and 0 not in size:
        sides = b"".join((side - 1).to_bytes(3, "little") for side in size)
        pictures.insert(0, (b"VP8X", b"\x10\0\0\0" + sides))
    body = b"WEBP" + b"".join(
        name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2) for name, data in pictures
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body, size


def heif(content: bytes) -> Container:
    """Checks that no outermost box of an AVIF or HEIC is cut off; the libraries read what is in them."""
    offset = 0
    while offset < len(content):
        length, head = int.from_bytes(content[offset : offset + 4], "big"), 8
        if length == 1:
            length, head = int.from_bytes(content[offset + 8 : offset + 16], "big"), 16
        elif length == 0:
            length = len(content) - offset
        if length < head or offset + length > len(content):
            raise OSError("image file is truncated or corrupt: a box is not whole")
        offset += length
    return Container(content, is_heif=True)


def gif(content: bytes) -> Container:
    """Keeps only the first frame, as a file of its own without a place and with its own table of colours."""
    if len(content) < 13:
        raise OSError("image file is truncated")
    screen = (_short(content, 6), _short(content, 8))
    table, offset = _table(content, content[10], 13)
    control = b""
    while (label := content[offset : offset + 1]) == b"!":
        if content[offset + 1 : offset + 2] == b"\xf9" and len(content) > offset + 6 and content[offset + 2] >= 4:
            control = b"!\xf9\x04" + content[offset + 3 : offset + 7] + b"\0"
        _, offset = _blocks(content, offset + 2)
    if label != b"," or len(content) < offset + 10:
        raise OSError("image file is truncated or corrupt: it has no first frame")
    left, top, width, height = (_short(content, offset + 1 + 2 * index) for index in range(4))
    flags = content[offset + 9]
    own, offset = _table(content, flags, offset + 10)
    table = own or table
    if not table or not 2 <= (content[offset] if offset < len(content) else 0) <= 8:
        raise OSError("image file is truncated or corrupt: it has no table of colours, or no pixels")
    try:
        data, _ = _blocks(content, offset + 1)
    except OSError:  # Whether every pixel is there is found out when they are decoded.
        data = b"".join(_whole_blocks(content, offset + 1))
    found = Container(_gif_file(width, height, control, flags, table, content[offset : offset + 1], data))
    canvas = (max(screen[0], left + width), max(screen[1], top + height))
    found.canvas = None if canvas == (width, height) else canvas
    found.place = (left, top)
    found.colours = len(table) // 3
    return found


def _gif_file(width: int, height: int, control: bytes, flags: int, table: bytes, bits: bytes, data: bytes) -> bytes:
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    flags = flags & 0x40 | 0x80 | (len(table) // 3).bit_length() - 2
    blocks = b"".join(bytes((len(part),)) + part for part in _parts(data, 255))
    return (
        b"GIF89a"
        + size
        + bytes(3)
        + control
        + b","
        + bytes(4)
        + size
        + bytes((flags,))
        + table
        + bits
        + blocks
        + b"\0;"
    )


def _short(content: bytes, offset: int) -> int:
    return int.from_bytes(content[offset : offset + 2], "little")


def _parts(data: bytes, most: int) -> Iterator[bytes]:
    return (data[start : start + most] for start in range(0, len(data), most))


def _table(content: bytes, flags: int, offset: int) -> tuple[bytes, int]:
    """Returns the table of colours that flags announce, empty if none, and the offset behind it."""
    end = offset + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    if end > len(content):
        raise OSError("image file is truncated")
    return content[offset:end], end


def _whole_blocks(content: bytes, offset: int) -> Iterator[bytes]:
    """Yields blocks of data up to an empty one, or to the end of the file."""
    while offset < len(content) and content[offset] > 0:
        yield content[offset + 1 : offset + 1 + content[offset]]
        offset += 1 + content[offset]


def _blocks(content: bytes, offset: int) -> tuple[bytes, int]:
    """Returns the data of blocks up to an empty one, and the offset behind that. Raises `OSError` if it is missing."""
    data = list(_whole_blocks(content, offset))
    end = offset + sum(1 + len(part) for part in data)
    if end >= len(content):
        raise OSError("image file is truncated")
    return b"".join(data), end + 1
