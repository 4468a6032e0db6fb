"""The training loop: steps, evaluations and checkpoints until the end of the schedule."""

from __future__ import annotations

import copy
import time

import numpy as np
from torch.utils.data import DataLoader
from tqdm import tqdm

from bifrons_training.augmentation.reconstructions import Reconstructions
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.networks import detectors
from bifrons_training.training.evaluator import Evaluator
from bifrons_training.training.optimisation import learning_rate
from bifrons_training.training.recipe import SEEDS
from bifrons_training.training.run import Run
from bifrons_training.training.sampling import BalancedBatchSampler
from bifrons_training.training.views import TrainingViews

CHECKPOINT_SECONDS = 120


def train(
    run: Run,
    cache: PixelCache,
    splits: Splits,
    reconstructions: Reconstructions | None,
    minutes: float,
    points: int,
    steps: int | None = None,
    workers: int = 1,
) -> None:
    """Trains for `minutes`, or for `steps` if given, and evaluates `points` times on the way.

    Resumes at the state of `run`; `workers` processes make the views.
    """
    parameters, operations = detectors.cost(run.network, run.recipe.side)
    print(f"{run.name}: {parameters / 1e6:.2f} M parameters, {2 * operations / 1e9:.3f} GFLOP an image", flush=True)
    evaluator = Evaluator(cache, splits, run.recipe.side)
    batches = BalancedBatchSampler(cache.faces, splits.train, run.recipe, SEEDS[run.name], run.step)
    views = TrainingViews(cache, reconstructions, run.recipe.side)
    loader = DataLoader(views, sampler=batches, batch_size=None, num_workers=workers, prefetch_factor=4)
    whole = minutes * 60

    def done() -> float:
        return run.step / steps if steps else run.seconds / whole

    losses, hits, saved, began, before = [], [], time.monotonic(), time.monotonic(), run.seconds
    with tqdm(total=100, initial=int(100 * done()), desc=run.name, unit="%", mininterval=10) as bar:
        for images, targets in loader:
            progress = done()
            if progress >= 1:
                break
            loss, hit = run.train_step(images, targets, learning_rate(progress, run.recipe.peak_rate))
            losses.append(loss)
            hits.append(hit)
            run.seconds = before + time.monotonic() - began
            if done() >= min(1, (len(run.curve) + 1) / points):
                past = run.earlier[-1] if run.earlier else {"step": 0, "images": 0, "minutes": 0.0}
                row = {
                    "step": past["step"] + run.step,
                    "images": past["images"] + run.step * run.recipe.batch,
                    "minutes": round(past["minutes"] + run.seconds / 60, 2),
                    "rate": round(learning_rate(progress, run.recipe.peak_rate), 6),
                    "loss": round(float(np.mean(losses)), 4),
                    "accuracy": round(float(np.mean(hits)), 4),
                    **evaluator.evaluate(run.ema),
                }
                if row["criterion"] + row["error"] >= max((point["criterion"] for point in run.curve), default=0.0):
                    run.best = copy.deepcopy(run.ema.state_dict())
                run.curve.append(row)
                tqdm.write(f"{run.name} {row}")
                losses, hits = [], []
                run.seconds = before + time.monotonic() - began
            bar.update(min(int(100 * done()), 100) - bar.n)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                run.save()
                saved = time.monotonic()
    run.finished = True
    run.save()
