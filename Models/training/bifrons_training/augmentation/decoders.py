"""Small autoencoders whose decoders leave the traces that generators leave: how they are built, trained and used."""

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
"""(upsampling layer, how many times the picture is halved), in the order of their numbers."""

LATENT = 16
"""Channels that are left where a picture was halved three times."""

PATCH = 96
BATCH = 16
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
        self.layers = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in itertools.pairwise(widths))
        self.logits = nn.Conv2d(widths[-1], 1, 3, 1, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """[N, 3, H, W] to the features at H/2, H/4, H/8 and the logits [N, 1, H/8, W/8]."""
        features = []
        for layer in self.layers:
            x = nn.functional.leaky_relu(layer(x), 0.2)
            features.append(x)
        return [*features, self.logits(x)]


def centred(images: Tensor) -> Tensor:
    """[N, H, W, 3] uint8 to [N, 3, H, W] in -1…1, channels last."""
    return images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last) / 127.5 - 1


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
    """[H, W, 3] uint8 to the same, by way of `scale` times the size."""
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
