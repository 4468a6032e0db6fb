"""What preprocessing in Python gives for a folder of pictures, for the comparison with Swift.

    python Models/training/parity.py --out FOLDER (--pictures FOLDER | --make 200 --portrait FILE)

Writes `parity.json`, a list with one entry a picture in the order of their names: `file` (its path), and either `error` or
`width`, `height`, `reduction`, `boxes` ([x, y, width, height] each), `landmarkTurn` (cosine and sine of an angle by which
all landmarks were turned before they were used), `turned` (by how many degrees clockwise each face stands turned by
them), `views`, a file of the bytes of each square that the ResNet looks at, and `probabilities`, by "model precision"
those of each square. With --make the pictures are made first: portraits of every size, place and angle on textures, in
every kind of JPEG and PNG, with every kind of colour profile, and the odd ones.
`Tests/InferenceTests/ParityTests.swift` does the comparing.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, PngImagePlugin

import colour
import preprocessing
from calibration import sigmoid
from locating import Locator
from scoring import Scorer
from turning import turn_of

Random = np.random.Generator
SUFFIXES = (".jpg", ".jpeg", ".png")

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
COLOURS = (
    None,
    (colour.BT709, colour.SRGB_CURVE),
    (colour.DISPLAY_P3, colour.SRGB_CURVE),
    (colour.BT709[:1] + colour.BT709[:0:-1], colour.BT709_CURVE),
    (colour.BT2020, colour.power(1.8)),
)
"""What the pictures' colours mean: nothing said, sRGB, others, and red and blue exchanged."""
NUMBERS = (
    None,
    (b"cICP", bytes((12, 13, 0, 1))),
    (b"gAMA", (100_000).to_bytes(4, "big")),
    (b"cHRM", b"".join(int(value * 100_000).to_bytes(4, "big") for xy in colour.DISPLAY_P3 for value in xy)),
    (b"sRGB", b"\0"),
)
"""Chunks that say the same in PNG's own way."""
TURNS = (
    (1.0, 0.0), (0.8, 0.6), (0.0, 1.0), (-0.6, 0.8), (-1.0, 0.0), (-0.8, -0.6), (0.0, -1.0), (0.6, -0.8),
    (0.96, 0.28), (0.6, 0.8), (-0.28, 0.96), (-0.8, 0.6), (-0.96, -0.28), (-0.6, -0.8), (0.28, -0.96), (0.8, -0.6),
)  # fmt: skip
"""By what the landmarks of pictures that are made are turned: crops at all angles, whatever angles a locator can see."""

ODD = ((1, 1), (8, 8), (20000, 10), (10, 1400), (2, 700))


def canvas(random: Random, width: int, height: int) -> Image.Image:
    """A texture: coarse noise, and shapes on it."""
    cells = random.integers(0, 256, (int(random.integers(2, 30)), int(random.integers(2, 30)), 3), dtype=np.uint8)
    picture = Image.fromarray(cells).resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(0, 12))):
        x, y = random.uniform(0, width), random.uniform(0, height)
        reach = random.uniform(0, max(width, height) / 4)
        pen.ellipse((x, y, x + reach, y + reach), fill=tuple(int(v) for v in random.integers(0, 256, 3)))
    return picture


def compose(random: Random, portrait: Image.Image, width: int, height: int) -> Image.Image:
    """A texture with one to three portraits, turned, cut and blurred as it comes."""
    picture = canvas(random, width, height)
    for _ in range(int(random.integers(1, 4))):
        scale = float(np.exp(random.uniform(np.log(0.2), np.log(1.5)))) * min(width, height) / portrait.width
        size = (max(1, int(portrait.width * scale)), max(1, int(portrait.height * scale)))
        degrees = random.normal(0, 15) if random.random() < 0.5 else random.uniform(0, 360)
        pasted = portrait.resize(size, Image.Resampling.LANCZOS).rotate(degrees, expand=False)
        place = (int(random.uniform(-0.2, 0.7) * width), int(random.uniform(-0.2, 0.6) * height))
        picture.paste(pasted, place)
    return picture.filter(ImageFilter.GaussianBlur(1)) if random.random() < 0.2 else picture


def profile(mode: str, number: int) -> bytes | None:
    """One of the profiles, for a picture of Pillow's mode."""
    colours = COLOURS[number % len(COLOURS)]
    if colours is None:
        return None
    if mode == "CMYK":
        return ink_profile(colours[0] == colour.BT709)
    made = colour.made(*colours)
    assert made is not None
    if mode in ("L", "LA", "1") and number % 2:
        return made.content.replace(b"RGB ", b"GRAY", 1).replace(b"rTRC", b"kTRC", 1)
    return made.content


def ink_profile(plain: bool) -> bytes:
    """A profile of CMYK by a table of three steps: every ink darkens L*, the coloured ones shift a* or b*."""
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
    """Fills `folder` with pictures of every kind; the same ones every time."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        random = np.random.default_rng((11, number))
        longest = int(np.exp(random.uniform(np.log(60), np.log(2000 if number % 20 == 0 else 480))))
        size = (longest, max(1, int(longest * random.uniform(0.5, 1))))
        size = size if random.random() < 0.5 else size[::-1]
        if number < 2 * len(ODD):
            picture = canvas(random, *ODD[number // 2])
        elif number < 2 * len(ODD) + 2:
            picture = Image.new("RGB", size, "white")
        else:
            picture = compose(random, portrait, *size)
        exif = Image.Exif()
        if random.random() < 0.4:
            exif[0x0112] = int(random.integers(1, 9))
        if number % 2 == 0:
            options = dict(JPEGS[number // 2 % len(JPEGS)])
            picture = picture.convert(options.pop("mode", "RGB"))
            options["icc_profile"] = profile(picture.mode, number // 2 // len(JPEGS))
            picture.save(folder / f"{number:04}.jpg", exif=exif, **options)
        else:
            save_png(random, picture, number // 2, folder / f"{number:04}.png", exif)


def save_png(random: Random, picture: Image.Image, number: int, file: Path, exif: Image.Exif) -> None:
    """One of the PNG kinds, its colours told by a profile or in PNG's own way."""
    mode, round_ = PNGS[number % len(PNGS)], number // len(PNGS)
    if mode in ("RGBA", "LA"):
        alpha = Image.fromarray(random.integers(0, 256, picture.size[::-1], dtype=np.uint8))
        picture = picture.convert(mode)
        picture.putalpha(alpha)
    elif mode == "I;16":
        gray = np.asarray(picture.convert("L")).astype(np.uint16)
        picture = Image.fromarray(gray * 256 + random.integers(0, 256, gray.shape).astype(np.uint16))
    else:
        picture = picture.convert(mode)
    chunks = PngImagePlugin.PngInfo()
    said = NUMBERS[round_ // 2 % len(NUMBERS)] if round_ % 2 else None
    if said is not None:
        chunks.add(*said)
    kept = profile(mode, round_ // 2) if not round_ % 2 else None
    picture.save(file, exif=exif, pnginfo=chunks, icc_profile=kept)


class Probabilities:
    """What the published models say of squares, in f32 and, where they have it, in int8."""

    def __init__(self, models: Path) -> None:
        self._lines: dict[str, tuple[Scorer, float, float, int]] = {}
        for name in json.loads((models / "ensemble.json").read_text())["models"]:
            manifest = json.loads((models / name / "manifest.json").read_text())
            line = manifest["calibration"]["scale"], manifest["calibration"]["bias"], manifest["input"]["width"]
            for precision, network in (("f32", manifest), ("int8", manifest.get("int8"))):
                if network:
                    self._lines[f"{name} {precision}"] = Scorer(models / name / network["file"], threads=1), *line
        self.side = self._lines["resnet f32"][3]

    def of(self, cut: Callable[[int], np.ndarray]) -> dict[str, list[float]]:
        """By model and precision; `cut` gives the squares [n, side, side, 3] uint8 at a side."""
        return {
            key: sigmoid(scorer.logits(cut(side)) * scale + bias).tolist()
            for key, (scorer, scale, bias, side) in self._lines.items()
        }


def turned_landmarks(points: np.ndarray, turn: tuple[float, float]) -> np.ndarray:
    """Landmarks [5, 2] turned about the nose."""
    cosine, sine = turn
    away = points - points[2]
    x, y = away[:, 0], away[:, 1]
    return np.stack([points[2, 0] + (x * cosine - y * sine), points[2, 1] + (x * sine + y * cosine)], axis=1)


def examine(
    file: Path, locator: Locator, probabilities: Probabilities, out: Path, turn: tuple[float, float]
) -> dict[str, Any]:
    """One picture's entry."""
    try:
        decoded = preprocessing.decode(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return {"file": str(file), "error": f"{error}"}
    found = locator.faces(decoded)
    faces = [(face.box, turn_of(turned_landmarks(face.landmarks, turn))) for face in found]
    wanted = preprocessing.crops(faces, decoded.width, decoded.height)

    @functools.cache
    def cut(side: int) -> np.ndarray:
        return np.stack(preprocessing.views(file, decoded, wanted, side))

    target = out / f"{file.stem}-{file.suffix[1:]}.rgb"
    target.write_bytes(cut(probabilities.side).tobytes())
    return {
        "file": str(file),
        "width": decoded.width,
        "height": decoded.height,
        "reduction": decoded.reduction,
        "boxes": [box for box, _ in faces],
        "landmarkTurn": turn,
        "turned": [stands.degrees for _, stands in faces],
        "views": str(target),
        "probabilities": probabilities.of(cut),
    }


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Preprocess a folder of pictures, for the comparison with Swift.")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", type=Path, default=Path(__file__).resolve().parents[1])
    parser.add_argument("--pictures", type=Path, help="a folder; those in folders below it count as well")
    parser.add_argument("--make", type=int, default=0, help="make so many pictures instead")
    parser.add_argument("--portrait", type=Path, help="the face that goes into the pictures that are made")
    parser.add_argument("--most", type=int, default=1 << 30, help="take no more than so many, evenly spread")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pictures = options.pictures or options.out / "pictures"
    if options.make:
        with Image.open(options.portrait) as portrait:
            make(pictures, portrait.convert("RGB"), options.make)
    files = sorted(file for file in pictures.rglob("*") if file.suffix.lower() in SUFFIXES)
    step = max(1, len(files) // options.most)
    locator = Locator(options.models / "locator")
    probabilities = Probabilities(options.models)
    entries = [
        examine(file, locator, probabilities, options.out, TURNS[number % len(TURNS) if options.make else 0])
        for number, file in enumerate(files[::step][: options.most])
    ]
    (options.out / "parity.json").write_text(json.dumps(entries))
    return 0


if __name__ == "__main__":
    sys.exit(main())
