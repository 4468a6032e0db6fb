"""TAEF2, a tiny autoencoder for the latent space of FLUX.2, loaded from two weight files (madebyollin/taesd, MIT).

The architecture follows the names and shapes in the files. A round trip looks the same to the eye (PSNR 34 to 36 dB)
and leaves the artefacts of latent-diffusion decoders.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from bifrons_training.errors import DataError

WIDTH, LATENT = 64, 32
FILES = "taef2_encoder.pth", "taef2_decoder.pth"


class Block(nn.Module):
    """A residual block of three convolutions; with `pooled`, preceded by a residual bottleneck with a group norm."""

    def __init__(self, pooled: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.ReLU()]
        self.conv = nn.Sequential(*layers[:-1])
        if pooled:
            self.pool = nn.Sequential(
                nn.Conv2d(WIDTH, 4 * WIDTH, 1, bias=False),
                nn.GroupNorm(4, 4 * WIDTH),
                nn.ReLU(),
                nn.Conv2d(4 * WIDTH, WIDTH, 1, bias=False),
            )
        self.pooled = pooled

    def forward(self, x: Tensor) -> Tensor:
        """Maps features [N, WIDTH, H, W] to features of the same shape."""
        if self.pooled:
            x = x + self.pool(x)
        return nn.functional.relu(self.conv(x) + x)


class Limited(nn.Module):
    """A smooth limiter of latents to -3…3."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps latents [N, LATENT, H, W] to latents of the same shape."""
        return torch.tanh(x / 3) * 3


def encoder() -> nn.Sequential:
    """Returns the encoder of images [N, 3, H, W] in 0…1, sides multiples of 8, to latents [N, LATENT, H/8, W/8]."""

    def halved() -> nn.Module:
        return nn.Conv2d(WIDTH, WIDTH, 3, 2, 1, bias=False)

    layers: list[nn.Module] = [nn.Conv2d(3, WIDTH, 3, padding=1), Block()]
    for pooled in (False, False, True):
        layers += [halved(), *(Block(pooled) for _ in range(3))]
    return nn.Sequential(*layers, nn.Conv2d(WIDTH, LATENT, 3, padding=1))


def decoder() -> nn.Sequential:
    """Returns the decoder of latents [N, LATENT, h, w] to images [N, 3, 8h, 8w] in 0…1, apart from small overshoots."""
    layers: list[nn.Module] = [Limited(), nn.Conv2d(LATENT, WIDTH, 3, padding=1), nn.ReLU()]
    for pooled in (True, False, False):
        layers += [*(Block(pooled) for _ in range(3)), nn.Upsample(scale_factor=2)]
        layers.append(nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False))
    return nn.Sequential(*layers, Block(), nn.Conv2d(WIDTH, 3, 3, padding=1))


class RoundTrip(nn.Module):
    """The encoder and the decoder in sequence. Raises `DataError` if `folder` lacks their weights."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder(), decoder()
        for part, name in zip((self.encoder, self.decoder), FILES, strict=True):
            try:
                part.load_state_dict(torch.load(folder / name, weights_only=True, map_location="cpu"))
            except (OSError, RuntimeError) as error:
                reason = str(error).splitlines()[0]
                raise DataError(
                    f"{folder / name} does not hold the weights of TAEF2 ({reason}): name their folder"
                ) from error

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, 3, H, W] in -1…1 to their reconstructions."""
        return self.decoder(self.encoder(x / 2 + 0.5)).clamp(0, 1) * 2 - 1
