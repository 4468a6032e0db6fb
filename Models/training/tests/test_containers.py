"""The data beside the pixels, and damage outside of them; the Swift counterpart has the same tests."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from bifrons_training import preprocessing
from bifrons_training.preprocessing import colour_profiles, containers
from bifrons_training.publishing import parity_images

EXCHANGED = colour_profiles.made(
    (colour_profiles.BT709[0], *colour_profiles.BT709[:0:-1]), colour_profiles.SRGB_CURVE
).content
LINEAR = (100_000).to_bytes(4, "big")


def pixels() -> np.ndarray:
    coarse = np.random.default_rng(5).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((40, 32), Image.Resampling.BICUBIC))


def packed(kind: str, values: np.ndarray | None = None, mode: str = "RGB", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels() if values is None else values).convert(mode).save(file, kind, **options)
    return file.getvalue()


def decoded(file: bytes) -> np.ndarray:
    return np.asarray(preprocessing.decode(file).image).astype(int)


def with_chunk(name: bytes, data: bytes, at: int = 33, damaged: bool = False) -> bytes:
    file = packed("PNG")
    checksum = zlib.crc32(name + data) ^ damaged
    return file[:at] + len(data).to_bytes(4, "big") + name + data + checksum.to_bytes(4, "big") + file[at:]


def test_a_profile_restores_the_colours():
    stored = np.ascontiguousarray(pixels()[..., ::-1])
    assert np.abs(decoded(packed("PNG", stored, icc_profile=EXCHANGED)) - pixels()).max() <= 1
    options = {"quality": 98, "subsampling": 0}
    restored = decoded(packed("JPEG", stored, icc_profile=EXCHANGED, **options))
    assert np.abs(restored - decoded(packed("JPEG", **options))).mean() < 3


@pytest.mark.parametrize("primaries", [colour_profiles.BT709, colour_profiles.DISPLAY_P3, colour_profiles.BT2020])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_only_profiles_other_than_srgb_change_pixels(kind, primaries):
    profile = colour_profiles.made(primaries, colour_profiles.SRGB_CURVE).content
    same = np.array_equal(decoded(packed(kind, icc_profile=profile)), decoded(packed(kind)))
    assert same == (primaries == colour_profiles.BT709)


@pytest.mark.parametrize("plain", [True, False])
def test_a_cmyk_profile_is_applied(plain):
    profile = parity_images.ink_profile(plain)
    with_profile = decoded(packed("JPEG", mode="CMYK", icc_profile=profile))
    assert np.abs(with_profile - decoded(packed("JPEG", mode="CMYK"))).mean() > 5
    assert np.array_equal(decoded(packed("JPEG", icc_profile=profile)), decoded(packed("JPEG")))


def test_gray_images_accept_gray_and_colour_profiles():
    linear = colour_profiles.made(colour_profiles.BT709, colour_profiles.power(1.0)).content
    gray = linear.replace(b"RGB ", b"GRAY", 1).replace(b"rTRC", b"kTRC", 1)
    for kind in ("PNG", "JPEG"):
        both = [decoded(packed(kind, mode="L", icc_profile=profile)) for profile in (linear, gray)]
        assert np.abs(both[0] - both[1]).max() <= 1
        assert (both[0] - decoded(packed(kind, mode="L"))).mean() > 20
        assert np.array_equal(decoded(packed(kind, icc_profile=gray)), decoded(packed(kind)))


@pytest.mark.parametrize(
    ("chunks", "changes"),
    [
        ([(b"gAMA", LINEAR)], True),
        ([(b"gAMA", (45_455).to_bytes(4, "big"))], False),
        ([(b"gAMA", LINEAR), (b"sRGB", b"\0")], False),
        ([(b"cICP", bytes((12, 13, 0, 1)))], True),
        ([(b"cICP", bytes((1, 13, 0, 1)))], False),
        ([(b"cICP", bytes((9, 16, 0, 1)))], False),
    ],
)
def test_the_colour_chunk_of_highest_precedence_counts(chunks, changes):
    said = PngImagePlugin.PngInfo()
    for chunk in chunks:
        said.add(*chunk)
    assert np.array_equal(decoded(packed("PNG", pnginfo=said)), pixels()) != changes


def test_a_profile_with_a_missing_segment_is_ignored():
    profile = EXCHANGED
    parts = [profile[:100], profile[100:300], profile[300:]]
    segments = [
        b"\xff\xe2" + (16 + len(part)).to_bytes(2, "big") + b"ICC_PROFILE\0" + bytes((index + 1, 3)) + part
        for index, part in enumerate(parts)
    ]
    file = packed("JPEG")
    for order, applied in [((0, 1, 2), True), ((2, 0, 1), True), ((0, 1), False), ((0, 1, 1), False)]:
        found = containers.read(file[:2] + b"".join(segments[index] for index in order) + file[2:])
        assert [profile.content for profile in found.profiles] == ([profile] if applied else [])


@pytest.mark.parametrize("prefix", [b"", b"Exif\0\0"])
def test_only_an_intact_exif_chunk_before_the_image_data_counts(prefix):
    flag = Image.Exif()
    flag[0x0112] = 6
    block = prefix + flag.tobytes().removeprefix(b"Exif\0\0")
    assert decoded(with_chunk(b"eXIf", block)).shape == (40, 32, 3)
    assert decoded(with_chunk(b"eXIf", block, damaged=True)).shape == (32, 40, 3)
    assert decoded(with_chunk(b"eXIf", block, at=len(packed("PNG")) - 12)).shape == (32, 40, 3)


def test_an_orientation_in_xmp_is_ignored():
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    assert decoded(packed("JPEG", xmp=xmp)).shape == (32, 40, 3)


def test_a_damaged_ancillary_chunk_is_ignored():
    assert np.array_equal(decoded(with_chunk(b"tEXt", b"a\0b", damaged=True)), pixels())
    for file in (with_chunk(b"IDAT", b"", damaged=True), with_chunk(b"ABCD", b"")):
        with pytest.raises(OSError, match="damaged"):
            preprocessing.decode(file)


@pytest.mark.parametrize("cut", [2, 12, 14, 18])
def test_a_png_without_its_end_is_read(cut):
    assert np.array_equal(decoded(packed("PNG")[:-cut]), pixels())


def test_a_png_without_its_last_rows_is_not_read():
    with pytest.raises(OSError, match="truncated"):
        preprocessing.decode(packed("PNG")[:-200])


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_marker_is_read(progressive):
    file = packed("JPEG", progressive=progressive)
    for cut in (1, 2):
        assert np.array_equal(decoded(file[:-cut]), decoded(file))
    with pytest.raises(OSError, match="truncated"):
        preprocessing.decode(file[:-60])


def test_a_progressive_jpeg_without_its_last_scans_is_not_read():
    file = packed("JPEG", progressive=True)
    for closed in (b"\xff\xd9", b""):
        with pytest.raises(OSError, match="scans are missing"):
            preprocessing.decode(file[: file.rindex(b"\xff\xda")] + closed)


ALPHA = np.random.default_rng(6).integers(0, 256, (32, 40, 1), dtype=np.uint8)


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"WEBP" + b"".join(
        name + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2) for name, data in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def picture(values: np.ndarray | None = None) -> tuple[bytes, bytes]:
    file = packed("WEBP", values, lossless=True)
    return file[12:16], file[20 : 20 + int.from_bytes(file[16:20], "little")]


def extended(flags: int, width: int = 40, height: int = 32) -> tuple[bytes, bytes]:
    return b"VP8X", bytes((flags, 0, 0, 0)) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def frame(x: int, y: int, *chunks: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    place = b"".join(number.to_bytes(3, "little") for number in (x // 2, y // 2, 39, 31, 100))
    return b"ANMF", place + b"\0" + riff(*chunks)[12:]


def test_a_webp_is_exact_and_its_alpha_on_white():
    assert np.array_equal(decoded(packed("WEBP", lossless=True)), pixels())
    file = packed("WEBP", np.concatenate((pixels(), ALPHA), axis=2), "RGBA", lossless=True, exact=True)
    alpha = ALPHA.astype(int)
    assert np.array_equal(decoded(file), (pixels() * alpha + 255 * (255 - alpha) + 127) // 255)


def test_the_first_frame_is_placed_on_a_white_canvas():
    other = picture(pixels()[::-1])
    file = riff(
        extended(0x02, 60, 50), (b"ANIM", bytes(6)), frame(4, 10, (b"abcd", b"x"), picture()), frame(0, 0, other)
    )
    expected = np.full((50, 60, 3), 255)
    expected[10:42, 4:44] = pixels()
    assert np.array_equal(decoded(file), expected)


@pytest.mark.parametrize("flags", [0, 0x08])
def test_an_exif_chunk_counts_if_it_is_announced(flags):
    flag = Image.Exif()
    flag[0x0112] = 6
    file = riff(extended(flags), picture(), (b"EXIF", flag.tobytes()))
    assert decoded(file).shape == ((40, 32, 3) if flags else (32, 40, 3))


@pytest.mark.parametrize("flags", [0, 0x20])
def test_a_webps_profile_counts_if_it_is_announced(flags):
    stored = np.ascontiguousarray(pixels()[..., ::-1])
    file = riff(extended(flags), (b"ICCP", EXCHANGED), picture(stored))
    assert np.abs(decoded(file) - (pixels() if flags else stored)).max() <= 1


def test_a_webp_that_is_not_whole_is_not_read():
    file = packed("WEBP", exif=Image.Exif(), quality=80)
    for count in range(12, len(file)):
        with pytest.raises(OSError, match="truncated"):
            preprocessing.decode(file[:count])


@pytest.mark.parametrize(
    "chunks",
    [
        (),
        ((b"abcd", b""),),
        (extended(0),),
        (extended(0x02), picture()),
        (extended(0x02), (b"ANIM", bytes(6)), frame(2, 0, picture())),
        (extended(0x02), (b"ANMF", bytes(15))),
        (extended(0), frame(0, 0, picture())),
        (extended(0), picture(), picture()),
        (extended(0), (b"ALPH", b"\0"), picture()),
        (extended(0), extended(0), picture()),
        (extended(0, 41), picture()),
    ],
)
def test_a_webp_that_contradicts_itself_is_not_read(chunks):
    with pytest.raises(OSError, match="corrupt"):
        preprocessing.decode(riff(*chunks))


def few_colours() -> Image.Image:
    return Image.fromarray(pixels()).quantize(100)


def gif(canvas: tuple[int, int], *blocks: bytes) -> bytes:
    return b"GIF89a" + canvas[0].to_bytes(2, "little") + canvas[1].to_bytes(2, "little") + bytes(3) + b"".join(blocks)


def gif_frame(x: int, y: int, control: bytes = b"", cut: int = 0) -> bytes:
    """Returns a frame of the few colours with a table of its own."""
    file = packed("GIF", np.asarray(few_colours().convert("RGB")), "RGB")
    end = 13 + (3 << (file[10] & 7) + 1)
    start = file.index(b",", end)
    place = x.to_bytes(2, "little") + y.to_bytes(2, "little")
    data = file[start + 10 : -1 - cut]
    return control + b"," + place + file[start + 5 : start + 9] + bytes((file[10],)) + file[13:end] + data


@pytest.mark.parametrize("options", [{}, {"interlace": False}])
def test_a_gif_is_exact_and_its_transparent_colour_white(options):
    file = io.BytesIO()
    few_colours().save(file, "GIF", transparency=7, **options)
    expected = np.asarray(few_colours().convert("RGB")).copy()
    expected[np.asarray(few_colours()) == 7] = 255
    assert np.array_equal(decoded(file.getvalue()), expected)


def test_a_gifs_first_frame_is_placed_on_a_canvas_that_holds_it():
    alone = decoded(gif((40, 32), gif_frame(0, 0), b";"))
    for canvas, size in (((60, 50), (50, 60)), ((3, 0), (42, 44))):
        found = decoded(gif(canvas, b"!\xfe\3abc\0", gif_frame(4, 10), gif_frame(0, 0), b";"))
        expected = np.full((*size, 3), 255)
        expected[10:42, 4:44] = alone
        assert np.array_equal(found, expected)


def test_a_gif_that_ends_behind_its_first_frame_is_read():
    whole = decoded(gif((40, 32), gif_frame(0, 0), b";"))
    for cut in (0, 1):
        assert np.array_equal(decoded(gif((40, 32), gif_frame(0, 0, cut=cut))), whole)
    for cut in (5, 100):
        with pytest.raises(OSError, match="truncated"):
            preprocessing.decode(gif((40, 32), gif_frame(0, 0, cut=cut)))


@pytest.mark.parametrize(
    "blocks",
    [
        (),
        (b";",),
        (b"?",),
        (b"!\xfe\3abc\0;",),
        (b"," + bytes(4) + b"\1\0\1\0\0\2\2\x44\1\0;",),
        (b"," + bytes(4) + b"\1\0\1\0\x80" + bytes(6) + b"\1\2\x44\1\0;",),
        (b"," + bytes(4) + b"\1\0\1\0\x80" + bytes(6) + b"\2\2\x54\1\0;",),
    ],
)
def test_a_gif_that_contradicts_itself_is_not_read(blocks):
    with pytest.raises(OSError, match=r"truncated|corrupt|broken"):
        preprocessing.decode(gif((1, 1), *blocks))
