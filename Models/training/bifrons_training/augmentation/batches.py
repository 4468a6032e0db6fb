"""Random batch augmentations that mix parts of different images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def cutmix(x: Tensor, targets: Tensor, random: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Pastes a rectangle of another image of the batch into each image and mixes the labels by area, in place.

    `x` is [N, C, S, S], `targets` [N]. This is CutMix (Yun et al. 2019).
    """
    side = x.shape[-1]
    other = torch.from_numpy(random.permutation(len(x))).to(x.device)
    height, width = (int(side * random.uniform(0.3, 0.75)) for _ in range(2))
    top, left = int(random.integers(0, side - height + 1)), int(random.integers(0, side - width + 1))
    x[..., top : top + height, left : left + width] = x[other, :, top : top + height, left : left + width]
    share = height * width / side**2
    return x, targets * (1 - share) + targets[other] * share


def swap_surroundings(x: Tensor, share: float, random: np.random.Generator) -> Tensor:
    """Returns images in which a `share` of the faces stands in the surroundings of another image of the batch.

    `x` is [N, C, S, S]. Labels do not change: the label belongs to the face. Backdrop, clothes and composition depend
    on the source and not on what made the face, and they separate the classes even where the face is blurred beyond
    recognition (`conditions.face_blurred`). The seam is an ellipse of random size and softness.
    """
    count, side = len(x), x.shape[-1]

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(random.uniform(low, high, (count, 1, 1)).astype(np.float32)).to(x.device)

    place = (torch.arange(side, device=x.device) + 0.5) / side - 0.5
    across, down = place[None, None], place[None, :, None]
    distance = torch.hypot(
        (across - draw(-0.05, 0.05)) / draw(0.28, 0.42), (down - draw(-0.05, 0.05)) / draw(0.36, 0.5)
    )
    own = ((1 - distance) / draw(0.05, 0.4) + 0.5).clamp(0, 1)
    own[torch.from_numpy(random.random(count) >= share).to(x.device)] = 1
    other = x[torch.from_numpy(random.permutation(count)).to(x.device)]
    return torch.lerp(other, x, own[:, None])
