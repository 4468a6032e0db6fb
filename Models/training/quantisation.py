"""From a network in f32 to one in int8: NNCF's post-training quantisation, held back where probabilities would move."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable
from pathlib import Path

import nncf
import numpy as np
import onnx
from nncf.quantization.range_estimator import RangeEstimatorParametersSet

import preprocessing
from calibration import sigmoid
from export import write_onnx
from scoring import Scorer

LARGEST_MOVE = 0.03
"""Of a probability of the pictures that control it: layers go back to f32 until it is kept. Farther on others, and int8 is
not the default."""

SUBSET = 300


def front(network: onnx.ModelProto) -> list[str]:
    """The layers before the first activation. They stay in f32.

    The picture and its residuals are one tensor there. Residuals are a few grey levels wide: in int8, with the picture's
    range, nothing is left of them, and the logits move by as much as they differ.
    """
    return [node.name for node in itertools.takewhile(lambda node: node.op_type != "Relu", network.graph.node)]


def quantise(file: Path, out: Path, pictures: np.ndarray, control: np.ndarray) -> None:
    """Writes `file` in int8 to `out`.

    `pictures` [n, SIDE, SIDE, 3] uint8 are training pictures, from which the ranges are taken: those that lose least by
    their histograms, for the rare extremes of an activation cost all others their resolution. How far probabilities move is
    measured on `control`.
    """
    nncf.set_log_level(logging.ERROR)
    network = onnx.load(file)
    name = network.graph.input[0].name

    def feed(picture: np.ndarray) -> dict[str, np.ndarray]:
        return {name: preprocessing.normalise(picture)[None]}

    def probabilities(model: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
        return sigmoid(Scorer(model.SerializeToString(), threads=1).logits(pictures))

    def fidelity(model: onnx.ModelProto, items: Iterable[tuple[np.ndarray, float]]) -> tuple[float, list[float]]:
        these, wanted = zip(*items, strict=True)
        kept = 1 - np.abs(probabilities(model, np.stack(these)) - wanted)
        return float(kept.min()), kept.tolist()

    made = nncf.quantize_with_accuracy_control(
        network,
        nncf.Dataset(list(pictures), feed),
        nncf.Dataset(list(zip(control, probabilities(network, control), strict=True)), lambda item: feed(item[0])),
        fidelity,
        max_drop=LARGEST_MOVE,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=min(SUBSET, len(pictures)),
        ignored_scope=nncf.IgnoredScope(names=front(network)),
        advanced_quantization_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
            # With it the logits of the Inception moved by 0.15 (root mean square), without by 0.04.
            disable_bias_correction=True,
        ),
    )
    write_onnx(made, out)
