"""The locator's model card and the texts of its manifest, from the measured numbers."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from bifrons_training.locator.catalogue import Split
from bifrons_training.locator.composition import SIDE
from bifrons_training.locator.evaluation import WRONG_TURN
from bifrons_training.locator.network import Locator
from bifrons_training.locator.training import BATCH
from bifrons_training.networks import detectors
from bifrons_training.publishing.cards import fill_paragraphs
from bifrons_training.publishing.manifest import LICENCE

LIMITS = f"""## Limits

- It is unreliable for faces below about 5 % of the longer side of the image, because it scales the image to 320 px. It
  does not find a face of 8 px.
- Its landmarks are used to turn each face upright before the detectors see it. Where they are wrong, mainly in
  profiles, the crop is turned wrongly or not at all. The network itself was trained for faces that are turned by up to
  45°; the turned looks find the others.
- In the held-out scenes it misses profiles, a masked face, and small or blurred faces behind the one in front.
  Drawings, dolls and animals were not measured, nor was recall by age, skin and sex.
- Boxes follow the detector that labelled the data: about from the middle of the forehead to the chin.

## Licence

{LICENCE}
"""


def training_text(checkpoint: dict[str, Any], split: Split) -> str:
    """Returns a paragraph on how the weights were trained and on which data."""
    sources = Counter(scene.source for scene in split.scenes)
    begun = f"the weights of version {checkpoint['begun_from']}" if checkpoint["begun_from"] else "nothing"
    named = ", ".join(f"{name} {count}" for name, count in sorted(sources.items()))
    return (
        f"{checkpoint['step'] * BATCH} views of compositions in {checkpoint['seconds'] / 60:.0f} minutes of one CPU core, "
        f"starting from {begun}: "
        f"{len(split.scenes)} scenes of real people ({named}) and {len(split.crops)} face crops, real and generated, of "
        "the sources that the detectors' cards name, pasted, turned by any angle, cropped and degraded; faces of 5 to 95 % of "
        "the frame, one to eight in each image. Boxes and landmarks come from another detector and are accurate to a few "
        "pixels. "
        f"{len(split.held_out)} scenes and {len(split.held_out_crops)} crops of other groups were kept for evaluation."
    )


def manifest_metrics(report: dict[str, Any]) -> dict[str, float]:
    """Returns the metrics that the manifest contains."""
    return {
        "recall_40px": report["recall_40px"],
        "recall_20px": report["recall_20px"],
        "false_boxes_per_picture": report["false_boxes_per_picture"],
        "recall_turned_lowest": min(row["recall"] for row in report["turned"].values()),
    }


def table(report: dict[str, Any]) -> str:
    """Returns the recall by face size as a Markdown table."""
    rows = [
        ("held-out scenes, faces of at least 40 px", report["faces_40px"], report["recall_40px"]),
        ("held-out scenes, faces of at least 20 px", report["faces_20px"], report["recall_20px"]),
        ("held-out scenes, faces of 20 to 40 px", report["faces_20_to_40px"], report["recall_20_to_40px"]),
        ("held-out scenes, all faces", report["faces_all"], report["recall_all"]),
    ]
    rows += [
        (f"compositions, faces of {name.replace('_', ' ').replace('px', ' px')}", row["faces"], row["recall"])
        for name, row in report["composed"].items()
        if isinstance(row, dict)
    ]
    lines = ["| | faces | recall at IoU 0.5 |", "|---|---|---|"]
    lines += [f"| {name} | {count} | {recall:.3f} |" for name, count, recall in rows]
    return "\n".join(lines)


def turned_table(report: dict[str, Any]) -> str:
    """Returns the recall at every angle as a Markdown table."""
    lines = ["| turned clockwise by | | + 90° | + 180° | + 270° |", "|---|---|---|---|---|"]
    for degrees in range(0, 90, 15):
        cells = [f"{report['turned'][str(degrees + more)]['recall']:.3f}" for more in (0, 90, 180, 270)]
        lines.append(f"| {degrees}° | {' | '.join(cells)} |")
    return "\n".join(lines)


def card(report: dict[str, Any], training: str, network: Locator) -> str:
    """Returns the text of Models/locator/README.md."""
    parameters, operations = detectors.cost(network, SIDE)
    sources = "\n".join(
        f"| {name} | {row['faces']} | {row['recall']:.3f} |" for name, row in report["held_out_scenes"].items()
    )
    turned = report["turned"].values()
    return fill_paragraphs(
        f"""# locator

The locator finds the faces that the detectors score. It is part of the preprocessing for every network:
[docs/preprocessing.md](../../docs/preprocessing.md) defines how its output becomes boxes.

It is an anchor-free detector of one class (FCOS, Tian et al. 2019) on three levels, strides 8, 16 and 32, with a feature pyramid
(Lin et al. 2017) over depthwise-separable residual blocks. {parameters / 1e6:.2f} M parameters,
{2 * operations / 1e9:.3f} GFLOP for each image at {SIDE} px. Each cell gives a logit, a box and five landmarks. It was trained with
quality focal loss (Li et al. 2020: the score is the expected overlap of the box), generalised IoU and smooth L1.

## Measured performance

Measured with the exported file, ONNX in f32, and the preprocessing that workers use. A box counts from an IoU of 0.5 on. Sizes
are those of the face's longer side in the image's own pixels (longest side of an image 352):

{table(report)}

Recall of faces of at least 20 px in the held-out scenes, turned without an orientation flag:

{turned_table(report)}

The five landmarks give the angle by which a face is turned ([preprocessing](../../docs/preprocessing.md#3-crop)). Over all
angles the median error is {np.median([row["turn_error"] for row in turned]):.1f}°, and {np.mean([row["wrong_turns"] for row in turned]):.1%} of the faces that are found are off by {WRONG_TURN}° or more.

{report["false_boxes_per_picture"]:.3f} false boxes an image were found in {report["faceless_pictures"]} images without a face (textures, text, parts of scenes beside
the faces, images whose faces were painted over or that were cut to pieces). Landmarks are off by
{report["landmark_error"]:.3f} of the face's longer side on average. Boxes with a probability below {report["score"]} are dropped. This threshold
was chosen on compositions of the training part, to leave at most 0.03 false boxes an image. An image in which no face has a
probability of {report["turned_looks"][0]} is also looked at turned by 90°, 180° and 270°, where faces count from {report["turned_looks"][1]}. These two thresholds were
chosen on the held-out images, so the numbers are slightly optimistic.

| held-out scenes of | faces | recall |
|---|---|---|
{sources}

The numbers come from `python -m bifrons_training.make_locator --data FOLDER --remeasure`; [metrics.json](metrics.json) has
all of them, and [training.csv](training.csv) has the points of the curve.

![curves](training.png)

## What it was trained on

{training}

Scenes do not state which photograph they come from. A scene whose face correlates with a crop gets the crop's group, and no
group is divided between training and evaluation. A photograph that this does not recognise may be in both.

{LIMITS}"""
    )
