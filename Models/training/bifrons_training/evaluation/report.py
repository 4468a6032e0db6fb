"""The report on the published models, from the numbers of `evaluate_models`, in Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.evaluation.report_pictures import plot
from bifrons_training.files import write_text
from bifrons_training.workspace import TRAINING

MEASURES = {
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "eer": "EER",
    "accuracy": "accuracy at 0.5",
    "tpr_at_0.5_fpr": "TPR at 0.5 % FPR",
    "tpr_at_1_fpr": "TPR at 1 % FPR",
    "ece": "ECE",
}


def percent(value: float) -> str:
    """0.0123 as "1.2 %"."""
    return f"{100 * value:.1f} %"


def scorers(found: dict[str, Any]) -> list[str]:
    """The models and the merge."""
    return [name for name, part in found.items() if isinstance(part, dict) and "all" in part]


def head_rows(parts: dict[str, dict[str, Any]]) -> str:
    """A column a part, a row a measure, each with its interval."""
    lines = [f"| | {' | '.join(parts)} |", "|---" * (len(parts) + 1) + "|"]
    lines.append(f"| pictures | {' | '.join(str(part['n']) for part in parts.values())} |")
    for key, title in MEASURES.items():
        cells = [f"{p[key]:.3f} ({p[f'{key}_95'][0]:.3f} to {p[f'{key}_95'][1]:.3f})" for p in parts.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def source_rows(values: dict[str, Any]) -> str:
    """Per source: wrong alarms on real ones, hits and AUC of generated ones."""
    parts = (("real", "real source", "all generated"), ("ai_generated", "generated source", "all real"))
    tables = []
    for part, title, others in parts:
        lines = [f"| {title} | n | called generated at 0.5 | ROC AUC against {others} |", "|---|---|---|---|"]
        lines += [
            f"| {name} | {row['n']} | {percent(row['called_generated'])} | {row['roc_auc']:.3f} |"
            for name, row in values[part].items()
        ]
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def condition_rows(found: dict[str, Any]) -> str:
    """A row a condition, for each scorer the AUC of all sources and of the honest pair."""
    names = scorers(found)
    lines = [
        "| condition | " + " | ".join(f"{n}: all | honest pair | real called generated" for n in names) + " |",
        "|---" * (3 * len(names) + 1) + "|",
    ]
    for condition, row in found["conditions"].items():
        cells = [
            f"{row[n]['roc_auc']:.3f} | {row[n]['roc_auc_honest_pair']:.3f} | {percent(row[n]['false_positives'])}"
            for n in names
        ]
        lines.append(f"| {condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def never_trained_rows(found: dict[str, Any]) -> str:
    """A row a source that is in no training: the share called generated, as it is and changed."""
    names = scorers(found)
    rows = found["never_trained"]
    conditions = list(next(iter(rows.values()))["called_generated"]) if rows else []
    titles = [f"{condition}: {', '.join(names)}" for condition in conditions]
    lines = [f"| source | n | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|"]
    for source, row in rows.items():
        cells = [", ".join(percent(shares[name]) for name in names) for shares in row["called_generated"].values()]
        lines.append(f"| {source} | {row['n']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def precision_text(found: dict[str, Any]) -> str:
    """Which number format is served, a row a scorer and format, and how processors differ."""
    formats = found["precisions"]
    lines = [
        "| model | computed in | ROC AUC | ECE | largest loss of a source | probability moved: median | 99 % | most |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in formats["compared"].items():
        for precision, part in row.items():
            lines.append(
                f"| {name} | {precision} | {part['roc_auc']:.4f} | {part['ece']:.4f} | {part['worst_slice_drop']:.4f} "
                f"({part['worst_slice']}) | {part['probability_moved_median']:.4f} | {part['probability_moved_99']:.4f} | "
                f"{part['probability_moved_most']:.4f} |"
            )
    table = "\n".join(lines)
    apart = "; ".join(
        f"{name}: {', '.join(f'{move:.4f} with {instructions}' for instructions, move in moves.items())}"
        for name, moves in formats["apart"].items()
    )
    return f"""The networks are served in {formats["served"]} unless a worker is told otherwise. Each precision has a calibration of its own, fitted on
the same held-out groups; merge and thresholds are fitted to the precision that is served.

{table}

int8's calibrated logits were computed again with oneDNN held to older instruction sets (`ONEDNN_MAX_CPU_ISA`), those that
the processor of this run has. Their largest distance from the usual ones: {apart}."""


def left_out_tables(runs: list[dict[str, Any]]) -> str:
    """Of each family that was left out: what each scorer makes of it."""
    scorers = list(runs[0]["scorers"])
    real = ["| real source left out | n | " + " | ".join(f"{name}: called generated" for name in scorers) + " |"]
    made = ["| generator left out | n | " + " | ".join(f"{name}: ROC AUC | found at 0.5" for name in scorers) + " |"]
    real.append("|---" * (2 + len(scorers)) + "|")
    made.append("|---" * (2 + 2 * len(scorers)) + "|")
    for run in runs:
        for family in run["left_out"]:
            rows = [run["scorers"][name][family] for name in scorers]
            if "real" in rows[0]:
                cells = [percent(row["false_positives"]) for row in rows]
                real.append(f"| {family} | {rows[0]['real']} | {' | '.join(cells)} |")
            else:
                cells = [f"{row['roc_auc']:.3f} | {percent(row['found'])}" for row in rows]
                made.append(f"| {family} | {rows[0]['generated']} | {' | '.join(cells)} |")
    return "\n".join([*real, "", *made])


def generator_scores(runs: list[dict[str, Any]], scorer: str) -> list[float]:
    """The ROC AUC of a scorer on each generator that was left out."""
    families = [run["scorers"][scorer][family] for run in runs for family in run["left_out"]]
    return [family["roc_auc"] for family in families if "generated" in family]


def leave_out_text(file: Path = TRAINING / "leave_out.json") -> str:
    """What `experiments.leave_out` found; nothing if it has not been run."""
    if not file.is_file():
        return ""
    runs = json.loads(file.read_text())
    merged = generator_scores(runs, "merged")
    views = np.mean([seen for run in runs for seen in run["views"].values()]) / 1000
    return f"""## Sources and generators left out

Trained anew without two families of real sources and two of generators at a time, {runs[0]["minutes"]:g} minutes and
{views:.0f} thousand views for each network (the published ones have seen more), calibrated without them, tested on all their
pictures. The ROC AUC of a generator is against the real pictures of the validation split. Mean over the generators, merged:
{np.mean(merged):.3f}, worst {min(merged):.3f}. By `python -m bifrons_training.experiments.leave_out --data FOLDER`.

{left_out_tables(runs)}
"""


def ablation_text(file: Path = TRAINING / "ablation.json") -> str:
    """What `experiments.leave_out --ablation` found; nothing if it has not been run."""
    if not file.is_file():
        return ""
    runs = json.loads(file.read_text())
    means = [f"{np.mean(generator_scores(runs, name)):.3f} {name}" for name in runs[0]["scorers"]]
    return f"""## What the pseudo-fakes add

The Inception trained anew without the families named, with and without the reconstructions among its generated pictures,
{runs[0]["steps"]} steps each, everything else alike. One training each, so small differences may be chance. Mean ROC AUC over
the generators left out: {", ".join(means)}. By
`python -m bifrons_training.experiments.leave_out --data FOLDER --ablation`.

{left_out_tables(runs)}
"""


def merge_text(found: dict[str, Any]) -> str:
    """The section on what the merge gains over the better model, and how the models' errors correlate."""
    names = scorers(found)
    both = found["agreement"]
    alone = max(found[name]["all"]["roc_auc"] for name in names if name != "merged")
    alone_honest = max(found[name]["honest_pair"]["roc_auc"] for name in names if name != "merged")
    return f"""## What the merge gains

ROC AUC {found["merged"]["all"]["roc_auc"]:.3f} against {alone:.3f} of the better model alone; on the honest pair
{found["merged"]["honest_pair"]["roc_auc"]:.3f} against {alone_honest:.3f}. The models' residuals (probability minus truth)
correlate with {both["residual_correlation"]:.2f}; {percent(both["wrong_first"])} and {percent(both["wrong_second"])} of the
pictures are wrong in each, {percent(both["wrong_both"])} in both, where {percent(both["wrong_both_if_independent"])} would be if
they erred independently."""


def text(found: dict[str, Any]) -> str:
    """The report in Markdown."""
    names = scorers(found)
    sections = [
        f"""# Evaluation

By `python -m bifrons_training.evaluation.evaluate_models --data FOLDER`, through the published files, on the validation split: groups that no
training saw, of sources that it did. Intervals are 95 %, by drawing groups with replacement 500 times. All numbers are
in [metrics.json](metrics.json).

## The honest pair

FFHQ photographs and StyleGAN1 faces of one size, framing and JPEG history: the only pictures here where the label does not
follow the format. Read these first; expect no more from cameras and generators that are not listed below.

{head_rows({name: found[name]["honest_pair"] for name in names})}

## All sources

{head_rows({name: found[name]["all"] for name in names})}

## All sources, equalised

Every picture's longer side made 128 px, then JPEG 75, both classes alike.

{head_rows({name: found["equalised"][name] for name in names})}

{merge_text(found)}

## Under change

Framed closer: 0.8 of the square's side. With the face blurred beyond recognition backdrop and composition alone are left,
which ought to tell nothing: a ROC AUC of 0.5.

{condition_rows(found)}

## Sources that never trained

Called generated at 0.5. Weights are chosen by their ROC AUC over these and the matched pair, so the numbers flatter a little.
Those of sfhq_t2i are FLUX1pro's, from the same collection as those of other FLUX networks, which did train.

{never_trained_rows(found)}

## Number formats

{precision_text(found)}
"""
    ]
    sections += [leave_out_text(), ablation_text()]
    for name in names:
        sections.append(
            f"## {name} by source\n\n![ROC and reliability of {name}]({name}.png)\n\n{source_rows(found[name])}\n"
        )
    return "\n".join(section for section in sections if section)


def write(folder: Path, found: dict[str, Any]) -> None:
    """Writes README.md and the pictures into `folder`."""
    for name in scorers(found):
        plot(name, found[name], folder / f"{name}.png")
    write_text(folder / "README.md", text(found))
