"""Recipe search: each variant changes one setting of the recipe that was best at the start, for equally many steps.

    python -m bifrons_training.experiments.recipe_search --data FOLDER [--model inception] [--steps 900]

Writes Models/training/search.csv with a row for each variant. The scores come from images that no training saw: the
matched pair in held-out groups, and the watched sources (`training.evaluator`). The validation split is not used.
Finished variants are not repeated. With so few steps and so few matched images (about 150), differences in ROC AUC
below 0.03 are not significant.
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
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Compare training recipes for the networks of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--model", choices=detectors.NAMES, default="inception", help="the network")
    parser.add_argument("--steps", type=int, default=900, help="steps of each training (default: 900)")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for pixels and checkpoints")
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
