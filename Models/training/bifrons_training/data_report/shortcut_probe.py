"""How well features that cannot see a face separate real from generated: what a network may learn instead of faces."""

from __future__ import annotations

import numpy as np

from bifrons_training.evaluation.calibration import fit_logistic
from bifrons_training.evaluation.metrics import roc_auc

FOLDS = 4
MOST = 400
LEAST = 25
"""The most images of a source in the probe, and the fewest: smaller sources are left out."""


def probe(real: np.ndarray, generated: np.ndarray, real_groups: list[str], generated_groups: list[str]) -> float:
    """Returns the cross-validated ROC AUC of a logistic regression on features [n, k]; groups stay in one fold.

    With few images, chance alone can push it below 0.5.
    """
    features = np.vstack([real, generated])
    labels = np.array([0] * len(real) + [1] * len(generated))
    names = [*real_groups, *generated_groups]
    order = {name: place for place, name in enumerate(sorted(set(names), key=_shuffle))}
    fold = np.array([order[name] % FOLDS for name in names])
    scores = np.full(len(labels), np.nan)
    for held in range(FOLDS):
        train = fold != held
        if not (~train).any() or len(set(labels[train])) < 2:
            continue
        mean, deviation = features[train].mean(axis=0), features[train].std(axis=0) + 1e-9
        weights, bias = fit_logistic((features[train] - mean) / deviation, labels[train], ridge=1e-3)
        scores[~train] = (features[~train] - mean) / deviation @ np.array(weights) + bias
    known = ~np.isnan(scores)
    return roc_auc(labels[known], scores[known])


def _shuffle(name: str) -> int:
    """Returns a sort key of a group that is unrelated to its name and the same in every run."""
    import hashlib

    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")


def table(
    features: np.ndarray, labels: np.ndarray, sources: list[str], groups: list[str]
) -> tuple[list[str], list[str], np.ndarray]:
    """Returns the real sources, the generated sources and the ROC AUC of each pair, [real, generated]."""
    members: dict[tuple[int, str], np.ndarray] = {}
    for label in (0, 1):
        for source in sorted({s for s, is_generated in zip(sources, labels, strict=True) if is_generated == label}):
            where = np.flatnonzero((labels == label) & (np.array(sources) == source))
            if len(where) >= LEAST:
                members[label, source] = where[:: max(1, len(where) // MOST)][:MOST]
    rows = [source for label, source in members if label == 0]
    columns = [source for label, source in members if label == 1]
    values = np.zeros((len(rows), len(columns)))
    for r, real in enumerate(rows):
        for c, generated in enumerate(columns):
            first, second = members[0, real], members[1, generated]
            values[r, c] = probe(
                features[first], features[second], [groups[i] for i in first], [groups[i] for i in second]
            )
    return rows, columns, values
