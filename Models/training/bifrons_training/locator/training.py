"""Trains the locator on compositions that are made during the training.

The learning rate follows the CPU time that the training process has spent, not its steps and not the clock. A run
therefore costs the same on every machine; on a busy one it takes longer and learns the same. An interrupted run resumes
from its last checkpoint. Composition number n of a size is the same in every run, and most compositions are used
several times. A run may start from the weights of a published locator: its peak learning rate is then lower, and its
first layers, which detect edges and take a third of the time, stay frozen.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from bifrons_training.locator.catalogue import Split
from bifrons_training.locator.composer import Composer
from bifrons_training.locator.composition import SIDE, Composition
from bifrons_training.locator.hard_negatives import Miner
from bifrons_training.locator.losses import LocatorLoss
from bifrons_training.locator.network import Locator
from bifrons_training.locator.published_weights import IMAGES, restore
from bifrons_training.locator.targets import assign, tensor
from bifrons_training.training.optimisation import learning_rate, update_ema

DEFAULT_MINUTES = 64.0
BATCH = 24
SMALL_SIDE = 160
WHOLE_EVERY = 6
"""One batch in this many has compositions of full size, the others have `SMALL_SIDE` pixels. Those cost a quarter, and
a cell sees just as much of a face."""

USES = 8
"""The mean number of uses of a composition before it is dropped: composing takes longer than learning."""

KEPT = 1500
"""Number of compositions of each size that are kept for reuse."""

HARD_SHARE = 0.08
"""The share of hard negatives among the images, once some are known."""

LOOKS = 0.07
"""The number of images examined as hard negatives for each image used."""

PEAK_RATE = 4e-3
CONTINUED_PEAK_RATE = 2e-3
WEIGHT_DECAY = 0.02
CHECKPOINT_SECONDS = 60
LOG_STEPS = 50


class Compositions(IterableDataset):
    """An endless stream of (input, state, values) of compositions, numbered from `first`.

    On average one in `USES` is new. The others are reused, randomly mirrored and rotated by quarters.
    """

    def __init__(self, composer: Composer, first: int, checkpoint: Path) -> None:
        self.composer, self.first, self.checkpoint = composer, first, checkpoint

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        info = get_worker_info()
        start, step = (0, 1) if info is None else (info.id, info.num_workers)
        kept: dict[int, list[Composition]] = {SIDE: [], SMALL_SIDE: []}
        miner = Miner(self.composer, self.checkpoint, self.first + (start << 30))
        for count in itertools.count():
            side = SIDE if count // BATCH % WHOLE_EVERY == 0 else SMALL_SIDE
            number = self.first + start + count * step
            random = np.random.default_rng((17, number))
            if random.random() < LOOKS:
                miner.look(random, side)
            hard = miner.hard(random, side) if random.random() < HARD_SHARE else None
            if hard is not None:
                composition = hard
            elif not kept[side] or random.random() < 1 / USES:
                composition = self.composer.compose(number, side)
                if len(kept[side]) < KEPT:
                    kept[side].append(composition)
                else:
                    kept[side][int(random.integers(KEPT))] = composition
            else:
                composition = kept[side][int(random.integers(len(kept[side])))]
                quarters = int(random.integers(1, 4)) if random.random() < 0.33 else 0
                composition = composition.turned(quarters, random.random() < 0.5)
            yield tensor(composition.pixels, side), *assign(composition, side)


class Run:
    """A training with everything that its checkpoint contains."""

    def __init__(self, checkpoint: Path) -> None:
        torch.manual_seed(5)
        self.checkpoint = checkpoint
        self.network = Locator().to(memory_format=torch.channels_last)
        self.ema = Locator()
        self.ema.load_state_dict(self.network.state_dict())
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        others = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}], lr=PEAK_RATE
        )
        self.step, self.seconds, self.curve = 0, 0.0, []
        self.begun_from = ""
        """The version of the published locator that the training started from; empty if it started from scratch."""
        if checkpoint.is_file():
            kept = torch.load(checkpoint, weights_only=True)
            self.network.load_state_dict(kept["network"])
            self.ema.load_state_dict(kept["average"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.step, self.seconds, self.curve = kept["step"], kept["seconds"], kept["curve"]
            self.begun_from = kept["begun_from"]

    @property
    def peak_rate(self) -> float:
        """The highest learning rate of the schedule."""
        return CONTINUED_PEAK_RATE if self.begun_from else PEAK_RATE

    def load_published(self, published: Path, composer: Composer) -> None:
        """Loads the weights of the published locator in the folder `published`."""
        images = np.stack([tensor(composer.compose(number).pixels) for number in range(IMAGES)])
        state = restore(published / "model.onnx", images).state_dict()
        self.network.load_state_dict(state)
        self.ema.load_state_dict(state)
        self.begun_from = json.loads((published / "manifest.json").read_text(encoding="utf-8"))["version"]

    def learn(self) -> None:
        """Puts the network into training mode, except for frozen layers."""
        self.network.train()
        if self.begun_from:
            for layers in (self.network.stem, self.network.quarter):
                layers.eval().requires_grad_(False)

    def save(self) -> None:
        """Writes the checkpoint atomically."""
        self.checkpoint.parent.mkdir(parents=True, exist_ok=True)
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(
            {
                "network": self.network.state_dict(),
                "average": self.ema.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "step": self.step,
                "seconds": self.seconds,
                "curve": self.curve,
                "begun_from": self.begun_from,
            },
            partial,
        )
        os.replace(partial, self.checkpoint)


def train(
    folder: Path,
    split: Split,
    checkpoint: Path,
    minutes: float,
    threads: int,
    composers: int,
    published: Path | None = None,
    compiled: bool = False,
) -> Locator:
    """Trains for `minutes` of CPU time in total over all interruptions; returns the averaged network in eval mode.

    Without a checkpoint, training starts from the weights in the folder `published`, if one is given. `compiled`
    compiles the network to C++ first, which takes minutes and needs a compiler and Python's headers.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    run = Run(checkpoint)
    if run.seconds < minutes * 60:
        composer = Composer.of(folder, split)
        if published is not None and run.step == 0:
            run.load_published(published, composer)
        source = Compositions(composer, run.step * BATCH, checkpoint)
        loader = DataLoader(source, BATCH, num_workers=composers, prefetch_factor=4)
        _loop(run, iter(loader), minutes * 60, compiled)
        run.save()
    run.ema.eval()
    return run.ema


def _loop(run: Run, batches: Iterator[list[torch.Tensor]], seconds: float, compiled: bool) -> None:
    losses = {side: LocatorLoss(side) for side in (SIDE, SMALL_SIDE)}
    run.learn()
    network = torch.compile(run.network, dynamic=False) if compiled else run.network
    saved, last = time.monotonic(), time.process_time()
    parts_seen: list[dict[str, float]] = []
    while run.seconds < seconds:
        image, state, values = next(batches)
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(run.seconds / seconds, run.peak_rate)
        cells = network(image.to(memory_format=torch.channels_last))
        loss, parts = losses[image.shape[-1]](cells, state, values)
        run.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.network.parameters(), 10.0)
        run.optimizer.step()
        update_ema(run.ema, run.network, run.step)
        run.step += 1
        spent = time.process_time()
        run.seconds, last = run.seconds + spent - last, spent
        parts_seen.append(parts)
        if run.step % LOG_STEPS == 0:
            means = {name: float(np.mean([p[name] for p in parts_seen])) for name in parts}
            run.curve.append({"step": run.step, "minutes": round(run.seconds / 60, 2)} | means)
            parts_seen = []
            shown = "  ".join(f"{name} {value:.3f}" for name, value in means.items())
            done = run.seconds / seconds
            rate = run.step * BATCH / run.seconds
            print(f"locator {done:4.0%}  {rate:5.1f} images/s  {shown}", file=sys.stderr, flush=True)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            run.save()
            saved = time.monotonic()


def write_curve(checkpoint: Path, table: Path, plot: Path) -> None:
    """Writes the loss curve of a checkpoint's training as CSV and as a plot."""
    curve = torch.load(checkpoint, weights_only=True)["curve"]
    if not curve:
        return
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(curve[0]))
        writer.writeheader()
        writer.writerows({name: round(value, 4) for name, value in row.items()} for row in curve)
    figure = Figure(figsize=(10, 3.6))
    axes = figure.subplots(1, 2)
    minutes = [row["minutes"] for row in curve]
    for name in ("score", "box", "landmark"):
        axes[0].plot(minutes, [row[name] for row in curve], label=name)
    axes[0].set(xlabel="minutes", ylabel="loss", yscale="log")
    axes[0].legend()
    axes[1].plot(minutes, [row["iou"] for row in curve], color="tab:green")
    axes[1].set(xlabel="minutes", ylabel="mean IoU of the cells that see a face")
    figure.tight_layout()
    figure.savefig(plot, dpi=110, metadata={"Software": None})
