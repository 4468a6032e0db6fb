"""The reference of the drift measurement, tested against its definition."""

import numpy as np
import pytest

from bifrons_training.errors import DataError
from bifrons_training.evaluation.metrics import prior_weights
from bifrons_training.publishing import reference


def test_each_bin_has_the_same_share_of_the_weights_of_the_calibration():
    random = np.random.default_rng(3)
    labels = (random.random(5000) < 0.7).astype(int)
    logits = random.normal(2.0 * labels, 1)
    edges = reference.edges(logits, labels)
    assert len(edges) == reference.BINS - 1
    bins = np.searchsorted(edges, logits)
    shares = np.bincount(bins, prior_weights(labels), reference.BINS)
    assert shares == pytest.approx(np.full(reference.BINS, 0.1), abs=0.002)


def test_edges_of_equal_weights_are_the_deciles():
    labels = np.array([0] * 750 + [1] * 250)  # As in the calibration's stream, so that all weigh the same.
    logits = np.random.default_rng(4).permutation(np.arange(1000.0))
    assert reference.edges(logits, labels) == pytest.approx(np.arange(100.0, 1000, 100), abs=1)


def test_too_few_different_logits_are_refused():
    with pytest.raises(DataError, match="two edges"):
        reference.edges(np.array([0.0, 1.0] * 50), np.array([0, 1] * 50))
