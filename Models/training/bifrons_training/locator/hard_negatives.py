"""Hard negatives: images without a face in which the locator being trained sees one.

Most images without a face soon teach nothing. A miner composes many, keeps those on which the weights of the last
checkpoint are wrong, and supplies them for training.
"""

from __future__ import annotations

from pathlib import Path

import torch

from bifrons_training.locator.composer import Composer
from bifrons_training.locator.composition import SIDE, Composition
from bifrons_training.locator.negatives import Random
from bifrons_training.locator.network import Locator
from bifrons_training.locator.targets import tensor

SEEN = 0.15
"""The probability of a face from which an image without one is hard."""

KEPT = 400
"""The most hard images of each size that are kept; further ones replace random old ones."""

REFRESH = 1000
"""The number of images examined before the weights are reloaded from the checkpoint."""

FIRST_SEED = 1 << 36
"""The first seed of the mined compositions, beyond those of the training and below those of the evaluation."""


class Miner:
    """Searches for hard negatives with the averaged weights of the checkpoint, once one exists."""

    def __init__(self, composer: Composer, checkpoint: Path, first: int) -> None:
        self.composer, self.checkpoint, self.number = composer, checkpoint, FIRST_SEED + first
        self.kept: dict[int, list[Composition]] = {}
        self._network = Locator().eval()
        self._looked = 0

    def look(self, random: Random, side: int = SIDE) -> None:
        """Composes one image and keeps it if it is hard."""
        if self._looked % REFRESH == 0:
            if not self.checkpoint.is_file():
                return
            self._network.load_state_dict(torch.load(self.checkpoint, weights_only=True)["average"])
        self._looked += 1
        composition = self.composer.clutter(self.number, side)
        self.number += 1
        with torch.inference_mode():
            logits = self._network(torch.from_numpy(tensor(composition.pixels, side))[None])[0, :, 0]
        if float(logits.max().sigmoid()) < SEEN:
            return
        kept = self.kept.setdefault(side, [])
        if len(kept) < KEPT:
            kept.append(composition)
        else:
            kept[int(random.integers(KEPT))] = composition

    def hard(self, random: Random, side: int = SIDE) -> Composition | None:
        """Returns a random hard image, randomly rotated by quarters and mirrored; None while too few are known."""
        kept = self.kept.get(side, [])
        if len(kept) < KEPT // 16:
            return None
        chosen = kept[int(random.integers(len(kept)))]
        return chosen.turned(int(random.integers(4)), random.random() < 0.5)
