"""Runs the Python preprocessing on a folder of images, for the comparison with Swift.

    python -m bifrons_training.publishing.parity --out FOLDER (--images FOLDER | --make 200 --portrait FILE)

Writes `parity.json`, a list with one entry per image in the order of their names. An entry has `file` (its path) and
either `error`, or `width`, `height`, `reduction`, `boxes` ([x, y, width, height] each), `landmarkTurn` (cosine and sine
of an angle by which all landmarks were rotated before use), `turned` (the clockwise rotation of each face in degrees
according to these landmarks), `views` (a file with the bytes of each square that the ResNet looks at) and
`probabilities` (of each square, by "model precision"). --make first generates images: portraits of every size, place
and angle on textures, in every kind of JPEG, PNG, WebP and GIF and with every kind of colour profile, and a few odd
sizes. `Tests/Worker/InferenceTests/ParityTests.swift` does the comparison.
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
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.evaluation.metrics import sigmoid
from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.preprocessing.locating import Locator
from bifrons_training.preprocessing.turning import turn_of
from bifrons_training.publishing.parity_images import make
from bifrons_training.workspace import MODELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif")

TURNS = (
    (1.0, 0.0), (0.8, 0.6), (0.0, 1.0), (-0.6, 0.8), (-1.0, 0.0), (-0.8, -0.6), (0.0, -1.0), (0.6, -0.8),
    (0.96, 0.28), (0.6, 0.8), (-0.28, 0.96), (-0.8, 0.6), (-0.96, -0.28), (-0.6, -0.8), (0.28, -0.96), (0.8, -0.6),
)  # fmt: skip
"""The rotations, as cosine and sine, of the landmarks in generated images: they give crops at all angles, whatever
angles a locator can detect."""


class Probabilities:
    """The published models' probabilities of squares, in f32 and, where available, in int8."""

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
        """Returns probabilities by "model precision"; `cut` maps a side to the squares [n, side, side, 3] uint8."""
        return {
            key: sigmoid(scorer.logits(cut(side)) * scale + bias).tolist()
            for key, (scorer, scale, bias, side) in self._lines.items()
        }


def turned_landmarks(points: np.ndarray, turn: tuple[float, float]) -> np.ndarray:
    """Returns landmarks [5, 2] rotated about the nose by `turn`, a cosine and a sine."""
    cosine, sine = turn
    away = points - points[2]
    x, y = away[:, 0], away[:, 1]
    return np.stack([points[2, 0] + (x * cosine - y * sine), points[2, 1] + (x * sine + y * cosine)], axis=1)


def examine(
    file: Path, locator: Locator, probabilities: Probabilities, out: Path, turn: tuple[float, float]
) -> dict[str, Any]:
    """Returns the entry of one image."""
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
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Preprocess a folder of images, for the comparison with Swift.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--models", type=Path, default=MODELS, help="the folder of the published models")
    parser.add_argument("--images", type=Path, help="a folder of images, searched with its subfolders")
    parser.add_argument("--make", type=int, default=0, help="number of images to generate instead")
    parser.add_argument("--portrait", type=Path, help="the face in the generated images")
    parser.add_argument("--most", type=int, default=1 << 30, help="the most images to use, evenly spread")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    images = options.images or options.out / "images"
    if options.make:
        with Image.open(options.portrait) as portrait:
            make(images, portrait.convert("RGB"), options.make)
    files = sorted(file for file in images.rglob("*") if file.suffix.lower() in SUFFIXES)
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
