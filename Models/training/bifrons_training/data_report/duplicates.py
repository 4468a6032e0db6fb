"""Images of the data folder that are copies of one another."""

from __future__ import annotations

from typing import Any

import numpy as np

from bifrons_training.data.catalogue import Face, group_key
from bifrons_training.data_report.image_statistics import Measured

ALIKE_BITS = 6
"""The most bits in which the perceptual hashes of two copies may differ."""

ALIKE = 0.985
"""The least correlation between the 32 × 32 thumbnails of two copies."""


def find_duplicates(faces: list[Face], measured: list[Measured]) -> list[dict[str, Any]]:
    """Returns the pairs of images of different groups that are copies: identical, scaled or recompressed."""
    hashes = np.array([m.hash for m in measured], np.uint64)
    thumbnails = np.stack([m.thumbnail.ravel() for m in measured])
    pairs = []
    for start in range(0, len(hashes), 256):
        near = np.bitwise_count(hashes[start : start + 256, None] ^ hashes[None]) <= ALIKE_BITS
        for row, other in zip(*np.nonzero(near), strict=True):
            first = start + int(row)
            if first >= other:
                continue
            exact = measured[first].sha256 == measured[other].sha256
            likeness = float(thumbnails[first] @ thumbnails[other])
            one, two = faces[first], faces[other]
            if (exact or likeness >= ALIKE) and group_key(one) != group_key(two):
                pairs.append(
                    {
                        "first": one.path,
                        "second": two.path,
                        "exact": exact,
                        "likeness": round(likeness, 4),
                        "across_splits": one.split != two.split,
                        "across_classes": one.label != two.label,
                    }
                )
    return pairs
