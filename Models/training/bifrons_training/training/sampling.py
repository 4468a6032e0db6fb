"""Decides which images form a batch, and how each is treated before augmentation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from bifrons_training.augmentation.reconstructions import VARIANTS
from bifrons_training.data.catalogue import MATCHED_SOURCES, Face
from bifrons_training.training.recipe import Recipe

PLAIN, UPSAMPLED, RESIZED, RECONSTRUCTED = 0, 1, 2, 3
SOFTENED = RECONSTRUCTED + VARIANTS
"""Treatments of an image before augmentation. From `RECONSTRUCTED` on, the number says which reconstruction replaces
it; from `SOFTENED` on, the sharpness of which reconstruction it gets."""


def sampling_weights(faces: list[Face], positions: list[int], honest_weight: float) -> np.ndarray:
    """Returns the probability of each position: classes equal, sources in a class by the square root of their size."""
    sizes = Counter((faces[p].label, faces[p].source) for p in positions)
    weights = np.array([1 / math.sqrt(sizes[faces[p].label, faces[p].source]) for p in positions])
    weights *= [honest_weight if faces[p].source in MATCHED_SOURCES else 1.0 for p in positions]
    labels = np.array([faces[p].label for p in positions])
    for label in (0, 1):
        weights[labels == label] *= 0.5 / weights[labels == label].sum()
    return weights


class BalancedBatchSampler:
    """An endless stream of batches of (position, treatment, seed); a batch depends only on the seed and its step.

    Half of a batch is real, half generated. A share of the generated half are pseudo-fakes of the batch's first real
    images, and both images of such a pair get the same augmentation. Three of four pseudo-fakes are reconstructions,
    whose real images are made equally soft. In the remaining pairs one image is resampled with simulated generator
    upsampling and the real one with an ordinary kernel.
    """

    def __init__(self, faces: list[Face], positions: list[int], recipe: Recipe, seed: int, step: int) -> None:
        self._seed, self._step = seed, step
        self._half = recipe.batch // 2
        self._pseudo = round(recipe.pseudo * self._half)
        weights = sampling_weights(faces, positions, recipe.honest_weight)
        labels = np.array([faces[p].label for p in positions])
        self._classes = [(np.array(positions)[labels == c], weights[labels == c] * 2) for c in (0, 1)]

    def __iter__(self) -> Iterator[list[tuple[int, int, int]]]:
        step = self._step
        while True:
            random = np.random.default_rng((self._seed, step))
            real, made = (random.choice(where, self._half, p=p / p.sum()) for where, p in self._classes)
            seeds = random.integers(2**62, size=2 * self._half)
            keys = [(int(p), PLAIN, int(s)) for p, s in zip(np.concatenate((real, made)), seeds, strict=True)]
            for pair in range(self._pseudo):
                position, _, seed = keys[pair]
                own, other = RESIZED, UPSAMPLED
                if random.random() < 0.75:
                    variant = int(random.integers(VARIANTS))
                    own, other = SOFTENED + variant, RECONSTRUCTED + variant
                keys[pair], keys[self._half + pair] = (position, own, seed), (position, other, seed)
            yield keys
            step += 1
