"""The manifest of a model folder and the canary beside it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from bifrons_training import preprocessing
from bifrons_training.evaluation.scorer import Scorer
from bifrons_training.files import write_text
from bifrons_training.publishing import canary

LICENCE = (
    "For research and evaluation only. The code is under the MIT licence; the weights were trained on images whose "
    "terms allow no more: "
    "FFHQ and the StyleGAN sets (non-commercial), CelebA, UTKFace and LFW (research), generated.photos (its own "
    "terms), Unsplash and Pixabay photographs, and others without a clear licence. No image is part of this "
    "repository."
)


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

    `lines` holds the scale and bias of the calibration for "f32" and "int8". The canary's logits are computed with the
    files themselves, which also have the side of the input.
    """
    image = canary.draw()
    image.save(folder / "canary.png", optimize=True)

    side = Scorer(folder / "model.onnx").side

    def served(file: str, line: tuple[float, float]) -> tuple[dict[str, str], dict[str, float], float]:
        scale, bias = line
        logit = float(Scorer(folder / file).tensor_logits(preprocessing.tensor(image, side))[0]) * scale + bias
        network = {"file": file, "sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()}
        return network, {"scale": scale, "bias": bias}, round(logit, 5)

    plain, plain_line, plain_logit = served("model.onnx", lines["f32"])
    quantised, quantised_line, quantised_logit = served("model.int8.onnx", lines["int8"])
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
