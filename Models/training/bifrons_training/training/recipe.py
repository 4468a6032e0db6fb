"""What a training is made with: the recipe, the seeds and its length."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bifrons_training import preprocessing

DEFAULT_MINUTES = 90.0
SEEDS = {"resnet": 1, "inception": 2, "resnet50": 3, "efficientnet": 4, "inception3": 5}


@dataclass(frozen=True)
class Recipe:
    """What a search may change.

    search.csv began with a matched pair of weight 3, a quarter of pseudo-fakes, a quarter of mixing, and twice as
    frequent augmentations; the defaults are what came of it.
    """

    peak_rate: float = 2e-3
    honest_weight: float = 2.0
    """How many times the matched pairs count: only there does the label not follow the format."""
    pseudo: float = 0.2
    """Share of the generated half of a batch that is made from the batch's own real pictures."""
    mixing: float = 0.1
    """Share of the batches in which pictures get a rectangle of another one."""
    surroundings: float = 0.25
    """Share of the pictures that get the surroundings of another one's face."""
    smoothing: float = 0.02
    distillation: float = 0.5
    """How much the teachers' mean probability counts in a target, where there are teachers; the label is the rest."""
    side: int = preprocessing.SIDE
    batch: int = 48
    leave_out: tuple[str, ...] = ()

    @staticmethod
    def here() -> Recipe:
        """The defaults on this machine: a GPU wants larger batches, and fewer steps then are larger."""
        return Recipe(batch=192, peak_rate=3e-3) if torch.cuda.is_available() else Recipe()
