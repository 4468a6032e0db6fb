"""Shows what the training data is, and what it gives away besides the faces: one HTML page that needs nothing else.

    python Models/training/data_report.py --data FOLDER --out FILE.html [--findings FILE.json] [--without-pictures]

The page holds small copies of research pictures: it is for those who may see them, and never to be published.
"""

from __future__ import annotations

import argparse
import base64
import csv
import html
import io
import json
import math
import os
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image

import shortcut_probe
from data import HONEST_SOURCE, DataError, Face, group_key, read_catalogue
from data_statistics import TRIVIAL, Measured, measure
from errors import program
from files import write_text
from preprocessing import Box

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

NAMES = ("real", "ai_generated")
ALIKE_BITS = 6
"""Bits of a perceptual hash in which copies of one picture may differ."""

ALIKE = 0.985
"""What the 32 × 32 thumbnails of copies correlate with at least."""

SAMPLES = 12


def read_boxes(folder: Path) -> list[Box | None]:
    """The face of each line of faces.csv; None where the columns are missing or empty."""
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
    """Every picture's numbers. Raises `DataError` that names the unreadable ones."""
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
        raise DataError(f"these are not readable pictures: {', '.join(bad[:20])}{more}: replace them or drop their lines")
    return [result for result in results if isinstance(result, Measured)]


def find_duplicates(faces: list[Face], measured: list[Measured]) -> list[dict[str, Any]]:
    """Pairs of pictures that are copies of one another, exact or scaled or compressed, across splits, classes or groups."""
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


def summarise(faces: list[Face], measured: list[Measured]) -> list[dict[str, Any]]:
    """A row for each class and source."""
    members: dict[tuple[int, str], list[int]] = defaultdict(list)
    for place, face in enumerate(faces):
        members[face.label, face.source].append(place)
    rows = []
    for (label, source), places in sorted(members.items()):
        these = [measured[place] for place in places]

        def middle(name: str, these: list[Measured] = these) -> float:
            return round(float(np.nanmedian([getattr(m, name) for m in these])), 3)

        foreign = [float(m.grids[1:].max()) for m in these]
        rows.append(
            {
                "label": NAMES[label],
                "source": source,
                "train": sum(faces[place].split == "train" for place in places),
                "val": sum(faces[place].split == "val" for place in places),
                "groups": len({faces[place].group for place in places}),
                "generators": dict(Counter(faces[place].generator for place in places if faces[place].generator)),
                "width": middle("width"),
                "height": middle("height"),
                "bits_per_pixel": round(float(np.median([8 * m.bytes / (m.width * m.height) for m in these])), 2),
                "jpeg_quality": middle("quality"),
                "own_grid": round(float(np.median([m.grids[0] for m in these])), 3),
                "foreign_grid": round(float(np.median(foreign)), 3),
                "second_pass": middle("second_pass"),
                "face_share": middle("face_share"),
                "face_pixels": middle("face_pixels"),
                "brightness": middle("brightness"),
                "contrast": middle("contrast"),
                "saturation": middle("saturation"),
            }
        )
    return rows


def findings(report: dict[str, Any]) -> list[str]:
    """What the numbers say, in sentences."""
    said = []
    probes = report["probe"]
    for when, words in (("before", "as they are"), ("after", "equalised")):
        table = probes[when]
        values = np.array(table["auc"])
        if not values.size:
            continue
        worst = np.unravel_index(int(values.argmax()), values.shape)
        said.append(
            f"Fifteen numbers that cannot see a face tell the classes apart with a median ROC AUC of "
            f"{np.median(values):.2f} over {values.size} pairs of sources when the pictures are {words}; best in "
            f"{table['real'][worst[0]]} against {table['generated'][worst[1]]}: {values.max():.2f}."
        )
        if HONEST_SOURCE in table["real"] and HONEST_SOURCE in table["generated"]:
            honest = values[table["real"].index(HONEST_SOURCE), table["generated"].index(HONEST_SOURCE)]
            said.append(f"In the pair of equal format, {HONEST_SOURCE}, it is {honest:.2f} {words}.")
    rows = report["sources"]

    def extreme(name: str, words: str, digits: int = 2) -> None:
        known = [row for row in rows if not math.isnan(row[name]) and row["train"] + row["val"] >= shortcut_probe.LEAST]
        if len(known) > 1:
            low, high = min(known, key=lambda row: row[name]), max(known, key=lambda row: row[name])
            said.append(
                f"{words} goes from {low[name]:.{digits}f} ({low['source']}, {low['label']}) to {high[name]:.{digits}f} "
                f"({high['source']}, {high['label']})."
            )

    extreme("face_share", "The face's share of the longer side")
    extreme("bits_per_pixel", "The median file size in bits per pixel, which says how smooth pictures are,")
    extreme("foreign_grid", "The strength of a JPEG grid that is not the last pass's own")
    extreme("saturation", "The median saturation")
    copies = report["duplicates"]
    across = sum(pair["across_splits"] for pair in copies)
    classes = sum(pair["across_classes"] for pair in copies)
    said.append(
        f"{len(copies)} pairs of pictures of different groups are copies of one another by hash and thumbnail; "
        f"{across} of them stand in different splits, {classes} in different classes."
    )
    return said


# The page.


def _figure(figure: Any) -> str:
    packed = io.BytesIO()
    figure.savefig(packed, format="png", dpi=100, metadata={"Software": None})
    pyplot.close(figure)
    return f'<img alt="plot" src="data:image/png;base64,{base64.b64encode(packed.getvalue()).decode()}">'


def plot_probe(probes: dict[str, Any]) -> str:
    """Both tables as heat maps side by side."""
    tables = [probes["before"], probes["after"]]
    if not all(np.size(table["auc"]) for table in tables):
        return "<p>There are too few pictures a source for the probe.</p>"
    rows, columns = np.shape(tables[0]["auc"])
    figure, axes = pyplot.subplots(1, 2, figsize=(4 + 1.1 * columns, 1.8 + 0.38 * rows), layout="constrained")
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
    """Boxes of the main numbers by source, real above generated."""
    keys = sorted({(face.label, face.source) for face in faces}, key=lambda key: (-key[0], key[1]))
    shown = (
        ("face's share of the longer side", lambda m: m.face_share),
        ("face's longer side, pixels", lambda m: m.face_pixels),
        ("bits per pixel", lambda m: 8 * m.bytes / (m.width * m.height)),
        ("brightness", lambda m: m.brightness),
        ("contrast", lambda m: m.contrast),
        ("saturation", lambda m: m.saturation),
        ("strongest foreign JPEG grid", lambda m: float(m.grids[1:].max())),
        ("signs of a second JPEG pass", lambda m: m.second_pass),
    )
    figure, axes = pyplot.subplots(2, 4, figsize=(17, 1.6 + 0.52 * len(keys)), layout="constrained", sharey=True)
    for axis, (title, value) in zip(axes.ravel(), shown, strict=True):
        data = [
            [v for f, m in zip(faces, measured, strict=True) if (f.label, f.source) == key and not np.isnan(v := value(m))]
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
    """Mean spectra of the faces by source."""
    figure, axes = pyplot.subplots(1, 2, figsize=(13, 4.4), layout="constrained", sharey=True)
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
    """Where pictures and faces are: sizes and centres."""
    figure, axes = pyplot.subplots(1, 2, figsize=(13, 4.6), layout="constrained")
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


def samples(folder: Path, faces: list[Face]) -> str:
    """A strip of pictures for each source."""
    strips = []
    for label, source in sorted({(face.label, face.source) for face in faces}):
        members = [face for face in faces if (face.label, face.source) == (label, source)]
        strip = Image.new("RGB", (SAMPLES * 100, 96), "white")
        for place, face in enumerate(members[:: max(1, len(members) // SAMPLES)][:SAMPLES]):
            with Image.open(folder / face.path) as picture:
                small = picture.convert("RGB")
            small.thumbnail((96, 96))
            strip.paste(small, (place * 100, 0))
        packed = io.BytesIO()
        strip.save(packed, "JPEG", quality=80)
        code = base64.b64encode(packed.getvalue()).decode()
        title = html.escape(f"{source} ({NAMES[label]}, {len(members)})")
        strips.append(f'<figure><img alt="" src="data:image/jpeg;base64,{code}"><figcaption>{title}</figcaption></figure>')
    return "".join(strips)


def _cells(values: list[Any], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(str(value))}</{tag}>" for value in values) + "</tr>"


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return ", ".join(f"{name} {count}" for name, count in value.items())
        return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value

    head = _cells([name.replace("_", " ") for name in rows[0]], "th")
    return f"<div class=wide><table>{head}{''.join(_cells([text(v) for v in row.values()]) for row in rows)}</table></div>"


STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 1100px; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; background: white; } figure { margin: 0 0 1rem; } figcaption { font-size: 85%; }
table { border-collapse: collapse; font-size: 80%; } td, th { padding: .2rem .5rem; border-bottom: 1px solid #8884; }
td { font-variant-numeric: tabular-nums; } th { text-align: left; vertical-align: bottom; } .wide { overflow-x: auto; }
.note { border-left: 4px solid #d55e00; padding-left: .8rem; }
"""


def page(folder: Path, faces: list[Face], measured: list[Measured], report: dict[str, Any], pictures: bool) -> str:
    """The whole page."""
    trivial = ", ".join(TRIVIAL)
    parts = [
        "<h1>The data, as a network sees it</h1>",
        f"<p>{len(faces)} pictures, {sum(f.label == 0 for f in faces)} real and {sum(f.label for f in faces)} generated, "
        f"{sum(f.split == 'train' for f in faces)} to train and {sum(f.split == 'val' for f in faces)} to validate.</p>",
        "<h2>Findings</h2><ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in report["findings"]) + "</ul>",
        "<h2>Sources</h2><p>Medians by source.</p>" + _table(report["sources"]),
        "<h2>What gives a source away</h2>",
        f"<p>Fifteen numbers ({trivial}), a logistic regression for each pair of sources, cross-validated by groups. "
        "0.5 is chance; whatever is far above it, a network will learn before it learns faces. Equalised: the face's box "
        "alone, 96 px, one JPEG pass of quality 75, the same for all (<code>equalisation.py</code>).</p>",
        plot_probe(report["probe"]),
        "<h2>Framing, files, light and colour</h2>" + plot_distributions(faces, measured),
        "<p>Green: real, orange: generated. A foreign grid is a trace of an earlier JPEG pass whose blocks stood elsewhere; "
        "1 is none.</p>",
        plot_sizes(faces, measured),
        "<h2>Detail</h2>" + plot_spectra(faces, measured),
        "<h2>Copies</h2><p>Pictures of different groups that are one and the same.</p>" + _table(report["duplicates"]),
    ]
    if pictures:
        parts += [
            '<h2>Samples</h2><p class="note">Research pictures, most without a licence to pass them on: keep this page to '
            "yourself.</p>",
            samples(folder, faces),
        ]
    body = "\n".join(parts)
    return f"<!doctype html><html lang=en><meta charset=utf-8><title>The data</title><style>{STYLE}</style>{body}</html>\n"


def make_report(faces: list[Face], measured: list[Measured]) -> dict[str, Any]:
    """All numbers of the page."""
    labels = np.array([face.label for face in faces])
    sources, groups = [face.source for face in faces], [group_key(face) for face in faces]
    probes = {}
    for when in ("before", "after"):
        features = np.stack([getattr(m, when) for m in measured])
        real, generated, values = shortcut_probe.table(features, labels, sources, groups)
        probes[when] = {"real": real, "generated": generated, "auc": np.round(values, 3).tolist()}
    report: dict[str, Any] = {
        "pictures": len(faces),
        "sources": summarise(faces, measured),
        "probe": probes,
        "duplicates": find_duplicates(faces, measured),
    }
    report["findings"] = findings(report)
    return report


@program
def main() -> int:
    """The command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Show what the training data is and what it gives away.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--out", type=Path, required=True, help="the page to write; its numbers go beside it as JSON")
    parser.add_argument("--findings", type=Path, help="write the findings, which the models' cards repeat, here as well")
    parser.add_argument("--without-pictures", action="store_true", help="leave the samples out")
    options = parser.parse_args()
    faces = read_catalogue(options.data)
    measured = measure_all(options.data, faces, read_boxes(options.data))
    report = make_report(faces, measured)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    write_text(options.out, page(options.data, faces, measured, report, not options.without_pictures))
    write_text(options.out.with_suffix(".json"), json.dumps(report, indent=1) + "\n")
    if options.findings:
        write_text(options.findings, json.dumps({"findings": report["findings"]}, indent=2) + "\n")
    print("\n".join(report["findings"]))
    print(f"wrote {options.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
