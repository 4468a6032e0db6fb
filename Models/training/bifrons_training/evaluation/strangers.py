"""The published models on sources that trained none of them: the sealed ones, and false positives by kind of face."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bifrons_training.data.catalogue import Face, group_key, trained_before
from bifrons_training.evaluation import metrics
from bifrons_training.evaluation.measurement import part_name, slices

AGES = {"aged 0 to 12": 13, "aged 13 to 19": 20, "aged 20 to 39": 40, "aged 40 to 59": 60, "aged 60 or more": 200}
"""Bands of ages: for each the age at which it ends."""

ORIGINALS = {
    "originals below 160 px": 160,
    "originals of 160 to 255 px": 256,
    "originals of 256 to 511 px": 512,
    "originals of 512 px or more": 1 << 30,
}
"""Bands of `Face.original`: for each the number of pixels at which it ends."""

FEWEST = 20
"""The fewest faces of a kind from which anything is concluded."""


def is_monochrome(image: np.ndarray) -> bool:
    """Whether the channels of an image [h, w, 3] uint8 differ by less than 9 in 99 % of its pixels."""
    return bool(np.quantile(image.max(axis=2) - image.min(axis=2), 0.99) < 9)


def measure_sealed(
    faces: list[Face], logits: Mapping[str, np.ndarray], policies: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Returns the numbers of each scorer on the sealed faces, and the share called generated of each source.

    `policies` has the thresholds of each scorer by action. Only `roc_auc_with_all` and the rows of sources include
    `TRAINED_BEFORE`.
    """
    everyone = np.array([face.label for face in faces])
    kept = np.array([not trained_before(face) for face in faces])
    labels = everyone[kept]
    groups = [group_key(face) for face in faces if not trained_before(face)]
    rows: dict[str, Any] = {
        part_name(label, name): {"n": int(inside.sum()), "called_generated": _called(logits, inside)}
        for label, name, inside in slices(faces)
    }
    return {
        "real": int((labels == 0).sum()),
        "generated": int((labels == 1).sum()),
        "sources": rows,
        "scorers": {
            name: {
                **_numbers(labels, values[kept], groups, policies[name]),
                "roc_auc_with_all": round(metrics.roc_auc(everyone, values), 4),
            }
            for name, values in logits.items()
        },
    }


def _numbers(labels: np.ndarray, logits: np.ndarray, groups: list[str], policy: Mapping[str, float]) -> dict[str, Any]:
    probabilities = metrics.sigmoid(logits)
    measures: dict[str, Callable[[np.ndarray], float]] = {
        "roc_auc": lambda at: metrics.roc_auc(labels[at], logits[at]),
        "ece": lambda at: metrics.calibration_error(labels[at], probabilities[at]),
    }
    intervals = metrics.bootstrap(measures, groups)
    numbers: dict[str, Any] = {}
    for name, measure in measures.items():
        numbers[name] = round(measure(np.arange(len(labels))), 4)
        numbers[f"{name}_95"] = [round(value, 4) for value in intervals[name]]
    for action, threshold in {"called_generated": 0.5, **policy}.items():
        above = probabilities >= threshold
        false = above[labels == 0]
        interval = metrics.share_interval(int(false.sum()), len(false))
        numbers[action] = {
            "false_positives": round(float(false.mean()), 4),
            "false_positives_95": [round(value, 4) for value in interval],
            "true_positives": round(float(above[labels == 1].mean()), 4),
        }
    return numbers


def measure_kinds(faces: list[Face], monochrome: np.ndarray, logits: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Returns false positives by kind of face: age, original size, and monochrome images; `faces` are all real.

    Each kind has its number of faces `n`, the share called generated, the same of all other faces that could be of the
    kind (`otherwise`), and the scorers that are `worse`: by more than twice the standard error of the difference.
    """
    ages = np.array([-1 if face.age is None else face.age for face in faces])
    originals = np.array([-1 if face.original is None else face.original for face in faces])
    kinds: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for values, bands in ((ages, AGES), (originals, ORIGINALS)):
        begin = 0
        for name, end in bands.items():
            kinds[name] = (begin <= values) & (values < end), values >= 0
            begin = end
    kinds["monochrome"] = monochrome, np.ones(len(faces), dtype=bool)
    found: dict[str, Any] = {}
    for name, (inside, among) in kinds.items():
        rest = among & ~inside
        if min(inside.sum(), rest.sum()) >= FEWEST:
            shares, others = _called(logits, inside), _called(logits, rest)
            sizes = int(inside.sum()), int(rest.sum())
            worse = [s for s in shares if is_worse(shares[s], others[s], *sizes)]
            found[name] = {"n": sizes[0], "called_generated": shares, "otherwise": others, "worse": worse}
    return found


def is_worse(share: float, other: float, n: int, others: int) -> bool:
    """Whether a share of `n` exceeds another one of `others` by more than twice the difference's standard error."""
    error = math.sqrt(share * (1 - share) / n + other * (1 - other) / others)
    return share - other > 2 * error


def _called(logits: Mapping[str, np.ndarray], inside: np.ndarray) -> dict[str, float]:
    """Returns the share of the faces `inside` that each scorer calls generated."""
    return {name: round(float((values[inside] > 0).mean()), 4) for name, values in logits.items()}
