"""The sharpness of an image, and a filter that gives an image the sharpness of another."""

from __future__ import annotations

import functools

import cv2
import numpy as np
import torch
from torch import Tensor

RINGS = 64
"""Number of rings that divide the spatial frequencies from zero to one half along each axis."""


@functools.lru_cache(maxsize=64)
def rings(height: int, width: int) -> Tensor:
    """Returns the ring of each coefficient of a real FFT, [height, width // 2 + 1]; ring 0 holds frequency zero."""
    down, across = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    return (torch.hypot(down[:, None], across[None]) * (2 * RINGS)).round().long()


def match_spectrum(image: np.ndarray, made: np.ndarray) -> np.ndarray:
    """Returns an image [H, W, 3] uint8 filtered to the radial amplitude spectrum of its reconstruction, per channel.

    The remaining differences depend on direction or place: the grid that upsampling leaves, and details it invented.
    """
    both = torch.from_numpy(np.stack((image, made))).permute(0, 3, 1, 2).float()
    spectra = torch.fft.rfft2(both)
    ring = rings(*image.shape[:2])
    power = torch.zeros(6, int(ring.max()) + 1)
    power.index_add_(1, ring.flatten(), spectra.abs().square().reshape(6, -1))
    own, wanted = power.reshape(2, 3, -1)
    gain = (wanted / own.clamp(min=1e-6)).sqrt().clamp(max=2)
    filtered = torch.fft.irfft2(spectra[0] * gain[:, ring], both.shape[2:])
    pixels: np.ndarray = filtered.permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return pixels


def sharpness(image: np.ndarray) -> float:
    """Returns the variance of the Laplacian of an image [H, W, 3] uint8 in grey.

    This is one of the measures in Pertuz et al. 2013, "Analysis of focus measure operators".
    """
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())
