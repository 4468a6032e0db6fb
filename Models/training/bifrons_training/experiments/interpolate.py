"""Interpolates between the weights of a training and those of a second training that started from them.

    python -m bifrons_training.experiments.interpolate --data FOLDER --model resnet --begin CHECKPOINT --end CHECKPOINT
        [--keep 0.25]

The method is that of Wortsman et al. 2022, "Robust fine-tuning". A continued training gains something and forgets
something; weights in between may keep more of both than either end. Prints the scores of `training.evaluator` for each
interpolation factor; nothing else decides, least of all the validation split. --keep writes the weights at one factor
as the checkpoint that `make_models --publish-only` publishes.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

from bifrons_training.data.splits import Splits
from bifrons_training.errors import program
from bifrons_training.networks import detectors
from bifrons_training.training.evaluator import Evaluator
from bifrons_training.training.optimisation import interpolate_state
from bifrons_training.training.recipe import Recipe
from bifrons_training.training.run import Run
from bifrons_training.workspace import DEFAULT_WORK, open_cache


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Evaluate and keep weights between those of two trainings.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--model", choices=detectors.NAMES, required=True, help="the network")
    parser.add_argument("--begin", type=Path, required=True, help="the checkpoint at which the second training started")
    parser.add_argument("--end", type=Path, required=True, help="the checkpoint of the second training")
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0, 0.25, 0.5, 0.75, 1], help="interpolation factors, 0 to 1"
    )
    parser.add_argument("--keep", type=float, help="the factor whose weights are kept as a checkpoint in --work")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for pixels and the kept checkpoint")
    options = parser.parse_args()
    cache = open_cache(options.data, options.work)
    recipe = Recipe()
    begin, end = (Run(options.model, options.work, recipe) for _ in range(2))
    begin.load_average(options.begin)
    end.load_average(options.end)
    evaluator = Evaluator(cache, Splits.of(cache.faces), recipe.side)
    first, last = begin.ema.state_dict(), copy.deepcopy(end.ema.state_dict())
    for share in sorted({*options.shares, *([] if options.keep is None else [options.keep])}):
        end.ema.load_state_dict(first)
        interpolate_state(end.ema.state_dict(), last, share)
        measured = evaluator.evaluate(end.ema)
        print(f"{share:g} {measured}", flush=True)
        if share == options.keep:
            end.curve = [{**end.earlier[-1], **measured}]
            end.best = end.ema.state_dict()
            end.finished = True
            end.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
