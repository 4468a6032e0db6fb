"""Generates images of every kind that decoders treat differently, to compare the preprocessing of Python and Swift."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, PngImagePlugin

from bifrons_training.preprocessing import colour_profiles

Random = np.random.Generator
JPEGS: list[dict[str, Any]] = [
    {"subsampling": 0, "quality": 92},
    {"subsampling": 1, "quality": 75},
    {"subsampling": 2, "quality": 60},
    {"subsampling": 2, "quality": 85, "progressive": True},
    {"subsampling": 0, "quality": 30, "optimize": True},
    {"mode": "L", "quality": 80},
    {"mode": "CMYK", "quality": 90},
]
PNGS = ("RGB", "RGBA", "L", "LA", "P", "1", "I;16")
WEBPS: list[dict[str, Any]] = [
    {"quality": 80},
    {"lossless": True},
    {"quality": 30, "method": 6},
    {"mode": "RGBA", "quality": 90},
    {"mode": "RGBA", "lossless": True, "exact": True},
    {"quality": 60, "frames": 2},
    {"mode": "RGBA", "lossless": True, "frames": 3},
]
WEBP_SIDE = 16383
"""The longest side of a WebP in pixels."""
GIFS: list[dict[str, Any]] = [
    {"colors": 256},
    {"colors": 20, "interlace": False},
    {"mode": "L"},
    {"mode": "1"},
    {"colors": 100, "transparency": 7},
    {"colors": 50, "frames": 3},
]
COLOURS = (
    None,
    (colour_profiles.BT709, colour_profiles.SRGB_CURVE),
    (colour_profiles.DISPLAY_P3, colour_profiles.SRGB_CURVE),
    (colour_profiles.BT709[:1] + colour_profiles.BT709[:0:-1], colour_profiles.BT709_CURVE),
    (colour_profiles.BT2020, colour_profiles.power(1.8)),
)
"""The colour spaces of the images: unspecified, sRGB, others, and red exchanged with blue."""

NUMBERS = (
    None,
    (b"cICP", bytes((12, 13, 0, 1))),
    (b"gAMA", (100_000).to_bytes(4, "big")),
    (b"cHRM", b"".join(int(value * 100_000).to_bytes(4, "big") for xy in colour_profiles.DISPLAY_P3 for value in xy)),
    (b"sRGB", b"\0"),
)
"""Chunks that specify colours in PNG's own way."""

ODD = ((1, 1), (8, 8), (20000, 10), (10, 1400), (2, 700))


def canvas(random: Random, width: int, height: int) -> Image.Image:
    """Returns a texture: coarse noise with shapes on it."""
    cells = random.integers(0, 256, (int(random.integers(2, 30)), int(random.integers(2, 30)), 3), dtype=np.uint8)
    image = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(image)
    for _ in range(int(random.integers(0, 12))):
        x, y = random.uniform(0, width), random.uniform(0, height)
        reach = random.uniform(0, max(width, height) / 4)
        pen.ellipse((x, y, x + reach, y + reach), fill=tuple(int(v) for v in random.integers(0, 256, 3)))
    return image


def compose(random: Random, portrait: Image.Image, width: int, height: int) -> Image.Image:
    """Returns a texture with one to three portraits, randomly rotated, cut off and blurred."""
    image = canvas(random, width, height)
    for _ in range(int(random.integers(1, 4))):
        scale = float(np.exp(random.uniform(np.log(0.2), np.log(1.5)))) * min(width, height) / portrait.width
        size = (max(1, int(portrait.width * scale)), max(1, int(portrait.height * scale)))
        degrees = random.normal(0, 15) if random.random() < 0.5 else random.uniform(0, 360)
        pasted = portrait.resize(size, Image.Resampling.LANCZOS).rotate(degrees, expand=False)
        place = (int(random.uniform(-0.2, 0.7) * width), int(random.uniform(-0.2, 0.6) * height))
        image.paste(pasted, place)
    return image.filter(ImageFilter.GaussianBlur(1)) if random.random() < 0.2 else image


def profile(mode: str, number: int) -> bytes | None:
    """Returns one of the profiles for an image of a Pillow mode; None for an image without one."""
    colours = COLOURS[number % len(COLOURS)]
    if colours is None:
        return None
    if mode == "CMYK":
        return ink_profile(colours[0] == colour_profiles.BT709)
    made = colour_profiles.made(*colours)
    assert made is not None
    if mode in ("L", "LA", "1") and number % 2:
        return made.content.replace(b"RGB ", b"GRAY", 1).replace(b"rTRC", b"kTRC", 1)
    return made.content


def ink_profile(plain: bool) -> bytes:
    """Returns a CMYK profile by a table with three steps: every ink darkens L*, the coloured ones shift a* or b*."""
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, 3)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    light = 255 * (1 - steps[:, :3].mean(axis=1)) * (1 - steps[:, 3])
    a, b = 128 + 60 * (steps[:, 1] - steps[:, 0]), 128 + 60 * (steps[:, 2] - steps[:, 1])
    table = np.stack((light, a, b) if plain else (light, b, a), axis=-1).astype(np.uint8).tobytes()
    ramp = bytes(range(256))
    matrix = b"".join((65536 * (i % 4 == 0)).to_bytes(4, "big") for i in range(9))
    tag = b"mft1\0\0\0\0" + bytes((4, 3, 3, 0)) + matrix + ramp * 4 + table + ramp * 3
    header = bytes(8) + b"\2\x10\0\0prtrCMYKLab ".ljust(28, b"\0") + b"acsp"
    place = (144).to_bytes(4, "big") + len(tag).to_bytes(4, "big")
    content = header.ljust(128, b"\0") + (1).to_bytes(4, "big") + b"A2B0" + place + tag
    return len(content).to_bytes(4, "big") + content[4:]


def make(folder: Path, portrait: Image.Image, count: int) -> None:
    """Fills `folder` with `count` images of every kind, the same in every run."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        random = np.random.default_rng((11, number))
        longest = int(np.exp(random.uniform(np.log(60), np.log(2000 if number % 20 == 0 else 480))))
        size = (longest, max(1, int(longest * random.uniform(0.5, 1))))
        size = size if random.random() < 0.5 else size[::-1]
        round_, format_ = divmod(number, 4)
        if round_ < len(ODD):
            image = canvas(random, *ODD[round_])
        elif round_ == len(ODD):
            image = Image.new("RGB", size, "white")
        else:
            image = compose(random, portrait, *size)
        exif = Image.Exif()
        if random.random() < 0.4:
            exif[0x0112] = int(random.integers(1, 9))
        if format_ == 0:
            options = dict(JPEGS[round_ % len(JPEGS)])
            image = image.convert(options.pop("mode", "RGB"))
            options["icc_profile"] = profile(image.mode, round_ // len(JPEGS))
            image.save(folder / f"{number:04}.jpg", exif=exif, **options)
        elif format_ == 3:
            save_gif(image, round_, folder / f"{number:04}.gif")
        elif format_ == 1 or max(image.size) > WEBP_SIDE:
            save_png(random, image, round_, folder / f"{number:04}.png", exif)
        else:
            save_webp(random, image, round_, folder / f"{number:04}.webp", exif)


def save_png(random: Random, image: Image.Image, number: int, file: Path, exif: Image.Exif) -> None:
    """Saves one of the kinds of PNG, its colours specified by a profile or in PNG's own way."""
    mode, round_ = PNGS[number % len(PNGS)], number // len(PNGS)
    if mode in ("RGBA", "LA"):
        image = translucent(random, image, mode)
    elif mode == "I;16":
        gray = np.asarray(image.convert("L")).astype(np.uint16)
        image = Image.fromarray(gray * 256 + random.integers(0, 256, gray.shape).astype(np.uint16))
    else:
        image = image.convert(mode)
    chunks = PngImagePlugin.PngInfo()
    said = NUMBERS[round_ // 2 % len(NUMBERS)] if round_ % 2 else None
    if said is not None:
        chunks.add(*said)
    kept = profile(mode, round_ // 2) if not round_ % 2 else None
    image.save(file, exif=exif, pnginfo=chunks, icc_profile=kept)


def save_webp(random: Random, image: Image.Image, number: int, file: Path, exif: Image.Exif) -> None:
    """Saves one of the kinds of WebP, its colours specified by a profile."""
    options = dict(WEBPS[number % len(WEBPS)])
    if options.pop("mode", "RGB") == "RGBA":
        image = translucent(random, image, "RGBA")
    others = further_frames(image, options)
    image.save(file, exif=exif, icc_profile=profile("RGB", number // len(WEBPS)), **options, **others)


def save_gif(image: Image.Image, number: int, file: Path) -> None:
    """Saves one of the kinds of GIF, of which none specifies colours or an orientation."""
    options = dict(GIFS[number % len(GIFS)])
    colours = options.pop("colors", None)
    image = image.quantize(colours) if colours else image.convert(options.pop("mode"))
    image.save(file, **further_frames(image, options), **options)


def further_frames(image: Image.Image, options: dict[str, Any]) -> dict[str, Any]:
    """Returns the options for the frames of an animation; none if `options`, of which it takes it, have no number."""
    count = options.pop("frames", 1) - 1
    others = [image.transpose(Image.Transpose.FLIP_TOP_BOTTOM)] * count
    return {"save_all": True, "append_images": others, "duration": 100} if others else {}


def translucent(random: Random, image: Image.Image, mode: str) -> Image.Image:
    """Returns an image in a mode with alpha, each of its pixels more or less transparent."""
    image = image.convert(mode)
    image.putalpha(Image.fromarray(random.integers(0, 256, image.size[::-1], dtype=np.uint8)))
    return image
