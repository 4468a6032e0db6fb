"""Evaluates a network during its training, on images that do not train it."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from bifrons_training.data.catalogue import HONEST_SOURCE
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.evaluation.metrics import roc_auc, standard_error
from bifrons_training.networks import detectors
from bifrons_training.networks.precision import mixed_precision

TRAINED_IMAGES = 250
"""Approximate number of the matched pair's training images that show how much the network memorises."""


@torch.no_grad()
def predict(network: nn.Module, images: np.ndarray, batch: int = 48) -> np.ndarray:
    """Returns raw logits [n] of images [n, side, side, 3] uint8, computed as in training and not as when served."""
    network.eval()
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(images), batch):
        values = torch.from_numpy(images[start : start + batch]).to(device)
        with mixed_precision(device.type):
            parts.append(network(detectors.network_input(values)).float().cpu())
    logits: np.ndarray = torch.cat(parts).flatten().numpy()
    return logits


class Evaluator:
    """Evaluates a network on images that do not train it: the held-out groups and the watched sources.

    It also scores unaugmented training images of the matched pair: whatever the network does better on them than on the
    held-out ones, it has memorised.
    """

    def __init__(self, cache: PixelCache, splits: Splits, side: int) -> None:
        pair = [p for p in splits.train if cache.faces[p].source == HONEST_SOURCE]
        parts = {
            "held_out": splits.calibration,
            "honest_pair": [p for p in splits.calibration if cache.faces[p].source == HONEST_SOURCE],
            "watched": splits.watched,
            "trained_pair": pair[:: max(1, len(pair) // TRAINED_IMAGES)],
        }
        positions = sorted({p for part in parts.values() for p in part})
        self._images = cache.inputs(positions, side)
        self._labels = np.array([cache.faces[p].label for p in positions])
        self._parts = {name: np.isin(positions, part) for name, part in parts.items()}

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Returns the ROC AUCs, the `criterion` (mean of the matched pair's and the watched sources') and its error."""
        scores = predict(network, self._images)
        result = {name: round(roc_auc(self._labels[where], scores[where]), 4) for name, where in self._parts.items()}
        known = [name for name in ("honest_pair", "watched") if not math.isnan(result[name])] or ["held_out"]
        errors = [standard_error(result[name], self._labels[self._parts[name]]) for name in known]
        error = math.hypot(*errors) / len(known)
        return {**result, "criterion": round(float(np.mean([result[n] for n in known])), 4), "error": round(error, 4)}
