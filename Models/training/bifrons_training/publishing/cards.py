"""Writes the model cards from the measured numbers."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

from bifrons_training.data.catalogue import HONEST_SOURCE
from bifrons_training.evaluation.report import head_rows, percent, source_rows
from bifrons_training.files import write_text
from bifrons_training.networks import detectors
from bifrons_training.preprocessing import MARGIN, SIDE
from bifrons_training.publishing.manifest import LICENCE
from bifrons_training.workspace import TRAINING

WHAT = {
    "resnet": "A small residual network (He et al. 2016): a strided 3x3 stem, then two residual blocks of 64 filters, two of "
    "128 and one of 256, batch norm throughout. Between them, the image is halved by averaging, which avoids "
    "aliasing (Zhang 2019).",
    "inception": "A small Inception network (Szegedy et al. 2015, 2016) with a second input: besides the image it gets "
    "the output of fixed high-pass filters (Fridrich and Kodovsky 2012), because cameras and generators differ in their "
    "noise. It has a stem of three convolutions, then four blocks of four parallel paths (1x1; 3x3; 5x5 as two 3x3; pooling), "
    "each first reduced by 1x1 convolutions, and batch norm throughout.",
}


def training_paragraph(images: int, rows: list[dict[str, str]]) -> str:
    """Returns the training paragraph for manifest and card, from the number of images and the curve's `rows`."""
    seen = int(rows[-1]["images"]) if rows else 0
    minutes = float(rows[-1]["minutes"]) if rows else 0.0
    return (
        f"{images} face crops (1.6 times the face box, at most 256 px, all JPEG quality 89): real ones from "
        "FFHQ, Unsplash and Pixabay portraits, CelebA, UTKFace, LFW, OpenForensics and staff portraits; generated ones "
        "from StyleGAN 1 and 2 (among them thispersondoesnotexist), generated.photos, Stable Diffusion 2.1, SDXL and FLUX; "
        "and reconstructions of the real ones by small decoders (nearest, transposed convolution, pixel shuffle, bilinear). "
        f"{seen} augmented views in {minutes:.0f} minutes (bf16 where it is faster, averaged weights), classes balanced, the "
        "same augmentation for both classes."
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
  the locator found no face in {percent(report["merged"]["without_face"]["real"])} of the real and {percent(report["merged"]["without_face"]["ai_generated"])} of the generated images.
- Small faces are enlarged to its input and carry few traces of their origin. It was not measured below about 80 px.
- Among real images, it most often takes sharp, well-lit photographs of high resolution for generated ones: see
  {HONEST_SOURCE} (FFHQ) above.
- Generators newer than the list above, face swaps and retouched photographs were neither trained on nor measured. The
  evaluation has its results on sources and generators left out of a training. On new cameras, false alarms can be more
  frequent than above.
- Screenshots, strong compression, scans, filters and make-up apps change the score in either direction.
- The images are not balanced by age, skin and sex, and error rates by group were not measured.
- The calibration holds for images like those above, half of them generated. Where generated images are rare, the share
  of true alarms among all alarms is far lower than the probability suggests.

## Intended use

Use it to try out Bifrons, for research, and to order a queue that people review. Do not use it to block, accuse,
identify or refuse anybody without review by a person, as evidence, or for images other than faces.

## Licence

{LICENCE}
"""


def card(name: str, report: dict[str, Any], sizes: dict[str, int], manifest: dict[str, Any]) -> str:
    """Returns the text of a model card."""
    values = report[name]
    parameters, operations = detectors.cost(detectors.build(name))
    honest, everything, equalised = values["honest_pair"], values["all"], report["equalised"][name]
    served, precisions = report["precisions"]["served"], report["precisions"]["compared"][name]
    return f"""# {name} {manifest["version"]}

{WHAT[name]} Global average pooling leads to one logit; the same weights give the class-activation map (Zhou et al. 2016),
which is the second output.

{parameters / 1e6:.2f} M parameters, {2 * operations / 1e9:.2f} GFLOP an image. Input: {SIDE}x{SIDE} RGB, the square of {MARGIN}
times the face's box around each face that the [locator](../locator/README.md) finds, or the central square without a face
([preprocessing version 3](../../docs/preprocessing.md)). Output: one logit. After the manifest's calibration, it is the logit
of the probability that the face is AI-generated, for a stream of which half is generated. `model.onnx` computes in f32;
`model.int8.onnx` is the same network in int8 with a calibration of its own. In f32 and int8, they have ROC AUC {precisions["f32"]["roc_auc"]:.4f} and
{precisions["int8"]["roc_auc"]:.4f}, ECE {precisions["f32"]["ece"]:.4f} and {precisions["int8"]["ece"]:.4f}. Workers serve {served} unless another
precision is set.

It is much better than chance, but **not good enough to decide about anybody**.

## Measured performance

Measured on the validation split (groups that it never saw, of sources that it did see), with the file that is served, and with
95 % intervals:

{head_rows({"**matched pair** (FFHQ, StyleGAN1)": honest, "all sources": everything, "all sources, equalised": equalised})}

The first column is the most meaningful. There, real and generated images have the same size, format and framing, and the
network can use only the face: {honest["roc_auc"]:.2f}. The second, {everything["roc_auc"]:.2f}, says little, because across sources the
classes also differ in resolution, JPEG history, framing and background, and a network learns these first. On cameras and
generators that are not listed here, expect numbers nearer to the first column, or below it.

{source_rows(values)}

![ROC and reliability](../evaluation/{name}.png)

The [evaluation](../evaluation/README.md) has all numbers, including those under compression and blur, with sources and
generators left out, and in other number formats.

![curves](training.png)

The points of the curve are in [training.csv](training.csv). Its AUCs are on the groups kept for calibration and on sources
that are never trained on, not on the validation split.

## What it was trained on

{manifest["training"]} {sizes["calibration"]} images of other groups were used to calibrate it, and {sizes["validation"]} to measure it.
{data_findings()}
{limits(report)}"""


def overview(report: dict[str, Any], ensemble: dict[str, Any], sizes: dict[str, int]) -> str:
    """Returns the text of Models/README.md on the merge and the policies."""
    merged = report["merged"]
    blend = next(m for m in ensemble["merge"] if len(m["models"]) == len(ensemble["models"]))
    terms = " + ".join(f"{w:.3f} x {m}" for m, w in zip(blend["models"], blend["weights"], strict=True))
    policy = ensemble["policies"]["default"]
    lines = "\n".join(
        f"| {action} | {policy[action]:.3f} | {percent(merged[action]['false_positives'])} "
        f"| {percent(merged[action]['true_positives'])} |"
        for action in ("review", "block")
    )
    return f"""# Models

This folder has one folder for each model (`manifest.json`, `model.onnx`, `model.int8.onnx`, its card) and `ensemble.json`,
which says how scores are merged. The cards of the two networks ([resnet](resnet/README.md),
[inception](inception/README.md)) give their measured performance and say what they must not be used for. The
[locator](locator/README.md) finds the faces that they score. [training/](training/README.md) makes all of these files again.

## The merge

`probability = sigmoid(bias + sum of weight x calibrated logit)`: a logistic regression for every subset of the models. Like
each model's own calibration, it is fitted on {sizes["calibration"]} images of groups that were kept out of the training. For
both models together, it is {blend["bias"]:.3f} + {terms}. On the validation split:

{head_rows({"**matched pair**": merged["honest_pair"], "all sources": merged["all"]})}

![ROC and reliability](evaluation/merged.png)

The [evaluation](evaluation/README.md) has all measurements of each model and the merge.

## The policies

The thresholds of `default` were chosen on the real images of the same held-out groups, so that 1 % of them are
reviewed or blocked and 0.1 % are blocked. (There are {sizes["calibration_real"]} such images, so the second threshold depends on the one
or two that look most generated, and is rough.) On the validation split:

| action | probability from | of the real | of the generated |
|---|---|---|---|
{lines}

Nothing is known about an image without a face: `no_face` is `{policy["no_face"]}`, whatever the scores are.

These images are from the sources that the models were trained on. On others, the share of real images above the thresholds
is higher. Measure it on your own images before `block` blocks anything, and set your own thresholds in `ensemble.json`.
"""


def write_cards(models: Path, report: dict[str, Any], sizes: dict[str, int]) -> None:
    """Writes Models/README.md and both model cards."""
    ensemble = json.loads((models / "ensemble.json").read_text())
    for name in ensemble["models"]:
        manifest = json.loads((models / name / "manifest.json").read_text())
        write_text(models / name / "README.md", fill_paragraphs(card(name, report, sizes, manifest)))
    write_text(models / "README.md", fill_paragraphs(overview(report, ensemble, sizes)))


def head_metrics(values: dict[str, Any]) -> dict[str, float]:
    """Returns the metrics that a manifest contains."""
    everything = values["all"]
    numbers = {key: everything[key] for key in ("roc_auc", "accuracy", "eer", "ece", "n")}
    return {"roc_auc_honest_pair": values["honest_pair"]["roc_auc"], **numbers}
