"""The sections of the evaluation report on sources that trained none of the models, in Markdown."""

from __future__ import annotations

from typing import Any

from bifrons_training.data.catalogue import TRAINED_BEFORE
from bifrons_training.evaluation.strangers import is_worse


def percent(value: float) -> str:
    """Formats a share as a percentage: 0.0123 as "1.2 %"."""
    return f"{100 * value:.1f} %"


def scorers(found: dict[str, Any]) -> list[str]:
    """Returns the names of the scorers: the models and the merges."""
    return [name for name, part in found.items() if isinstance(part, dict) and "all" in part]


def sealed_text(found: dict[str, Any]) -> str:
    """Returns the section on the sealed sources; empty if the data has none."""
    if "sealed" not in found:
        return ""
    sealed = found["sealed"]
    lines = [
        "| scorer | ROC AUC | with all | ECE | called generated at 0.5: real; generated | review: real; generated | block: real; generated |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in sealed["scorers"].items():
        cells = [
            f"{row[key]:.3f} ({row[f'{key}_95'][0]:.3f} to {row[f'{key}_95'][1]:.3f})" for key in ("roc_auc", "ece")
        ]
        cells.insert(1, f"{row['roc_auc_with_all']:.3f}")
        for action in ("called_generated", "review", "block"):
            low, high = row[action]["false_positives_95"]
            false, true = percent(row[action]["false_positives"]), percent(row[action]["true_positives"])
            cells.append(f"{false} ({100 * low:.1f} to {100 * high:.1f}); {true}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    sources = [f"| called generated at 0.5 | n | {' | '.join(sealed['scorers'])} |"]
    sources.append("|---" * (len(sealed["scorers"]) + 2) + "|")
    for source, row in sealed["sources"].items():
        cells = [percent(share) for share in row["called_generated"].values()]
        sources.append(f"| {source} | {row['n']} | {' | '.join(cells)} |")
    scores, rows = "\n".join(lines), "\n".join(sources)
    return f"""## Sealed sources

Nothing was trained on these sources, chosen by them or fitted to them, with one exception: resnet and inception were trained on
{" and ".join(TRAINED_BEFORE)} before these were set apart. So the numbers over several sources are without these two, except
"with all": {sealed["real"]} real and {sealed["generated"]} generated images. "Review" and "block" are the shares above the thresholds of the policy
`default` of the first ensemble that has the model, chosen on the watched sources so that 1 % and 0.1 % of the real images there
reach them. Intervals are 95 %, of shares by Wilson's method.

{scores}

{rows}
"""


def kinds_text(found: dict[str, Any]) -> str:
    """Returns the section on false positives by kind of face; empty if there are too few faces."""
    if not found["kinds"]:
        return ""
    names = scorers(found)
    lines = [f"| real faces | n | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    for kind, row in found["kinds"].items():
        cells = [
            f"{percent(row['called_generated'][name])} ({percent(row['otherwise'][name])})"
            + (" **worse**" if name in row["worse"] else "")
            for name in names
        ]
        lines.append(f"| {kind} | {row['n']} | {' | '.join(cells)} |")
    table = "\n".join(lines)
    return f"""## False positives by kind of face

The share of real faces called generated at 0.5, and in parentheses that of all other faces. They are from the watched and sealed
sources that trained none of the models; ages are known in all_ages only, and sizes (of the shorter side of the original crop)
differ between sources. "Worse" is a difference of more than twice its standard error. [Under changes](#under-changes) has JPEG
quality, blur, noise and small images.

{table}
"""


def weak_kinds(found: dict[str, Any], name: str) -> list[str]:
    """Returns the kinds of real faces, and the changes, for which a scorer is worse, with both shares."""
    weak = [
        f"{kind} ({percent(row['called_generated'][name])} instead of {percent(row['otherwise'][name])})"
        for kind, row in found["kinds"].items()
        if name in row["worse"]
    ]
    usual, n = found["conditions"]["as it is"][name]["false_positives"], found["changed"]["real"]
    for condition, row in found["conditions"].items():
        share = row[name]["false_positives"]
        if is_worse(share, usual, n, n):
            weak.append(f"{condition} ({percent(share)} instead of {percent(usual)})")
    return weak
