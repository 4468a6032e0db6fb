"""Faces from a published generator: MobileStyleGAN (Belousov 2021), distilled from StyleGAN2 on FFHQ.

    python -m bifrons_training.augmentation.generated_faces --out FOLDER [--count 20000]

Writes a data folder that training can read (faces.csv, train/ai_generated/), with PNG images of 128 to 256 pixels.
Face number n is the same in every run, and an interrupted run resumes where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import openvino
from PIL import Image
from tqdm import tqdm

from bifrons_training.data.catalogue import COLUMNS
from bifrons_training.errors import program
from bifrons_training.files import write_text
from bifrons_training.networks.pretrained_weights import MOBILE_STYLEGAN, fetch
from bifrons_training.workspace import DEFAULT_WORK

SOURCE, GENERATOR = "mobilestylegan", "MobileStyleGAN"
STYLE = 512
MEAN_OF = 4096
"""Number of style vectors whose mean is the centre of the truncation."""

TRUNCATION = 0.5, 1.0
SIDES = 128, 256
KERNELS = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LANCZOS4, cv2.INTER_CUBIC, cv2.INTER_LINEAR)


class Generator:
    """MobileStyleGAN on OpenVINO with downloaded weights; faces of 1024 pixels."""

    def __init__(self, work: Path, threads: int = 1) -> None:
        files = {weights.member.rsplit("/", 1)[-1]: fetch(weights, work) for weights in MOBILE_STYLEGAN}
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        mapping = core.read_model(files["MappingNetwork.xml"])
        mapping.reshape([1, STYLE])
        self._mapping = core.compile_model(mapping, "CPU", settings)
        self._synthesis = core.compile_model(core.read_model(files["SynthesisNetwork.xml"]), "CPU", settings)
        random = np.random.default_rng(0)
        self._mean = np.mean([self._style(random) for _ in range(MEAN_OF)], axis=0)

    def _style(self, random: np.random.Generator) -> np.ndarray:
        style: np.ndarray = self._mapping([random.standard_normal((1, STYLE)).astype(np.float32)])[0]
        return style

    def face(self, random: np.random.Generator) -> np.ndarray:
        """Returns a new face, [1024, 1024, 3] uint8, truncated by a factor from `TRUNCATION` (Karras et al. 2019)."""
        style = self._mean + random.uniform(*TRUNCATION) * (self._style(random) - self._mean)
        made = self._synthesis([style.astype(np.float32)])[0][0]
        pixels: np.ndarray = ((made.transpose(1, 2, 0) + 1) * 127.5).round().clip(0, 255).astype(np.uint8)
        return pixels


def published(face: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Returns a face downscaled as for publication, by a random kernel and in half of the cases in two steps."""
    side = int(random.integers(SIDES[0], SIDES[1] + 1))
    if random.random() < 0.5:
        face = cv2.resize(face, (512, 512), interpolation=cv2.INTER_AREA)
    return cv2.resize(face, (side, side), interpolation=KERNELS[int(random.integers(len(KERNELS)))])


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Generate faces for training.")
    parser.add_argument("--out", type=Path, required=True, help="the data folder to write")
    parser.add_argument("--count", type=int, default=20000, help="number of faces (default: %(default)s)")
    parser.add_argument(
        "--part",
        type=int,
        nargs=2,
        default=(0, 1),
        metavar=("NUMBER", "OF"),
        help="the share of this process, from 0, when several run side by side",
    )
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for the downloaded weights")
    options = parser.parse_args()
    folder = options.out / "train" / "ai_generated"
    folder.mkdir(parents=True, exist_ok=True)
    first, step = options.part
    names = [f"{SOURCE}_{number:05}.png" for number in range(options.count)]
    missing = [number for number in range(first, options.count, step) if not (folder / names[number]).is_file()]
    generator = Generator(options.work) if missing else None
    for number in tqdm(missing, mininterval=10):
        random = np.random.default_rng((23, number))
        assert generator is not None
        partial = folder / f".{names[number]}"
        Image.fromarray(published(generator.face(random), random)).save(partial, "PNG")
        partial.rename(folder / names[number])
    rows = [
        {"path": f"train/ai_generated/{name}", "split": "train", "label": "ai_generated", "source": SOURCE}
        | {"generator": GENERATOR, "group": name}
        for name in names
        if (folder / name).is_file()
    ]
    table = options.out / "faces.csv.new"
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    write_text(options.out / "faces.csv", table.read_text(encoding="utf-8"))
    table.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
