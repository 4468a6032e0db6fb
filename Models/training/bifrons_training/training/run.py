"""One training and everything that its checkpoint contains: weights, their average, optimiser and curve."""

from __future__ import annotations

import copy
import csv
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bifrons_training.augmentation.batches import cutmix, swap_surroundings
from bifrons_training.networks import detectors, pretrained_detectors, published_weights
from bifrons_training.networks.precision import mixed_precision
from bifrons_training.training.optimisation import update_ema
from bifrons_training.training.recipe import SEEDS, Recipe

WEIGHT_DECAY = 0.05


def build(name: str) -> detectors.Detector:
    """Returns a network to train, which knows nothing yet about real and generated faces."""
    if name in pretrained_detectors.NAMES:
        return pretrained_detectors.build(name)
    return detectors.build(name)


class Run:
    """One training and everything that its checkpoint contains."""

    def __init__(self, name: str, folder: Path, recipe: Recipe) -> None:
        torch.manual_seed(SEEDS[name])
        self.name, self.folder, self.recipe = name, folder, recipe
        device = "cuda" if torch.cuda.is_available() else "cpu"
        pretrained = name in pretrained_detectors.NAMES
        self.network = build(name).to(device)
        self.ema = copy.deepcopy(self.network)
        parts = (
            pretrained_detectors.layerwise_rates(self.network)
            if pretrained
            else [(1.0, list(self.network.parameters()))]
        )
        groups = []
        for share, parameters in parts:
            decayed, plain = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
            groups.append({"params": decayed, "weight_decay": WEIGHT_DECAY, "share": share})
            groups.append({"params": plain, "weight_decay": 0.0, "share": share})
        self.optimizer = torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.99))
        self.teachers: list[detectors.Detector] = []
        self.best = self.ema.state_dict()
        self.step, self.seconds, self.finished = 0, 0.0, False
        self.curve: list[dict[str, float]] = []
        self.earlier: list[dict[str, float]] = []
        """The curve of the runs whose weights this one started from; its own curve continues their counts."""

    @property
    def checkpoint(self) -> Path:
        """The file of the checkpoint."""
        return self.folder / f"{self.name}.pt"

    def teach_by(self, teachers: list[detectors.Detector]) -> None:
        """Sets teachers in eval mode, whose probabilities enter the targets (distillation, Hinton et al. 2015)."""
        device = next(self.network.parameters()).device
        self.teachers = [teacher.to(device) for teacher in teachers]

    def load_pretrained(self, work: Path, images: np.ndarray) -> None:
        """Loads pretrained weights, downloaded into `work`; `images` [n, side, side, 3] uint8 set the norms."""
        state = pretrained_detectors.from_pretrained(self.name, work, images).state_dict()
        self.network.load_state_dict(state)
        self.ema.load_state_dict(state)

    def load_published(self, folder: Path, images: np.ndarray) -> None:
        """Loads the weights of a published model folder; `images` [n, side, side, 3] uint8 set the norms."""
        state = published_weights.restore(self.name, folder / "model.onnx", images).state_dict()
        self.network.load_state_dict(state)
        self.ema.load_state_dict(state)
        with (folder / "training.csv").open(newline="") as file:
            self.earlier = [{key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)]
        for row in self.earlier:
            row["step"], row["images"] = int(row["step"]), int(row["images"])

    def load_average(self, checkpoint: Path) -> int:
        """Loads those averaged weights of another run whose names and shapes match.

        Returns the number of parameters loaded.
        """
        state = torch.load(checkpoint, weights_only=True, map_location="cpu")
        self.earlier = [*state["earlier"], *state["curve"]]
        theirs = state["average"]
        ours = self.network.state_dict()
        shared = {name: value for name, value in theirs.items() if name in ours and ours[name].shape == value.shape}
        self.network.load_state_dict(shared, strict=False)
        self.ema.load_state_dict(shared, strict=False)
        return sum(value.numel() for value in shared.values())

    def save(self) -> None:
        """Writes the checkpoint atomically, and the curve as CSV beside it."""
        state = {
            "side": self.recipe.side,
            "network": self.network.state_dict(),
            "average": self.ema.state_dict(),
            "best": self.best,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "finished": self.finished,
            "curve": self.curve,
            "earlier": self.earlier,
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, self.checkpoint.with_suffix(".partial"))
        os.replace(self.checkpoint.with_suffix(".partial"), self.checkpoint)
        if self.curve:
            with (self.folder / f"{self.name}.csv").open("w", newline="") as file:
                writer = csv.DictWriter(file, list(self.curve[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(self.earlier + self.curve)

    def resume(self) -> bool:
        """Loads the checkpoint if it exists. Returns whether it did."""
        if not self.checkpoint.is_file():
            return False
        state = torch.load(self.checkpoint, weights_only=True, map_location="cpu")
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.best = state["best"]
        self.step, self.seconds, self.finished = state["step"], state["seconds"], state["finished"]
        self.curve, self.earlier = state["curve"], state["earlier"]
        return True

    def train_step(self, views: Tensor, targets: Tensor, rate: float) -> tuple[float, float]:
        """Trains on one batch; returns its loss and accuracy."""
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        device = next(self.network.parameters()).device
        x, targets = detectors.network_input(views.to(device)), targets.to(device)
        random = np.random.default_rng((SEEDS[self.name], self.step))
        x = swap_surroundings(x, self.recipe.surroundings, random)
        if random.random() < self.recipe.mixing:
            x, targets = cutmix(x, targets, random)
        with mixed_precision(device.type):
            logits = self.network(x)
        logits = logits.float().flatten()
        smooth = targets * (1 - self.recipe.smoothing) + self.recipe.smoothing / 2
        if self.teachers:
            smooth = torch.lerp(smooth, self._taught(x), self.recipe.distillation)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, smooth)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        self.step += 1
        update_ema(self.ema, self.network, self.step)
        return float(loss.detach()), float(((logits > 0) == (targets > 0.5)).float().mean())

    @torch.no_grad()
    def _taught(self, x: Tensor) -> Tensor:
        """Returns the probability of the teachers' mean logit, [N]."""
        with mixed_precision(x.device.type):
            logits = torch.stack([teacher(x).float().flatten() for teacher in self.teachers])
        return logits.mean(0).sigmoid()


def side_of(name: str, checkpoint: Path) -> int:
    """Returns the side of the input that a checkpoint's network was trained with; older checkpoints do not store it."""
    state = torch.load(checkpoint, weights_only=True, map_location="cpu")
    return int(state.get("side", detectors.side_of(name)))


def load_best(name: str, checkpoint: Path) -> detectors.Detector:
    """Returns the best averaged weights of a checkpoint as a network in eval mode."""
    network = build(name)
    network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["best"])
    network.eval()
    return network
