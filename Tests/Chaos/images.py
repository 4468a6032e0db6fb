"""Images that contain their job's number, networks whose answers can be computed by hand, and those answers.

An image is 8 x 8 pixels of one colour, with the job's number in a text chunk. So each job has its own file, and the
result's SHA-256 identifies it. Crops have the colour but not the number. The networks average each channel to r, g and
b in 0...1 and answer r + 2 g + 4 b - 3. Calibration and merging differ between the models, so that an answer in the
wrong place is noticed.
"""

import hashlib
import json
import math
import re
import shutil
import struct
import zlib
from functools import cache
from pathlib import Path

from support.programs import MODELS as PUBLISHED
from support.programs import ROOT

FIXTURES = ROOT / "Tests/Worker/InferenceTests/Fixtures"
LOCATOR_FOLDER = PUBLISHED / "locator"
SIDE = 8
COLOURS = 4096
CALIBRATION = {"alpha": (1.0, 0.25), "beta": (0.75, -0.5)}
MERGE: dict[tuple[str, ...], tuple[float, tuple[float, ...]]] = {
    ("alpha",): (0.0, (1.0,)),
    ("beta",): (0.0, (1.0,)),
    ("alpha", "beta"): (0.125, (0.5, 0.625)),
}
MODELS = tuple(CALIBRATION)
LOCATOR = "locator"
# The pools of workers, in the order of the steps of a job for all models. A worker is named after its pool.
POOLS = (LOCATOR, *MODELS)
# The logit of the fixtures' canary, before calibration.
CANARY_LOGIT = 1.2

# The published locator. No model here needs faces, so it only cuts out central squares.
_LOCATOR = json.loads((LOCATOR_FOLDER / "manifest.json").read_text())
LOCATOR_VERSION, LOCATOR_DIGEST = _LOCATOR["version"], "sha256:" + _LOCATOR["sha256"]

_TAG = b"bifrons-job\0"
_DIGITS = 12
MARK = re.compile(re.escape(_TAG) + rb"(\d{%d})" % _DIGITS)


def pool_of(worker: str) -> str:
    return worker.rpartition("-")[0]


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


_START = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0))
_END = _chunk(b"IEND", b"")


def colour(job: int) -> tuple[int, int, int]:
    """Returns a job's colour. Adjacent jobs have very different colours, and few colours have similar sums."""
    code = job * 2654435761 % COLOURS
    return (code & 15) * 17, (code >> 4 & 15) * 16, (code >> 8) * 15


@cache
def _pixels(of: tuple[int, int, int]) -> bytes:
    return _chunk(b"IDAT", zlib.compress((b"\0" + bytes(of) * SIDE) * SIDE))


def image(job: int) -> bytes:
    """Returns the PNG file of a job."""
    return _START + _chunk(b"tEXt", _TAG + b"%0*d" % (_DIGITS, job)) + _pixels(colour(job)) + _END


def digest(job: int) -> str:
    return hashlib.sha256(image(job)).hexdigest()


def _logit(model: str, job: int) -> float:
    red, green, blue = (value / 255 for value in colour(job))
    scale, bias = CALIBRATION[model]
    return scale * (red + 2 * green + 4 * blue - 3) + bias


def probability(job: int, models: tuple[str, ...]) -> float:
    """Returns the probability that the service must give if exactly these models, in this order, gave scores."""
    bias, weights = MERGE[models]
    return 1 / (
        1 + math.exp(-bias - sum(weight * _logit(model, job) for model, weight in zip(models, weights, strict=True)))
    )


def write_models(folder: Path) -> None:
    """Writes a models folder for the router and the workers."""
    folder.mkdir(parents=True)
    (folder / LOCATOR).symlink_to(LOCATOR_FOLDER)
    network = (FIXTURES / "logit.onnx").read_bytes()
    for model, (scale, bias) in CALIBRATION.items():
        (folder / model).mkdir()
        (folder / model / "model.onnx").write_bytes(network)
        shutil.copy(FIXTURES / "canary.png", folder / model)
        manifest = {
            "schema": 1,
            "preprocessing": _LOCATOR["preprocessing"],
            "name": model,
            "version": "1.0.0",
            "file": "model.onnx",
            "sha256": hashlib.sha256(network).hexdigest(),
            "input": {
                "width": SIDE,
                "height": SIDE,
                "layout": "NCHW",
                "colour": "RGB",
                "mean": [0, 0, 0],
                "std": [1, 1, 1],
            },
            "crop": {"kind": "central_square"},
            "output": {"kind": "logit"},
            "calibration": {"scale": scale, "bias": bias},
            "canary": {"file": "canary.png", "logit": scale * CANARY_LOGIT + bias, "tolerance": 0.01},
        }
        (folder / model / "manifest.json").write_text(json.dumps(manifest))
    merge = [{"models": models, "bias": bias, "weights": weights} for models, (bias, weights) in MERGE.items()]
    policies = {"default": {"review": 0.5, "block": 0.9}}
    (folder / "ensemble.json").write_text(
        json.dumps({"schema": 1, "models": MODELS, "merge": merge, "policies": policies})
    )
