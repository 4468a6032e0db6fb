"""The plots of the data report, each as an HTML element with an embedded image."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bifrons_training.data.catalogue import Face
from bifrons_training.data_report import shortcut_probe
from bifrons_training.data_report.image_statistics import Measured
from bifrons_training.data_report.summary import NAMES


def _figure(figure: Figure) -> str:
    packed = io.BytesIO()
    figure.savefig(packed, format="png", dpi=100, metadata={"Software": None})
    return f'<img alt="plot" src="data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}">'


def plot_probe(probes: dict[str, Any]) -> str:
    """Plots the probe's two tables, before and after equalisation, as heat maps side by side."""
    tables = [probes["before"], probes["after"]]
    if not all(np.size(table["auc"]) for table in tables):
        return "<p>There are too few pictures a source for the probe.</p>"
    rows, columns = np.shape(tables[0]["auc"])
    figure = Figure(figsize=(4 + 1.1 * columns, 1.8 + 0.38 * rows), layout="constrained")
    axes = figure.subplots(1, 2)
    for axis, table, title in zip(axes, tables, ("as they are", "equalised"), strict=True):
        axis.imshow(table["auc"], vmin=0.5, vmax=1, cmap="magma_r", aspect="auto")
        for r, row in enumerate(table["auc"]):
            for c, value in enumerate(row):
                colour = "white" if value > 0.8 else "black"
                axis.text(c, r, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
        axis.set_xticks(range(len(table["generated"])), table["generated"], rotation=40, ha="right", fontsize=8)
        axis.set_yticks(range(len(table["real"])), table["real"] if axis is axes[0] else [], fontsize=8)
        axis.set_title(f"ROC AUC of 15 trivial numbers, {title}")
    return _figure(figure)


def plot_distributions(faces: list[Face], measured: list[Measured]) -> str:
    """Plots the main measurements of each source as box plots, real sources above generated ones."""
    keys = sorted({(face.label, face.source) for face in faces}, key=lambda key: (-key[0], key[1]))
    shown: tuple[tuple[str, Callable[[Measured], float]], ...] = (
        ("face's share of the longer side", lambda m: m.face_share),
        ("face's longer side, pixels", lambda m: m.face_pixels),
        ("bits per pixel", lambda m: 8 * m.bytes / (m.width * m.height)),
        ("brightness", lambda m: m.brightness),
        ("contrast", lambda m: m.contrast),
        ("saturation", lambda m: m.saturation),
        ("strongest foreign JPEG grid", lambda m: float(m.grids[1:].max())),
        ("signs of a second JPEG pass", lambda m: m.second_pass),
    )
    figure = Figure(figsize=(17, 1.6 + 0.52 * len(keys)), layout="constrained")
    axes = figure.subplots(2, 4, sharey=True)
    for axis, (title, value) in zip(axes.ravel(), shown, strict=True):
        data = [
            [
                v
                for f, m in zip(faces, measured, strict=True)
                if (f.label, f.source) == key and not np.isnan(v := value(m))
            ]
            for key in keys
        ]
        parts = axis.boxplot(
            [d or [np.nan] for d in data],
            orientation="horizontal",
            showfliers=False,
            patch_artist=True,
            manage_ticks=False,
        )
        for patch, (label, _) in zip(parts["boxes"], keys, strict=True):
            patch.set_facecolor("#d55e00" if label else "#009e73")
        axis.set_yticks(range(1, len(keys) + 1), [source for _, source in keys], fontsize=8)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    return _figure(figure)


def plot_spectra(faces: list[Face], measured: list[Measured]) -> str:
    """Plots the mean spectrum of the faces of each source."""
    figure = Figure(figsize=(13, 4.4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for label, axis in enumerate(axes):
        for source in sorted({face.source for face in faces if face.label == label}):
            these = [m.spectrum for f, m in zip(faces, measured, strict=True) if (f.label, f.source) == (label, source)]
            if len(these) >= shortcut_probe.LEAST:
                axis.plot(np.linspace(0, 1, len(these[0])), np.mean(these, axis=0), label=source, linewidth=1.2)
        axis.set(title=f"{NAMES[label]}: spectrum of the face at 96 px", xlabel="frequency (1: Nyquist)")
        axis.legend(fontsize=7)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("mean log10 power")
    return _figure(figure)


def plot_sizes(faces: list[Face], measured: list[Measured]) -> str:
    """Plots the sizes of the images and the centres of their faces."""
    figure = Figure(figsize=(13, 4.6), layout="constrained")
    axes = figure.subplots(1, 2)
    random = np.random.default_rng(0)
    for label, colour in enumerate(("#009e73", "#d55e00")):
        these = [m for f, m in zip(faces, measured, strict=True) if f.label == label]
        sizes = np.array([(m.width, m.height) for m in these]) + random.uniform(-2, 2, (len(these), 2))
        centres = np.array([m.centre for m in these])
        axes[0].scatter(*sizes.T, s=3, alpha=0.25, color=colour, label=NAMES[label])
        axes[1].scatter(*centres.T, s=3, alpha=0.25, color=colour)
    axes[0].set(title="pictures (moved a little, to be seen)", xlabel="width", ylabel="height")
    axes[0].legend()
    axes[1].set(title="the face's centre in the picture", xlabel="x", ylabel="y", xlim=(0, 1), ylim=(1, 0))
    return _figure(figure)
