"""Writes the reference of the drift measurement into the ensemble files, from the published networks.

    python -m bifrons_training.make_reference --data FOLDER

`make_models` writes it, too. This program needs only the images of the calibration, and changes nothing else.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from bifrons_training.data.catalogue import is_sealed, is_watched, read_catalogue, trained_before
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.errors import DataError, program
from bifrons_training.evaluation import served_models
from bifrons_training.files import write_text
from bifrons_training.preprocessing.locating import Locator
from bifrons_training.publishing import reference
from bifrons_training.workspace import DEFAULT_WORK, MODELS


def write(models: Path, cache: PixelCache) -> None:
    """Writes the reference into the ensemble files of `models`, from the faces of `cache`, which calibrate."""
    positions = list(range(len(cache.faces)))
    labels = np.array([face.label for face in cache.faces])
    if set(labels.tolist()) != {0, 1}:
        raise DataError("faces.csv needs real and generated images of sources in catalogue.WATCHED: they calibrate")
    published = served_models.Published(models)
    images = {side: cache.inputs(positions, side) for side in sorted(set(published.sides.values()))}
    logits = published.logits(images)
    for merge, ensemble in published.ensembles.items():
        ensemble["reference"] = {
            name: {
                "version": json.loads((models / name / "manifest.json").read_text())["version"],
                "edges": reference.edges(logits[name], labels),
            }
            for name in ensemble["models"]
        }
        write_text(models / served_models.ENSEMBLES[merge], json.dumps(ensemble, indent=2) + "\n")


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Write the reference of the drift measurement.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--models", type=Path, default=MODELS, help="the folder with the ensemble files")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for the decoded images")
    options = parser.parse_args()
    faces = [
        face
        for face in read_catalogue(options.data)
        if is_watched(face) and not is_sealed(face) and not trained_before(face)
    ]
    cache = PixelCache(options.data, options.work / "calibration", faces, Locator(options.models / "locator"))
    write(options.models, cache)
    print(f"{len(faces)} images, of which {sum(face.label == 0 for face in faces)} are real")
    return 0


if __name__ == "__main__":
    sys.exit(main())
