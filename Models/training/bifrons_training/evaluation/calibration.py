"""From raw logits to probabilities: Platt scaling, the blend of several models, and thresholds."""

from __future__ import annotations

import numpy as np

from bifrons_training.evaluation.metrics import PRIOR, prior_weights, sigmoid


def fit_logistic(
    features: np.ndarray, labels: np.ndarray, prior: float = PRIOR, ridge: float = 1e-6
) -> tuple[list[float], float]:
    """Fits a logistic regression to features [n, k] by Newton's method; returns (weights, bias).

    The classes are weighted so that probabilities hold for a stream of which the share `prior` is generated. Targets
    are Platt's (1999), (n+ + 1) / (n+ + 2) and 1 / (n- + 2), which keep the fit finite on perfectly separated data.
    """
    positive, negative = int((labels == 1).sum()), int((labels == 0).sum())
    targets = np.where(labels == 1, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weights = prior_weights(labels, prior)
    design = np.column_stack([features, np.ones(len(labels))]).astype(np.float64)

    def cost(at: np.ndarray) -> float:
        z = design @ at
        return float((weights * (np.logaddexp(0, z) - targets * z)).sum() + ridge * (at @ at) / 2)

    parameters = np.zeros(design.shape[1])
    for _ in range(100):
        p = sigmoid(design @ parameters)
        gradient = design.T @ (weights * (p - targets)) + ridge * parameters
        curvature = (design * (weights * p * (1 - p))[:, None]).T @ design + ridge * np.eye(len(parameters))
        step, scale = np.linalg.solve(curvature, gradient), 1.0
        while cost(parameters - scale * step) > cost(parameters) and scale > 1e-6:
            scale /= 2
        parameters = parameters - scale * step
        if np.abs(step).max() * scale < 1e-10:
            break
    return [float(w) for w in parameters[:-1]], float(parameters[-1])


def fit_blend(features: np.ndarray, labels: np.ndarray, prior: float = PRIOR) -> tuple[list[float], float]:
    """Fits a logistic regression without negative weights, so that no model's higher logit lowers the merged logit."""
    kept = list(range(features.shape[1]))
    while True:
        weights, bias = fit_logistic(features[:, kept], labels, prior)
        if min(weights) >= 0 or len(kept) == 1:
            break
        kept.pop(int(np.argmin(weights)))
    return [weights[kept.index(i)] if i in kept else 0.0 for i in range(features.shape[1])], bias


def threshold_for(real_probabilities: np.ndarray, false_positives: float) -> float:
    """Returns the lowest threshold t for which at most the share `false_positives` of real images reaches t."""
    ordered = np.sort(real_probabilities)[::-1]
    allowed = int(false_positives * len(ordered))
    upper = ordered[allowed - 1] if allowed else 1.0
    return float((upper + ordered[min(allowed, len(ordered) - 1)]) / 2)
