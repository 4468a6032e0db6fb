"""The settings of a training: recipe, seeds and length."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bifrons_training import preprocessing

DEFAULT_MINUTES = 90.0
SEEDS = {"resnet": 1, "inception": 2, "resnet50": 3, "efficientnet": 4, "inception3": 5}


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters that a search may change.

    search.csv started with weight 3 for the matched pair, a quarter of pseudo-fakes, a quarter of mixed batches, and
    twice as frequent augmentations; the defaults are its result.
    """

    peak_rate: float = 2e-3
    honest_weight: float = 2.0
    """The sampling weight of the matched pairs, in which alone the label does not follow the file format."""
    pseudo: float = 0.2
    """The share of the generated half of a batch that is made from the batch's own real images."""
    mixing: float = 0.1
    """The share of batches in which images get a rectangle of another image."""
    surroundings: float = 0.25
    """The share of images whose face is moved into the surroundings of another face."""
    smoothing: float = 0.02
    distillation: float = 0.5
    """The weight of the teachers' mean probability in a target, if there are teachers; the label has the rest."""
    side: int = preprocessing.SIDE
    """The side of the input in pixels; `training.train` takes the network's own."""
    batch: int = 48
    leave_out: tuple[str, ...] = ()

    @staticmethod
    def here() -> Recipe:
        """Returns the defaults for this machine: on a GPU batches are larger, and with them the learning rate."""
        return Recipe(batch=192, peak_rate=3e-3) if torch.cuda.is_available() else Recipe()
