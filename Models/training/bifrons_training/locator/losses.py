"""The locator's training loss."""

from __future__ import annotations

import torch
from torch.nn import functional

from bifrons_training.locator.composition import SIDE
from bifrons_training.locator.targets import FACE, IGNORED
from bifrons_training.preprocessing.locating import cell_centres

LANDMARK_WEIGHT = 3
"""The weight of the landmark loss; it is high because the landmarks determine how far a face is rotated upright."""


def overlaps(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the IoU and the generalised IoU (Rezatofighi et al. 2019) of boxes [n, 4] as x0, y0, x1, y1."""
    low, high = torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    areas = [(box[:, 2:] - box[:, :2]).clamp(min=0).prod(dim=1) for box in (first, second)]
    union = areas[0] + areas[1] - shared
    hull = torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])
    hull_area = hull.clamp(min=0).prod(dim=1)
    overlap = shared / union.clamp(min=1e-6)
    return overlap, overlap - (hull_area - union) / hull_area.clamp(min=1e-6)


class LocatorLoss:
    """The loss of a batch of cells: the sum of a logit, a box and a landmark loss.

    The logits have a quality focal loss (Li et al. 2020), whose target is the IoU that a cell's box reaches, the boxes
    generalised IoU, and the landmarks smooth L1 relative to the size of the face.
    """

    def __init__(self, side: int = SIDE) -> None:
        cells = torch.from_numpy(cell_centres(side)).float()
        self.centres, self.strides = cells[:, :2], cells[:, 2]

    def __call__(
        self, cells: torch.Tensor, state: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, float]]:
        """Returns the loss of cells [n, c, 15] for states [n, c] and targets [n, c, 14], and its parts for the log."""
        positive = state == FACE
        image, cell = positive.nonzero(as_tuple=True)
        said, true = cells[image, cell], values[image, cell]
        centre, stride = self.centres[cell], self.strides[cell, None]
        boxes = torch.cat([centre - said[:, 1:3] * stride, centre + said[:, 3:5] * stride], dim=1)
        overlap, generalised = overlaps(boxes, true[:, :4])
        quality = torch.zeros_like(cells[..., 0])
        quality[image, cell] = overlap.detach().clamp(min=0.05)
        logits = cells[..., 0]
        entropy = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
        focus = (quality - logits.detach().sigmoid()).abs() ** 2
        count = max(int(positive.sum()), 1)
        score = (entropy * focus * (state != IGNORED)).sum() / count
        weight = overlap.detach().clamp(min=0.2)
        box = ((1 - generalised) * weight).sum() / weight.sum().clamp(min=1)
        size = (true[:, 2:4] - true[:, :2]).amax(dim=1, keepdim=True).clamp(min=4)
        points = (centre[:, None] + said[:, 5:].reshape(-1, 5, 2) * stride[:, None]).flatten(1)
        landmark = functional.smooth_l1_loss(points / size, true[:, 4:] / size, beta=0.05, reduction="none")
        landmark = (landmark.mean(dim=1) * weight).sum() / weight.sum().clamp(min=1)
        parts = {"score": score, "box": box, "landmark": landmark, "iou": overlap.mean()}
        parts = {name: part.item() for name, part in parts.items()}
        return score + 2 * box + LANDMARK_WEIGHT * landmark, parts
