"""Pseudo-fakes: real pictures passed through small decoders that are trained here.

    python Models/training/reconstruction.py --data FOLDER [--weights FOLDER]

A picture and its reconstruction share content, framing and JPEG history; what is left to tell them apart is the trace of
the decoder's upsampling (Zhang et al. 2019, "Detecting and simulating artifacts in GAN fake images"; Rajan et al. 2025,
"Aligned datasets improve detection of latent diffusion-generated images"). Twelve autoencoders, one for each pair of an
upsampling layer that generators use and a depth, learn L1, a perceptual loss on the features of their own discriminator
(Larsen et al. 2016) and an adversarial hinge loss. The deepest keep as little as the autoencoders of latent diffusion do: a
twelfth of the numbers. Each training picture of a real face is then reconstructed four times, by different decoders, at its
own size or at another one (most generators' pictures are published smaller than they were made). Where the weights of TAEF2 are
at hand, one of the four is by this autoencoder, which was trained by others (see `autoencoder`). Most reconstructions are softer
than their pictures; `as_sharp_as` takes that difference away, or pairs would teach that soft is generated.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from autoencoder import RoundTrip
from data import PixelCache, Splits
from errors import program
from networks import mixed_precision
from workplace import DEFAULT_WORK, keep_freed_memory, open_cache

KINDS = ("nearest", "transposed", "shuffle", "bilinear")
DECODERS = tuple((kind, depth) for depth in (1, 2, 3) for kind in KINDS)
"""(upsampling layer, how many times the picture is halved), in the order of their numbers."""

LATENT = 16
"""Channels that are left where a picture was halved three times."""

VARIANTS = 4
SCALES = (0.75, 1.0, 1.0, 1.5)
"""Parts of a picture's size at which it is reconstructed, drawn alike."""

PATCH = 96
BATCH = 16
DEFAULT_SECONDS = 80.0
PERCEPTUAL, ADVERSARIAL = 1.0, 0.02
SEED = 5


def upsampling(kind: str, inputs: int, outputs: int) -> nn.Module:
    """A layer that doubles width and height."""
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
    if kind == "shuffle":
        return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, 1, 1), nn.PixelShuffle(2))
    mode = nn.Upsample(scale_factor=2, mode=kind, **({"align_corners": False} if kind == "bilinear" else {}))
    return nn.Sequential(mode, nn.Conv2d(inputs, outputs, 3, 1, 1))


class Autoencoder(nn.Sequential):
    """[N, 3, H, W] in -1…1 to the same: halved `depth` times, then doubled as often by the layer in question."""

    def __init__(self, kind: str, depth: int) -> None:
        layers: list[nn.Module] = []
        inputs = 3
        for level in range(depth):
            outputs = 48 * (level + 1)
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU(0.2)]
            inputs = outputs
        if depth == 3:
            layers += [nn.Conv2d(inputs, LATENT, 1), nn.Conv2d(LATENT, inputs, 1)]
        layers += [nn.Conv2d(inputs, inputs, 3, 1, 1), nn.LeakyReLU(0.2)]
        for level in reversed(range(depth)):
            outputs = 48 * level if level else 24
            layers += [upsampling(kind, inputs, outputs), nn.LeakyReLU(0.2)]
            inputs = outputs
        super().__init__(*layers, nn.Conv2d(inputs, 3, 3, 1, 1))


class Discriminator(nn.Module):
    """Judges patches (Isola et al. 2017). Gives the features of every layer; the last are the logits."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(widths, widths[1:], strict=False))
        self.logits = nn.Conv2d(widths[-1], 1, 3, 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, 3, H, W] to the features at H/2, H/4, H/8 and the logits [N, 1, H/8, W/8]."""
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [*features, self.logits(x)]


def centred(pictures: Tensor) -> Tensor:
    """[N, H, W, 3] uint8 to [N, 3, H, W] in -1…1, channels last."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1


def patches(cache: PixelCache, positions: list[int], random: np.random.Generator) -> Tensor:
    """Random cut-outs at the pictures' own resolution, [BATCH, PATCH, PATCH, 3] uint8."""
    cut = np.empty((BATCH, PATCH, PATCH, 3), np.uint8)
    for number, position in enumerate(random.choice(positions, BATCH)):
        values = np.asarray(cache.image(int(position)))
        y, x = (int(random.integers(0, size - PATCH + 1)) for size in values.shape[:2])
        cut[number] = values[y : y + PATCH, x : x + PATCH]
    return torch.from_numpy(cut)


def train_decoder(number: int, cache: PixelCache, positions: list[int], seconds: float) -> tuple[nn.Module, float]:
    """Trains one autoencoder for so long; gives it and its last mean absolute error, in grey levels."""
    kind, depth = DECODERS[number]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(SEED + number)
    random = np.random.default_rng((SEED, number))
    network = Autoencoder(kind, depth).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    judge = Discriminator().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, betas=(0.5, 0.99))
    opponent = torch.optim.Adam(judge.parameters(), 4e-4, betas=(0.5, 0.99))
    began, errors = time.monotonic(), [0.0]
    name = f"decoder {number + 1} of {len(DECODERS)}, {kind} x{depth}"
    with tqdm(total=round(seconds), desc=name, unit="s", mininterval=10) as bar:
        while (spent := time.monotonic() - began) < seconds:
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * min(1.0, 2.0 - 1.95 * spent / seconds)
            real = centred(patches(cache, positions, random).to(device))
            with mixed_precision(device):
                made = network(real)
                wanted, seen = judge(real), judge(made.detach())
            loss = nn.functional.relu(1 - wanted[-1].float()).mean() + nn.functional.relu(1 + seen[-1].float()).mean()
            opponent.zero_grad(set_to_none=True)
            loss.backward()
            opponent.step()
            with mixed_precision(device):
                seen = judge(made)
            error = (made.float() - real).abs().mean()
            perceptual = sum(
                (a.float() - b.detach().float()).abs().mean() for a, b in zip(seen[:-1], wanted[:-1], strict=True)
            )
            loss = error + PERCEPTUAL * perceptual / 3 - ADVERSARIAL * seen[-1].float().mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            errors = [*errors[-49:], float(error.detach()) * 127.5]
            bar.update(round(spent) - bar.n)
    return network.eval(), float(np.mean(errors))


@torch.no_grad()
def reconstruct(network: nn.Module, picture: np.ndarray, scale: float) -> np.ndarray:
    """[H, W, 3] uint8 to the same, by way of `scale` times the size."""
    height, width = picture.shape[:2]
    device = next(network.parameters()).device
    x = centred(torch.from_numpy(picture.copy())[None].to(device))
    size = [8 * max(2, round(length * scale / 8)) for length in (height, width)]
    if size != [height, width]:
        x = nn.functional.interpolate(x, size, mode="bicubic", antialias=True)
    with mixed_precision(device.type):
        x = network(x)
    x = x.float()
    if size != [height, width]:
        x = nn.functional.interpolate(x, [height, width], mode="bicubic", antialias=True)
    return ((x[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()


@dataclass(frozen=True)
class Order:
    """A reconstruction to be made: of which picture of the catalogue, where in the file, at which part of its size."""

    position: int
    start: int
    scale: float


def write(network: nn.Module, cache: PixelCache, orders: list[Order], file: Path) -> None:
    """Writes reconstructions into `file`, each in its place."""
    made = np.memmap(file, np.uint8, "r+")
    for order in orders:
        values = reconstruct(network, np.asarray(cache.image(order.position)), order.scale).ravel()
        made[order.start : order.start + len(values)] = values


def fulfil(
    number: int, cache: PixelCache, positions: list[int], seconds: float, orders: list[Order], file: Path
) -> float:
    """Trains a decoder and writes its reconstructions into `file`; gives its error in grey levels."""
    torch.set_num_threads(1)
    network, error = train_decoder(number, cache, positions, seconds)
    write(network, cache, orders, file)
    return error


def round_trips(weights: Path, cache: PixelCache, orders: list[Order], file: Path) -> None:
    """Writes the reconstructions by the autoencoder in the folder `weights` into `file`."""
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    write(RoundTrip(weights).eval().to(device), cache, orders, file)


class Reconstructions:
    """`VARIANTS` reconstructions of every real training picture: one file of RGB bytes, sizes as in the cache.

    Decoders are trained side by side: all on a GPU, else one on each core. With `weights`, the folder of TAEF2, the first
    variant of each picture is by that.
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
        orders: list[list[Order]] = [[] for _ in DECODERS]
        trips: list[Order] = []
        offsets, end = [], 0
        for position in self.positions:
            offsets.append(end)
            for variant, number in enumerate(random.choice(len(DECODERS), VARIANTS, replace=False)):
                by = trips if weights and variant == 0 else orders[number]
                by.append(Order(position, end, float(random.choice(SCALES))))
                end += 3 * math.prod(self.cache.size(position))
        self._data.parent.mkdir(parents=True, exist_ok=True)
        partial = self._data.with_suffix(f".{os.getpid()}")
        with partial.open("wb") as file:
            file.truncate(end)
        at_once = len(DECODERS) if torch.cuda.is_available() else min(len(DECODERS), os.cpu_count() or 1)
        with ProcessPoolExecutor(at_once, multiprocessing.get_context("spawn")) as pool:
            begun = [
                pool.submit(fulfil, number, self.cache, self.positions, seconds, orders[number], partial)
                for number in range(len(DECODERS))
            ]
            trips_begun = [
                pool.submit(round_trips, weights, self.cache, trips[part::at_once], partial) for part in range(at_once)
            ] if weights else []
            errors = [one.result() for one in begun]
            for one in trips_begun:
                one.result()
        os.replace(partial, self._data)
        return {"errors": [round(error, 2) for error in errors], "offsets": offsets}

    def image(self, position: int, variant: int) -> np.ndarray:
        """A reconstruction of picture `position` of the catalogue, [H, W, 3] uint8."""
        if self._bytes is None:  # Opened by whoever reads: a memory map does not travel to another process.
            self._bytes = np.memmap(self._data, dtype=np.uint8, mode="r")
        width, height = self.cache.size(position)
        start = self._offsets[self._place[position]] + variant * width * height * 3
        return self._bytes[start : start + width * height * 3].reshape(height, width, 3)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_bytes": None}


RINGS = 64
"""How many rings the spatial frequencies up to one half in each direction are divided in."""


@functools.lru_cache(maxsize=64)
def rings(height: int, width: int) -> Tensor:
    """The ring of each coefficient of a real transform, by its distance from frequency zero: [height, width // 2 + 1]."""
    down, across = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    return (torch.hypot(down[:, None], across[None]) * (2 * RINGS)).round().long()


def as_sharp_as(picture: np.ndarray, made: np.ndarray) -> np.ndarray:
    """A picture [H, W, 3] uint8 with the radial amplitude spectrum of its reconstruction, ring by ring and channel by channel.

    What then tells the two apart has a direction or a place: the grid that upsampling leaves, and what it drew.
    """
    both = torch.from_numpy(np.stack((picture, made))).permute(0, 3, 1, 2).float()
    spectra = torch.fft.rfft2(both)
    ring = rings(*picture.shape[:2])
    power = torch.zeros(6, int(ring.max()) + 1)
    power.index_add_(1, ring.flatten(), spectra.abs().square().reshape(6, -1))
    own, wanted = power.reshape(2, 3, -1)
    gain = (wanted / own.clamp(min=1e-6)).sqrt().clamp(max=2)
    filtered = torch.fft.irfft2(spectra[0] * gain[:, ring], both.shape[2:])
    return filtered.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()


def sharpness(picture: np.ndarray) -> float:
    """Variance of the Laplacian of [H, W, 3] uint8 in grey (Pertuz et al. 2013, "Analysis of focus measure operators")."""
    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def sharpness_kept(cache: PixelCache, made: Reconstructions, every: int = 12) -> np.ndarray:
    """Of each `every`th picture: the sharpness of its reconstructions, as parts of its own and of its own filtered to theirs.

    [n, 2].
    """
    kept = []
    for position in made.positions[::every]:
        picture = np.asarray(cache.image(position))
        for variant in range(VARIANTS):
            other = made.image(position, variant)
            kept.append([sharpness(other) / max(sharpness(p), 1e-6) for p in (picture, as_sharp_as(picture, other))])
    return np.array(kept)


@program
def main() -> int:
    """The command line: makes them, and tells how near they come. Returns the exit status."""
    keep_freed_memory()
    parser = argparse.ArgumentParser(description="Make the pseudo-fakes that the detectors train on.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, help="training time of each decoder")
    parser.add_argument("--weights", type=Path, help="the folder of TAEF2's weights, if that shall make some of them")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK)
    options = parser.parse_args()
    cache = open_cache(options.data, options.work)
    made = Reconstructions(cache, Splits.of(cache.faces), options.work, options.seconds, options.weights)
    for (kind, depth), error in zip(DECODERS, made.errors, strict=True):
        print(f"{kind} x{depth}: {error} grey levels off")
    for what, kept in zip(("their pictures", "these filtered"), sharpness_kept(cache, made).T, strict=True):
        print(f"sharpness beside {what}: {np.median(kept):.2f} in the median; {(kept < 1).mean():.0%} are softer")
    return 0


if __name__ == "__main__":
    sys.exit(main())
