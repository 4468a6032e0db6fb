"""The evaluation report of the published models in Markdown, from the numbers of `evaluate_models`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from bifrons_training.data.catalogue import TRAINED_BEFORE
from bifrons_training.evaluation.conditions import VIEWS
from bifrons_training.evaluation.metrics import PRIOR
from bifrons_training.evaluation.report_plots import plot
from bifrons_training.evaluation.report_strangers import kinds_text, percent, scorers, sealed_text
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
    """Returns a table with a row for each condition: per scorer, both ROC AUCs and the real images called generated."""
    names = scorers(found)
    lines = [f"| condition | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for condition, row in found["conditions"].items():
        cells = [
            f"{row[n]['roc_auc']:.3f}, {row[n]['roc_auc_honest_pair']:.3f}, {percent(row[n]['false_positives'])}"
            for n in names
        ]
        lines.append(f"| {condition} | {' | '.join(cells)} |")
    return "\n".join(lines)


def never_trained_rows(found: dict[str, Any]) -> str:
    """Returns a table with a row for each source that never trains: the share called generated, by condition."""
    names = scorers(found)
    rows = found["never_trained"]
    conditions = list(next(iter(rows.values()))["called_generated"]) if rows else []
    lines = [f"| source | n | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for source, row in rows.items():
        shares = row["called_generated"]
        cells = [", ".join(percent(shares[condition][name]) for condition in conditions) for name in names]
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
    served = ", ".join(f"{name} in {precision}" for name, precision in formats["served"].items())
    return f"""Workers serve {served}, unless another precision is set. Each precision has a calibration of its own, fitted on the same
images. Merges and thresholds are fitted to the precisions that are served.

{table}

The calibrated logits of int8 were computed again with oneDNN restricted to older instruction sets (`ONEDNN_MAX_CPU_ISA`) that
the processor of this run supports, for {formats["apart_images"]} of the validation images. Their largest distance from the usual logits: {apart}."""


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
without these families, at an even prior, and tested on all images of them. The ROC AUC of a generator is against the real images of the validation
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
    """Returns the section on what each merge gains over its better model, and how the first models' errors correlate."""
    both = found["agreement"]
    gains = []
    for name, models in merges(found).items():
        best, best_honest = (max(found[m][part]["roc_auc"] for m in models) for part in ("all", "honest_pair"))
        gains.append(
            f"{name} ({', '.join(models)}) has a ROC AUC of {found[name]['all']['roc_auc']:.3f}, its best model alone {best:.3f}; on the\n"
            f"matched pair they have {found[name]['honest_pair']['roc_auc']:.3f} and {best_honest:.3f}."
        )
    return f"""## What merging gains

{" ".join(gains)}
The residuals (probability minus truth) of the first two models have a correlation of {both["residual_correlation"]:.2f}. The first model misjudges
{percent(both["wrong_first"])} of the images, the second {percent(both["wrong_second"])}, and both misjudge {percent(both["wrong_both"])}; with independent errors it would be
{percent(both["wrong_both_if_independent"])}."""


def merges(found: dict[str, Any]) -> dict[str, list[str]]:
    """Returns the models of each merge: those before it among the scorers."""
    names = scorers(found)
    return {
        name: [m for m in names[:place] if not m.startswith("merged")]
        for place, name in enumerate(names)
        if name.startswith("merged")
    }


def text(found: dict[str, Any]) -> str:
    """Returns the report in Markdown."""
    names = scorers(found)
    sections = [
        f"""# Evaluation

Made by `python -m bifrons_training.evaluation.evaluate_models --data FOLDER` with the published files. Unless a section says
otherwise, the images are those of the validation split: groups that no training saw, mostly of sources that the trainings did
see (the cards name them). Intervals are 95 %, from drawing groups with replacement 500 times. Probabilities and calibration
errors (ECE) are for a stream of which {100 * PRIOR:.0f} % is generated. {"; ".join(f"{name} is the merge of {', '.join(models)}" for name, models in merges(found).items())}. All
numbers are in [metrics.json](metrics.json).

{sealed_text(found)}
{kinds_text(found)}
## The matched pair

The matched pair (`honest_pair` in the metrics) are FFHQ photographs and StyleGAN1 faces of one size, framing and JPEG history,
so the label does not follow from the format.

{head_rows({name: found[name]["honest_pair"] for name in names})}

## All sources

{head_rows({name: found[name]["all"] for name in names})}

## All sources, equalised

The longer side of every image is scaled to 128 px, then the image is saved as JPEG 75, in both classes.

{head_rows({name: found["equalised"][name] for name in names})}

{merge_text(found)}

## Under changes

Each cell has the ROC AUC of all sources, that of the matched pair, and the share of real images called generated, on every second
validation image ({found["changed"]["real"]} real, {found["changed"]["ai_generated"]} generated). "Framed closer" means 0.8 of the square's side. With the face blurred beyond
recognition, only background and composition are left, which should say nothing: a ROC AUC of 0.5.

{condition_rows(found)}

## Watched sources

The table has the share of images called generated at 0.5 ({", ".join(("as it is", *VIEWS))}). The trainings saw none of these sources, except
that resnet and inception were trained on {TRAINED_BEFORE[0]}. Weights were chosen by the ROC AUC over these sources and the matched pair,
and calibrations, merges and thresholds are fitted on them (without {TRAINED_BEFORE[0]}), so the numbers are optimistic.

{never_trained_rows(found)}

## Number formats

{precision_text(found)}
"""
    ]
    sections += [leave_out_text(), ablation_text()]
    sections += [
        f"## {name} by source\n\n![ROC and reliability of {name}]({name}.png)\n\n{source_rows(found[name])}\n"
        for name in names
    ]
    return "\n".join(section for section in sections if section)


def write(folder: Path, found: dict[str, Any]) -> None:
    """Writes README.md and its plots into `folder`."""
    for name in scorers(found):
        plot(name, found[name], folder / f"{name}.png")
    write_text(folder / "README.md", text(found))
