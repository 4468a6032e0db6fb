"""Writes AVIF and HEIC files, and the pixels that Python's libraries decode them to, for the comparison with Swift.

    python -m bifrons_training.publishing.parity_heif --out FOLDER --portrait FILE

Beside each file, such as `0.avif`, is `0.avif.rgb` with the bytes of its pixels. Unlike other formats, Python converts
them to RGB in other ways than Swift (docs/preprocessing.md), so they are only nearly equal.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bifrons_training import preprocessing

KINDS: list[tuple[str, str, dict[str, Any]]] = [
    ("avif", "RGB", {"quality": 80}),
    ("avif", "RGB", {"quality": 90, "subsampling": "4:2:2"}),
    ("avif", "RGB", {"quality": 90, "subsampling": "4:4:4"}),
    ("avif", "RGBA", {"quality": 90}),
    ("avif", "RGB", {"quality": 90, "range": "limited"}),
    ("heic", "RGB", {"quality": 80}),
    ("heic", "RGB", {"quality": 90, "chroma": 422}),
    ("heic", "RGB", {"quality": 90, "chroma": 444}),
    ("heic", "RGBA", {"quality": 90}),
]
"""The files: format, mode, and the options of its encoder."""


def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Write AVIF and HEIC files and their pixels.")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write to")
    parser.add_argument("--portrait", type=Path, required=True, help="the image in the files")
    options = parser.parse_args()
    with Image.open(options.portrait) as portrait:
        image = portrait.convert("RGB").resize((257, 301))
    for number, (suffix, mode, settings) in enumerate(KINDS):
        pixels = image.convert(mode)
        if mode == "RGBA":
            pixels.putalpha(Image.linear_gradient("L").resize(pixels.size))
        file = options.out / f"{number}.{suffix}"
        pixels.save(file, "AVIF" if suffix == "avif" else "HEIF", **settings)
        (options.out / f"{file.name}.rgb").write_bytes(np.asarray(preprocessing.decode(file).image).tobytes())
    return 0


if __name__ == "__main__":
    sys.exit(main())
