"""Makes Models/locator from a data folder.

    python -m bifrons_training.make_locator --data FOLDER [--from PUBLISHED]

Validates and divides the data, trains, exports and verifies the ONNX file, chooses the threshold, evaluates on held-out
scenes and writes the card. An interrupted run resumes when it is started again; `--publish-only` publishes the current
checkpoint. With `--from` a new training starts from the weights of a published locator instead of from scratch.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import torch

from bifrons_training.errors import DataError, program
from bifrons_training.files import replace_folder, write_text
from bifrons_training.locator import card, catalogue, evaluation, export, training
from bifrons_training.locator.network import Locator
from bifrons_training.preprocessing.locating import Locator as Served
from bifrons_training.processes import keep_freed_memory
from bifrons_training.workspace import DEFAULT_WORK, MODELS

VERSION = "2.0.0"


def make(data: Path, work: Path, models: Path, split: catalogue.Split, network: Locator) -> str:
    """Publishes a trained network as `models`/locator; returns the card's table of numbers."""
    checkpoint = work / "locator.pt"
    folder = models / ".locator.new"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    export.export(network, folder / "model.onnx")
    told = card.training_text(torch.load(checkpoint, weights_only=True), split)
    export.write_manifest(folder, VERSION, 0.5, told, {})
    export.prove(network, folder)
    score = evaluation.choose_score(Served(folder), data, split)
    export.write_manifest(folder, VERSION, score, told, {})
    report = evaluation.evaluate(Served(folder), data, split)
    export.write_manifest(folder, VERSION, score, told, card.manifest_metrics(report))
    training.write_curve(checkpoint, folder / "training.csv", folder / "training.png")
    write_text(folder / "metrics.json", json.dumps(report, indent=2) + "\n")
    write_text(folder / "README.md", card.card(report, told, network))
    replace_folder(folder, models / "locator")
    return card.table(report)


def remeasure(data: Path, models: Path, split: catalogue.Split) -> str:
    """Evaluates the published locator again and rewrites its card; returns the table of numbers."""
    folder = models / "locator"
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    report = evaluation.evaluate(Served(folder), data, split)
    manifest["metrics"] = card.manifest_metrics(report)
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "metrics.json", json.dumps(report, indent=2) + "\n")
    write_text(folder / "README.md", card.card(report, manifest["training"], Locator()))
    return card.table(report)


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description="Train, evaluate and publish the locator.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds scenes.csv and faces.csv")
    parser.add_argument("--models", type=Path, default=MODELS, help="the folder to publish to")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for the checkpoint")
    parser.add_argument(
        "--minutes", type=float, default=training.DEFAULT_MINUTES, help="CPU time of the training process"
    )
    parser.add_argument("--from", type=Path, dest="published", help="a published locator's folder to start from")
    parser.add_argument("--compiled", action="store_true", help="train a compiled network; needs a C++ compiler")
    parser.add_argument("--publish-only", action="store_true", help="publish the checkpoint without training")
    parser.add_argument(
        "--remeasure", action="store_true", help="only evaluate the published locator and rewrite its card"
    )
    options = parser.parse_args()
    checkpoint = options.work / "locator.pt"
    cores = os.cpu_count() or 2
    split = catalogue.divide(options.data)
    if options.remeasure:
        print(remeasure(options.data, options.models, split))
        return 0
    if options.publish_only and not checkpoint.is_file():
        raise DataError(f"{checkpoint} is missing: train first, without --publish-only")
    minutes = 0.0 if options.publish_only else options.minutes
    composers = max(1, cores // 3)
    network = training.train(
        options.data,
        split,
        checkpoint,
        minutes,
        threads=max(1, cores - composers),
        composers=composers,
        published=options.published,
        compiled=options.compiled,
    )
    print(make(options.data, options.work, options.models, split, network))
    return 0


if __name__ == "__main__":
    sys.exit(main())
