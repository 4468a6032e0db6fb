"""Detectors whose bodies begin with weights that others trained."""

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
"""Those with pretrained bodies."""

LAYER_DECAY = 0.85
"""How much slower each stage learns than the one behind it (layer-wise decay, Howard and Ruder 2018)."""


def build(name: str) -> detectors.Detector:
    """A detector with a fresh body; its head answers 0, whatever it sees."""
    body, features = {"resnet50": resnet50_thin, "efficientnet": efficientnet_lite0}[name]()
    detector = detectors.Detector(detectors.Standardised(body, features), features)
    nn.init.zeros_(detector.head.weight)
    nn.init.zeros_(detector.head.bias)
    return detector


def from_pretrained(name: str, work: Path, images: np.ndarray) -> detectors.Detector:
    """A detector whose body has the weights that others trained, fetched into `work`.

    `pictures` [n, side, side, 3] uint8 set the norms where the weights come without: of the ResNet's, and of the
    features.
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
    norm.momentum = None  # The mean over what follows, not a moving one.
    detector.eval()
    norm.train()
    with torch.no_grad():
        for start in range(0, len(images), 32):
            detector(detectors.network_input(torch.from_numpy(images[start : start + 32])))
    norm.momentum = 0.1
    detector.to(memory_format=torch.channels_last)
    return detector


def layerwise_rates(detector: detectors.Detector) -> list[tuple[float, list[nn.Parameter]]]:
    """The share of the learning rate for each part of a detector, and its parameters: the later a stage, the faster.

    What is new, the head and the weights of the residuals, learns at the full rate.
    """
    body = detector.body.features
    new = [*detector.head.parameters(), *body.stem.noise.parameters()]
    groups = [
        (1.0, new),
        *((LAYER_DECAY**depth, list(stage.parameters())) for depth, stage in enumerate(reversed(body.stages))),
    ]
    groups.append((LAYER_DECAY ** len(body.stages), list(body.stem.first.parameters())))
    return [(share, parameters) for share, parameters in groups if parameters]
