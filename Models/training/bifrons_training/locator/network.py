"""The locator's network: anchor-free, with three levels, one class, and a box and five landmarks per cell.

Depthwise-separable residual blocks follow a dense stem, then a feature pyramid (Lin et al. 2017) and one head for all
levels (FCOS, Tian et al. 2019). It is small enough for a few milliseconds on one core.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from bifrons_training.preprocessing.locating import STRIDES, VALUES


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, with a residual connection if the shapes allow it."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_conv(inputs, inputs, kernel, stride, groups=inputs),
            nn.ReLU(inplace=True),
            *_conv(inputs, outputs, 1),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Maps [n, inputs, h, w] to [n, outputs, h / stride, w / stride]."""
        y = self.layers(x)
        return functional.relu(x + y if self.residual else y)


class Locator(nn.Module):
    """The network from normalised RGB images [n, 3, SIDE, SIDE] to `cells` [n, cells, VALUES]."""

    def __init__(self, widths: tuple[int, int, int, int, int] = (16, 32, 64, 96, 128), pyramid: int = 64) -> None:
        super().__init__()
        stem, quarter, eighth, sixteenth, last = widths
        self.stem = nn.Sequential(*_conv(3, stem, 3, 2), nn.ReLU(inplace=True))
        self.quarter = nn.Sequential(Separable(stem, quarter, 2), Separable(quarter, quarter))
        self.levels = nn.ModuleList(
            [
                nn.Sequential(Separable(quarter, eighth, 2), *[Separable(eighth, eighth) for _ in range(2)]),
                nn.Sequential(Separable(eighth, sixteenth, 2), *[Separable(sixteenth, sixteenth) for _ in range(3)]),
                nn.Sequential(Separable(sixteenth, last, 2), *[Separable(last, last, kernel=5) for _ in range(3)]),
            ]
        )
        self.lateral = nn.ModuleList([nn.Sequential(*_conv(width, pyramid, 1)) for width in (eighth, sixteenth, last)])
        self.smooth = nn.ModuleList([Separable(pyramid, pyramid) for _ in range(3)])
        self.head = Separable(pyramid, pyramid)
        self.output = nn.Conv2d(pyramid, VALUES, 1)
        self.scales = nn.Parameter(torch.zeros(len(STRIDES)))
        nn.init.normal_(self.output.weight, std=0.01)
        nn.init.zeros_(self.output.bias)
        with torch.no_grad():
            self.output.bias[0] = -4.6  # The logit of a face in one cell out of a hundred.
            self.output.bias[1:5] = 0.7

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Returns the cells of each image, [n, cells, VALUES]."""
        x = self.quarter(self.stem(image))
        features = []
        for level, lateral in zip(self.levels, self.lateral, strict=True):
            x = level(x)
            features.append(lateral(x))
        for index in (1, 0):
            features[index] = features[index] + functional.interpolate(features[index + 1], scale_factor=2.0)
        cells = []
        for index, (smooth, feature) in enumerate(zip(self.smooth, features, strict=True)):
            values = self.output(self.head(smooth(functional.relu(feature))))
            cells.append(
                torch.cat([values[:, :1], values[:, 1:5] + self.scales[index], values[:, 5:]], dim=1).flatten(2)
            )
        joined = torch.cat(cells, dim=2).transpose(1, 2)
        return torch.cat([joined[..., :1], joined[..., 1:5].clamp(max=6.0).exp(), joined[..., 5:]], dim=2)
