"""Detectors with pretrained backbones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from bifrons_training.networks import detectors
from bifrons_training.networks.backbones import (
    efficientnet_lite0,
    load_efficientnet_lite0,
    load_resnet50_thin,
    resnet50_thin,
)
from bifrons_training.networks.layers import ConvBN
from bifrons_training.networks.pretrained_weights import EFFICIENTNET_LITE0, RESNET50_THIN, fetch
from bifrons_training.networks.published_weights import unfold

NAMES = ("resnet50", "efficientnet")
"""The detectors with pretrained backbones."""

LAYER_DECAY = 0.85
"""The learning rate of each stage relative to the next one (layer-wise decay, Howard and Ruder 2018)."""


def build(name: str) -> detectors.Detector:
    """Returns a detector with a randomly initialised body; its head outputs 0 for any input."""
    body, features = {"resnet50": resnet50_thin, "efficientnet": efficientnet_lite0}[name]()
    detector = detectors.Detector(detectors.Standardised(body, features), features)
    nn.init.zeros_(detector.head.weight)
    nn.init.zeros_(detector.head.bias)
    return detector


def from_pretrained(name: str, work: Path, images: np.ndarray) -> detectors.Detector:
    """Returns a detector whose body has pretrained weights, which are downloaded into `work`.

    `images` [n, side, side, 3] uint8 set the statistics of the norms that come without them: those of the ResNet and of
    the features. Raises `TrainingError` or `DataError` if the weights are not available.
    """
    detector = build(name)
    body = detector.body.features
    if name == "resnet50":
        folded, _ = resnet50_thin()
        for module in folded.modules():
            if isinstance(module, ConvBN):
                module.eval().fuse()
        load_resnet50_thin(folded, fetch(RESNET50_THIN, work))
        unfold(folded, body, images)
    else:
        load_efficientnet_lite0(body, fetch(EFFICIENTNET_LITE0, work))
    norm = detector.body.norm
    norm.momentum = None  # A mean over all following batches, not a moving average.
    detector.eval()
    norm.train()
    with torch.no_grad():
        for start in range(0, len(images), 32):
            detector(detectors.network_input(torch.from_numpy(images[start : start + 32])))
    norm.momentum = 0.1
    detector.to(memory_format=torch.channels_last)
    return detector


def layerwise_rates(detector: detectors.Detector) -> list[tuple[float, list[nn.Parameter]]]:
    """Returns each part's share of the learning rate with its parameters; later stages have larger shares.

    New weights, those of the head and of the residuals, learn at the full rate.
    """
    body = detector.body.features
    new = [*detector.head.parameters(), *body.stem.noise.parameters()]
    groups = [
        (1.0, new),
        *((LAYER_DECAY**depth, list(stage.parameters())) for depth, stage in enumerate(reversed(body.stages))),
    ]
    groups.append((LAYER_DECAY ** len(body.stages), list(body.stem.first.parameters())))
    return [(share, parameters) for share, parameters in groups if parameters]
