"""Measures the published models on the validation split, each alone and merged, through the files that workers serve.

    python Models/training/evaluate.py --data FOLDER [--sheets FOLDER]

Prints a table; writes Models/evaluation/: metrics.json, the report README.md and its pictures. The model cards are written
from the same numbers. --sheets writes contact sheets of the best, the worst and random pictures with their activation
maps: they show research pictures and are not to be published.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import calibration
import report
from conditions import CONDITIONS, VIEWS, changed
from data import HONEST_SOURCE, LABELS, Face, PixelCache, Splits, group_key
from errors import program
from files import write_text
from preprocessing import Decoded, view
from scoring import Scorer
from workplace import DEFAULT_WORK, MODELS, open_cache


def origins(faces: list[Face]) -> list[str]:
    """The row of the tables each picture belongs to: its source, by generator where a source mixes several."""
    generators: dict[tuple[str, int], set[str]] = {}
    for face in faces:
        generators.setdefault((face.source, face.label), set()).add(face.generator)
    mixed = {source for source, names in generators.items() if len(names) > 1}
    return [f"{f.source} ({f.generator})" if (f.source, f.label) in mixed and f.generator else f.source for f in faces]


def head_numbers(labels: np.ndarray, logits: np.ndarray, groups: list[str]) -> dict[str, Any]:
    """The numbers of one part of the pictures, each with its 95 % interval as NAME_95."""
    probabilities = calibration.sigmoid(logits)
    measures = {
        "roc_auc": lambda at: calibration.roc_auc(labels[at], logits[at]),
        "average_precision": lambda at: calibration.average_precision(labels[at], logits[at]),
        "eer": lambda at: calibration.equal_error_rate(labels[at], logits[at]),
        "accuracy": lambda at: float(((probabilities[at] >= 0.5) == (labels[at] == 1)).mean()),
        "tpr_at_0.5_fpr": lambda at: calibration.true_positive_rate(labels[at], logits[at], 0.005),
        "tpr_at_1_fpr": lambda at: calibration.true_positive_rate(labels[at], logits[at], 0.01),
        "ece": lambda at: calibration.calibration_error(labels[at], probabilities[at]),
    }
    intervals = calibration.bootstrap(measures, groups)
    numbers: dict[str, Any] = {"n": len(labels)}
    for name, measure in measures.items():
        numbers[name] = round(measure(np.arange(len(labels))), 4)
        numbers[f"{name}_95"] = [round(value, 4) for value in intervals[name]]
    return numbers


def slices(faces: list[Face]) -> Iterator[tuple[int, str, np.ndarray]]:
    """(label, row of the tables, which of the pictures stand in it), real ones first."""
    labels, names = np.array([face.label for face in faces]), np.array(origins(faces))
    for label, name in sorted(set(zip(labels.tolist(), names.tolist(), strict=True))):
        yield label, name, (labels == label) & (names == name)


def part_name(label: int, name: str) -> str:
    """A slice as tables call it."""
    return f"{name}, {'generated' if label else 'real'}"


def slice_auc(labels: np.ndarray, logits: np.ndarray, label: int, inside: np.ndarray) -> float:
    """The ROC AUC of a slice of class `label` against all pictures of the other class."""
    against = inside | (labels == 1 - label)
    return calibration.roc_auc(labels[against], logits[against])


def measure(faces: list[Face], logits: np.ndarray, policy: dict[str, float] | None = None) -> dict[str, Any]:
    """All numbers of one scorer, from its calibrated logits of `faces`."""
    labels = np.array([face.label for face in faces])
    probabilities = calibration.sigmoid(logits)
    honest = np.array([face.source == HONEST_SOURCE for face in faces])
    groups = [group_key(face) for face in faces]
    found: dict[str, Any] = {}
    for part, where in (("honest_pair", honest), ("all", np.ones(len(faces), dtype=bool))):
        inside = [group for group, chosen in zip(groups, where, strict=True) if chosen]
        found[part] = head_numbers(labels[where], logits[where], inside)
    found["reliability"] = [[round(v, 4) for v in row] for row in calibration.reliability(labels, probabilities)]
    false, true = calibration.roc_points(labels, logits)
    steps = np.unique(np.searchsorted(false, np.linspace(0, 1, 201)).clip(0, len(false) - 1))
    found["roc"] = [[round(float(false[i]), 4), round(float(true[i]), 4)] for i in steps]
    found["real"], found["ai_generated"] = {}, {}
    for label, name, inside in slices(faces):
        called = float((probabilities >= 0.5)[inside].mean())
        row: dict[str, Any] = {"n": int(inside.sum()), "called_generated": round(called, 4)}
        for action, threshold in (policy or {}).items():
            row[action] = round(float((probabilities >= threshold)[inside].mean()), 4)
        row["roc_auc"] = round(slice_auc(labels, logits, label, inside), 4)
        found["ai_generated" if label else "real"][name] = row
    for action, threshold in (policy or {}).items():
        above = probabilities >= threshold
        found[action] = {
            "threshold": threshold,
            "false_positives": round(float(above[labels == 0].mean()), 4),
            "true_positives": round(float(above[labels == 1].mean()), 4),
        }
    return found


def served(manifest: dict[str, Any], precision: str | None = None) -> tuple[str, tuple[float, float]]:
    """The network that a worker loads for a precision, its manifest's own if none is asked for, and its calibration: a file
    name, and scale and bias."""
    part = manifest["int8"] if (precision or manifest["precision"]) == "int8" else manifest
    line = part.get("calibration", manifest["calibration"])
    return part["file"], (line["scale"], line["bias"])


class Published:
    """The models of a folder as they are served: pictures in, calibrated logits out."""

    def __init__(self, models: Path) -> None:
        self.ensemble = json.loads((models / "ensemble.json").read_text())
        self.names: list[str] = self.ensemble["models"]
        manifests = {name: json.loads((models / name / "manifest.json").read_text()) for name in self.names}
        files = {name: served(manifest) for name, manifest in manifests.items()}
        self.scorers = {name: Scorer(models / name / file) for name, (file, _) in files.items()}
        self.lines = {name: line for name, (_, line) in files.items()}
        """Scale and bias of each model's calibration, in the precision that is served."""

    def logits(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Each model's calibrated logits, and those of the merge as "merged"."""
        found = {}
        for name in self.names:
            scale, bias = self.lines[name]
            found[name] = scale * self.scorers[name].logits(pictures) + bias
        return {**found, "merged": merged_logits(self.ensemble, found)}


def merged_logits(ensemble: dict[str, Any], logits: dict[str, np.ndarray]) -> np.ndarray:
    """The blend of all models of an ensemble."""
    merge = next(m for m in ensemble["merge"] if sorted(m["models"]) == sorted(ensemble["models"]))
    parts = [weight * logits[name] for name, weight in zip(merge["models"], merge["weights"], strict=True)]
    return merge["bias"] + np.sum(parts, axis=0)


def agreement(labels: np.ndarray, logits: dict[str, np.ndarray], names: list[str]) -> dict[str, float]:
    """How the first two models' errors go together: of the residuals, of the logits within a class, of wrong answers."""
    residuals = [calibration.sigmoid(logits[name]) - labels for name in names[:2]]
    wrong = [np.abs(residual) > 0.5 for residual in residuals]
    inside = [float(np.corrcoef(*(logits[name][labels == c] for name in names[:2]))[0, 1]) for c in (0, 1)]
    return {
        "residual_correlation": round(float(np.corrcoef(*residuals)[0, 1]), 4),
        "logit_correlation_real": round(inside[0], 4),
        "logit_correlation_generated": round(inside[1], 4),
        "wrong_first": round(float(wrong[0].mean()), 4),
        "wrong_second": round(float(wrong[1].mean()), 4),
        "wrong_both": round(float((wrong[0] & wrong[1]).mean()), 4),
        "wrong_both_if_independent": round(float(wrong[0].mean() * wrong[1].mean()), 4),
    }


def condition_views(cache: PixelCache, positions: list[int], condition: str) -> np.ndarray:
    """The pictures' squares after a change, as workers would cut them: [n, SIDE, SIDE, 3] uint8."""
    views = []
    for position in positions:
        square, turn = cache.crop(position)
        image, square = changed(cache.image(position), square, condition)
        views.append(view(Decoded(image, *image.size, 1), square, turn=turn))
    return np.stack(views)


def never_trained(published: Published, cache: PixelCache, positions: list[int]) -> dict[str, dict[str, Any]]:
    """A row for each source that stopped the trainings and is in none: by condition and scorer the share called generated."""
    faces = [cache.faces[p] for p in positions]
    parts = [(part_name(label, name), inside) for label, name, inside in slices(faces)]
    rows: dict[str, dict[str, Any]] = {name: {"n": int(inside.sum()), "called_generated": {}} for name, inside in parts}
    for condition in ("as it is", *VIEWS) if faces else ():
        logits = published.logits(condition_views(cache, positions, condition))
        for name, inside in parts:
            shares = {scorer: round(float((values[inside] > 0).mean()), 4) for scorer, values in logits.items()}
            rows[name]["called_generated"][condition] = shares
    return rows


def evaluate(models: Path, cache: PixelCache, splits: Splits, precisions: dict[str, Any]) -> dict[str, Any]:
    """The whole report over the published models and their merge, on the validation split.

    `precisions` is what make_models.py says of number formats: which is served, how they compare, and how far apart int8's
    logits lie by instruction set.
    """
    positions = splits.validation
    faces = [cache.faces[p] for p in positions]
    labels = np.array([face.label for face in faces])
    honest = np.array([face.source == HONEST_SOURCE for face in faces])
    published = Published(models)
    found: dict[str, Any] = {"conditions": {}, "precisions": precisions}
    for condition in CONDITIONS:
        logits = published.logits(condition_views(cache, positions, condition))
        if condition == "as it is":
            for name, values in logits.items():
                policy = published.ensemble["policies"]["default"]
                thresholds = {action: policy[action] for action in ("review", "block")}
                found[name] = measure(faces, values, thresholds if name == "merged" else None)
            found["agreement"] = agreement(labels, logits, published.names)
        if condition == "equalised":
            found["equalised"] = {
                name: head_numbers(labels, values, [group_key(face) for face in faces])
                for name, values in logits.items()
            }
        found["conditions"][condition] = {
            name: {
                "roc_auc": round(calibration.roc_auc(labels, values), 4),
                "roc_auc_honest_pair": round(calibration.roc_auc(labels[honest], values[honest]), 4),
                "false_positives": round(float((values[labels == 0] > 0).mean()), 4),
            }
            for name, values in logits.items()
        }
    found["never_trained"] = never_trained(published, cache, splits.watched)
    found["merged"]["without_face"] = {
        label: round(1 - float(np.mean([cache.has_face(p) for p in positions if cache.faces[p].label == number])), 4)
        for label, number in LABELS.items()
    }
    return found


def table(found: dict[str, Any]) -> str:
    """The report's head lines as text."""
    lines = [f"{'':10} {'honest pair':>22} {'all sources':>22} {'TPR at 1 %':>11} {'ECE':>6}"]
    for name in (name for name in found if "all" in found[name]):
        honest, everything = found[name]["honest_pair"], found[name]["all"]
        cells = [
            f"{part['roc_auc']:.3f} ({part['roc_auc_95'][0]:.3f}-{part['roc_auc_95'][1]:.3f})"
            for part in (honest, everything)
        ]
        lines.append(
            f"{name:10} {cells[0]:>22} {cells[1]:>22} {everything['tpr_at_1_fpr']:11.3f} {everything['ece']:6.3f}"
        )
    return "\n".join(lines)


def publish(models: Path, found: dict[str, Any]) -> None:
    """Writes the report's folder."""
    folder = models / "evaluation"
    folder.mkdir(exist_ok=True)
    write_text(folder / "metrics.json", json.dumps(found, indent=1) + "\n")
    report.write(folder, found)


@program
def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the published models of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    parser.add_argument("--sheets", type=Path, help="where contact sheets with activation maps go")
    options = parser.parse_args()
    cache = open_cache(options.data, options.work, options.models)
    splits = Splits.of(cache.faces)
    positions = splits.validation
    known = json.loads((options.models / "evaluation" / "metrics.json").read_text())
    found = evaluate(options.models, cache, splits, known["precisions"])
    publish(options.models, found)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        pictures = cache.inputs(positions)
        published = Published(options.models)
        logits = published.logits(pictures)
        for name in published.names:
            labels = np.array([cache.faces[p].label for p in positions])
            report.sheet(options.sheets / f"{name}.png", pictures, labels, logits[name], published.scorers[name])
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
