"""Measures every image of the data folder."""

from __future__ import annotations

import csv
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from PIL import Image

from bifrons_training.data.catalogue import Face
from bifrons_training.data_report.image_statistics import Measured, measure
from bifrons_training.errors import DataError
from bifrons_training.preprocessing import Box


def read_boxes(folder: Path) -> list[Box | None]:
    """Returns the face box of each row of faces.csv; None where its columns are missing or empty."""
    boxes: list[Box | None] = []
    with (folder / "faces.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            try:
                x, y, width, height = (float(row[f"box_{name}"]) for name in "xywh")
                boxes.append((round(x), round(y), max(1, round(width)), max(1, round(height))))
            except (KeyError, TypeError, ValueError):
                boxes.append(None)
    return boxes


def _measure(file: Path, box: Box | None) -> Measured | str:
    try:
        return measure(file, box)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return f"{error}"


def measure_all(folder: Path, faces: list[Face], boxes: list[Box | None]) -> list[Measured]:
    """Measures every image. Raises `DataError` that names the unreadable ones."""
    files = [folder / face.path for face in faces]
    results: list[Measured | str] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(_measure, files, boxes, chunksize=32):
            results.append(result)
            if len(results) % 1000 == 0:
                print(f"measured {len(results)} of {len(files)}", file=sys.stderr, flush=True)
    bad = [f"{file} ({result})" for file, result in zip(files, results, strict=True) if isinstance(result, str)]
    if bad:
        more = f" and {len(bad) - 20} more" if len(bad) > 20 else ""
        raise DataError(f"these are not readable images: {', '.join(bad[:20])}{more}: replace them or drop their lines")
    return [result for result in results if isinstance(result, Measured)]
