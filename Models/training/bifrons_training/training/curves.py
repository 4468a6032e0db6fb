"""The training curve: reads its CSV file and plots it."""

from __future__ import annotations

import csv
from pathlib import Path

from matplotlib.figure import Figure


def plot_curve(name: str, rows: list[dict[str, str]], file: Path) -> None:
    """Plots loss and held-out ROC AUC over the number of processed images, as a small PNG."""
    images = [int(row["images"]) / 1000 for row in rows]
    figure = Figure(figsize=(8, 2.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(images, [float(row["loss"]) for row in rows], label="loss")
    left.plot(images, [float(row["accuracy"]) for row in rows], label="accuracy")
    left.set(title=f"{name}: training batches", xlabel="thousand images", ylim=(0, 1))
    lines = {
        "held_out": "all sources",
        "honest_pair": "honest pair",
        "watched": "never trained",
        "trained_pair": "honest pair, trained on",
    }
    for key, label in lines.items():
        known = [(at, float(row[key])) for at, row in zip(images, rows, strict=True) if row.get(key)]
        if known:  # Older curves lack some of the columns.
            right.plot(*zip(*known, strict=True), label=label)
    right.set(title="ROC AUC, unchanged images", xlabel="thousand images", ylim=(0.4, 1.01))
    left.legend(loc="lower left")
    right.legend(loc="lower right")
    for axes in (left, right):
        axes.grid(alpha=0.3)
    figure.savefig(file, dpi=80, metadata={"Software": None})


def read_curve(file: Path) -> list[dict[str, str]]:
    """Returns the rows of a training's CSV file; empty if it does not exist yet."""
    if not file.is_file():
        return []
    with file.open(newline="") as source:
        return list(csv.DictReader(source))
