"""Hard negatives: pictures without a face in which the locator that is being trained sees one.

Most pictures without a face teach nothing any more. A miner composes many, keeps those that the weights of the last
checkpoint are wrong about, and hands them out for training.
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
"""The probability of a face from which a picture without one is hard."""

KEPT = 400
"""Hard pictures of each size that are kept; new ones take the places of old ones."""

REFRESH = 1000
"""So many pictures are looked at with the same weights."""

FIRST_SEED = 1 << 36
"""Beyond the numbers of the compositions that training reaches, and short of those that measure."""


class Miner:
    """Looks for hard negatives with the averaged weights of the checkpoint, once there is one."""

    def __init__(self, composer: Composer, checkpoint: Path, first: int) -> None:
        self.composer, self.checkpoint, self.number = composer, checkpoint, FIRST_SEED + first
        self.kept: dict[int, list[Composition]] = {}
        self._network = Locator().eval()
        self._looked = 0

    def look(self, random: Random, side: int = SIDE) -> None:
        """Composes one picture and keeps it if it is hard."""
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
        """One of the hard pictures, turned by quarters and mirrored as it comes; None while too few are known."""
        kept = self.kept.get(side, [])
        if len(kept) < KEPT // 16:
            return None
        chosen = kept[int(random.integers(len(kept)))]
        return chosen.turned(int(random.integers(4)), random.random() < 0.5)
