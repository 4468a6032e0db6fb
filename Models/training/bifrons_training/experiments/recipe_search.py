"""Tries recipes: one change at a time from the recipe that was best when it began, equally many steps each.

    python -m bifrons_training.experiments.recipe_search --data FOLDER [--model inception] [--steps 900]

Writes Models/training/search.csv, a line a recipe, judged by what no training saw: the matched pair of held-out groups,
and the watched sources (`training.evaluator`). The validation split takes no part. Recipes that are done are not done
again. At so few steps and with so few honest pictures (about 150), differences below 0.03 of the ROC AUC say nothing.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bifrons_training.files import write_text
from bifrons_training.networks import detectors
from bifrons_training.processes import train_side_by_side
from bifrons_training.training import curves
from bifrons_training.workspace import DEFAULT_WORK, TRAINING

VARIANTS: dict[str, list[str]] = {
    "recipe": [],
    "no pseudo-fakes": ["--pseudo=0"],
    "no mixing": ["--mixing=0"],
    "matched pair as any source": ["--honest-weight=1"],
    "matched pair eightfold": ["--honest-weight=8"],
    "peak rate halved": ["--peak-rate=0.001"],
    "peak rate doubled": ["--peak-rate=0.004"],
    "input of 192 px": ["--side=192"],
}
RESULTS = TRAINING / "search.csv"


def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Try recipes for the networks of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--model", choices=detectors.NAMES, default="inception")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    options = parser.parse_args()
    folders = {name: options.work / "search" / f"{options.model}-{name.replace(' ', '-')}" for name in VARIANTS}
    shared = [f"--data={options.data}", f"--work={options.work}", f"--model={options.model}"]
    shared += [f"--steps={options.steps}", "--points=1"]
    runs = [[*shared, f"--run={folders[name]}", *change] for name, change in VARIANTS.items()]
    if not train_side_by_side(runs, len(detectors.NAMES)):
        print("error: a training failed: see its message above", file=sys.stderr)
        return 1
    rows = ["model,variant,steps,minutes,loss,accuracy,held_out,honest_pair,watched,criterion"]
    for name, folder in folders.items():
        last = curves.read_curve(folder / f"{options.model}.csv")[-1]
        keys = ("step", "minutes", "loss", "accuracy", "held_out", "honest_pair", "watched", "criterion")
        rows.append(",".join([options.model, name, *(last[key] for key in keys)]))
    write_text(RESULTS, "\n".join(rows) + "\n")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
