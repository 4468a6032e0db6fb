"""Metrics of scores against labels. Labels are 0 for real and 1 for generated; higher scores mean generated."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

PRIOR = 0.25
"""The share of generated images for which calibrations hold and in which calibration errors are weighted.

A queue of images to moderate has far fewer generated ones than half. At an even prior, every fourth photograph of an
unknown camera was called generated at a probability of 0.5.
"""


def prior_weights(labels: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """Returns a weight for each image so that the generated ones weigh `prior` and the real ones 1 - `prior` in all."""
    generated = labels == 1
    ones, zeros = max(1, int(generated.sum())), max(1, int((~generated).sum()))
    return np.where(generated, prior / ones, (1 - prior) / zeros)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + e^-x), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(x, dtype=np.float64)))


def roc_auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the probability that a generated image outscores a real one, ties as half (Mann and Whitney 1947)."""
    labels, scores = np.asarray(labels), np.asarray(scores, dtype=np.float64)
    positive, negative = int((labels == 1).sum()), int((labels == 0).sum())
    if not positive or not negative:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[place]
    return float((ranks[labels == 1].sum() - positive * (positive + 1) / 2) / (positive * negative))


def roc_points(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the (false, true) positive rates at every distinct threshold, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    hits, last = labels[order] == 1, np.append(np.diff(scores[order]) != 0, True)
    true, false = np.cumsum(hits)[last], np.cumsum(~hits)[last]
    return np.append(0, false) / false[-1], np.append(0, true) / true[-1]


def equal_error_rate(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the error rate at the threshold where false positives and false negatives are equally frequent."""
    false, true = roc_points(labels, scores)
    place = int(np.argmin(np.abs(false - (1 - true))))
    return float((false[place] + 1 - true[place]) / 2)


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Returns the mean precision at the generated images in order of their scores, without interpolation."""
    order = np.argsort(-scores, kind="stable")
    hits, last = labels[order] == 1, np.append(np.diff(scores[order]) != 0, True)
    true, seen = np.cumsum(hits)[last], np.flatnonzero(last) + 1
    return float((np.diff(np.append(0, true)) * true / seen).sum() / max(1, true[-1]))


def true_positive_rate(labels: np.ndarray, scores: np.ndarray, false_positives: float) -> float:
    """Returns the largest true positive rate at a false positive rate of at most `false_positives`."""
    false, true = roc_points(labels, scores)
    return float(true[false <= false_positives].max())


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> list[tuple[float, float, float]]:
    """Returns (mean probability, share of generated images, weight) of every non-empty bin of equal width.

    Images are weighted by `prior_weights`.
    """
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    weights = prior_weights(labels)
    mass, given, found = (np.bincount(place, weights * x, bins) for x in (np.ones(len(labels)), probabilities, labels))
    return [(float(given[b] / mass[b]), float(found[b] / mass[b]), float(mass[b])) for b in np.flatnonzero(mass)]


def calibration_error(labels: np.ndarray, probabilities: np.ndarray, bins: int = 15) -> float:
    """Returns the expected calibration error: the mean gap between probability and frequency over equal-width bins.

    Images are weighted by `prior_weights`.
    """
    bars = reliability(labels, probabilities, bins)
    return sum(abs(mean - share) * mass for mean, share, mass in bars) / sum(mass for _, _, mass in bars)


def share_interval(count: int, of: int) -> tuple[float, float]:
    """Returns the 95 % interval of a share that was measured as `count` of `of` (Wilson 1927)."""
    z = 1.959964
    share, scale = count / of, 1 + z * z / of
    centre = (share + z * z / (2 * of)) / scale
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / scale
    return max(0.0, centre - half), min(1.0, centre + half)


def bootstrap(
    measures: dict[str, Callable[[np.ndarray], float]], groups: list[str], rounds: int = 500, seed: int = 7
) -> dict[str, tuple[float, float]]:
    """Returns bootstrapped 95 % intervals of measures, each a function of the drawn positions.

    Whole groups are drawn with replacement, because the images of a group are not independent.
    """
    members: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    parts, random = [np.array(m) for m in members.values()], np.random.default_rng(seed)
    values: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(rounds):
        drawn = np.concatenate([parts[i] for i in random.integers(len(parts), size=len(parts))])
        for name, measure in measures.items():
            values[name].append(measure(drawn))
    return {name: tuple(np.nanquantile(found, [0.025, 0.975]).tolist()) for name, found in values.items()}


def standard_error(area: float, labels: np.ndarray) -> float:
    """Returns the standard error of a ROC AUC `area`.

    The formula is that of Hanley and McNeil 1982, "The meaning and use of the area under a ROC curve".
    """
    ones, zeros = int(labels.sum()), int((labels == 0).sum())
    both_ones, both_zeros = area / (2 - area), 2 * area**2 / (1 + area)
    rest = (ones - 1) * (both_ones - area**2) + (zeros - 1) * (both_zeros - area**2)
    return math.sqrt((area * (1 - area) + rest) / (ones * zeros))
