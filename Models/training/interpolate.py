"""Weights on the way from one training's to another's that began with them (Wortsman et al. 2022, "Robust fine-tuning").

    python Models/training/interpolate.py --data FOLDER --model resnet --begin CHECKPOINT --end CHECKPOINT [--keep 0.25]

A training that goes on gains something and forgets something; a part of its way may keep more of both than either end. Prints
what `train.Judge` makes of each share of the way; nothing else judges here, the validation split least of all. With --keep the
weights there become the checkpoint that `make_models.py --publish-only` publishes.
"""

from __future__ import annotations

import argparse
import copy
import sys
from pathlib import Path

import networks
from data import Splits
from errors import program
from train import Judge, Recipe, Run, approach
from workplace import DEFAULT_WORK, open_cache


@program
def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure and keep weights between those of two trainings.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--model", choices=networks.NAMES, required=True)
    parser.add_argument("--begin", type=Path, required=True, help="the checkpoint that the other one began with")
    parser.add_argument("--end", type=Path, required=True, help="the other checkpoint")
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.25, 0.5, 0.75, 1])
    parser.add_argument("--keep", type=float, help="the share of the way whose weights are kept in --work")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    options = parser.parse_args()
    cache = open_cache(options.data, options.work)
    recipe = Recipe()
    begin, end = (Run(options.model, options.work, recipe) for _ in range(2))
    begin.begin_from(options.begin)
    end.begin_from(options.end)
    judge = Judge(cache, Splits.of(cache.faces), recipe.side)
    first, last = begin.average.state_dict(), copy.deepcopy(end.average.state_dict())
    for share in sorted({*options.shares, *([] if options.keep is None else [options.keep])}):
        end.average.load_state_dict(first)
        approach(end.average.state_dict(), last, share)
        measured = judge.measure(end.average)
        print(f"{share:g} {measured}", flush=True)
        if share == options.keep:
            end.curve = [{**end.earlier[-1], **measured}]
            end.best = end.average.state_dict()
            end.finished = True
            end.save()
    return 0


if __name__ == "__main__":
    sys.exit(main())
