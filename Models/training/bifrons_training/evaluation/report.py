"""The evaluation report of the published models in Markdown, from the numbers of `evaluate_models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.evaluation.report_plots import plot
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
    """Formats a share as a percentage: 0.0123 as "1.2 %"."""
    return f"{100 * value:.1f} %"


def scorers(found: dict[str, Any]) -> list[str]:
    """Returns the names of the scorers: the models and the merge."""
    return [name for name, part in found.items() if isinstance(part, dict) and "all" in part]


def head_rows(parts: dict[str, dict[str, Any]]) -> str:
    """Returns a table with a column for each part and a row for each metric with its interval."""
    lines = [f"| | {' | '.join(parts)} |", "|---" * (len(parts) + 1) + "|"]
    lines.append(f"| images | {' | '.join(str(part['n']) for part in parts.values())} |")
    for key, title in MEASURES.items():
        cells = [f"{p[key]:.3f} ({p[f'{key}_95'][0]:.3f} to {p[f'{key}_95'][1]:.3f})" for p in parts.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def source_rows(values: dict[str, Any]) -> str:
    """Returns two tables by source: false positives of real sources, recall and AUC of generated ones."""
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
    """Returns a table with a row for each condition: per scorer, the AUC of all sources and of the honest pair."""
    names = scorers(found)
    lines = [
        "| condition | " + " | ".join(f"{n}: all | matched pair | real called generated" for n in names) + " |",
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
    """Returns a table with a row for each source that never trains: the share called generated, by condition."""
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
    """Returns the section on number formats: which one is served, how they compare, and how processors differ."""
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
    return f"""Workers serve {formats["served"]} unless another precision is set. Each precision has a calibration of its own, fitted on the same held-out
groups. Merge and thresholds are fitted to the precision that is served.

{table}

The calibrated logits of int8 were computed again with oneDNN restricted to older instruction sets (`ONEDNN_MAX_CPU_ISA`) that
the processor of this run supports. Their largest distance from the usual logits: {apart}."""


def left_out_tables(runs: list[dict[str, Any]]) -> str:
    """Returns two tables of the families left out, real sources and generators, with each scorer's results."""
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
    """Returns the ROC AUC of a scorer on each generator that was left out."""
    families = [run["scorers"][scorer][family] for run in runs for family in run["left_out"]]
    return [family["roc_auc"] for family in families if "generated" in family]


def leave_out_text(file: Path = TRAINING / "leave_out.json") -> str:
    """Returns the section on the results of `experiments.leave_out`; empty if it has not been run."""
    if not file.is_file():
        return ""
    runs = json.loads(file.read_text())
    merged = generator_scores(runs, "merged")
    views = np.mean([seen for run in runs for seen in run["views"].values()]) / 1000
    return f"""## Sources and generators left out

For these numbers, the networks were trained again without two families of real sources and two of generators at a time, for
{runs[0]["minutes"]:g} minutes and {views:.0f} thousand views for each network (the published ones have seen more). They were calibrated
without these families and tested on all images of them. The ROC AUC of a generator is against the real images of the validation
split. Its mean over the generators, merged, is {np.mean(merged):.3f}, the worst {min(merged):.3f}. Made by `python -m bifrons_training.experiments.leave_out --data FOLDER`.

{left_out_tables(runs)}
"""


def ablation_text(file: Path = TRAINING / "ablation.json") -> str:
    """Returns the section on the results of `experiments.leave_out --ablation`; empty if it has not been run."""
    if not file.is_file():
        return ""
    runs = json.loads(file.read_text())
    means = [f"{np.mean(generator_scores(runs, name)):.3f} {name}" for name in runs[0]["scorers"]]
    return f"""## What the pseudo-fakes add

The Inception was trained again without the named families, with and without the reconstructions among its generated images, for
{runs[0]["steps"]} steps each, with everything else equal. There was one training of each, so small differences may be chance. The mean ROC
AUC over the generators left out is {", ".join(means)}. Made by
`python -m bifrons_training.experiments.leave_out --data FOLDER --ablation`.

{left_out_tables(runs)}
"""


def merge_text(found: dict[str, Any]) -> str:
    """Returns the section on what the merge gains over the better model, and how the models' errors correlate."""
    names = scorers(found)
    both = found["agreement"]
    alone = max(found[name]["all"]["roc_auc"] for name in names if name != "merged")
    alone_honest = max(found[name]["honest_pair"]["roc_auc"] for name in names if name != "merged")
    return f"""## What the merge gains

The merge has a ROC AUC of {found["merged"]["all"]["roc_auc"]:.3f}, the better model alone {alone:.3f}; on the matched pair they have
{found["merged"]["honest_pair"]["roc_auc"]:.3f} and {alone_honest:.3f}. The models' residuals (probability minus truth) have a correlation
of {both["residual_correlation"]:.2f}. The first model misjudges {percent(both["wrong_first"])} of the images, the second {percent(both["wrong_second"])}, and both
misjudge {percent(both["wrong_both"])}; with independent errors it would be {percent(both["wrong_both_if_independent"])}."""


def text(found: dict[str, Any]) -> str:
    """Returns the report in Markdown."""
    names = scorers(found)
    sections = [
        f"""# Evaluation

Made by `python -m bifrons_training.evaluation.evaluate_models --data FOLDER` with the published files, on the validation split:
groups that no training saw, of sources that the trainings did see. Intervals are 95 %, from drawing groups with replacement 500
times. All numbers are in [metrics.json](metrics.json).

## The matched pair

The matched pair (`honest_pair` in the metrics) are FFHQ photographs and StyleGAN1 faces of one size, framing and JPEG history:
the only images here whose label does not follow from the format. These numbers are the most meaningful. Expect no more on cameras
and generators that are not listed below.

{head_rows({name: found[name]["honest_pair"] for name in names})}

## All sources

{head_rows({name: found[name]["all"] for name in names})}

## All sources, equalised

The longer side of every image is scaled to 128 px, then the image is saved as JPEG 75, in both classes.

{head_rows({name: found["equalised"][name] for name in names})}

{merge_text(found)}

## Under changes

"Framed closer" means 0.8 of the square's side. With the face blurred beyond recognition, only background and composition are
left, which should say nothing: a ROC AUC of 0.5.

{condition_rows(found)}

## Sources that were never trained on

The table has the share of images called generated at 0.5. Weights are chosen by their ROC AUC over these sources and the matched
pair, so the numbers are slightly optimistic. The images of sfhq_t2i are from FLUX1pro; images of other FLUX networks from the
same collection were trained on.

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
    """Writes README.md and its plots into `folder`."""
    for name in scorers(found):
        plot(name, found[name], folder / f"{name}.png")
    write_text(folder / "README.md", text(found))
