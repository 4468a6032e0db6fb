"""Measures the published models on the validation split, each alone and merged, through the files that workers serve.

    python Models/training/evaluate.py --data FOLDER

Prints a table and writes Models/training/metrics.json, from which the model cards are written.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

import calibration
from data import HONEST_SOURCE, LABELS, DataError, Face, PixelCache, Splits, group_key, read_catalogue
from files import write_text
from locating import Locator
from scoring import Scorer
from train import DEFAULT_WORK, REPOSITORY

MODELS = REPOSITORY / "Models"
REPORT = MODELS / "training" / "metrics.json"


def origins(faces: list[Face]) -> list[str]:
    """The row of the tables each picture belongs to: its source, by generator where a source mixes several."""
    generators: dict[tuple[str, int], set[str]] = {}
    for face in faces:
        generators.setdefault((face.source, face.label), set()).add(face.generator)
    mixed = {source for source, names in generators.items() if len(names) > 1}
    return [f"{f.source} ({f.generator})" if (f.source, f.label) in mixed and f.generator else f.source for f in faces]


def measure(faces: list[Face], logits: np.ndarray, policy: dict[str, float] | None = None) -> dict[str, Any]:
    """All numbers of one scorer, from its calibrated logits of `faces`."""
    labels = np.array([face.label for face in faces])
    probabilities = calibration.sigmoid(logits)
    honest = np.array([face.source == HONEST_SOURCE for face in faces])
    names = origins(faces)
    groups = [group_key(face) for face in faces]
    report: dict[str, Any] = {}
    for part, where in (("honest_pair", honest), ("all", np.ones(len(faces), dtype=bool))):
        part_groups = [group for group, inside in zip(groups, where, strict=True) if inside]
        low, high = calibration.bootstrap_auc(labels[where], logits[where], part_groups)
        report[part] = {
            "n": int(where.sum()),
            "roc_auc": round(calibration.roc_auc(labels[where], logits[where]), 4),
            "roc_auc_95": [round(low, 4), round(high, 4)],
            "accuracy": round(float(((probabilities >= 0.5) == (labels == 1))[where].mean()), 4),
            "eer": round(calibration.equal_error_rate(labels[where], logits[where]), 4),
            "ece": round(calibration.calibration_error(labels[where], probabilities[where]), 4),
        }
    report["real"], report["ai_generated"] = {}, {}
    for (label, name), count in sorted(Counter(zip(labels.tolist(), names, strict=True)).items()):
        inside = np.array([(a, b) == (label, name) for a, b in zip(labels.tolist(), names, strict=True)])
        row: dict[str, Any] = {"n": count, "called_generated": round(float((probabilities >= 0.5)[inside].mean()), 4)}
        for action, threshold in (policy or {}).items():
            row[action] = round(float((probabilities >= threshold)[inside].mean()), 4)
        if label == 1:
            both = inside | (labels == 0)
            row["roc_auc_against_all_real"] = round(calibration.roc_auc(labels[both], logits[both]), 4)
        report["ai_generated" if label else "real"][name] = row
    for action, threshold in (policy or {}).items():
        above = probabilities >= threshold
        report[action] = {
            "threshold": threshold,
            "false_positives": round(float(above[labels == 0].mean()), 4),
            "true_positives": round(float(above[labels == 1].mean()), 4),
        }
    return report


def calibrated_logits(models: Path, names: list[str], pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Each published model's calibrated logits."""
    result = {}
    for name in names:
        manifest = json.loads((models / name / "manifest.json").read_text())
        raw = Scorer(models / name / manifest["file"]).logits(pictures)
        result[name] = manifest["calibration"]["scale"] * raw + manifest["calibration"]["bias"]
    return result


def merged_logits(ensemble: dict[str, Any], logits: dict[str, np.ndarray]) -> np.ndarray:
    """The blend of all models of an ensemble."""
    merge = next(m for m in ensemble["merge"] if sorted(m["models"]) == sorted(ensemble["models"]))
    parts = [weight * logits[name] for name, weight in zip(merge["models"], merge["weights"], strict=True)]
    return merge["bias"] + np.sum(parts, axis=0)


def evaluate(models: Path, cache: PixelCache, positions: list[int]) -> dict[str, Any]:
    """The whole report over the published models and their merge."""
    faces, pictures = [cache.faces[p] for p in positions], cache.inputs(positions)
    ensemble = json.loads((models / "ensemble.json").read_text())
    logits = calibrated_logits(models, ensemble["models"], pictures)
    report = {name: measure(faces, values) for name, values in logits.items()}
    report["merged"] = measure(faces, merged_logits(ensemble, logits), ensemble["policies"]["default"])
    report["merged"]["without_face"] = {
        label: round(1 - float(np.mean([cache.has_face(p) for p in positions if cache.faces[p].label == number])), 4)
        for label, number in LABELS.items()
    }
    return report


def table(report: dict[str, Any]) -> str:
    """The report's head lines as text."""
    lines = [f"{'':12}{'part':13}{'n':>6}{'ROC AUC':>9}{'95 %':>18}{'accuracy':>10}{'EER':>8}{'ECE':>8}"]
    for name, values in report.items():
        for part in ("honest_pair", "all"):
            v = values[part]
            interval = f"{v['roc_auc_95'][0]:.3f} to {v['roc_auc_95'][1]:.3f}"
            lines.append(
                f"{name:12}{part:13}{v['n']:6}{v['roc_auc']:9.4f}{interval:>18}{v['accuracy']:10.3f}"
                f"{v['eer']:8.3f}{v['ece']:8.3f}"
            )
    for label in ("real", "ai_generated"):
        lines.append(f"\nmerged, {label}:")
        for name, row in report["merged"][label].items():
            lines.append(f"  {name:32}" + "  ".join(f"{key} {value}" for key, value in row.items()))
    lines.append(f"no face found: {report['merged']['without_face']}")
    lines += [f"{action}: {report['merged'][action]}" for action in ("review", "block") if action in report["merged"]]
    return "\n".join(lines)


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the published models on the validation split.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    options = parser.parse_args()
    try:
        faces = read_catalogue(options.data)
        cache = PixelCache(options.data, options.work / "pixels", faces, Locator(options.models / "locator"))
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    positions = Splits.of(faces).validation
    report = evaluate(options.models, cache, positions)
    write_text(options.models / "training" / "metrics.json", json.dumps(report, indent=2) + "\n")
    print(table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
