"""What the peers' servers share: both published networks in f32 on OpenVINO, applied to the centre of an image."""

import json
from pathlib import Path

import cv2
import numpy as np
import openvino

MODELS = Path(__file__).resolve().parents[2] / "Models"
BATCH = 8


def manifest(name: str) -> dict:
    """Returns the manifest of the published network `name`."""
    return json.loads((MODELS / name / "manifest.json").read_text())


INPUT = manifest("resnet")["input"]
"""The input of both networks: size, mean and standard deviation."""


def central_square(file: bytes) -> np.ndarray:
    """Decodes an image once, as the frameworks' examples do, and crops its central square: f32 [3, height, width]."""
    image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("the body is not an image that OpenCV reads: send a JPEG or a PNG")
    height, width = image.shape[:2]
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = image[top : top + side, left : left + side]
    square = cv2.resize(square, (INPUT["width"], INPUT["height"]), interpolation=cv2.INTER_AREA)
    rgb = cv2.cvtColor(square, cv2.COLOR_BGR2RGB).astype(np.float32)
    mean, std = (np.array(INPUT[key], np.float32) for key in ("mean", "std"))
    return np.ascontiguousarray(((rgb / 255 - mean) / std).transpose(2, 0, 1))


class Pair:
    """The ResNet and the Inception, run one after the other on one thread, and their calibrated scores merged."""

    def __init__(self) -> None:
        # The same settings as in Sources/Worker/Inference/Network.swift.
        settings = {
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1,
            "INFERENCE_NUM_THREADS": 1,
        }
        ensemble = json.loads((MODELS / "ensemble.json").read_text())
        blend = next(blend for blend in ensemble["merge"] if blend["models"] == ensemble["models"])
        self._bias = blend["bias"]
        self._parts = []
        core = openvino.Core()
        for name, weight in zip(blend["models"], blend["weights"], strict=True):
            told = manifest(name)
            network = core.compile_model(core.read_model(MODELS / name / told["file"]), "CPU", settings)
            output = network.output(told["output"]["name"])
            scale, bias = (told["calibration"][key] for key in ("scale", "bias"))
            self._parts.append((network.create_infer_request(), output, weight, scale, bias))

    def probabilities(self, tensor: np.ndarray) -> np.ndarray:
        """Returns the probability that each of the images [n, 3, height, width] is AI-generated: [n]."""
        merged = np.full(len(tensor), self._bias)
        for request, output, weight, scale, bias in self._parts:
            request.infer([tensor])
            merged += weight * (scale * request.get_tensor(output).data.reshape(-1).astype(np.float64) + bias)
        return 1 / (1 + np.exp(-merged))


def answer(probability: float) -> dict:
    """Returns the answer for an image with this probability of being AI-generated."""
    return {"label": "ai_generated" if probability >= 0.5 else "real", "ai_probability": float(probability)}
