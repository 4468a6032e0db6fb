"""A network in f32 and in int8, each with its own calibration, and the choice of the precision to serve."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.data.catalogue import Face
from bifrons_training.evaluation import calibration, metrics
from bifrons_training.evaluation.measurement import part_name, slice_auc, slices
from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.publishing.processors import available, largest_moves

ROC_AUC_LOSS, SLICE_LOSS, ECE_GAIN, PROCESSORS_APART = 0.002, 0.005, 0.005, 0.01
"""How much worse than f32 int8 may be to be served: in ROC AUC over all images, in that of any source, and in ECE; and
the largest difference of its calibrated logits between instruction sets."""

SLICE_IMAGES = 20
"""The fewest images of a source that count: of fewer, one that moves past a few others changes the ROC AUC by more."""

NETWORKS = {"f32": ("model.onnx", "f32"), "int8": ("model.int8.onnx", "f32")}
"""The file of each precision and the inference precision that OpenVINO gets as a hint."""


def measured() -> dict[str, tuple[str, str]]:
    """Returns `NETWORKS`, with bf16 if the processor supports it: otherwise OpenVINO would compute in f32 instead."""
    return NETWORKS | ({"bf16": ("model.onnx", "bf16")} if "AVX512_CORE_BF16" in available() else {})


@dataclass
class Calibrated:
    """A network in several precisions; all dictionaries are keyed by precision unless stated otherwise."""

    lines: dict[str, tuple[float, float]]
    """Scale and bias of the calibration. bf16 has no file of its own and shares that of f32."""
    held_out: dict[str, np.ndarray]
    """Calibrated logits of the images on which the calibration is fitted."""
    validation: dict[str, np.ndarray]
    """Calibrated logits of the validation images."""
    apart: dict[str, float]
    """The largest difference of int8's calibrated logits from this processor's own, by instruction set."""


PROCESSOR_IMAGES = 200
"""The number of validation images on which instruction sets are compared; the older ones are slow."""


def calibrate(folder: Path, held_out: np.ndarray, labels: np.ndarray, validation: np.ndarray) -> Calibrated:
    """Calibrates the networks in `folder` on held-out images and labels, and scores the validation images."""
    found = Calibrated({}, {}, {}, {})
    for precision, (file, hint) in measured().items():
        scorer = Scorer(folder / file, precision=hint)
        raw = scorer.logits(held_out)
        if precision in NETWORKS:
            (scale,), bias = calibration.fit_logistic(raw[:, None], labels)
            found.lines[precision] = round(scale, 6), round(bias, 6)
        scale, bias = found.lines.get(precision, found.lines["f32"])
        found.held_out[precision] = scale * raw + bias
        found.validation[precision] = scale * scorer.logits(validation) + bias
    scale, _ = found.lines["int8"]
    moves = largest_moves(folder / NETWORKS["int8"][0], some(validation))
    found.apart = {name: round(abs(scale) * move, 4) for name, move in moves.items()}
    return found


def some(validation: np.ndarray) -> np.ndarray:
    """Returns about `PROCESSOR_IMAGES` of the validation images, evenly spread."""
    return validation[:: max(1, len(validation) // PROCESSOR_IMAGES)]


def compare(faces: list[Face], logits: dict[str, np.ndarray]) -> dict[str, Any]:
    """Compares the precisions of one scorer, from its calibrated logits of `faces` by precision.

    For each precision: ROC AUC, ECE, the source whose ROC AUC drops most against f32 (among those of at least
    `SLICE_IMAGES`), and how far probabilities move.
    """
    labels = np.array([face.label for face in faces])
    known = [(label, name, inside) for label, name, inside in slices(faces) if inside.sum() >= SLICE_IMAGES]
    parts = [(part_name(label, name), label, inside) for label, name, inside in known or slices(faces)]
    found: dict[str, Any] = {}
    for name, values in logits.items():
        drops = {
            part: slice_auc(labels, logits["f32"], label, inside) - slice_auc(labels, values, label, inside)
            for part, label, inside in parts
        }
        worst = max(drops, key=lambda part: drops[part])
        probabilities = metrics.sigmoid(values)
        moved = np.abs(probabilities - metrics.sigmoid(logits["f32"]))
        found[name] = {
            "roc_auc": round(metrics.roc_auc(labels, values), 4),
            "ece": round(metrics.calibration_error(labels, probabilities), 4),
            "worst_slice": worst,
            "worst_slice_drop": round(drops[worst], 4),
            "probability_moved_median": round(float(np.median(moved)), 4),
            "probability_moved_99": round(float(np.quantile(moved, 0.99)), 4),
            "probability_moved_most": round(float(moved.max()), 4),
        }
    return found


def choose(compared: dict[str, dict[str, Any]], apart: float) -> str:
    """Returns the precision to serve: int8 if no scorer, including the merge, loses more than allowed, otherwise f32.

    `compared` holds the result of `compare` for each scorer; `apart` is the largest value of `Calibrated.apart`.
    """
    for scorer in compared.values():
        f32, int8 = scorer["f32"], scorer["int8"]
        if (
            f32["roc_auc"] - int8["roc_auc"] > ROC_AUC_LOSS
            or int8["worst_slice_drop"] > SLICE_LOSS
            or int8["ece"] - f32["ece"] > ECE_GAIN
        ):
            return "f32"
    return "int8" if apart <= PROCESSORS_APART else "f32"
