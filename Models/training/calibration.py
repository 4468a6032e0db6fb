"""From raw logits to probabilities: metrics, Platt's scaling, the blend of several models, and the thresholds."""

from __future__ import annotations

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x, dtype=np.float64)))


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """The chance that a generated picture scores above a real one, ties counted half (Mann and Whitney 1947)."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    positive, negative = int((labels == 1).sum()), int((labels == 0).sum())
    if not positive or not negative:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))
