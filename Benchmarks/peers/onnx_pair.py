"""What the peers' servers share: both published networks in f32 through the engine, and a picture's centre as input."""

import json
from pathlib import Path

import cv2
import numpy as np
import openvino

MODELS = Path(__file__).resolve().parents[2] / "Models"
SIDE = 160
BATCH = 8


def central_square(file: bytes) -> np.ndarray:
    """Decodes a picture once, as the frameworks' examples do, and cuts its central square: [3, SIDE, SIDE] float32."""
    image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("the body is no picture that OpenCV reads: send a JPEG or a PNG")
    height, width = image.shape[:2]
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    square = cv2.resize(image[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    rgb = cv2.cvtColor(square, cv2.COLOR_BGR2RGB).astype(np.float32)
    return np.ascontiguousarray((rgb / 255 - 0.5).transpose(2, 0, 1) / 0.25)


class Pair:
    """The ResNet and the Inception, one after the other on one thread, and the merge of their calibrated scores."""

    def __init__(self, models: Path = MODELS) -> None:
        # As in Sources/Inference/Network.swift.
        settings = {
            "ENABLE_CPU_PINNING": False, "INFERENCE_PRECISION_HINT": "f32",
            "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1,
        }
        ensemble = json.loads((models / "ensemble.json").read_text())
        blend = next(blend for blend in ensemble["merge"] if blend["models"] == ensemble["models"])
        self._bias = blend["bias"]
        self._parts = []
        core = openvino.Core()
        for name, weight in zip(blend["models"], blend["weights"], strict=True):
            manifest = json.loads((models / name / "manifest.json").read_text())
            network = core.compile_model(core.read_model(models / name / manifest["file"]), "CPU", settings)
            output = network.output(manifest["output"]["name"])
            scale, bias = (manifest["calibration"][key] for key in ("scale", "bias"))
            self._parts.append((network.create_infer_request(), output, weight, scale, bias))

    def probabilities(self, tensor: np.ndarray) -> np.ndarray:
        """How probably each of some pictures [n, 3, SIDE, SIDE] is generated."""
        merged = np.full(len(tensor), self._bias)
        for request, output, weight, scale, bias in self._parts:
            request.infer([tensor])
            merged += weight * (scale * request.get_tensor(output).data.reshape(-1).astype(np.float64) + bias)
        return 1 / (1 + np.exp(-merged))


def answer(probability: float) -> dict:
    """A picture's answer."""
    return {"label": "ai_generated" if probability >= 0.5 else "real", "ai_probability": float(probability)}
