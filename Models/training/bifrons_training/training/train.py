"""Trains one network with balanced batches, pseudo-fakes, a cosine schedule over wall time and averaged weights.

    python -m bifrons_training.training.train --data FOLDER --model resnet --minutes 45

The learning rate follows the elapsed time and not the number of steps, so a run ends on time however busy the machine
is. An interrupted run resumes from its last checkpoint. The same seed therefore gives the same batches, but the same
weights only on an equally fast machine. The run keeps the last weights whose score is within one standard error of the
best; the score comes from sources and generators that never train and from the matched pair (see `Evaluator`).
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import torch

from bifrons_training.augmentation.reconstructions import Reconstructions
from bifrons_training.data.splits import Splits
from bifrons_training.errors import program
from bifrons_training.networks import detectors, pretrained_detectors, published_weights
from bifrons_training.processes import keep_freed_memory
from bifrons_training.training.loop import train
from bifrons_training.training.recipe import DEFAULT_MINUTES, SEEDS, Recipe
from bifrons_training.training.run import Run, build, load_best
from bifrons_training.workspace import DEFAULT_WORK, open_cache

NORM_IMAGES = 256
"""Number of held-out images that set the norms of published or pretrained weights."""


def parse_arguments() -> argparse.Namespace:
    """Returns the options of the command line."""
    plain = Recipe.here()
    parser = argparse.ArgumentParser(description="Train one network of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument(
        "--also", type=Path, nargs="*", default=[], help="further folders with a faces.csv, for example generated faces"
    )
    parser.add_argument("--model", choices=SEEDS, required=True, help="the network")
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="wall time of the whole schedule")
    parser.add_argument("--steps", type=int, help="steps of the whole schedule, instead of minutes")
    parser.add_argument("--points", type=int, default=12, help="number of evaluations during the training")
    parser.add_argument("--threads", type=int, default=1, help="threads of the training process")
    spare = max(1, (os.cpu_count() or 2) - 2) if torch.cuda.is_available() else 1
    parser.add_argument("--workers", type=int, default=spare, help="processes that make the views")
    parser.add_argument("--batch", type=int, default=plain.batch, help="images in a batch")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for pixels and reconstructions")
    parser.add_argument(
        "--begin-from", type=Path, help="a checkpoint or a published model's folder with the initial weights"
    )
    parser.add_argument(
        "--weights", type=Path, help="the folder of TAEF2's weights, to let it make some of the pseudo-fakes"
    )
    parser.add_argument("--run", type=Path, help="folder for checkpoint and curve (default: --work)")
    parser.add_argument(
        "--teachers",
        type=Path,
        nargs="*",
        default=[],
        help="checkpoints NAME.pt of finished runs, or folders NAME of published models, to distil from",
    )
    parser.add_argument("--distillation", type=float, default=plain.distillation, help="the teachers' weight in 0…1")
    parser.add_argument("--leave-out", nargs="*", default=[], help="families of sources or generators to leave out")
    parser.add_argument("--peak-rate", type=float, default=plain.peak_rate, help="peak learning rate")
    parser.add_argument(
        "--honest-weight", type=float, default=plain.honest_weight, help="sampling weight of the matched pairs"
    )
    parser.add_argument("--pseudo", type=float, default=plain.pseudo, help="share of pseudo-fakes, 0 to 1")
    parser.add_argument("--mixing", type=float, default=plain.mixing, help="share of batches with CutMix, 0 to 1")
    parser.add_argument(
        "--surroundings", type=float, default=plain.surroundings, help="share of faces in other surroundings, 0 to 1"
    )
    parser.add_argument("--side", type=int, help="side of the input in pixels (default: that of the network)")
    return parser.parse_args()


def start(run: Run, options: argparse.Namespace, norm_images: np.ndarray) -> None:
    """Gives a run its initial weights: those of its checkpoint, of `--begin-from`, or pretrained ones.

    `norm_images` [n, side, side, 3] uint8 set the norms of weights that come without them.
    """
    if run.resume():
        print(f"{run.name}: resumes at step {run.step}, minute {run.seconds / 60:.1f}", flush=True)
    elif options.begin_from and options.begin_from.is_dir():
        run.load_published(options.begin_from, norm_images)
        print(f"{run.name}: starts from the weights of {options.begin_from}", flush=True)
    elif options.begin_from:
        print(
            f"{run.name}: starts from {run.load_average(options.begin_from)} parameters of {options.begin_from}",
            flush=True,
        )
    elif run.name in pretrained_detectors.NAMES:
        run.load_pretrained(options.work, norm_images)


def load_teacher(teacher: Path) -> detectors.Detector:
    """Returns the network of a checkpoint NAME.pt or of a published model's folder NAME, in eval mode."""
    if teacher.is_dir():
        return published_weights.load(build(teacher.name), teacher / "model.onnx")
    return load_best(teacher.stem, teacher)


@program
def main() -> int:
    """Trains one network. Returns the exit status."""
    keep_freed_memory()
    options = parse_arguments()
    torch.set_num_threads(options.threads)
    cache = open_cache(options.data, options.work, also=options.also)
    recipe = Recipe(
        peak_rate=options.peak_rate,
        honest_weight=options.honest_weight,
        pseudo=options.pseudo,
        mixing=options.mixing,
        surroundings=options.surroundings,
        distillation=options.distillation,
        side=options.side or detectors.side_of(options.model),
        batch=options.batch,
        leave_out=tuple(options.leave_out),
    )
    run = Run(options.model, options.run or options.work, recipe)
    run.teach_by([load_teacher(teacher) for teacher in options.teachers])
    calibration = Splits.of(cache.faces, recipe.leave_out).calibration
    start(run, options, cache.inputs(calibration[:: max(1, len(calibration) // NORM_IMAGES)], recipe.side))
    if not run.finished:
        reconstructions = None
        if recipe.pseudo:
            reconstructions = Reconstructions(cache, Splits.of(cache.faces), options.work, weights=options.weights)
        train(
            run,
            cache,
            Splits.of(cache.faces, recipe.leave_out),
            reconstructions,
            options.minutes,
            options.points,
            options.steps,
            options.workers,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
