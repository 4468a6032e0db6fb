"""The learning rate schedule and weight averaging."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

WARMUP_SHARE = 0.03
EMA_DECAY = 0.998


def learning_rate(progress: float, peak: float) -> float:
    """Returns the learning rate at `progress` in 0…1: linear warm-up, then a half cosine to a hundredth of the peak."""
    if progress < WARMUP_SHARE:
        return peak * (0.02 + 0.98 * progress / WARMUP_SHARE)
    along = min(1.0, (progress - WARMUP_SHARE) / (1 - WARMUP_SHARE))
    return peak * (0.01 + 0.99 * (1 + math.cos(math.pi * along)) / 2)


@torch.no_grad()
def update_ema(average: nn.Module, network: nn.Module, step: int) -> None:
    """Updates the exponential moving average of weights and norm statistics, faster in the first steps."""
    interpolate_state(average.state_dict(), network.state_dict(), 1 - min(EMA_DECAY, (1 + step) / (10 + step)))


@torch.no_grad()
def interpolate_state(state: dict[str, Tensor], goal: dict[str, Tensor], share: float) -> None:
    """Moves a network's state by `share` of the way towards `goal`, in place; counters are copied from `goal`."""
    for name, value in state.items():
        if value.is_floating_point():
            value.lerp_(goal[name], share)
        else:
            value.copy_(goal[name])
