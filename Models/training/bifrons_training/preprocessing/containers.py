"""Reads the segments of a JPEG and the chunks of a PNG: orientation, colours, and damage outside the pixel data.

Section 1 of docs/preprocessing.md defines it. `JPEGStructure.swift`, `PNGStructure.swift` and `PNGColour.swift` in
`Sources/Worker/ImageDecoding` are the Swift counterparts. The formats of animations are in `first_frames`.
"""

from __future__ import annotations

import re
import zlib

from bifrons_training.preprocessing import colour_profiles, first_frames
from bifrons_training.preprocessing.container import EXIF, Container, orientation

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_ICC = b"ICC_PROFILE\0"
_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

_CODED_PRIMARIES = {1: colour_profiles.BT709, 9: colour_profiles.BT2020, 12: colour_profiles.DISPLAY_P3}
_CODED_CURVES = {
    **dict.fromkeys((1, 6, 14, 15), colour_profiles.BT709_CURVE),
    4: colour_profiles.power(2.2),
    5: colour_profiles.power(2.8),
    8: colour_profiles.power(1.0),
    13: colour_profiles.SRGB_CURVE,
}


def read(content: bytes) -> Container:
    """Parses a file. Raises `OSError` if its structure shows that the image is incomplete or corrupt."""
    if content.startswith(PNG_SIGNATURE):
        return _png(content)
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return first_frames.webp(content)
    if content.startswith((b"GIF87a", b"GIF89a")):
        return first_frames.gif(content)
    if content[4:8] == b"ftyp":
        return first_frames.heif(content)
    return _jpeg(content) if content.startswith(b"\xff\xd8") else Container(content)


def _jpeg(content: bytes) -> Container:
    found = Container(content)
    parts: list[bytes] = []
    has_exif = False
    offset = 2
    while offset + 1 < len(content):
        marker = content[offset + 1]
        if content[offset] != 0xFF or marker == 0xFF:
            offset += 1
        elif marker in (0x00, 0x01) or 0xD0 <= marker <= 0xD8:
            offset += 2
        elif marker in (0xD9, 0xDA):
            break
        else:
            length = int.from_bytes(content[offset + 2 : offset + 4], "big")
            if length < 2:
                break
            segment = content[offset + 4 : offset + 2 + length]
            if marker == 0xE1 and not has_exif and segment.startswith(EXIF):
                has_exif = True  # Only the first EXIF segment counts.
                found.orientation = orientation(segment[len(EXIF) :])
            elif marker == 0xE2 and segment.startswith(_ICC):
                parts.append(segment[len(_ICC) :])
            elif marker == 0xC2:
                found.ends = _has_every_scan(content, offset + 2 + length, segment)
            offset += 2 + length
    profile = _joined(parts)
    found.profiles = [profile] if profile else []
    if b"\xff\xd9" not in content[offset:]:
        found.ends = False
    return found


def _joined(parts: list[bytes]) -> colour_profiles.Profile | None:
    """Joins the parts of a profile; each begins with its number, from 1, and the number of parts. None if invalid."""
    numbers = [part[0] if len(part) > 1 and part[1] == len(parts) else 0 for part in parts]
    if not parts or sorted(numbers) != list(range(1, len(parts) + 1)):
        return None
    content = b"".join(part[2:] for _, part in sorted(zip(numbers, parts, strict=True)))
    return colour_profiles.embedded(content) if len(content) <= colour_profiles.LARGEST else None


def _has_every_scan(content: bytes, offset: int, frame: bytes) -> bool:
    """Whether a progressive JPEG has an end marker. Raises `OSError` if its scans leave out bits of a coefficient."""
    components = frame[6::3]
    missing = {component: [True] * 64 for component in components}
    ended = False
    while not ended and (marker := _NEXT_MARKER.search(content, offset)):
        kind, offset = content[marker.start() + 1], marker.end()
        ended = kind == 0xD9
        if ended or kind == 0x01:
            continue
        length = int.from_bytes(content[offset : offset + 2], "big")
        scan = content[offset + 2 : offset + length]
        offset += max(length, 2)
        if kind == 0xDA and len(scan) == 1 + 2 * scan[0] + 3:
            first, last, bits = scan[-3:]
            for component in scan[1:-3:2]:
                if component in missing and first <= last < 64:
                    missing[component][first : last + 1] = [bits & 15 != 0] * (last + 1 - first)
    if any(any(bits) for bits in missing.values()):
        raise OSError("image file is truncated: some of its scans are missing")
    return ended


def _png(content: bytes) -> Container:
    """Keeps only the chunks that define the pixels, and adds an end chunk if it is missing."""
    found = Container(content)
    kept = [PNG_SIGNATURE]
    colours: dict[bytes, bytes] = {}
    seen: set[bytes] = set()
    offset = len(PNG_SIGNATURE)
    while b"IEND" not in seen and offset < len(content):
        length, name = int.from_bytes(content[offset : offset + 4], "big"), content[offset + 4 : offset + 8]
        if len(name) < 4:
            break
        if not name.isalpha() or length > 0x7FFFFFFF:
            raise OSError("image file is corrupt: no chunk where one should begin")
        data = content[offset + 8 : offset + 8 + length]
        offset += 12 + length
        whole = offset <= len(content)
        sound = whole and zlib.crc32(name + data) == int.from_bytes(content[offset - 4 : offset], "big")
        if len(kept) == 1 and name != b"IHDR":
            raise OSError("image file is corrupt, or of Apple's own form: no header chunk at its beginning")
        if name[:1].isupper() and (name not in _KEPT or (whole and not sound)):
            raise OSError(f"image file is corrupt: chunk {name!r} is unknown or damaged")
        if (sound and name in _KEPT) or (name == b"IDAT" and not whole):
            kept.append(_chunk(name, data))
        elif sound and b"IDAT" not in seen and name == b"eXIf" and name not in seen:
            found.orientation = orientation(data.removeprefix(EXIF))
        elif sound and not seen & {b"PLTE", b"IDAT"}:
            _note(colours, name, data)
        if sound or name == b"IDAT":
            seen.add(name)
    found.content = b"".join(kept if b"IEND" in seen else [*kept, _chunk(b"IEND", b"")])
    found.profiles = _profiles(colours)
    return found


def _chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def _note(colours: dict[bytes, bytes], name: bytes, data: bytes) -> None:
    """Stores a chunk that defines colours if it is the first readable one of its kind."""
    lengths = {b"cICP": 4, b"gAMA": 4, b"cHRM": 32}
    if name in colours or name not in (b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"):
        return
    if len(data) != lengths.get(name, len(data)):
        return
    if name == b"gAMA" and not 16 <= int.from_bytes(data, "big") <= 625_000_000:
        return
    if name == b"cHRM" and any(number > 0x7FFFFFFF for number in _numbers(data)):
        return
    colours[name] = data


def _numbers(data: bytes) -> list[int]:
    return [int.from_bytes(data[index : index + 4], "big") for index in range(0, len(data), 4)]


def _profiles(colours: dict[bytes, bytes]) -> list[colour_profiles.Profile]:
    """Returns the profiles in order of precedence (PNG third edition, 4.3): cICP, iCCP, then sRGB or gAMA and cHRM."""
    found: list[colour_profiles.Profile | None] = []
    if codes := colours.get(b"cICP"):
        primaries, curve = _CODED_PRIMARIES.get(codes[0]), _CODED_CURVES.get(codes[1])
        if primaries and curve and codes[2:] == b"\0\1":
            found.append(colour_profiles.made(primaries, curve))
    if b"iCCP" in colours:
        found.append(_unpacked(colours[b"iCCP"]))
    if b"sRGB" not in colours:
        found.append(_of_numbers(colours))
    return [profile for profile in found if profile]


def _of_numbers(colours: dict[bytes, bytes]) -> colour_profiles.Profile | None:
    """Returns the profile by gAMA and cHRM, either of which may be missing. A gamma within 5 % of 1/2.2 means sRGB."""
    curve = colour_profiles.SRGB_CURVE
    if b"gAMA" in colours:
        gamma = _numbers(colours[b"gAMA"])[0] / 100_000
        curve = curve if 0.95 <= gamma * 2.2 <= 1.05 else colour_profiles.power(1 / gamma)
    values = [number / 100_000 for number in _numbers(colours.get(b"cHRM", b""))]
    if values and (profile := colour_profiles.made(tuple(zip(values[::2], values[1::2], strict=True)), curve)):
        return profile
    return colour_profiles.made(colour_profiles.BT709, curve) if values or curve != colour_profiles.SRGB_CURVE else None


def _unpacked(chunk: bytes) -> colour_profiles.Profile | None:
    """Returns the profile of an iCCP chunk: a name, a zero, the compression method and the compressed profile."""
    name = chunk[:80].find(b"\0")
    if name < 1 or chunk[name + 1 : name + 2] != b"\0":
        return None
    unpacker = zlib.decompressobj()
    try:
        head = unpacker.decompress(chunk[name + 2 :], 4)
        size = int.from_bytes(head, "big")
        if not 4 < size <= colour_profiles.LARGEST:
            return None
        return colour_profiles.embedded(head + unpacker.decompress(unpacker.unconsumed_tail, size - 4))
    except zlib.error:
        return None
