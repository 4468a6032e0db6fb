"""Writes the model cards from the measured numbers."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from pathlib import Path
from typing import Any

from bifrons_training.data.catalogue import HONEST_SOURCE, TRAINED_BEFORE, WATCHED, Face, family
from bifrons_training.evaluation.metrics import PRIOR
from bifrons_training.evaluation.report import head_rows, source_rows
from bifrons_training.evaluation.report_strangers import percent, weak_kinds
from bifrons_training.evaluation.served_models import ENSEMBLES, read_ensembles
from bifrons_training.files import write_text
from bifrons_training.networks import detectors
from bifrons_training.preprocessing import MARGIN
from bifrons_training.publishing.manifest import LICENCE
from bifrons_training.training.curves import read_curve
from bifrons_training.training.run import build
from bifrons_training.workspace import TRAINING

WHAT = {
    "resnet": "A small residual network (He et al. 2016): a strided 3x3 stem, then two residual blocks of 64 filters, two of "
    "128 and one of 256, batch norm throughout. Between them, the image is halved by averaging, which avoids "
    "aliasing (Zhang 2019).",
    "inception": "A small Inception network (Szegedy et al. 2015, 2016) with a second input: besides the image it gets "
    "the output of fixed high-pass filters (Fridrich and Kodovsky 2012), because cameras and generators differ in their "
    "noise. It has a stem of three convolutions, then four blocks of four parallel paths (1x1; 3x3; 5x5 as two 3x3; pooling), "
    "each first reduced by 1x1 convolutions, and batch norm throughout.",
    "efficientnet": "An EfficientNet-Lite0 (Tan and Le 2019), which began with weights trained on ImageNet. Its stem also sees the "
    "output of fixed high-pass filters (Fridrich and Kodovsky 2012), and its head the features of five stages, because late "
    "stages discard the fine traces of generators.",
}


def families(faces: list[Face], fewest: int = 10) -> str:
    """Returns the names of the families of faces, the largest first, and the number of those of few faces."""
    counts = Counter(family(face) for face in faces).most_common()
    names = [name for name, count in counts if count >= fewest]
    rest = f" and {len(counts) - len(names)} more with fewer than {fewest} faces each"
    return ", ".join(names) + (rest if len(names) < len(counts) else "")


def training_paragraph(name: str, faces: list[Face], curve: Path) -> str:
    """Returns the training paragraph for manifest and card, from the training faces and the training's curve."""
    rows = read_curve(curve)
    seen = int(rows[-1]["images"]) if rows else 0
    minutes = float(rows[-1]["minutes"]) if rows else 0.0
    real, generated = (families([face for face in faces if face.label == label]) for label in (0, 1))
    made = (
        "; and reconstructions of the real ones by small decoders (nearest, transposed convolution, pixel shuffle, bilinear)"
        if name in detectors.NAMES
        else ""
    )
    return (
        f"{len(faces)} face crops (1.6 times the face box, at most 256 px, all JPEG quality 89): real ones from the sources "
        f"{real}; generated ones from {generated}{made}. "
        f"{seen} augmented views in {minutes:.0f} minutes (bf16 where it is faster, averaged weights), classes balanced, the "
        "same augmentation for both classes."
        + (
            " In the last 21 minutes of these, at 192 px, 70 % of each target was the EfficientNet's probability (Hinton et al. 2015)."
            if name in detectors.NAMES
            else ""
        )
    )


def fill(text: str) -> str:
    """Wraps a paragraph at 120 columns."""
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False)


def fill_paragraphs(markdown: str) -> str:
    """Wraps the plain paragraphs of a Markdown text; headings, tables, lists and images stay as they are."""
    parts = markdown.split("\n\n")
    return "\n\n".join(p if p.lstrip()[:1] in "#|-!" else fill(p.strip()) for p in parts).rstrip() + "\n"


def data_findings(file: Path = TRAINING / "data_findings.json") -> str:
    """Returns the findings of the data report on shortcuts in the data; empty if it has not been run."""
    if not file.is_file():
        return ""
    lines = [textwrap.fill(text, 116, subsequent_indent="  ") for text in json.loads(file.read_text())["findings"]]
    return (
        "\nHow the data differs between the classes besides the faces (`make data-report DATA=FOLDER`):\n\n"
        + "\n".join(f"- {line}" for line in lines)
        + "\n"
    )


def limits(report: dict[str, Any]) -> str:
    """Returns the last sections of a model card: its limitations, its intended use and its licence."""
    return f"""## Limitations

- It judges faces. Its score for the central square of an image without a face means nothing. On the validation split
  the locator found no face in {percent(report["without_face"]["real"])} of the real and {percent(report["without_face"]["ai_generated"])} of the generated images.
- Small faces are enlarged to its input and carry few traces of their origin. It was not measured below about 80 px.
- Among real images, it most often takes sharp, well-lit photographs of high resolution for generated ones: see
  {HONEST_SOURCE} (FFHQ) above.
- Face swaps and retouched photographs were neither trained on nor measured. Newer generators, and cameras unlike those
  above, can have results worse than on the sealed sources.
- Screenshots, strong compression, scans, filters and make-up apps change the score in either direction.
- The images are not balanced by age, skin and sex. Error rates by age are in the evaluation; those by skin and sex were
  not measured.
- The calibration holds for images like those that it was fitted on, {100 * PRIOR:.0f} % of them generated. Where generated images are
  rarer, the share of true alarms among all alarms is lower than the probability suggests.

## Intended use

Use it to try out Bifrons, for research, and to order a queue that people review. Do not use it to block, accuse,
identify or refuse anybody without review by a person, as evidence, or for images other than faces.

## Licence

{LICENCE}
"""


def calibrated_on(sizes: dict[str, int]) -> str:
    """Returns a description of the images that calibrate the models."""
    sources = ", ".join(source for source in WATCHED if source not in TRAINED_BEFORE)
    return f"{sizes['calibration']} images of sources on which no model was trained ({sources})"


def summary(report: dict[str, Any], name: str) -> str:
    """Returns the first paragraph of a card: the verdict on a scorer, and where it is weak."""
    sealed = report.get("sealed", {}).get("scorers", {}).get(name)
    parts = ["It is better than chance, but **not good enough to decide about anybody**."]
    if sealed:
        low, high = sealed["roc_auc_95"]
        called = sealed["called_generated"]
        parts.append(
            f"On sealed sources, on which nothing was trained or fitted, its ROC AUC is {sealed['roc_auc']:.3f} ({low:.3f} to "
            f"{high:.3f}); at 0.5 it calls {percent(called['false_positives'])} of the real faces generated and finds "
            f"{percent(called['true_positives'])} of the generated ones."
        )
    weak = weak_kinds(report, name)
    if weak:
        parts.append(f"It calls more of these real faces generated than of others: {'; '.join(weak)}.")
    return " ".join(parts)


def card(name: str, report: dict[str, Any], sizes: dict[str, int], manifest: dict[str, Any]) -> str:
    """Returns the text of a model card."""
    values = report[name]
    side = manifest["input"]["width"]
    parameters, operations = detectors.cost(build(name), side)
    honest, everything, equalised = values["honest_pair"], values["all"], report["equalised"][name]
    served, precisions = report["precisions"]["served"][name], report["precisions"]["compared"][name]
    return f"""# {name} {manifest["version"]}

{summary(report, name)}

{WHAT[name]} Global average pooling leads to one logit; the same weights give the class-activation map (Zhou et al. 2016),
which is the second output.

{parameters / 1e6:.2f} M parameters, {2 * operations / 1e9:.2f} GFLOP an image. Input: {side}x{side} RGB, the square of {MARGIN}
times the face's box around each face that the [locator](../locator/README.md) finds, or the central square without a face
([preprocessing version 3](../../docs/preprocessing.md)). Output: one logit. After the manifest's calibration, it is the logit
of the probability that the face is AI-generated, for a stream of which {100 * PRIOR:.0f} % is generated. `model.onnx` computes in f32;
`model.int8.onnx` is the same network in int8 with a calibration of its own. In f32 and int8, they have ROC AUC {precisions["f32"]["roc_auc"]:.4f} and
{precisions["int8"]["roc_auc"]:.4f}, ECE {precisions["f32"]["ece"]:.4f} and {precisions["int8"]["ece"]:.4f}. Workers serve {served} unless another
precision is set.

## Measured performance

Measured on the validation split (groups that it never saw, mostly of sources that it did see), with the file that is served,
and with 95 % intervals:

{head_rows({"**matched pair** (FFHQ, StyleGAN1)": honest, "all sources": everything, "all sources, equalised": equalised})}

The first column is the most meaningful. There, real and generated images have the same size, format and framing, and the
network can use only the face: {honest["roc_auc"]:.2f}. The second, {everything["roc_auc"]:.2f}, says little, because across sources the
classes also differ in resolution, JPEG history, framing and background, and a network learns these first. On cameras and
generators that are not listed here, expect numbers nearer to the first column, or below it.

{source_rows(values)}

![ROC and reliability](../evaluation/{name}.png)

The [evaluation](../evaluation/README.md) has all numbers, including those on sealed sources, by kind of face, under compression
and blur, and in other number formats.

![curves](training.png)

The points of the curve are in [training.csv](training.csv). Its AUCs are on groups kept out of the training and on the
watched sources, which are never trained on, not on the validation split.

## What it was trained on

{manifest["training"]} It was calibrated on {calibrated_on(sizes)}, and measured on {sizes["validation"]} of the validation split.
{data_findings()}
{limits(report)}"""


def merge_text(merge: str, report: dict[str, Any], ensemble: dict[str, Any]) -> str:
    """Returns the section of Models/README.md on one ensemble: its blend, its performance and its policy."""
    values, sealed = report[merge], report.get("sealed", {}).get("scorers", {}).get(merge)
    blend = next(m for m in ensemble["merge"] if len(m["models"]) == len(ensemble["models"]))
    terms = " + ".join(f"{w:.3f} x {m}" for m, w in zip(blend["models"], blend["weights"], strict=True))
    policy = ensemble["policies"]["default"]
    lines = []
    for action in ("review", "block"):
        cells = [percent(values[action][share]) for share in ("false_positives", "true_positives")]
        if sealed:
            low, high = sealed[action]["false_positives_95"]
            cells.append(f"{percent(sealed[action]['false_positives'])} ({100 * low:.1f} to {100 * high:.1f})")
            cells.append(percent(sealed[action]["true_positives"]))
        lines.append(f"| {action} | {policy[action]:.3f} | {' | '.join(cells)} |")
    titles = ["of the real", "of the generated"] + (["of the sealed real", "of the sealed generated"] if sealed else [])
    rows = "\n".join([f"| action | from | {' | '.join(titles)} |", "|---" * (len(titles) + 2) + "|", *lines])
    return f"""## {merge}: `{ENSEMBLES[merge]}`

{summary(report, merge)}

The blend of all its models is {blend["bias"]:.3f} + {terms}. On the validation split:

{head_rows({"**matched pair**": values["honest_pair"], "all sources": values["all"]})}

![ROC and reliability](evaluation/{merge}.png)

{rows}
"""


def overview(report: dict[str, Any], ensembles: dict[str, dict[str, Any]], sizes: dict[str, int]) -> str:
    """Returns the text of Models/README.md on the merges and the policies."""
    names = dict.fromkeys(name for ensemble in ensembles.values() for name in ensemble["models"])
    linked = ", ".join(f"[{name}]({name}/README.md)" for name in names)
    files = " and ".join(f"`{ENSEMBLES[merge]}`" for merge in ensembles)
    sections = "\n".join(merge_text(merge, report, ensemble) for merge, ensemble in ensembles.items())
    return f"""# Models

This folder has one folder for each model (`manifest.json`, `model.onnx`, `model.int8.onnx`, its card) and {files}, which say how
scores are merged. The cards of the networks ({linked}) give their measured performance and say what they must not be used for.
The [locator](locator/README.md) finds the faces that they score. [training/](training/README.md) makes all of these files again.

`ensemble.json` is what is served. `bifrons up --ensemble ensemble-efficientnet.json` serves the other, and [docs/deployment.md](../docs/deployment.md) says how deployments do.

## How scores merge

`probability = sigmoid(bias + sum of weight x calibrated logit)`: a logistic regression for every subset of the models, like each
model's own calibration. They are fitted on {calibrated_on(sizes)} and hold for a stream of which {100 * PRIOR:.0f} % is
generated.

The thresholds of the policy `default` were chosen on the real ones of these images, so that 1 % of them are reviewed or blocked
and 0.1 % are blocked. (There are {sizes["calibration_real"]} such images, so the second threshold depends on the one or two that look most
generated, and is rough.) Nothing is known about an image without a face: `no_face` is `review`, whatever the scores are. Sealed
images are of sources on which nothing was trained or fitted: expect shares like theirs, or worse. Measure them on your own
images before `block` blocks anything, and set your own thresholds. The [evaluation](evaluation/README.md) has all measurements.

{sections}"""


def write_cards(models: Path, report: dict[str, Any], sizes: dict[str, int]) -> None:
    """Writes Models/README.md and the cards of all models."""
    ensembles = read_ensembles(models)
    for name in {name for ensemble in ensembles.values() for name in ensemble["models"]}:
        manifest = json.loads((models / name / "manifest.json").read_text())
        write_text(models / name / "README.md", fill_paragraphs(card(name, report, sizes, manifest)))
    write_text(models / "README.md", fill_paragraphs(overview(report, ensembles, sizes)))


def head_metrics(values: dict[str, Any]) -> dict[str, float]:
    """Returns the metrics that a manifest contains."""
    everything = values["all"]
    numbers = {key: everything[key] for key in ("roc_auc", "accuracy", "eer", "ece", "n")}
    return {"roc_auc_honest_pair": values["honest_pair"]["roc_auc"], **numbers}
