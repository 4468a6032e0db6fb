"""Measures how rotated images without an orientation flag change the verdict, on faces of the validation split.

    python -m bifrons_training.experiments.turned --data FOLDER [--faces 60] [--upright] [--out FILE]

For rotations in steps of 15 degrees it counts the generated faces that the merged models miss at a probability of 0.5,
and the real faces that they call generated, with the full preprocessing and the files that workers serve. `--upright`
leaves all crops as they stand, as before preprocessing version 3. Prints a Markdown table; `--out` writes JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.data.catalogue import Face, read_catalogue
from bifrons_training.errors import program
from bifrons_training.evaluation.served_models import Published
from bifrons_training.files import write_text
from bifrons_training.preprocessing import Decoded
from bifrons_training.preprocessing.locating import Locator
from bifrons_training.preprocessing.turning import UPRIGHT
from bifrons_training.workspace import MODELS

STEP = 15
CANVAS = 1.5
"""The side of the canvas as a multiple of the image's diagonal: nothing is cut off, and some background shows."""

BACKGROUND = (118, 124, 130)


@dataclass
class Row:
    """The counts at one angle."""

    generated: int = 0
    missed: int = 0
    real: int = 0
    called_generated: int = 0
    without_face: int = 0

    def numbers(self) -> dict[str, Any]:
        """Returns the counts as JSON values."""
        return {
            "generated": self.generated,
            "missed": self.missed,
            "real": self.real,
            "called_generated": self.called_generated,
            "without_face": self.without_face,
        }


def chosen(faces: list[Face], label: int, count: int) -> list[Face]:
    """Returns up to `count` validation faces of a class, taken from all of its sources in turn."""
    by_source: dict[str, list[Face]] = {}
    for face in faces:
        if face.split == "val" and face.label == label:
            by_source.setdefault(face.source, []).append(face)
    queues = [iter(members) for _, members in sorted(by_source.items())]
    result: list[Face] = []
    while queues and len(result) < count:
        drawn = [(queue, following) for queue in queues if (following := next(queue, None))]
        queues = [queue for queue, _ in drawn]
        result += [following for _, following in drawn]
    return result[:count]


def on_canvas(image: Image.Image, degrees: float) -> Image.Image:
    """Returns the image centred on a larger plain canvas that is rotated clockwise by `degrees`."""
    side = round(CANVAS * np.hypot(*image.size))
    canvas = Image.new("RGB", (side, side), BACKGROUND)
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    if degrees % 90 == 0:
        return canvas.rotate(-degrees)
    return canvas.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=BACKGROUND)


def logits(locator: Locator, published: Published, image: Image.Image, upright: bool) -> tuple[float, bool]:
    """Returns the highest merged logit over the faces of an image, and whether a face was found."""
    decoded = Decoded(image, *image.size, 1)
    stances = [(box, UPRIGHT if upright else turn) for box, turn in locator.stances(decoded)]
    crops = preprocessing.crops(stances, *image.size)
    views = {
        side: np.stack([preprocessing.view(decoded, crop.square, side, crop.turn) for crop in crops])
        for side in set(published.sides.values())
    }
    return float(published.logits(views)["merged"].max()), bool(stances)


def measure(data: Path, models: Path, count: int, upright: bool) -> dict[int, Row]:
    """Returns the counts of every angle, for up to `count` faces of each class."""
    locator, published = Locator(models / "locator"), Published(models)
    faces = read_catalogue(data)
    rows = {degrees: Row() for degrees in range(0, 360, STEP)}
    for label in (1, 0):
        for face in chosen(faces, label, count):
            image = preprocessing.decode(data / face.path, 1).image
            for degrees, row in rows.items():
                logit, found = logits(locator, published, on_canvas(image, degrees), upright)
                row.without_face += not found
                if label:
                    row.generated, row.missed = row.generated + 1, row.missed + (logit <= 0)
                else:
                    row.real, row.called_generated = row.real + 1, row.called_generated + (logit > 0)
    return rows


def table(rows: dict[int, Row]) -> str:
    """Formats the counts as a Markdown table."""
    lines = [
        "| turned by | generated faces missed | real faces called generated | no face found |",
        "|---|---|---|---|",
    ]
    for degrees, row in rows.items():
        lines.append(
            f"| {degrees}° | {row.missed} of {row.generated} | {row.called_generated} of {row.real} | "
            f"{row.without_face} of {row.generated + row.real} |"
        )
    return "\n".join(lines)


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure how rotated images change the verdict.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--models", type=Path, default=MODELS, help="the folder of the published models")
    parser.add_argument("--faces", type=int, default=60, help="number of faces of each class (default: 60)")
    parser.add_argument("--upright", action="store_true", help="do not rotate the crops upright")
    parser.add_argument("--out", type=Path, help="a JSON file for the counts")
    options = parser.parse_args()
    rows = measure(options.data, options.models, options.faces, options.upright)
    if options.out:
        write_text(options.out, json.dumps({d: row.numbers() for d, row in rows.items()}, indent=1) + "\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
