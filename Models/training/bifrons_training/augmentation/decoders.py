"""Small autoencoders whose decoders leave the same artefacts as generators: architecture, training and inference."""

from __future__ import annotations

import itertools
import time

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.networks.precision import mixed_precision

KINDS = ("nearest", "transposed", "shuffle", "bilinear")
DECODERS = tuple((kind, depth) for depth in (1, 2, 3) for kind in KINDS)
"""(upsampling layer, number of times that the image is halved) of each decoder; a decoder's number is its index."""

LATENT = 16
"""Channels of the bottleneck of autoencoders that halve the image three times."""

PATCH = 96
BATCH = 16
PERCEPTUAL, ADVERSARIAL = 1.0, 0.02
SEED = 5


def upsampling(kind: str, inputs: int, outputs: int) -> nn.Module:
    """Returns a layer of the given kind that doubles width and height."""
    if kind == "transposed":
        return nn.ConvTranspose2d(inputs, outputs, 4, 2, 1)
    if kind == "shuffle":
        return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 3, 1, 1), nn.PixelShuffle(2))
    mode = nn.Upsample(scale_factor=2, mode=kind, **({"align_corners": False} if kind == "bilinear" else {}))
    return nn.Sequential(mode, nn.Conv2d(inputs, outputs, 3, 1, 1))


class Autoencoder(nn.Sequential):
    """An autoencoder of images [N, 3, H, W] in -1…1: `depth` halvings, then as many doublings by layers of `kind`."""

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
    """A patch discriminator (Isola et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        widths = (3, 32, 64, 96)
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in itertools.pairwise(widths))
        self.logits = nn.Conv2d(widths[-1], 1, 3, 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Returns the features of images [N, 3, H, W] at H/2, H/4 and H/8, then the logits [N, 1, H/8, W/8]."""
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [*features, self.logits(x)]


def centred(images: Tensor) -> Tensor:
    """Converts images from [N, H, W, 3] uint8 to [N, 3, H, W] in -1…1, in channels-last memory format."""
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1


def patches(cache: PixelCache, positions: list[int], random: np.random.Generator) -> Tensor:
    """Returns random crops of random images at their own resolution, [BATCH, PATCH, PATCH, 3] uint8."""
    cut = np.empty((BATCH, PATCH, PATCH, 3), np.uint8)
    for number, position in enumerate(random.choice(positions, BATCH)):
        values = np.asarray(cache.image(int(position)))
        y, x = (int(random.integers(0, size - PATCH + 1)) for size in values.shape[:2])
        cut[number] = values[y : y + PATCH, x : x + PATCH]
    return torch.from_numpy(cut)


def train_decoder(number: int, cache: PixelCache, positions: list[int], seconds: float) -> tuple[nn.Module, float]:
    """Trains autoencoder `number` for `seconds`; returns it and its recent mean absolute error in grey levels."""
    kind, depth = DECODERS[number]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(SEED + number)
    random = np.random.default_rng((SEED, number))
    network = Autoencoder(kind, depth).to(device, memory_format=torch.channels_last)
    discriminator = Discriminator().to(device, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3, betas=(0.5, 0.99))
    discriminator_optimizer = torch.optim.Adam(discriminator.parameters(), 4e-4, betas=(0.5, 0.99))
    began, errors = time.monotonic(), [0.0]
    name = f"decoder {number + 1} of {len(DECODERS)}, {kind} x{depth}"
    with tqdm(total=round(seconds), desc=name, unit="s", mininterval=10) as bar:
        while (spent := time.monotonic() - began) < seconds:
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * min(1.0, 2.0 - 1.95 * spent / seconds)
            real = centred(patches(cache, positions, random).to(device))
            with mixed_precision(device):
                made = network(real)
                wanted, seen = discriminator(real), discriminator(made.detach())
            loss = nn.functional.relu(1 - wanted[-1].float()).mean() + nn.functional.relu(1 + seen[-1].float()).mean()
            discriminator_optimizer.zero_grad(set_to_none=True)
            loss.backward()
            discriminator_optimizer.step()
            with mixed_precision(device):
                seen = discriminator(made)
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
def reconstruct(network: nn.Module, image: np.ndarray, scale: float) -> np.ndarray:
    """Passes an image [H, W, 3] uint8 through an autoencoder at `scale` times its size; returns the original size."""
    height, width = image.shape[:2]
    device = next(network.parameters()).device
    x = centred(torch.from_numpy(image.copy())[None].to(device))
    size = [8 * max(2, round(length * scale / 8)) for length in (height, width)]
    if size != [height, width]:
        x = nn.functional.interpolate(x, size, mode="bicubic", antialias=True)
    with mixed_precision(device.type):
        x = network(x)
    x = x.float()
    if size != [height, width]:
        x = nn.functional.interpolate(x, [height, width], mode="bicubic", antialias=True)
    pixels: np.ndarray = ((x[0].permute(1, 2, 0) + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy()
    return pixels
