"""The numbers of the data report, and the sentences that state its findings."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import Any

import numpy as np

from bifrons_training.data.catalogue import HONEST_SOURCE, Face, group_key
from bifrons_training.data_report import shortcut_probe
from bifrons_training.data_report.duplicates import find_duplicates
from bifrons_training.data_report.image_statistics import Measured

NAMES = ("real", "ai_generated")


def summarise(faces: list[Face], measured: list[Measured]) -> list[dict[str, Any]]:
    """Returns a row for each class and source."""
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
    """Returns the findings as sentences."""
    said = []
    probes = report["probe"]
    for when, words in (("before", "as they are"), ("after", "equalised")):
        table = probes[when]
        values = np.array(table["auc"])
        if not values.size:
            continue
        worst = np.unravel_index(int(values.argmax()), values.shape)
        said.append(
            f"A classifier on fifteen numbers that do not depend on the face has a median ROC AUC of "
            f"{np.median(values):.2f} over {values.size} pairs of sources when the images are {words}; it is highest "
            f"for {table['real'][worst[0]]} against {table['generated'][worst[1]]}: {values.max():.2f}."
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
                f"{words} ranges from {low[name]:.{digits}f} ({low['source']}, {low['label']}) to "
                f"{high[name]:.{digits}f} ({high['source']}, {high['label']})."
            )

    extreme("face_share", "The face's share of the longer side")
    extreme("bits_per_pixel", "The median file size in bits per pixel, a measure of how smooth images are,")
    extreme("foreign_grid", "The strength of a JPEG grid other than that of the last pass")
    extreme("saturation", "The median saturation")
    copies = report["duplicates"]
    across = sum(pair["across_splits"] for pair in copies)
    classes = sum(pair["across_classes"] for pair in copies)
    said.append(
        f"{len(copies)} pairs of images of different groups are copies of one another by hash and thumbnail; "
        f"{across} of them are in different splits, {classes} in different classes."
    )
    return said


def make_report(faces: list[Face], measured: list[Measured]) -> dict[str, Any]:
    """Returns all numbers of the page."""
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
