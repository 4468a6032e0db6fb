"""Makes images and hashes them with the PyPI package pdqhash, for OracleTests.swift.

    python oracle.py FOLDER

Writes `oracle.json`, a list with an entry for each image: `name`, `pixels` (a file with the bytes of its RGB pixels),
`width`, `height`, `hash` and `quality` of these pixels, and `file` if the image also is a JPEG or PNG, whose `pixels`
are those that Pillow or OpenCV decodes.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pdqhash
from PIL import Image, ImageDraw, ImageFont

WORDS = "the quick brown fox jumps over a lazy dog while nobody looks at it".split()


def gradient(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """A slope of its own in each channel."""
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    slopes = random.uniform(-1, 1, (3, 2))
    planes = [a * x + b * y for a, b in slopes]
    return np.stack([255 * (plane - plane.min()) / max(np.ptp(plane), 1e-9) for plane in planes], 2).astype(np.uint8)


def waves(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    sums = [
        sum(np.sin(a * x + b * y + c) for a, b, c in random.uniform(-60, 60, (6, 3))) for _ in range(3)
    ]  # fmt: skip
    return np.clip(np.stack(sums, 2) * 40 + 128, 0, 255).astype(np.uint8)


def noise(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    return random.integers(0, 256, (height, width, 3), np.uint8)


def blocks(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Noise in blocks, which is there at any scale."""
    small = random.integers(0, 256, (random.integers(2, 40), random.integers(2, 40), 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST))


def shapes(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    image = Image.new("RGB", (width, height), tuple(random.integers(0, 256, 3).tolist()))
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        (left, right), (top, bottom) = np.sort(random.integers(0, [[width], [height]], (2, 2)), 1).tolist()
        colour = tuple(random.integers(0, 256, 3).tolist())
        kind = random.integers(3)
        if kind == 0:
            draw.ellipse((left, top, right, bottom), colour)
        elif kind == 1:
            draw.rectangle((left, top, right, bottom), colour)
        else:
            draw.line((left, top, right, bottom), colour, int(random.integers(1, 8)))
    return np.asarray(image)


def text(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    y = 0
    while y < height:
        size = int(random.integers(12, 60))
        draw.text((0, y), " ".join(random.choice(WORDS, 12)), "black", ImageFont.load_default(size))
        y += size
    return np.asarray(image)


def plain(random: np.random.Generator, width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), random.integers(0, 256), np.uint8)


KINDS = (gradient, waves, noise, blocks, shapes, text, plain)
SIZES = (
    (4, 90), (5, 5), (6, 300), (63, 63), (64, 64), (64, 65), (65, 64), (127, 128), (128, 129), (129, 127), (200, 150),
    (257, 512), (640, 9), (385, 384), (511, 300),
)  # fmt: skip


def on_white(image: Image.Image) -> np.ndarray:
    """Returns the RGB pixels of an image with alpha, composited on white."""
    image = image.convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB"))


def files(random: np.random.Generator, folder: Path) -> Iterator[tuple[str, Path, np.ndarray]]:
    """Writes images of every kind that files can have; yields name, file and RGB pixels of each."""
    for kind in (waves, blocks, shapes, text):
        rgb = kind(random, int(random.integers(150, 400)), int(random.integers(150, 400)))
        image = Image.fromarray(rgb)
        alpha = Image.fromarray(gradient(random, *image.size)[:, :, 0])
        transparent, grey_transparent = image.copy(), image.convert("L")
        transparent.putalpha(alpha)
        grey_transparent.putalpha(alpha)
        for mode, made in (
            ("1", image.convert("1")), ("L", image.convert("L")), ("LA", grey_transparent), ("P", image.quantize(60)),
            ("RGB", image), ("RGBA", transparent),
        ):  # fmt: skip
            file = folder / f"{kind.__name__}-{mode}.png"
            made.save(file)
            yield f"{kind.__name__}, PNG {mode}", file, on_white(Image.open(file))
        deep = rgb.astype(np.uint16) * 257 - random.integers(0, 100, rgb.shape, np.uint16).clip(0, rgb)
        for name, pixels in (("16 bits", deep), ("16 bits grey", deep[:, :, 1])):
            file = folder / f"{kind.__name__}-{name}.png"
            cv2.imwrite(str(file), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
            yield f"{kind.__name__}, PNG {name}", file, np.asarray(Image.fromarray((pixels / 257).round().astype(np.uint8)).convert("RGB"))
        for mode, quality, subsampling in (("L", 90, 0), ("RGB", 60, 2), ("RGB", 92, 0), ("CMYK", 85, 0)):
            file = folder / f"{kind.__name__}-{mode}-{quality}.jpg"
            image.convert(mode).save(file, quality=quality, subsampling=subsampling)
            yield f"{kind.__name__}, JPEG {mode} {quality}", file, np.asarray(Image.open(file).convert("RGB"))
    # Large enough to be decoded at a half or a quarter.
    for kind, width, height in ((blocks, 1100, 1400), (shapes, 2200, 2050)):
        file = folder / f"{kind.__name__}-{width}.jpg"
        Image.fromarray(kind(random, width, height)).save(file, quality=85)
        yield f"{kind.__name__}, JPEG {width} × {height}", file, np.asarray(Image.open(file))


def main() -> None:
    folder = Path(sys.argv[1])
    random = np.random.default_rng(23)
    entries = []

    def add(name: str, pixels: np.ndarray, file: Path | None = None) -> None:
        path = folder / f"{len(entries)}.rgb"
        path.write_bytes(pixels.tobytes())
        bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
        digest = np.packbits(np.asarray(bits, np.uint8)).tobytes().hex()
        entries.append(
            {
                "name": name, "pixels": str(path), "file": str(file) if file else None, "width": pixels.shape[1],
                "height": pixels.shape[0], "hash": digest, "quality": int(quality),
            }
        )  # fmt: skip

    for kind in KINDS:
        for width, height in SIZES:
            add(f"{kind.__name__} of {width} × {height}", kind(random, width, height))
    for name, file, pixels in files(random, folder):
        add(name, pixels, file)
    (folder / "oracle.json").write_text(json.dumps(entries))


if __name__ == "__main__":
    main()
