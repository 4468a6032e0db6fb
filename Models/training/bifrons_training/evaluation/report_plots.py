"""The plots of the evaluation report: curves, and contact sheets with activation maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from bifrons_training.evaluation.scorer import Scorer

SHEET_COLUMNS = 8


def plot(name: str, values: dict[str, Any], file: Path) -> None:
    """Plots the ROC curve (false positives on a logarithmic axis) and the reliability diagram into `file`."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    false, true = zip(*values["roc"], strict=True)
    left.step([max(f, 1e-3) for f in false], true, where="post")
    left.set(xscale="log", xlim=(1e-3, 1), ylim=(0, 1), xlabel="false positive rate", ylabel="true positive rate")
    left.set_title(f"{name}: ROC, AUC {values['all']['roc_auc']:.3f}")
    mean, share, count = zip(*values["reliability"], strict=True)
    right.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    right.scatter(mean, share, s=[6 + 120 * n / max(count) for n in count])
    right.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability given", ylabel="share generated")
    right.set_title(f"reliability, ECE {values['all']['ece']:.3f}")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=80, metadata={"Software": None})


def coloured(image: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Returns an image [s, s, 3] overlaid with its activation map: red speaks for a generator, blue for a camera."""
    side = image.shape[0]
    strength = np.clip(cells / 8, -1, 1)
    heat = np.asarray(Image.fromarray(strength).resize((side, side), Image.Resampling.BILINEAR))[..., None]
    tint = np.where(heat > 0, np.array([255.0, 40, 0]), np.array([0.0, 80, 255]))
    shown: np.ndarray = (image * (1 - 0.55 * np.abs(heat)) + tint * 0.55 * np.abs(heat)).astype(np.uint8)
    return shown


def sheet(file: Path, images: np.ndarray, labels: np.ndarray, logits: np.ndarray, scorer: Scorer) -> None:
    """Writes a contact sheet of images, each above its activation map.

    For each class, real first, it shows the most confident correct, the most confident wrong, and random images.
    """
    rows, random = [], np.random.default_rng(1)
    for label in (0, 1):
        inside = np.flatnonzero(labels == label)
        towards = logits[inside] * (1 if label else -1)
        order = inside[np.argsort(-towards)]
        for chosen in (order[:SHEET_COLUMNS], order[::-1][:SHEET_COLUMNS], random.choice(inside, SHEET_COLUMNS, False)):
            maps = scorer.maps(images[chosen])
            rows.append(np.concatenate(list(images[chosen]), axis=1))
            rows.append(
                np.concatenate([coloured(images[p], cells) for p, cells in zip(chosen, maps, strict=True)], axis=1)
            )
    Image.fromarray(np.concatenate(rows)).save(file)
