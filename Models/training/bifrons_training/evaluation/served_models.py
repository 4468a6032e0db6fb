"""The published models as workers serve them: from images to calibrated logits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.evaluation.scorer import Scorer


def served(manifest: dict[str, Any], precision: str | None = None) -> tuple[str, tuple[float, float]]:
    """Returns the network file that a worker loads for a precision, with the scale and bias of its calibration.

    Without a precision it is the one that the manifest names.
    """
    part = manifest["int8"] if (precision or manifest["precision"]) == "int8" else manifest
    line = part.get("calibration", manifest["calibration"])
    return part["file"], (line["scale"], line["bias"])


class Published:
    """The models of a folder in the precision that is served."""

    def __init__(self, models: Path) -> None:
        self.ensemble = json.loads((models / "ensemble.json").read_text())
        self.names: list[str] = self.ensemble["models"]
        manifests = {name: json.loads((models / name / "manifest.json").read_text()) for name in self.names}
        files = {name: served(manifest) for name, manifest in manifests.items()}
        self.scorers = {name: Scorer(models / name / file) for name, (file, _) in files.items()}
        self.lines = {name: line for name, (_, line) in files.items()}
        """Scale and bias of each model's calibration in the precision that is served."""

    def logits(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Returns each model's calibrated logits [n] of images [n, SIDE, SIDE, 3] uint8, and the merge as "merged"."""
        found = {}
        for name in self.names:
            scale, bias = self.lines[name]
            found[name] = scale * self.scorers[name].logits(images) + bias
        return {**found, "merged": merged_logits(self.ensemble, found)}


def merged_logits(ensemble: dict[str, Any], logits: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the blended logits of all models of an ensemble."""
    merge = next(m for m in ensemble["merge"] if sorted(m["models"]) == sorted(ensemble["models"]))
    parts = [weight * logits[name] for name, weight in zip(merge["models"], merge["weights"], strict=True)]
    merged: np.ndarray = merge["bias"] + np.sum(parts, axis=0)
    return merged
