"""The published models as workers serve them: from images to calibrated logits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.evaluation.scorer import Scorer

ENSEMBLES = {"merged": "ensemble.json", "merged-efficientnet": "ensemble-efficientnet.json"}
"""The file of each ensemble, by the name of its merge: that of the default pair, and that of all three models."""


def read_ensembles(models: Path) -> dict[str, dict[str, Any]]:
    """Returns the contents of each ensemble file that a folder of models holds, by the name of the merge."""
    files = {name: models / file for name, file in ENSEMBLES.items()}
    return {name: json.loads(file.read_text()) for name, file in files.items() if file.is_file()}


def served(manifest: dict[str, Any], precision: str | None = None) -> tuple[str, tuple[float, float]]:
    """Returns the network file that a worker loads for a precision, with the scale and bias of its calibration.

    Without a precision it is the one that the manifest names.
    """
    part = manifest["int8"] if (precision or manifest["precision"]) == "int8" else manifest
    line = part.get("calibration", manifest["calibration"])
    return part["file"], (line["scale"], line["bias"])


class Published:
    """The models of a folder in the precision that is served, and their merges."""

    def __init__(self, models: Path) -> None:
        self.ensembles = read_ensembles(models)
        self.names = list(dict.fromkeys(name for ensemble in self.ensembles.values() for name in ensemble["models"]))
        manifests = {name: json.loads((models / name / "manifest.json").read_text()) for name in self.names}
        files = {name: served(manifest) for name, manifest in manifests.items()}
        self.scorers = {name: Scorer(models / name / file) for name, (file, _) in files.items()}
        self.lines = {name: line for name, (_, line) in files.items()}
        """Scale and bias of each model's calibration in the precision that is served."""
        self.sides = {name: int(manifest["input"]["width"]) for name, manifest in manifests.items()}
        """The side of each model's input in pixels."""

    def logits(self, images: Mapping[int, np.ndarray]) -> dict[str, np.ndarray]:
        """Returns calibrated logits [n]: those of each model, and of each merge after those of its models.

        `images` holds the same images at every side in `sides`, each [n, side, side, 3] uint8.
        """
        found: dict[str, np.ndarray] = {}
        for merge, ensemble in self.ensembles.items():
            for name in ensemble["models"]:
                if name not in found:
                    scale, bias = self.lines[name]
                    found[name] = scale * self.scorers[name].logits(images[self.sides[name]]) + bias
            found[merge] = merged_logits(ensemble, found)
        return found


def merged_logits(ensemble: dict[str, Any], logits: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the blended logits of all models of an ensemble."""
    merge = next(m for m in ensemble["merge"] if sorted(m["models"]) == sorted(ensemble["models"]))
    parts = [weight * logits[name] for name, weight in zip(merge["models"], merge["weights"], strict=True)]
    merged: np.ndarray = merge["bias"] + np.sum(parts, axis=0)
    return merged
