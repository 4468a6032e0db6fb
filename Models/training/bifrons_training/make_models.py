"""Makes everything under Models/ except the locator from a data folder.

    python -m bifrons_training.make_models --data FOLDER

Validates the data, trains the ResNet and the Inception side by side, calibrates them on sources that never train,
exports and verifies the ONNX files, evaluates them and writes the cards. An interrupted run resumes when it is started
again, and a finished one only publishes again. `--go-on` starts from the published weights instead of from scratch.
`--publish-only` publishes the current checkpoints and keeps the published network where there is no checkpoint, for
example because its training brought no gain. `--recalibrate` keeps all networks and repeats the remaining steps, after
a change of the locator or the preprocessing. The locator comes from `make_locator`, and the checkpoint of the
EfficientNet, which is optional, from `training.train --model efficientnet`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.augmentation.reconstructions import Reconstructions
from bifrons_training.data.catalogue import Face, trained_before
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.errors import DataError, program
from bifrons_training.evaluation import calibration, evaluate_models, measurement, metrics, served_models
from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.files import replace_folder, write_text
from bifrons_training.networks import detectors
from bifrons_training.processes import train_side_by_side
from bifrons_training.publishing import cards, precisions, reference
from bifrons_training.publishing.export import export
from bifrons_training.publishing.manifest import write_folder
from bifrons_training.publishing.precisions import measured
from bifrons_training.publishing.quantisation import SUBSET, quantise
from bifrons_training.training import curves
from bifrons_training.training.recipe import DEFAULT_MINUTES
from bifrons_training.training.run import load_best, side_of
from bifrons_training.workspace import DEFAULT_WORK, MODELS, open_cache

VERSIONS = {"resnet": "2.4.0", "inception": "2.3.0", "efficientnet": "1.0.0"}
OPTION = "efficientnet"
"""The model that only the larger ensemble has. It is published where it has a checkpoint or is published already."""

PROOF = 200
"""The number of validation images for which an exported network must compute the same as in PyTorch."""

REVIEW, BLOCK = 0.01, 0.001
"""The shares of real images that the policy `default` may send to review (or above) and to block."""


def train_both(options: argparse.Namespace) -> bool:
    """Trains both networks side by side: two schedules then end in the time of one. Returns whether both succeeded."""
    shared = [f"--data={options.data}", f"--work={options.work}", f"--minutes={options.minutes}"]
    runs = [[f"--model={name}", *shared] for name in detectors.NAMES]
    if options.go_on:
        for name, run in zip(detectors.NAMES, runs, strict=True):
            run.append(f"--begin-from={options.models / name}")
    return train_side_by_side(runs, len(detectors.NAMES))


def fit_ensemble(logits: dict[str, np.ndarray], labels: np.ndarray) -> dict[str, Any]:
    """Returns an ensemble file's contents, a blend for every subset and the thresholds, from calibrated logits."""
    merge = []
    for size in range(1, len(logits) + 1):
        for subset in itertools.combinations(logits, size):
            features = np.column_stack([logits[name] for name in subset])
            weights, bias = calibration.fit_blend(features, labels)
            rounded = [round(w, 4) for w in weights]
            merge.append({"models": list(subset), "bias": round(bias, 4) + 0.0, "weights": rounded})
    ensemble: dict[str, Any] = {"schema": 1, "models": list(logits), "merge": merge}
    probabilities = metrics.sigmoid(served_models.merged_logits(ensemble, logits))[labels == 0]
    shares = {"review": REVIEW, "block": BLOCK}
    thresholds = {name: round(calibration.threshold_for(probabilities, share), 4) for name, share in shares.items()}
    ensemble["evidence"] = ["provenance"]  # It needs no files of the operator's, unlike that of known images.
    # Without a face nothing is known about an image, so a person should look at it.
    ensemble["policies"] = {"default": {**thresholds, "no_face": "review"}}
    return ensemble


def ensemble_models(available: Collection[str]) -> dict[str, list[str]]:
    """Returns the models of each ensemble whose models are all `available`, by the name of its merge."""
    pair = list(detectors.NAMES)
    wanted = dict(zip(served_models.ENSEMBLES, (pair, [*pair, OPTION]), strict=True))
    return {merge: names for merge, names in wanted.items() if set(names) <= set(available)}


def checkpoints(work: Path) -> dict[str, Path]:
    """Returns the checkpoints that exist in `work`, by network."""
    places = {name: work / f"{name}.pt" for name in VERSIONS}
    return {name: place for name, place in places.items() if place.is_file()}


def lay_out(name: str, models: Path, checkpoint: Path | None, new: Path, cache: PixelCache, splits: Splits) -> None:
    """Puts the networks and the training curve into the folder `new`, from the checkpoint or else as published."""
    if checkpoint is None:
        for file in ("model.onnx", "model.int8.onnx", "training.csv", "training.png"):
            shutil.copyfile(models / name / file, new / file)
        return
    side = side_of(name, checkpoint)
    proof = splits.validation[:: max(1, len(splits.validation) // PROOF)][:PROOF]
    export(load_best(name, checkpoint), new / "model.onnx", cache.inputs(proof, side))
    shutil.copyfile(checkpoint.with_suffix(".csv"), new / "training.csv")
    curves.plot_curve(name, curves.read_curve(new / "training.csv"), new / "training.png")
    random = np.random.default_rng(8)
    ranges = random.choice(splits.train, min(SUBSET, len(splits.train)), replace=False)
    quantise(new / "model.onnx", new / "model.int8.onnx", cache.inputs([int(p) for p in ranges], side))


@dataclass(frozen=True)
class Fitted:
    """What is served, and how it was decided."""

    served: dict[str, str]
    """The precision of each model."""
    ensembles: dict[str, dict[str, Any]]
    """The contents of each ensemble file, by the name of the merge."""
    compared: dict[str, dict[str, Any]]
    """The comparison of the precisions for each model and merge."""


def fit(found: dict[str, precisions.Calibrated], labels: np.ndarray, judged: list[Face]) -> Fitted:
    """Chooses each model's precision and fits the ensembles to it.

    `labels` are those of the images that calibrate, `judged` the validation faces. The models that an ensemble adds get
    int8 if it costs neither them nor their merge more than allowed.
    """
    fitted = Fitted({}, {}, {})
    for merge, names in ensemble_models(found).items():
        held_out, validation = (
            {precision: {name: getattr(found[name], part)[precision] for name in names} for precision in measured()}
            for part in ("held_out", "validation")
        )
        merged = {
            precision: served_models.merged_logits(fit_ensemble(held_out[precision], labels), logits)
            for precision, logits in validation.items()
        }
        added = [name for name in names if name not in fitted.served]
        compared = {name: precisions.compare(judged, found[name].validation) for name in added}
        compared[merge] = precisions.compare(judged, merged)
        apart = max(move for name in added for move in found[name].apart.values())
        fitted.served.update(dict.fromkeys(added, precisions.choose(compared, apart)))
        fitted.compared.update(compared)
        logits = {name: found[name].held_out[fitted.served[name]] for name in names}
        fitted.ensembles[merge] = fit_ensemble(logits, labels)
    return fitted


def make(models: Path, trained: dict[str, Path], cache: PixelCache, splits: Splits) -> dict[str, Any]:
    """Publishes the models' folders, the ensemble files, the evaluation report and the cards; returns the report.

    `trained` maps networks to checkpoints; a network without one keeps its published networks.
    """
    calibrating = [p for p in splits.watched if not trained_before(cache.faces[p])]
    labels = np.array([cache.faces[p].label for p in calibrating])
    if set(labels.tolist()) != {0, 1}:
        raise DataError("faces.csv needs real and generated images of sources in catalogue.WATCHED: they calibrate")
    judged = [cache.faces[p] for p in splits.validation]
    found: dict[str, precisions.Calibrated] = {}
    for name in VERSIONS:
        if name == OPTION and name not in trained and not (models / name / "manifest.json").is_file():
            continue
        new = models / f".{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        lay_out(name, models, trained.get(name), new, cache, splits)
        side = Scorer(new / "model.onnx").side
        views = cache.inputs(calibrating, side), cache.inputs(splits.validation, side)
        found[name] = precisions.calibrate(new, views[0], labels, views[1])
    fitted = fit(found, labels, judged)
    for name, part in found.items():
        new = models / f".{name}.new"
        precision = fitted.served[name]
        numbers = cards.head_metrics(measurement.measure(judged, part.validation[precision]))
        if name in trained:
            training = cards.training_paragraph(name, [cache.faces[p] for p in splits.train], new / "training.csv")
        else:
            training = json.loads((models / name / "manifest.json").read_text())["training"]
        write_folder(new, name, VERSIONS[name], part.lines, training, numbers, precision)
        replace_folder(new, models / name)
    for merge, ensemble in fitted.ensembles.items():
        ensemble["reference"] = {
            name: {
                "version": VERSIONS[name],
                "edges": reference.edges(found[name].held_out[fitted.served[name]], labels),
            }
            for name in ensemble["models"]
        }
        write_text(models / served_models.ENSEMBLES[merge], json.dumps(ensemble, indent=2) + "\n")
    formats = {
        "served": fitted.served,
        "compared": fitted.compared,
        "apart": {name: part.apart for name, part in found.items()},
        "apart_images": len(precisions.some(np.arange(len(judged)))),
    }
    report = evaluate_models.evaluate(models, cache, splits, formats)
    evaluate_models.publish(models, report)
    real = int((labels == 0).sum())
    sizes = {"calibration": len(labels), "calibration_real": real, "validation": len(judged)}
    cards.write_cards(models, report, sizes)
    return report


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Train, calibrate, export and evaluate the networks of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="wall time of the training")
    parser.add_argument("--models", type=Path, default=MODELS, help="the folder to publish to")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for pixels, checkpoints and curves")
    parser.add_argument("--go-on", action="store_true", help="start from the published weights")
    parser.add_argument("--publish-only", action="store_true", help="publish the current checkpoints without training")
    parser.add_argument(
        "--recalibrate", action="store_true", help="only calibrate and evaluate the published networks again"
    )
    options = parser.parse_args()
    cache = open_cache(options.data, options.work, options.models)
    splits = Splits.of(cache.faces)
    if options.recalibrate:
        print(evaluate_models.table(make(options.models, {}, cache, splits)))
        return 0
    if not options.publish_only:
        Reconstructions(cache, splits, options.work)  # Built once, before both trainings need them.
    if not options.publish_only and not train_both(options):
        print("error: a training failed, nothing was published: see its message above", file=sys.stderr)
        return 1
    trained = checkpoints(options.work)
    if not trained:
        raise DataError(f"{options.work} has no checkpoint: train first, without --publish-only")
    print(evaluate_models.table(make(options.models, trained, cache, splits)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
