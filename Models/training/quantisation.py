"""From a network in f32 to one in int8: NNCF's post-training quantisation, held back where accuracy would suffer."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import nncf
import numpy as np
import onnx

import preprocessing
from calibration import roc_auc
from export import write_onnx
from scoring import Scorer

LARGEST_DROP = 0.002
"""Of the ROC AUC on the pictures that control it; layers go back to f32 until it is kept."""

SUBSET = 300


def quantise(file: Path, out: Path, pictures: np.ndarray, control: np.ndarray, labels: np.ndarray) -> None:
    """Writes `file` in int8 to `out`.

    `pictures` [n, SIDE, SIDE, 3] uint8 are training pictures, from which the ranges are taken; the drop of the ROC AUC is
    measured on `control` and its labels.
    """
    nncf.set_log_level(logging.ERROR)
    network = onnx.load(file)
    name = network.graph.input[0].name

    def feed(item: tuple[np.ndarray, float]) -> dict[str, np.ndarray]:
        return {name: preprocessing.normalise(item[0])[None]}

    def validate(model: onnx.ModelProto, items: Iterable[tuple[np.ndarray, float]]) -> float:
        scorer = Scorer(model.SerializeToString(), threads=1)
        pictures, truth = zip(*items, strict=True)
        return roc_auc(np.array(truth), scorer.logits(np.stack(pictures)))

    ranges = nncf.Dataset([(picture, 0.0) for picture in pictures], feed)
    options = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": min(SUBSET, len(pictures))}
    items = list(zip(control, labels, strict=True))
    made = nncf.quantize(network, ranges, **options)
    if validate(made, items) < validate(network, items) - LARGEST_DROP:
        made = nncf.quantize_with_accuracy_control(
            network, ranges, nncf.Dataset(items, feed), validate, max_drop=LARGEST_DROP, **options
        )
    write_onnx(made, out)
