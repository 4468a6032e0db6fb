"""The augmented views that a network trains on, made batch by batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from bifrons_training.augmentation.reconstructions import VARIANTS, Reconstructions
from bifrons_training.augmentation.spectrum import match_spectrum
from bifrons_training.augmentation.transforms import augment
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.training.sampling import RECONSTRUCTED, RESIZED, SOFTENED, UPSAMPLED


class TrainingViews(Dataset):
    """A dataset of batches of augmented views, indexed by lists of (position, treatment, seed)."""

    def __init__(self, cache: PixelCache, reconstructions: Reconstructions | None, side: int) -> None:
        self.cache, self.reconstructions, self.side = cache, reconstructions, side

    def __getitem__(self, keys: list[tuple[int, int, int]]) -> tuple[Tensor, Tensor]:
        views = np.empty((len(keys), self.side, self.side, 3), np.uint8)
        labels = np.empty(len(keys), np.float32)
        for number, (position, treatment, seed) in enumerate(keys):
            pixels = self._pixels(position, treatment)
            upsampling = {UPSAMPLED: True, RESIZED: False}.get(treatment)
            crop = self.cache.crop(position)
            views[number] = augment(pixels, crop, np.random.default_rng(seed), self.side, upsampling)
            made = treatment == UPSAMPLED or RECONSTRUCTED <= treatment < SOFTENED
            labels[number] = made or self.cache.faces[position].label
        return torch.from_numpy(views), torch.from_numpy(labels)

    def _pixels(self, position: int, treatment: int) -> np.ndarray:
        pixels = np.asarray(self.cache.image(position))
        if treatment < RECONSTRUCTED:
            return pixels
        assert self.reconstructions is not None
        made = self.reconstructions.image(position, (treatment - RECONSTRUCTED) % VARIANTS)
        return match_spectrum(pixels, made) if treatment >= SOFTENED else made
