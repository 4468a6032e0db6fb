"""Exports a trained network as an ONNX file and verifies it."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from bifrons_training import preprocessing
from bifrons_training.errors import TrainingError
from bifrons_training.evaluation.metrics import sigmoid
from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.networks import detectors

OPSET = 18
TOLERANCE = 1e-3
PROBABILITY_TOLERANCE = 0.005


class ExportError(TrainingError):
    """The exported file does not compute what the network computes."""


class Explained(nn.Module):
    """A detector as it is served, with logits [N, 1] and activation maps [N, h, w] as outputs."""

    def __init__(self, network: detectors.Detector) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps images [N, 3, side, side] to logits and activation maps."""
        return self.network.explained(x)


def export(network: detectors.Detector, file: Path, images: np.ndarray) -> None:
    """Writes one ONNX file with weights inside, norms folded and a free batch size, and verifies it against `network`.

    Both score `images` [n, side, side, 3] uint8, whose side becomes that of the file's input, and noise. Raises
    `ExportError` if OpenVINO in f32 and PyTorch differ by more than `TOLERANCE` in a logit of noise, or by more than
    `PROBABILITY_TOLERANCE` in a probability of an image.
    """
    side = images.shape[1]
    random = np.random.default_rng(3)
    probes = {n: random.standard_normal((n, 3, side, side)).astype(np.float32) for n in (1, 8)}
    with torch.no_grad():
        expected = {n: network(torch.from_numpy(probe)).flatten().numpy() for n, probe in probes.items()}
        seen = [network(torch.from_numpy(preprocessing.normalise(image[None]))).item() for image in images]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Explained(detectors.fold_norms(network)),
            (torch.from_numpy(probes[8]),),
            input_names=["image"],
            output_names=["logit", "map"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    write_onnx(program.model_proto, file)
    scorer = Scorer(file)
    for n, probe in probes.items():
        gap = float(np.abs(scorer.tensor_logits(probe) - expected[n]).max())
        if gap > TOLERANCE:
            raise ExportError(
                f"{file}: at batch {n} a logit differs from PyTorch's by {gap:.2g}, more than {TOLERANCE}"
            )
    gap = float(np.abs(sigmoid(scorer.logits(images)) - sigmoid(np.array(seen))).max())
    print(f"{file.parent.name}: on {len(images)} images the probability differs from PyTorch's by at most {gap:.1g}")
    if gap > PROBABILITY_TOLERANCE:
        raise ExportError(
            f"{file}: a probability differs from PyTorch's by {gap:.2g}, more than {PROBABILITY_TOLERANCE}"
        )


def write_onnx(model: onnx.ModelProto, file: Path) -> None:
    """Checks a model and writes it as one file with all weights inside and without the exporter's metadata."""
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(model.SerializeToString())


def strip(model: onnx.ModelProto) -> None:
    """Removes the exporter's metadata (stack traces with local paths), so that equal weights give equal bytes."""
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ):
        part.doc_string = ""
        if hasattr(part, "metadata_props"):
            del part.metadata_props[:]
    for weight in model.graph.initializer:
        weight.doc_string = ""
        del weight.metadata_props[:]
