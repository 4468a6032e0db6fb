"""Leave-out evaluation: how detectors do on cameras and generators that they were trained without.

    python -m bifrons_training.experiments.leave_out --data FOLDER [--minutes 30]
    python -m bifrons_training.experiments.leave_out --data FOLDER --ablation [--steps 400]

Each of three runs removes two families of real sources and two of generators from training, calibration and validation.
It then trains both networks from scratch side by side with the recipe of the published ones, for a shorter time. This
is harder than leaving out one family at a time, and three runs cover all six families of generators. Thresholds,
calibration and merge are fitted on held-out groups of the remaining sources. Finished trainings are not repeated.
Writes Models/training/leave_out.json.

`--ablation` measures instead what the pseudo-fakes add: it trains the Inception of each run with and without them for
equally many steps, and writes Models/training/ablation.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bifrons_training.data.catalogue import family
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.errors import DataError, program
from bifrons_training.evaluation import calibration, metrics
from bifrons_training.files import write_text
from bifrons_training.networks import detectors
from bifrons_training.processes import train_side_by_side
from bifrons_training.training import curves
from bifrons_training.training.evaluator import predict
from bifrons_training.training.run import load_best
from bifrons_training.workspace import DEFAULT_WORK, TRAINING, open_cache

RUNS = (
    ("team_oss", "deepshield_celeba", "Stable Diffusion", "generated.photos"),
    ("unsplash", "utkface", "FLUX", "StyleGAN2"),
    ("kirti_openforensics", "lfw_deepfunneled", "SDXL", "StyleGAN1"),
)
"""The families that each run leaves out together (see `data.catalogue.family`)."""

EVEN = 0.5
"""The prior of these calibrations: that of all results so far, which can then be compared."""

ABLATED = "inception"
RESULTS = TRAINING / "leave_out.json"
ABLATION = TRAINING / "ablation.json"


def train_all(options: argparse.Namespace, length: str, runs: list[tuple[str, Path, list[str]]]) -> None:
    """Trains each (network, folder, further arguments) with `length`, an argument `--minutes=N` or `--steps=N`.

    All trainings run at once on a GPU, otherwise as many as there are networks. Raises `DataError` if one fails.
    """
    shared = [f"--data={options.data}", f"--work={options.work}", length, "--points=1"]
    arguments = [[*shared, f"--model={name}", f"--run={folder}", *further] for name, folder, further in runs]
    if not train_side_by_side(arguments, len(runs) if torch.cuda.is_available() else len(detectors.NAMES)):
        raise DataError("a training failed: see its message above")


def judge(cache: PixelCache, splits: Splits, checkpoints: dict[str, Path]) -> dict[str, Any]:
    """Evaluates the networks of one leave-out run, and their merge if there are several, on the families left out."""
    parts = {"calibration": splits.calibration, "validation": splits.validation, "left_out": splits.left_out}
    images = {name: cache.inputs(positions) for name, positions in parts.items()}
    labels = {name: np.array([cache.faces[p].label for p in positions]) for name, positions in parts.items()}
    logits: dict[str, dict[str, np.ndarray]] = {}
    for name, checkpoint in checkpoints.items():
        network = load_best(name, checkpoint)
        raw = {part: predict(network, values) for part, values in images.items()}
        (scale,), bias = calibration.fit_logistic(raw["calibration"][:, None], labels["calibration"], EVEN)
        logits[name] = {part: scale * values + bias for part, values in raw.items()}
    if len(logits) > 1:
        together = {part: np.column_stack([logits[name][part] for name in checkpoints]) for part in parts}
        weights, bias = calibration.fit_blend(together["calibration"], labels["calibration"], EVEN)
        logits["merged"] = {part: values @ weights + bias for part, values in together.items()}
    families = np.array([family(cache.faces[p]) for p in splits.left_out])
    report: dict[str, Any] = {}
    for name, values in logits.items():
        known = values["validation"][labels["validation"] == 0]
        rows: dict[str, Any] = {
            "in_source": {"roc_auc": round(auc(known, values["validation"][labels["validation"] == 1]), 4)}
        }
        unseen = values["left_out"][labels["left_out"] == 0]
        for label, of in sorted(set(zip(labels["left_out"].tolist(), families.tolist(), strict=True))):
            inside = values["left_out"][families == of]
            if label == 0:
                rows[of] = {"real": len(inside), "false_positives": round(float((inside > 0).mean()), 4)}
            else:
                rows[of] = {
                    "generated": len(inside),
                    "found": round(float((inside > 0).mean()), 4),
                    "roc_auc": round(auc(known, inside), 4),
                    "roc_auc_against_unseen": round(auc(unseen, inside), 4),
                }
        report[name] = rows
    return report


def auc(real: np.ndarray, generated: np.ndarray) -> float:
    """Returns the ROC AUC of the scores of real and of generated images."""
    labels = np.concatenate((np.zeros(len(real)), np.ones(len(generated))))
    return metrics.roc_auc(labels, np.concatenate((real, generated)))


def measure_left_out(options: argparse.Namespace, cache: PixelCache) -> list[dict[str, Any]]:
    """Trains and evaluates both networks and their merge for each of `RUNS`."""
    chosen = RUNS[: options.runs]
    folders = [options.work / f"leave_out_{number}" for number in range(len(chosen))]
    runs = [
        (name, folder, ["--leave-out", *families])
        for folder, families in zip(folders, chosen, strict=True)
        for name in detectors.NAMES
    ]
    train_all(options, f"--minutes={options.minutes}", runs)
    return [
        {
            "left_out": list(families),
            "minutes": options.minutes,
            "views": {name: views_seen(folder / f"{name}.csv") for name in detectors.NAMES},
            "scorers": judge(
                cache, Splits.of(cache.faces, families), {name: folder / f"{name}.pt" for name in detectors.NAMES}
            ),
        }
        for folder, families in zip(folders, chosen, strict=True)
    ]


def views_seen(curve: Path) -> int:
    """Returns how many views a training had processed at its end."""
    return int(curves.read_curve(curve)[-1]["images"])


def measure_ablation(options: argparse.Namespace, cache: PixelCache) -> list[dict[str, Any]]:
    """Trains and evaluates one network with and without pseudo-fakes for each of `RUNS`."""
    variants = {"with": [], "without": ["--pseudo=0"]}
    folders = {
        (number, variant): options.work / f"ablation_{number}_{variant}"
        for number in range(len(RUNS[: options.runs]))
        for variant in variants
    }
    runs = [
        (ABLATED, folder, [*variants[variant], "--leave-out", *RUNS[number]])
        for (number, variant), folder in folders.items()
    ]
    train_all(options, f"--steps={options.steps}", runs)
    results = []
    for number, families in enumerate(RUNS[: options.runs]):
        splits = Splits.of(cache.faces, families)
        scorers = {}
        for variant in variants:
            checkpoints = {ABLATED: folders[number, variant] / f"{ABLATED}.pt"}
            scorers[f"{variant} pseudo-fakes"] = judge(cache, splits, checkpoints)[ABLATED]
        results.append({"left_out": list(families), "steps": options.steps, "scorers": scorers})
    return results


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Train without some sources and generators, and test on them.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--minutes", type=float, default=30.0, help="wall time of each training (default: 30)")
    parser.add_argument("--ablation", action="store_true", help=f"train the {ABLATED} with and without pseudo-fakes")
    parser.add_argument("--steps", type=int, default=400, help="steps of each ablation training (default: 400)")
    parser.add_argument("--runs", type=int, default=len(RUNS), help="number of runs, from the first (default: all)")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for pixels and checkpoints")
    options = parser.parse_args()
    cache = open_cache(options.data, options.work)
    results = (measure_ablation if options.ablation else measure_left_out)(options, cache)
    write_text(ABLATION if options.ablation else RESULTS, json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
