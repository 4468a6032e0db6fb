"""From a trained locator to the folder that workers load: ONNX file, manifest, canary and card."""

from __future__ import annotations

import hashlib
import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bifrons_training import preprocessing
from bifrons_training.files import write_text
from bifrons_training.locator.composition import SIDE
from bifrons_training.locator.network import Locator
from bifrons_training.preprocessing.locating import Locator as Served
from bifrons_training.publishing import canary
from bifrons_training.publishing.export import OPSET, ExportError, write_onnx
from bifrons_training.publishing.manifest import LICENCE

TOLERANCE = 2e-3
OVERLAP = 0.4
"""The intersection over union above which two boxes belong to the same face."""

TURNED = {"below": 0.8, "score": 0.56}
"""When the locator looks at rotated copies of an image: at 90, 180 and 270 degrees.

It does so if no face reaches the probability `below`. If a face is found in them, all boxes count from the probability
`score` on. A lower `score` leaves too many false boxes, a higher one misses faces at 45 degrees. Both were chosen on
the held-out scenes and compositions.
"""


def export(network: Locator, file: Path) -> None:
    """Writes one ONNX file with all weights inside and without the exporter's metadata."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval(),
            (torch.zeros(1, 3, SIDE, SIDE),),
            input_names=["image"],
            output_names=["cells"],
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    write_onnx(program.model_proto, file)


def prove(network: Locator, folder: Path) -> None:
    """Raises `ExportError` if OpenVINO and PyTorch differ by more than `TOLERANCE` in any value of any cell."""
    probe = np.random.default_rng(3).standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(probe)).numpy()[0]
    gap = float(np.abs(Served(folder).cells(probe) - expected).max())
    if gap > TOLERANCE:
        raise ExportError(f"{folder}: a cell differs from PyTorch's by {gap:.2g}, more than {TOLERANCE}")


def canary_image() -> Image.Image:
    """Returns the detectors' canary placed in a wider image."""
    image = Image.new("RGB", (400, 300), (96, 120, 104))
    image.paste(canary.draw().resize((197, 192), Image.Resampling.BICUBIC), (170, 61))
    return image


def write_manifest(folder: Path, version: str, score: float, training: str, metrics: dict[str, float]) -> None:
    """Writes canary.png and manifest.json beside `folder`/model.onnx, with the canary's computed logit."""
    manifest: dict[str, Any] = {
        "schema": 1,
        "name": "locator",
        "version": version,
        "file": "model.onnx",
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
        "preprocessing": preprocessing.VERSION,
        "input": {
            "name": "image",
            "width": SIDE,
            "height": SIDE,
            "layout": "NCHW",
            "colour": "RGB",
            "mean": list(preprocessing.MEAN),
            "std": list(preprocessing.STD),
        },
        "crop": {"kind": "whole"},
        "output": {"name": "cells", "kind": "faces", "score": score, "overlap": OVERLAP, "turned": TURNED},
        "precision": "f32",
        "training": training,
        "metrics": metrics,
        "licence": LICENCE,
    }
    _write(folder, manifest)
    image = canary_image()
    image.save(folder / "canary.png", optimize=True)
    tensor, _ = preprocessing.whole(image, SIDE)
    logit = float(Served(folder).cells(tensor)[:, 0].max())
    manifest["canary"] = {"file": "canary.png", "logit": round(logit, 5), "tolerance": 0.02}
    _write(folder, manifest)


def _write(folder: Path, manifest: dict[str, Any]) -> None:
    write_text(folder / "manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")
