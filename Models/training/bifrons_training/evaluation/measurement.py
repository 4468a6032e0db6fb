"""The metrics of one scorer, computed from its calibrated logits of labelled images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from bifrons_training.data.catalogue import HONEST_SOURCE, Face, group_key
from bifrons_training.evaluation import metrics


def origins(faces: list[Face]) -> list[str]:
    """Returns the table row of each face: its source, with the generator where a source mixes several."""
    generators: dict[tuple[str, int], set[str]] = {}
    for face in faces:
        generators.setdefault((face.source, face.label), set()).add(face.generator)
    mixed = {source for source, names in generators.items() if len(names) > 1}
    return [f"{f.source} ({f.generator})" if (f.source, f.label) in mixed and f.generator else f.source for f in faces]


def head_numbers(labels: np.ndarray, logits: np.ndarray, groups: list[str]) -> dict[str, Any]:
    """Returns the metrics of a set of images, each followed by its 95 % interval as NAME_95."""
    probabilities = metrics.sigmoid(logits)
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "roc_auc": lambda at: metrics.roc_auc(labels[at], logits[at]),
        "average_precision": lambda at: metrics.average_precision(labels[at], logits[at]),
        "eer": lambda at: metrics.equal_error_rate(labels[at], logits[at]),
        "accuracy": lambda at: float(((probabilities[at] >= 0.5) == (labels[at] == 1)).mean()),
        "tpr_at_0.5_fpr": lambda at: metrics.true_positive_rate(labels[at], logits[at], 0.005),
        "tpr_at_1_fpr": lambda at: metrics.true_positive_rate(labels[at], logits[at], 0.01),
        "ece": lambda at: metrics.calibration_error(labels[at], probabilities[at]),
    }
    intervals = metrics.bootstrap(measures, groups)
    numbers: dict[str, Any] = {"n": len(labels)}
    for name, measure in measures.items():
        numbers[name] = round(measure(np.arange(len(labels))), 4)
        numbers[f"{name}_95"] = [round(value, 4) for value in intervals[name]]
    return numbers


def slices(faces: list[Face]) -> Iterator[tuple[int, str, np.ndarray]]:
    """Yields (label, table row, mask of the faces in that row), real rows first."""
    labels, names = np.array([face.label for face in faces]), np.array(origins(faces))
    for label, name in sorted(set(zip(labels.tolist(), names.tolist(), strict=True))):
        yield label, name, (labels == label) & (names == name)


def part_name(label: int, name: str) -> str:
    """Returns the name of a slice in tables."""
    return f"{name}, {'generated' if label else 'real'}"


def slice_auc(labels: np.ndarray, logits: np.ndarray, label: int, inside: np.ndarray) -> float:
    """Returns the ROC AUC of a slice of class `label` against all images of the other class."""
    against = inside | (labels == 1 - label)
    return metrics.roc_auc(labels[against], logits[against])


def measure(faces: list[Face], logits: np.ndarray, policy: dict[str, float] | None = None) -> dict[str, Any]:
    """Returns all metrics of one scorer from its calibrated logits of `faces`; `policy` maps actions to thresholds."""
    labels = np.array([face.label for face in faces])
    probabilities = metrics.sigmoid(logits)
    honest = np.array([face.source == HONEST_SOURCE for face in faces])
    groups = [group_key(face) for face in faces]
    found: dict[str, Any] = {}
    for part, where in (("honest_pair", honest), ("all", np.ones(len(faces), dtype=bool))):
        chosen = [group for group, is_inside in zip(groups, where, strict=True) if is_inside]
        found[part] = head_numbers(labels[where], logits[where], chosen)
    found["reliability"] = [[round(v, 4) for v in row] for row in metrics.reliability(labels, probabilities)]
    false, true = metrics.roc_points(labels, logits)
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


def agreement(labels: np.ndarray, logits: dict[str, np.ndarray], names: list[str]) -> dict[str, float]:
    """Returns how the first two models' errors correlate: residuals, logits within a class, and wrong answers."""
    residuals = [metrics.sigmoid(logits[name]) - labels for name in names[:2]]
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
