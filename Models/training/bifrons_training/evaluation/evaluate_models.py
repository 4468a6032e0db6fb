"""Measures the published models, alone and merged, through the files that workers serve.

    python -m bifrons_training.evaluation.evaluate_models --data FOLDER [--sheets FOLDER]

Measures on the validation split and on the watched and sealed sources. Prints a table and writes Models/evaluation/:
metrics.json, the report README.md and its plots. The model cards use the same numbers. --sheets writes contact sheets
of the best, worst and random images with their activation maps; they show research images and must not be published.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.data.catalogue import HONEST_SOURCE, LABELS, Face, group_key, trained_before
from bifrons_training.data.pixel_cache import PixelCache
from bifrons_training.data.splits import Splits
from bifrons_training.errors import program
from bifrons_training.evaluation import metrics, report, report_plots, strangers
from bifrons_training.evaluation.conditions import CONDITIONS, VIEWS, changed
from bifrons_training.evaluation.measurement import agreement, head_numbers, measure, part_name, slices
from bifrons_training.evaluation.served_models import Published
from bifrons_training.files import write_text
from bifrons_training.preprocessing import Decoded, view
from bifrons_training.workspace import DEFAULT_WORK, MODELS, open_cache

CHANGED = 2
"""Conditions are measured on every second validation image, which nearly halves the time of an evaluation."""


def condition_logits(
    published: Published, cache: PixelCache, positions: list[int], condition: str
) -> dict[str, np.ndarray]:
    """Returns each scorer's calibrated logits of the images' squares after a condition, cropped as workers would."""
    views: dict[int, list[np.ndarray]] = {side: [] for side in published.sides.values()}
    for position in positions:
        square, turn = cache.crop(position)
        image, square = changed(cache.image(position), square, condition)
        for side, made in views.items():
            made.append(view(Decoded(image, *image.size, 1), square, side, turn))
    return published.logits({side: np.stack(made) for side, made in views.items()})


def never_trained(published: Published, cache: PixelCache, positions: list[int]) -> dict[str, dict[str, Any]]:
    """Returns a row for each watched source: the share called generated, by condition and scorer."""
    faces = [cache.faces[p] for p in positions]
    parts = [(part_name(label, name), inside) for label, name, inside in slices(faces)]
    rows: dict[str, dict[str, Any]] = {name: {"n": int(inside.sum()), "called_generated": {}} for name, inside in parts}
    for condition in ("as it is", *VIEWS) if faces else ():
        logits = condition_logits(published, cache, positions, condition)
        for name, inside in parts:
            shares = {scorer: round(float((values[inside] > 0).mean()), 4) for scorer, values in logits.items()}
            rows[name]["called_generated"][condition] = shares
    return rows


def policy_of(published: Published) -> dict[str, dict[str, float]]:
    """Returns the thresholds for each scorer: those of the first ensemble that it is part of, or that it merges."""
    found: dict[str, dict[str, float]] = {}
    for merge, ensemble in published.ensembles.items():
        policy = ensemble["policies"]["default"]
        for name in (*ensemble["models"], merge):
            found.setdefault(name, {action: policy[action] for action in ("review", "block")})
    return found


def by_kind(published: Published, cache: PixelCache, positions: list[int]) -> dict[str, Any]:
    """Returns `strangers.measure_kinds` of the real images at `positions` that trained none of the models."""
    real = [p for p in positions if not cache.faces[p].label and not trained_before(cache.faces[p])]
    if not real:
        return {}
    monochrome = np.array([strangers.is_monochrome(np.asarray(cache.image(p))) for p in real])
    logits = condition_logits(published, cache, real, "as it is")
    return strangers.measure_kinds([cache.faces[p] for p in real], monochrome, logits)


def condition_row(faces: list[Face], logits: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Returns the numbers of each scorer under a condition."""
    labels = np.array([face.label for face in faces])
    honest = np.array([face.source == HONEST_SOURCE for face in faces])
    return {
        name: {
            "roc_auc": round(metrics.roc_auc(labels, values), 4),
            "roc_auc_honest_pair": round(metrics.roc_auc(labels[honest], values[honest]), 4),
            "false_positives": round(float((values[labels == 0] > 0).mean()), 4),
        }
        for name, values in logits.items()
    }


def evaluate(models: Path, cache: PixelCache, splits: Splits, precisions: dict[str, Any]) -> dict[str, Any]:
    """Evaluates the published models and their merges; returns the whole report.

    `precisions` is what `make_models` found about the number formats: which one is served, how they compare, and how
    far the int8 logits of different instruction sets lie apart.
    """
    positions = splits.validation
    faces = [cache.faces[p] for p in positions]
    labels = np.array([face.label for face in faces])
    published = Published(models)
    policies = policy_of(published)
    found: dict[str, Any] = {}
    full = {name: condition_logits(published, cache, positions, name) for name in ("as it is", "equalised")}
    unchanged = full["as it is"]
    for name, values in unchanged.items():
        found[name] = measure(faces, values, policies[name] if name in published.ensembles else None)
    groups = [group_key(face) for face in faces]
    found["equalised"] = {name: head_numbers(labels, values, groups) for name, values in full["equalised"].items()}
    found["agreement"] = agreement(labels, unchanged, published.names)
    some = faces[::CHANGED]
    found["changed"] = {name: sum(face.label == label for face in some) for name, label in LABELS.items()}
    found["conditions"] = {}
    for condition in CONDITIONS:
        if condition in full:
            logits = {name: values[::CHANGED] for name, values in full[condition].items()}
        else:
            logits = condition_logits(published, cache, positions[::CHANGED], condition)
        found["conditions"][condition] = condition_row(some, logits)
    found["never_trained"] = never_trained(published, cache, splits.watched)
    sealed = [cache.faces[p] for p in splits.sealed]
    if {face.label for face in sealed if not trained_before(face)} == {0, 1}:
        logits = condition_logits(published, cache, splits.sealed, "as it is")
        found["sealed"] = strangers.measure_sealed(sealed, logits, policies)
    found["kinds"] = by_kind(published, cache, splits.watched + splits.sealed)
    found["without_face"] = {
        label: round(1 - float(np.mean([cache.has_face(p) for p in positions if cache.faces[p].label == number])), 4)
        for label, number in LABELS.items()
    }
    return {**found, "precisions": precisions}


def table(found: dict[str, Any]) -> str:
    """Returns the report's main numbers as a text table."""
    lines = [f"{'':20} {'honest pair':>22} {'all sources':>22} {'TPR at 1 %':>11} {'ECE':>6}"]
    for name in (name for name in found if "all" in found[name]):
        honest, everything = found[name]["honest_pair"], found[name]["all"]
        cells = [
            f"{part['roc_auc']:.3f} ({part['roc_auc_95'][0]:.3f}-{part['roc_auc_95'][1]:.3f})"
            for part in (honest, everything)
        ]
        lines.append(
            f"{name:20} {cells[0]:>22} {cells[1]:>22} {everything['tpr_at_1_fpr']:11.3f} {everything['ece']:6.3f}"
        )
    return "\n".join(lines)


def publish(models: Path, found: dict[str, Any]) -> None:
    """Writes the evaluation folder: metrics.json, the report and its plots."""
    folder = models / "evaluation"
    folder.mkdir(exist_ok=True)
    write_text(folder / "metrics.json", json.dumps(found, indent=1) + "\n")
    report.write(folder, found)


@program
def main() -> int:
    """Runs the command line. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Measure the published models of Bifrons.")
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds faces.csv")
    parser.add_argument("--models", type=Path, default=MODELS, help="the folder of the published models")
    parser.add_argument("--work", type=Path, default=DEFAULT_WORK, help="folder for the decoded pixels")
    parser.add_argument("--sheets", type=Path, help="a folder for contact sheets with activation maps")
    options = parser.parse_args()
    cache = open_cache(options.data, options.work, options.models)
    splits = Splits.of(cache.faces)
    positions = splits.validation
    known = json.loads((options.models / "evaluation" / "metrics.json").read_text())
    found = evaluate(options.models, cache, splits, known["precisions"])
    publish(options.models, found)
    if options.sheets:
        options.sheets.mkdir(parents=True, exist_ok=True)
        published = Published(options.models)
        images = {side: cache.inputs(positions, side) for side in set(published.sides.values())}
        logits = published.logits(images)
        labels = np.array([cache.faces[p].label for p in positions])
        for name, side in published.sides.items():
            sheet = options.sheets / f"{name}.png"
            report_plots.sheet(sheet, images[side], labels, logits[name], published.scorers[name])
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
