"""The contents of ensemble files for given logits, and those that are published."""

import itertools
import json

import numpy as np
import pytest

from bifrons_training import make_models
from bifrons_training.evaluation import metrics, served_models
from bifrons_training.networks import detectors
from bifrons_training.publishing.precisions import Calibrated, measured
from bifrons_training.workspace import MODELS

NAMES = (*detectors.NAMES, make_models.OPTION)
LABELS = np.repeat([0, 1], 500)


def draw(names=NAMES, seed=1):
    random = np.random.default_rng(seed)
    return {name: random.normal(4.0 * LABELS - 2, 1.5) for name in names}


@pytest.mark.parametrize("count", [2, 3])
def test_every_subset_has_a_blend_that_is_calibrated_for_the_prior(count):
    logits = draw(NAMES[:count])
    ensemble = make_models.fit_ensemble(logits, LABELS)
    subsets = [s for size in range(1, count + 1) for s in itertools.combinations(NAMES[:count], size)]
    assert [tuple(blend["models"]) for blend in ensemble["merge"]] == subsets and len(subsets) == 2**count - 1
    for blend in ensemble["merge"]:
        merged = blend["bias"] + sum(w * logits[m] for m, w in zip(blend["models"], blend["weights"], strict=True))
        given = metrics.sigmoid(merged) @ metrics.prior_weights(LABELS)
        assert given == pytest.approx(metrics.PRIOR, abs=0.005)


def test_policy_has_rising_thresholds_and_sends_images_without_a_face_to_review():
    policy = make_models.fit_ensemble(draw(), LABELS)["policies"]["default"]
    assert 0 <= policy["review"] <= policy["block"] <= 1
    assert policy["no_face"] == "review"


def test_the_larger_ensemble_needs_the_optional_model():
    assert make_models.ensemble_models(NAMES) == {"merged": list(NAMES[:2]), "merged-efficientnet": list(NAMES)}
    assert make_models.ensemble_models(detectors.NAMES) == {"merged": list(detectors.NAMES)}


def test_a_bad_int8_network_of_the_optional_model_does_not_change_what_the_pair_serves():
    found = {}
    for name, logits in draw().items():
        values = dict.fromkeys(measured(), logits)
        if name == make_models.OPTION:
            values = {**values, "int8": np.random.default_rng(3).normal(size=len(LABELS))}
        found[name] = Calibrated({}, values, values, {"SSE41": 0.0})
    faces = [make_models.Face(f"{n}.jpg", "val", int(label), "cam", "", "g") for n, label in enumerate(LABELS)]
    fitted = make_models.fit(found, LABELS, faces)
    assert fitted.served == {"resnet": "int8", "inception": "int8", "efficientnet": "f32"}
    pair = {name: found[name].held_out["int8"] for name in detectors.NAMES}
    assert fitted.ensembles["merged"] == make_models.fit_ensemble(pair, LABELS)
    assert set(fitted.compared) == {*NAMES, "merged", "merged-efficientnet"}


@pytest.mark.parametrize("merge", served_models.read_ensembles(MODELS))
def test_published_ensembles_name_published_models_of_their_own_sides(merge):
    for name in served_models.read_ensembles(MODELS)[merge]["models"]:
        manifest = json.loads((MODELS / name / "manifest.json").read_text())
        assert manifest["input"]["width"] == manifest["input"]["height"] == detectors.side_of(name)
