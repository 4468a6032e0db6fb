"""The reference to which a router compares the logits that it sees: where the calibration's deciles lie."""

from __future__ import annotations

import itertools

import numpy as np

from bifrons_training.errors import DataError
from bifrons_training.evaluation.metrics import prior_weights

BINS = 10
"""The number of bins of the population stability index, each with the same share of the calibration's logits."""


def edges(logits: np.ndarray, labels: np.ndarray) -> list[float]:
    """Returns the `BINS` - 1 ascending edges between the bins of calibrated logits [n], rounded to four digits.

    The images weigh as in the calibration, so the bins hold for a stream of which the share `metrics.PRIOR` is
    generated. Raises `DataError` if two edges are equal: then there are too few different logits.
    """
    order = np.argsort(logits)
    below = np.cumsum(prior_weights(labels)[order])
    parts = np.arange(1, BINS) / BINS
    found = [round(float(logits[order[np.searchsorted(below, part)]]), 4) for part in parts]
    if any(left >= right for left, right in itertools.pairwise(found)):
        raise DataError(f"{len(logits)} logits give no {BINS} bins: two edges of {found} are equal")
    return found
