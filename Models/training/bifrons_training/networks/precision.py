"""Decides whether networks compute in bf16."""

from __future__ import annotations

import functools
import time

import torch
from torch import nn


@functools.cache
@torch.enable_grad()
def bf16_is_faster() -> bool:
    """Whether this CPU trains faster in bf16. Measured on a convolution, since some CPUs have bf16 but are slower."""
    if not torch.cpu.get_capabilities().get("avx512_f", True):
        return False  # Emulated bf16 takes ten times as long, and so would the measurement.
    x = torch.randn(16, 64, 40, 40).to(memory_format=torch.channels_last)
    convolution = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
    seconds = {}
    for enabled in (False, True):
        times = []
        for _ in range(4):
            began = time.process_time()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
                y = convolution(x)
            y.float().sum().backward()
            times.append(time.process_time() - began)
        seconds[enabled] = min(times)
    return seconds[True] < seconds[False]


def mixed_precision(device: str) -> torch.autocast:
    """Returns an autocast to bf16, active on GPUs and on CPUs that are faster in bf16."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=device != "cpu" or bf16_is_faster())
