"""The contents of ensemble.json for given held-out logits."""

import numpy as np

from bifrons_training import make_models


def test_policy_has_rising_thresholds_and_sends_images_without_a_face_to_review():
    draw = np.random.default_rng(1)
    labels = np.repeat([0, 1], 500)
    logits = {name: draw.normal(4.0 * labels - 2, 1.5) for name in ("resnet", "inception")}
    policy = make_models.fit_ensemble(logits, labels)["policies"]["default"]
    assert 0 <= policy["review"] <= policy["block"] <= 1
    assert policy["no_face"] == "review"
