"""Trains one network: balanced batches, equal augmentation, cosine schedule over wall time, averaged weights.

    python Models/training/train.py --data FOLDER --model resnet --minutes 56

The learning rate follows the minutes spent, not the steps done, so a run ends on time however busy the machine is; an
interrupted run goes on where its last checkpoint stands. The same seed therefore gives the same batches, but the same
weights only on an equally fast machine.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

import networks
import preprocessing
from augmentation import augment
from calibration import roc_auc
from data import HONEST_SOURCE, DataError, Face, PixelCache, Splits, read_catalogue
from locating import Locator

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_WORK = REPOSITORY / ".cache" / "training"
DEFAULT_MINUTES = 56.0
BATCH = 32
PEAK_RATE = 2e-3
WEIGHT_DECAY = 0.05
WARM_UP = 0.03
AVERAGING = 0.998
CHECKPOINT_SECONDS = 120
CURVE_POINTS = 20
SEEDS = {"resnet": 1, "inception": 2}
HONEST_WEIGHT = 2.0


class TrainingViews(Dataset):
    """Augmented views of the pictures in a cache, addressed by (position, seed)."""

    def __init__(self, cache: PixelCache) -> None:
        self.cache = cache

    def __getitem__(self, key: tuple[int, int]) -> tuple[np.ndarray, float]:
        position, seed = key
        view = augment(self.cache.image(position), self.cache.square(position), np.random.default_rng(seed))
        return np.array(view), float(self.cache.faces[position].label)


def sampling_weights(faces: list[Face], positions: list[int]) -> np.ndarray:
    """Probability of each position: the classes equal, sources inside a class by the square root of their size.

    The matched pair weighs `HONEST_WEIGHT` times as much, in both classes: only there does the label not follow the
    format.
    """
    sizes = Counter((faces[p].label, faces[p].source) for p in positions)
    weights = np.array([1 / math.sqrt(sizes[faces[p].label, faces[p].source]) for p in positions])
    weights *= [HONEST_WEIGHT if faces[p].source == HONEST_SOURCE else 1.0 for p in positions]
    labels = np.array([faces[p].label for p in positions])
    for label in (0, 1):
        weights[labels == label] *= 0.5 / weights[labels == label].sum()
    return weights


class Batches:
    """Endless batches of (position, seed) from a step on; a batch depends on the seed and its step alone."""

    def __init__(self, faces: list[Face], positions: list[int], seed: int, step: int) -> None:
        self._positions, self._seed, self._step = np.array(positions), seed, step
        weights = sampling_weights(faces, positions)
        labels = np.array([faces[p].label for p in positions])
        self._classes = [(self._positions[labels == c], weights[labels == c] * 2) for c in (0, 1)]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        step = self._step
        while True:
            random = np.random.default_rng((self._seed, step))
            drawn = [random.choice(where, BATCH // 2, p=p / p.sum()) for where, p in self._classes]
            seeds = random.integers(2**62, size=BATCH)
            yield [(int(p), int(s)) for p, s in zip(np.concatenate(drawn), seeds, strict=True)]
            step += 1


def network_input(batch: Tensor) -> Tensor:
    """[N, H, W, 3] uint8 to the normalised [N, 3, H, W] in channels-last order, without a copy of the pixels."""
    values = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    mean = torch.tensor(preprocessing.MEAN).view(1, 3, 1, 1)
    std = torch.tensor(preprocessing.STD).view(1, 3, 1, 1)
    return (values / 255 - mean) / std


@torch.no_grad()
def predict(network: nn.Module, pictures: np.ndarray, batch: int = 64) -> np.ndarray:
    """Raw f32 logits of [n, SIDE, SIDE, 3] uint8 pictures."""
    network.eval()
    parts = [network(network_input(torch.from_numpy(pictures[i : i + batch]))) for i in range(0, len(pictures), batch)]
    return torch.cat(parts).flatten().numpy()


def learning_rate(progress: float, peak: float = PEAK_RATE) -> float:
    """Linear warm-up, then a half cosine down to a hundredth of the peak."""
    if progress < WARM_UP:
        return peak * (0.02 + 0.98 * progress / WARM_UP)
    along = min(1.0, (progress - WARM_UP) / (1 - WARM_UP))
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, step: int) -> None:
    """Moves the averaged weights and norm statistics towards the current ones; faster in the first steps."""
    keep = min(AVERAGING, (1 + step) / (10 + step))
    current = network.state_dict()
    for name, value in average.state_dict().items():
        if value.is_floating_point():
            value.lerp_(current[name], 1 - keep)
        else:
            value.copy_(current[name])


class Run:
    """One training with everything that a checkpoint keeps."""

    def __init__(self, name: str, folder: Path) -> None:
        torch.manual_seed(SEEDS[name])
        self.name, self.folder = name, folder
        self.network = networks.build(name)
        self.average = networks.build(name)
        self.average.load_state_dict(self.network.state_dict())
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=PEAK_RATE, betas=(0.9, 0.99))
        self.step, self.seconds, self.finished = 0, 0.0, False
        self.curve: list[dict[str, float]] = []

    @property
    def checkpoint(self) -> Path:
        """Where the run is kept."""
        return self.folder / f"{self.name}.pt"

    def save(self) -> None:
        """Writes the checkpoint beside the old one and then over it: there is always a whole one."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "finished": self.finished,
            "curve": self.curve,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.checkpoint.with_suffix(".partial"))
        os.replace(self.checkpoint.with_suffix(".partial"), self.checkpoint)
        if self.curve:
            with (self.folder / f"{self.name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(self.curve[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.curve)

    def resume(self) -> bool:
        """Takes up the checkpoint, if there is one."""
        if not self.checkpoint.is_file():
            return False
        state = torch.load(self.checkpoint, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.finished = state["step"], state["seconds"], state["finished"]
        self.curve = state["curve"]
        return True


def train(name: str, cache: PixelCache, splits: Splits, folder: Path, minutes: float) -> Run:
    """Trains `name` until its minutes are spent, resuming from `folder`; returns the finished run."""
    run = Run(name, folder)
    resumed = run.resume()
    parameters, operations = networks.cost(run.network)
    print(f"{name}: {parameters / 1e6:.2f} M parameters, {2 * operations / 1e9:.3f} GFLOP an image", flush=True)
    if resumed:
        print(f"{name}: goes on at step {run.step}, minute {run.seconds / 60:.1f}", flush=True)
    if run.finished:
        return run
    held_out = cache.inputs(splits.calibration)
    labels = np.array([cache.faces[p].label for p in splits.calibration])
    honest = np.array([cache.faces[p].source == HONEST_SOURCE for p in splits.calibration])
    batches = Batches(cache.faces, splits.train, SEEDS[name], run.step)
    loader = DataLoader(TrainingViews(cache), batch_sampler=batches, num_workers=1, prefetch_factor=6)
    losses, hits, saved, began, before = [], [], time.monotonic(), time.monotonic(), run.seconds
    for views, targets in loader:
        progress = run.seconds / (minutes * 60)
        if progress >= 1:
            break
        run.network.train()
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(progress)
        targets = targets.to(torch.float32)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = run.network(network_input(views))
        logits = logits.float().flatten()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(run.network.parameters(), 5.0)
        run.optimizer.step()
        run.step += 1
        follow(run.average, run.network, run.step)
        losses.append(float(loss.detach()))
        hits.append(float(((logits > 0) == (targets > 0.5)).float().mean()))
        run.seconds = before + time.monotonic() - began
        if run.seconds >= (len(run.curve) + 1) * minutes * 60 / CURVE_POINTS or run.seconds >= minutes * 60:
            scores = predict(run.average, held_out)
            run.curve.append(
                {
                    "step": run.step,
                    "images": run.step * BATCH,
                    "minutes": round(run.seconds / 60, 2),
                    "rate": round(learning_rate(progress), 6),
                    "loss": round(float(np.mean(losses)), 4),
                    "accuracy": round(float(np.mean(hits)), 4),
                    "held_out_auc": round(roc_auc(labels, scores), 4),
                    "held_out_auc_honest_pair": round(roc_auc(labels[honest], scores[honest]), 4),
                }
            )
            print(name, run.curve[-1], flush=True)
            losses, hits = [], []
            run.seconds = before + time.monotonic() - began
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            run.save()
            saved = time.monotonic()
    run.finished = True
    run.save()
    return run


def keep_freed_memory() -> None:
    """Starts this program anew with glibc told to keep freed memory: giving it back at each step costs a third."""
    settings = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "4294967296"}
    if any(name not in os.environ for name in settings):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**settings, **os.environ})


def main() -> int:
    """The command line: trains one network. Returns the exit status."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description="Train one network of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--model", choices=networks.NAMES, required=True)
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="wall time of the whole schedule")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="checkpoints, curves and decoded pixels")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        faces = read_catalogue(options.data)
        cache = PixelCache(options.data, options.work / "pixels", faces, Locator(REPOSITORY / "Models" / "locator"))
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    train(options.model, cache, Splits.of(faces), options.work, options.minutes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
