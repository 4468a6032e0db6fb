"""Makes everything under Models/ except the locator from a data folder.

    python -m bifrons_training.make_models --data FOLDER

Validates the data, trains both networks side by side, calibrates them on held-out groups, exports and verifies the ONNX
files, evaluates them on the validation split and writes the cards. An interrupted run resumes when it is started again,
and a finished one only publishes again. `--go-on` starts from the published weights instead of from scratch.
`--publish-only` publishes the current checkpoints and keeps the published network where there is no checkpoint, for
example because its training brought no gain. `--recalibrate` keeps both networks and repeats the remaining steps, after
a change of the locator or the preprocessing. The locator comes from `make_locator`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.augmentation.reconstructions import Reconstructions
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.errors import DataError, program
from bifrons_training.evaluation import calibration, evaluate_models, measurement, metrics, served_models
from bifrons_training.files import replace_folder, write_text
from bifrons_training.networks import detectors
from bifrons_training.processes import train_side_by_side
from bifrons_training.publishing import cards, precisions
from bifrons_training.publishing.export import export
from bifrons_training.publishing.manifest import write_folder
from bifrons_training.publishing.quantisation import SUBSET, quantise
from bifrons_training.training import curves
from bifrons_training.training.recipe import DEFAULT_MINUTES
from bifrons_training.training.run import load_best
from bifrons_training.workspace import DEFAULT_WORK, MODELS, open_cache

VERSIONS = {"resnet": "2.3.1", "inception": "2.2.1"}
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
    """Returns ensemble.json, a blend for every subset and the thresholds, from calibrated logits of held-out images."""
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
    # Without a face nothing is known about an image, so a person should look at it.
    ensemble["policies"] = {"default": {**thresholds, "no_face": "review"}}
    return ensemble


def checkpoints(work: Path) -> dict[str, Path]:
    """Returns the checkpoints that exist in `work`, by network."""
    places = {name: work / f"{name}.pt" for name in detectors.NAMES}
    return {name: place for name, place in places.items() if place.is_file()}


def lay_out(name: str, models: Path, checkpoint: Path | None, new: Path, cache: PixelCache, splits: Splits) -> None:
    """Puts the networks and the training curve into the folder `new`, from the checkpoint or else as published.

    The int8 network is quantised again in either case.
    """
    if checkpoint is None:
        for file in ("model.onnx", "training.csv", "training.png"):
            shutil.copyfile(models / name / file, new / file)
    else:
        export(
            load_best(name, checkpoint),
            new / "model.onnx",
            cache.inputs(splits.validation[:: max(1, len(splits.validation) // 200)][:200]),
        )
        shutil.copyfile(checkpoint.with_suffix(".csv"), new / "training.csv")
        curves.plot_curve(name, curves.read_curve(new / "training.csv"), new / "training.png")
    random = np.random.default_rng(8)
    ranges = random.choice(splits.train, min(SUBSET, len(splits.train)), replace=False)
    quantise(new / "model.onnx", new / "model.int8.onnx", cache.inputs([int(p) for p in ranges]))


def make(models: Path, trained: dict[str, Path], cache: PixelCache, splits: Splits) -> dict[str, Any]:
    """Publishes both folders, ensemble.json, the evaluation report and the cards; returns the report.

    `trained` maps networks to checkpoints; a network without one keeps its published weights.
    """
    held_out, validation = cache.inputs(splits.calibration), cache.inputs(splits.validation)
    labels = np.array([cache.faces[p].label for p in splits.calibration])
    judged = [cache.faces[p] for p in splits.validation]
    sizes = {
        "calibration": len(splits.calibration),
        "calibration_real": int((labels == 0).sum()),
        "validation": len(splits.validation),
    }
    found: dict[str, precisions.Calibrated] = {}
    for name in detectors.NAMES:
        new = models / f".{name}.new"
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        lay_out(name, models, trained.get(name), new, cache, splits)
        found[name] = precisions.calibrate(new, held_out, labels, validation)
    ensembles = {
        precision: fit_ensemble({name: part.held_out[precision] for name, part in found.items()}, labels)
        for precision in precisions.measured()
    }
    compared = {name: precisions.compare(judged, part.validation) for name, part in found.items()}
    merged = {
        precision: served_models.merged_logits(
            ensemble, {name: part.validation[precision] for name, part in found.items()}
        )
        for precision, ensemble in ensembles.items()
    }
    compared["merged"] = precisions.compare(judged, merged)
    precision = precisions.choose(compared, max(move for part in found.values() for move in part.apart.values()))
    for name, part in found.items():
        new = models / f".{name}.new"
        metrics = cards.head_metrics(measurement.measure(judged, part.validation[precision]))
        if name in trained:
            training = cards.training_paragraph(len(splits.train), curves.read_curve(new / "training.csv"))
        else:
            training = json.loads((models / name / "manifest.json").read_text())["training"]
        write_folder(new, name, VERSIONS[name], part.lines, training, metrics, precision)
        replace_folder(new, models / name)
    write_text(models / "ensemble.json", json.dumps(ensembles[precision], indent=2) + "\n")
    apart = {name: part.apart for name, part in found.items()}
    formats = {"served": precision, "compared": compared, "apart": apart}
    report = evaluate_models.evaluate(models, cache, splits, formats)
    evaluate_models.publish(models, report)
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
