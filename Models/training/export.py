"""From a checkpoint to a model folder that a worker serves: ONNX, manifest, canary."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

import canary
import networks
import preprocessing
from calibration import sigmoid
from errors import TrainingError
from files import write_text
from scoring import Scorer

OPSET = 18
TOLERANCE = 1e-3
PROBABILITY_TOLERANCE = 0.005
LICENCE = (
    "Research and evaluation only. The code is MIT; the weights were trained on pictures whose terms allow no more: "
    "FFHQ and the StyleGAN sets (non-commercial), CelebA, UTKFace and LFW (research), generated.photos (its own "
    "terms), Unsplash and Pixabay photographs, and others without a clear licence. No picture is part of this "
    "repository."
)


class ExportError(TrainingError):
    """The exported file does not compute what the network does."""


class Explained(nn.Module):
    """A detector as it is served: logits [N, 1], and maps [N, h, w] of where they come from."""

    def __init__(self, network: networks.Detector) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[N, 3, SIDE, SIDE] to both."""
        return self.network.explained(x)


def load_best(name: str, checkpoint: Path) -> networks.Detector:
    """The best averaged weights of a checkpoint as a network in eval mode."""
    network = networks.build(name)
    network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location="cpu")["best"])
    network.eval()
    return network


def export(network: networks.Detector, file: Path, pictures: np.ndarray) -> None:
    """Writes one ONNX file, weights inside, norms folded, batch size free; then proves it against `network`.

    `pictures` [n, SIDE, SIDE, 3] uint8 are scored by both.

    Raises `ExportError` when OpenVINO in f32 and PyTorch differ by more than `TOLERANCE` in any logit of noise, or by more
    than `PROBABILITY_TOLERANCE` in any probability of a picture.
    """
    side = preprocessing.SIDE
    random = np.random.default_rng(3)
    probes = {n: random.standard_normal((n, 3, side, side)).astype(np.float32) for n in (1, 8)}
    with torch.no_grad():
        expected = {n: network(torch.from_numpy(probe)).flatten().numpy() for n, probe in probes.items()}
        seen = [network(torch.from_numpy(preprocessing.normalise(picture[None]))).item() for picture in pictures]
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            Explained(networks.fold_norms(network)),
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
    gap = float(np.abs(sigmoid(scorer.logits(pictures)) - sigmoid(np.array(seen))).max())
    print(f"{file.parent.name}: on {len(pictures)} pictures the probability is at most {gap:.1g} from PyTorch's")
    if gap > PROBABILITY_TOLERANCE:
        raise ExportError(
            f"{file}: a probability differs from PyTorch's by {gap:.2g}, more than {PROBABILITY_TOLERANCE}"
        )


def write_onnx(model: onnx.ModelProto, file: Path) -> None:
    """Writes one checked file with all weights inside and without the exporter's notes."""
    strip(model)
    onnx.checker.check_model(model, full_check=True)
    file.write_bytes(model.SerializeToString())


def strip(model: onnx.ModelProto) -> None:
    """Drops the exporter's notes (stack traces with paths of the machine that trained): same weights, same bytes."""
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


def write_folder(
    folder: Path,
    name: str,
    version: str,
    lines: dict[str, tuple[float, float]],
    training: str,
    metrics: dict[str, float],
    precision: str = "f32",
) -> None:
    """Writes canary.png and manifest.json beside model.onnx and model.int8.onnx in `folder`.

    `lines` holds the calibration's scale and bias for the networks in "f32" and in "int8". The canary's scores are computed,
    not assumed.
    """
    picture = canary.draw()
    picture.save(folder / "canary.png", optimize=True)

    def served(file: str, line: tuple[float, float]) -> tuple[dict[str, str], dict[str, float], float]:
        scale, bias = line
        logit = float(Scorer(folder / file).tensor_logits(preprocessing.tensor(picture))[0]) * scale + bias
        network = {"file": file, "sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()}
        return network, {"scale": scale, "bias": bias}, round(logit, 5)

    plain, plain_line, plain_logit = served("model.onnx", lines["f32"])
    quantised, quantised_line, quantised_logit = served("model.int8.onnx", lines["int8"])
    side = preprocessing.SIDE
    manifest = {
        "schema": 1,
        "name": name,
        "version": version,
        **plain,
        "preprocessing": preprocessing.VERSION,
        "input": {
            "name": "image",
            "width": side,
            "height": side,
            "layout": "NCHW",
            "colour": "RGB",
            "mean": list(preprocessing.MEAN),
            "std": list(preprocessing.STD),
        },
        "crop": {"kind": "face", "margin": preprocessing.MARGIN},
        "output": {"name": "logit", "kind": "logit", "map": "map"},
        "calibration": plain_line,
        "precision": precision,
        "int8": {**quantised, "calibration": quantised_line, "canary_logit": quantised_logit},
        "canary": {"file": "canary.png", "logit": plain_logit, "tolerance": 0.02},
        "training": training,
        "metrics": metrics,
        "licence": LICENCE,
    }
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def publish(new: Path, final: Path) -> None:
    """Puts the finished folder `new` in the place of `final`."""
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.rename(final, old)
    os.rename(new, final)
    shutil.rmtree(old, ignore_errors=True)
