"""Metrics tested against their definitions, fits against data with known parameters."""

import numpy as np
import pytest

from bifrons_training.evaluation import calibration, metrics


def sample(n=4000, scale=1.5, bias=-0.4, seed=1):
    """Returns features and labels whose true probability is sigmoid(scale * x + bias)."""
    random = np.random.default_rng(seed)
    x = random.normal(0, 2, n)
    return x, (random.random(n) < metrics.sigmoid(scale * x + bias)).astype(int)


def test_roc_auc_counts_ordered_pairs_and_ties_as_half():
    labels, scores = np.array([0, 0, 1, 1, 1]), np.array([0.1, 0.5, 0.5, 0.4, 0.9])
    pairs = [(s > t) + (s == t) / 2 for s in scores[labels == 1] for t in scores[labels == 0]]
    assert metrics.roc_auc(labels, scores) == pytest.approx(np.mean(pairs))


def test_roc_auc_of_one_class_is_not_a_number():
    assert np.isnan(metrics.roc_auc(np.ones(3), np.arange(3)))


def test_equal_error_rate_of_a_perfect_and_a_useless_score():
    labels = np.array([0, 1] * 500)
    assert metrics.equal_error_rate(labels, labels.astype(float)) == 0
    assert metrics.equal_error_rate(labels, np.random.default_rng(0).random(1000)) == pytest.approx(0.5, abs=0.05)


def test_calibration_error_detects_overconfidence():
    x, labels = sample(8000)
    (scale,), bias = calibration.fit_logistic(x[:, None], labels)
    honest, boastful = (metrics.calibration_error(labels, metrics.sigmoid(k * (scale * x + bias))) for k in (1, 4))
    assert honest < 0.03 < 0.05 < boastful


@pytest.mark.parametrize("prior", [metrics.PRIOR, 0.5])
def test_platt_scaling_recovers_scale_and_bias_under_the_prior(prior):
    x, labels = sample(20000)
    (scale,), bias = calibration.fit_logistic(x[:, None], labels, prior)
    found, wanted = (np.log(share / (1 - share)) for share in (labels.mean(), prior))
    assert scale == pytest.approx(1.5, abs=0.08)
    assert bias == pytest.approx(-0.4 - found + wanted, abs=0.08)


def test_probabilities_are_calibrated_for_a_stream_with_the_prior():
    x, labels = sample(40000)
    (scale,), bias = calibration.fit_logistic(x[:, None], labels)
    probabilities = metrics.sigmoid(scale * x + bias)
    assert metrics.calibration_error(labels, probabilities) < 0.01
    generated, real = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    share = metrics.PRIOR / (1 - metrics.PRIOR)
    stream = np.concatenate((real, generated[: int(len(real) * share)]))
    assert probabilities[stream].mean() == pytest.approx(metrics.PRIOR, abs=0.01)
    assert labels[stream][probabilities[stream] > 0.8].mean() == pytest.approx(
        probabilities[stream][probabilities[stream] > 0.8].mean(), abs=0.02
    )


def test_the_calibration_error_does_not_depend_on_how_many_images_of_a_class_there_are():
    x, labels = sample()
    probabilities = metrics.sigmoid(x)
    more = np.concatenate((np.arange(len(x)), *[np.flatnonzero(labels == 1)] * 3))
    once = metrics.calibration_error(labels, probabilities)
    assert metrics.calibration_error(labels[more], probabilities[more]) == pytest.approx(once)


def test_wilsons_interval_matches_published_values_and_stays_in_range():
    assert metrics.share_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert metrics.share_interval(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)


def test_fitting_twice_changes_nothing():
    x, labels = sample()
    (scale,), bias = calibration.fit_logistic(x[:, None], labels)
    (again,), more = calibration.fit_logistic((scale * x + bias)[:, None], labels)
    assert again == pytest.approx(1, abs=1e-3) and more == pytest.approx(0, abs=1e-3)


def test_separable_data_gives_finite_parameters():
    x = np.array([-3.0, -2, -1, 1, 2, 3])
    (scale,), bias = calibration.fit_logistic(x[:, None], (x > 0).astype(int))
    assert 0 < scale < 100 and abs(bias) < 1


def test_blend_has_no_negative_weights():
    x, labels = sample()
    contrary = x + np.random.default_rng(2).normal(0, 3, len(x))
    weights, _ = calibration.fit_blend(np.column_stack([x, -contrary]), labels)
    assert weights[0] > 0 and weights[1] == 0


def test_at_most_the_given_share_of_real_images_exceeds_the_threshold():
    real = np.random.default_rng(3).random(1000)
    for share in (0.05, 0.005):
        above = (real >= calibration.threshold_for(real, share)).mean()
        assert share - 0.0011 <= above <= share


def test_bootstrap_interval_contains_the_value():
    x, labels = sample(400)
    measures = {"auc": lambda at: metrics.roc_auc(labels[at], x[at]), "n": lambda at: float(len(at))}
    intervals = metrics.bootstrap(measures, [str(i // 2) for i in range(400)], rounds=200)
    low, high = intervals["auc"]
    assert low < metrics.roc_auc(labels, x) < high
    assert intervals["n"] == (400, 400)


def test_average_precision_matches_a_hand_computed_value():
    labels, scores = np.array([1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.1])
    assert metrics.average_precision(labels, scores) == pytest.approx((1 + 2 / 3) / 2)
    assert metrics.average_precision(labels, np.zeros(4)) == pytest.approx(0.5)


def test_true_positive_rate_respects_the_allowed_false_positive_rate():
    labels = np.array([0] * 100 + [1] * 4)
    scores = np.concatenate((np.arange(100) / 100, [0.985, 0.995, 0.5, 2.0]))
    assert metrics.true_positive_rate(labels, scores, 0.0) == 0.5
    assert metrics.true_positive_rate(labels, scores, 0.01) == 0.75
