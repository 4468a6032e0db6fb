"""Pseudo-fakes: real images passed through small autoencoders that are trained here.

    python -m bifrons_training.augmentation.reconstructions --data FOLDER [--weights FOLDER]

An image and its reconstruction share content, framing and JPEG history; only the artefacts of the decoder's upsampling
tell them apart (Zhang et al. 2019, "Detecting and simulating artifacts in GAN fake images"; Rajan et al. 2025, "Aligned
datasets improve detection of latent diffusion-generated images"). There are twelve autoencoders, one for each
combination of depth and an upsampling layer that generators use. Their loss is the sum of L1, a perceptual loss on the
features of their own discriminator (Larsen et al. 2016) and an adversarial hinge loss. The bottleneck of the deepest is
as narrow as that of latent diffusion's autoencoders: a twelfth of the image's numbers.

Each real training image is reconstructed four times by different decoders, at its own size or at another, because most
generators' images are published smaller than they were made. If the weights of TAEF2 are available, this published
autoencoder makes one of the four (see `taef2`). Most reconstructions are softer than the original; without
`match_spectrum`, which removes that difference, the pairs would teach the network that soft means generated.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bifrons_training.augmentation.decoders import DECODERS, SEED, reconstruct, train_decoder
from bifrons_training.augmentation.spectrum import match_spectrum, sharpness
from bifrons_training.augmentation.taef2 import RoundTrip
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.errors import program
from bifrons_training.processes import keep_freed_memory
from bifrons_training.workspace import DEFAULT_WORK, open_cache

VARIANTS = 4
SCALES = (0.75, 1.0, 1.0, 1.5)
"""Factors of an image's size at which it is reconstructed, drawn with equal probability."""

DEFAULT_SECONDS = 80.0


@dataclass(frozen=True)
class Pending:
    """A reconstruction to make: the image's catalogue position, the byte offset in the file and the scale factor."""

    position: int
    start: int
    scale: float


def write(network: nn.Module, cache: PixelCache, pending: list[Pending], file: Path) -> None:
    """Reconstructs images with `network` and writes each to its offset in `file`."""
    made = np.memmap(file, np.uint8, "r+")
    for one in pending:
        values = reconstruct(network, np.asarray(cache.image(one.position)), one.scale).ravel()
        made[one.start : one.start + len(values)] = values


def train_and_write(
    number: int, cache: PixelCache, positions: list[int], seconds: float, pending: list[Pending], file: Path
) -> float:
    """Trains a decoder and writes its reconstructions to `file`; returns its mean absolute error in grey levels."""
    torch.set_num_threads(1)
    network, error = train_decoder(number, cache, positions, seconds)
    write(network, cache, pending, file)
    return error


def write_by_taef2(weights: Path, cache: PixelCache, pending: list[Pending], file: Path) -> None:
    """Writes the reconstructions that TAEF2, whose weights are in the folder `weights`, makes to `file`."""
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    write(RoundTrip(weights).eval().to(device), cache, pending, file)


class Reconstructions:
    """`VARIANTS` reconstructions of every real training image, in one file of RGB bytes, sized as in the cache.

    They are built on first use and reused while their inputs stay the same. Decoders are trained in parallel: all at
    once on a GPU, otherwise one on each core. With `weights`, the folder of TAEF2, the first variant of each image
    comes from that autoencoder.
    """

    def __init__(
        self,
        cache: PixelCache,
        splits: Splits,
        folder: Path,
        seconds: float = DEFAULT_SECONDS,
        weights: Path | None = None,
    ) -> None:
        self.cache = cache
        self.positions = [p for p in splits.train if cache.faces[p].label == 0]
        self._data, index = folder / "reconstructions.bin", folder / "reconstructions.json"
        key = [cache.identity, DECODERS, VARIANTS, SCALES, seconds, weights is not None, self.positions]
        identity = hashlib.sha256(json.dumps(key).encode()).hexdigest()
        known = json.loads(index.read_text()) if index.is_file() else {}
        if known.get("identity") != identity or not self._data.is_file():
            known = {"identity": identity, **self._build(seconds, weights)}
            index.write_text(json.dumps(known))
        self.errors: list[float] = known["errors"]
        self._place = {position: number for number, position in enumerate(self.positions)}
        self._offsets = known["offsets"]
        self._bytes: np.memmap | None = None

    def _build(self, seconds: float, weights: Path | None) -> dict[str, object]:
        random = np.random.default_rng(SEED)
        pending: list[list[Pending]] = [[] for _ in DECODERS]
        pending_taef2: list[Pending] = []
        offsets, end = [], 0
        for position in self.positions:
            offsets.append(end)
            for variant, number in enumerate(random.choice(len(DECODERS), VARIANTS, replace=False)):
                by = pending_taef2 if weights and variant == 0 else pending[number]
                by.append(Pending(position, end, float(random.choice(SCALES))))
                end += 3 * math.prod(self.cache.size(position))
        self._data.parent.mkdir(parents=True, exist_ok=True)
        partial = self._data.with_suffix(f".{os.getpid()}")
        with partial.open("wb") as file:
            file.truncate(end)
        at_once = len(DECODERS) if torch.cuda.is_available() else min(len(DECODERS), os.cpu_count() or 1)
        with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool:
            begun = [
                pool.submit(train_and_write, number, self.cache, self.positions, seconds, pending[number], partial)
                for number in range(len(DECODERS))
            ]
            taef2_begun = (
                [
                    pool.submit(write_by_taef2, weights, self.cache, pending_taef2[part::at_once], partial)
                    for part in range(at_once)
                ]
                if weights
                else []
            )
            errors = [one.result() for one in begun]
            for one in taef2_begun:
                one.result()
        os.replace(partial, self._data)
        return {"errors": [round(error, 2) for error in errors], "offsets": offsets}

    def image(self, position: int, variant: int) -> np.ndarray:
        """Returns reconstruction `variant` of the image at `position` of the catalogue, [H, W, 3] uint8."""
        if self._bytes is None:  # Opened on first use in each process, because a memory map cannot be pickled.
            self._bytes = np.memmap(self._data, dtype=np.uint8, mode="r")
        width, height = self.cache.size(position)
        start = self._offsets[self._place[position]] + variant * width * height * 3
        return self._bytes[start : start + width * height * 3].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_bytes": None}


def sharpness_kept(cache: PixelCache, made: Reconstructions, every: int = 12) -> np.ndarray:
    """Returns the relative sharpness of reconstructions, [n, 2], for each `every`th image.

    The first column is relative to the original, the second to the original filtered to the reconstruction's spectrum.
    """
    kept = []
    for position in made.positions[::every]:
        image = np.asarray(cache.image(position))
        for variant in range(VARIANTS):
            other = made.image(position, variant)
            kept.append([sharpness(other) / max(sharpness(p), 1e-6) for p in (image, match_spectrum(image, other))])
    return np.array(kept)


@program
def main() -> int:
    """Makes the reconstructions and prints how close they come. Returns the exit status."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description="Make the pseudo-fakes that the detectors train on.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, help="training time of each decoder")
    parser.add_argument("--weights", type=Path, help="folder of TAEF2's weights, to let it make a quarter of them")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for the decoded pixels and results")
    options = parser.parse_args()
    cache = open_cache(options.data, options.work)
    made = Reconstructions(cache, Splits.of(cache.faces), options.work, options.seconds, options.weights)
    for (kind, depth), error in zip(DECODERS, made.errors, strict=True):
        print(f"{kind} x{depth}: mean error of {error} grey levels")
    for what, kept in zip(("the originals", "the filtered originals"), sharpness_kept(cache, made).T, strict=True):
        print(f"sharpness relative to {what}: median {np.median(kept):.2f}; {(kept < 1).mean():.0%} are softer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
