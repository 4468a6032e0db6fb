"""Each network has a side of its own, from its training to the manifest and the evaluation."""

import json

import numpy as np
import pytest
import torch

from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.evaluation.served_models import Published
from bifrons_training.networks import detectors
from bifrons_training.preprocessing import SIDE, normalise
from bifrons_training.publishing.export import export
from bifrons_training.publishing.manifest import write_folder
from bifrons_training.publishing.quantisation import quantise
from bifrons_training.training.recipe import Recipe
from bifrons_training.training.run import Run, build, load_best, side_of

SIDES = {"resnet": 64, "efficientnet": 96}
"""Smaller than the published ones, which takes less time."""


def images(side):
    return np.random.default_rng(side).integers(0, 256, (6, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name, side in SIDES.items():
        torch.manual_seed(0)
        network = build(name)
        with torch.no_grad():
            network.train()(torch.from_numpy(normalise(images(side))))
            torch.nn.init.normal_(network.head.weight)
        place = folder / name
        place.mkdir()
        export(network.eval(), place / "model.onnx", images(side))
        quantise(place / "model.onnx", place / "model.int8.onnx", images(side))
        write_folder(place, name, "1", {"f32": (2.0, 0.5), "int8": (2.0, 0.5)}, "", {})
    names = list(SIDES)
    merge = [{"models": names, "bias": 0.25, "weights": [0.5, 0.75]}]
    (folder / "ensemble.json").write_text(json.dumps({"models": names, "merge": merge}))
    return folder


def test_the_efficientnet_has_192_pixels_and_the_others_the_usual_side():
    assert [detectors.side_of(name) for name in ("resnet", "inception", "efficientnet")] == [SIDE, SIDE, 192]


def test_a_checkpoint_tells_its_side_and_older_ones_have_that_of_their_network(tmp_path):
    run = Run("resnet", tmp_path, Recipe(side=96))
    run.save()
    assert side_of("resnet", run.checkpoint) == 96
    state = torch.load(run.checkpoint, weights_only=True)
    del state["side"]
    torch.save(state, run.checkpoint)
    assert side_of("resnet", run.checkpoint) == SIDE and side_of("efficientnet", run.checkpoint) == 192
    assert load_best("resnet", run.checkpoint).training is False


@pytest.mark.parametrize(("name", "side"), SIDES.items())
def test_network_manifest_and_canary_have_the_side_of_the_training(models, name, side):
    manifest = json.loads((models / name / "manifest.json").read_text())
    assert (manifest["input"]["width"], manifest["input"]["height"]) == (side, side)
    assert Scorer(models / name / "model.onnx").side == Scorer(models / name / "model.int8.onnx").side == side
    assert np.isfinite(manifest["canary"]["logit"]) and np.isfinite(manifest["int8"]["canary_logit"])


def test_published_models_score_images_at_their_own_sides(models):
    published = Published(models)
    assert published.sides == SIDES
    views = {side: images(side) for side in SIDES.values()}
    logits = published.logits(views)
    assert list(logits) == [*SIDES, "merged"]
    for name, side in SIDES.items():
        raw = Scorer(models / name / "model.onnx").logits(views[side])
        assert logits[name] == pytest.approx(2 * raw + 0.5, abs=1e-4)
    assert logits["merged"] == pytest.approx(0.25 + 0.5 * logits["resnet"] + 0.75 * logits["efficientnet"])
