"""Scores images with exported models exactly as workers do: ONNX files on OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openvino

from bifrons_training import preprocessing


class Scorer:
    """One ONNX file, or its bytes, on the CPU."""

    def __init__(self, file: Path | bytes, threads: int = 2, precision: str = "f32") -> None:
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": threads,
            "ENABLE_CPU_PINNING": False,
        }
        network = core.read_model(file)
        self.side: int = network.input(0).partial_shape[3].get_length()
        """The side of the input in pixels."""
        self._model = core.compile_model(network, "CPU", settings)

    def tensor_logits(self, tensor: np.ndarray) -> np.ndarray:
        """Returns the raw logits [n] of a normalised tensor [n, 3, side, side]."""
        return np.array(self._model([tensor])["logit"]).reshape(-1)

    def logits(self, images: np.ndarray, batch: int = 8) -> np.ndarray:
        """Returns the raw logits [n] of images [n, side, side, 3] uint8, computed in batches."""
        starts = range(0, len(images), batch)
        return np.concatenate([self.tensor_logits(preprocessing.normalise(images[i : i + batch])) for i in starts])

    def maps(self, images: np.ndarray) -> np.ndarray:
        """Returns activation maps [n, h, w] of images [n, side, side, 3] uint8; a map's mean is the raw logit."""
        return np.concatenate([self._model([preprocessing.normalise(image[None])])["map"] for image in images])
