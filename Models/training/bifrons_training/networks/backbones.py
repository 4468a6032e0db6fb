"""Pretrained backbones: a ResNet-50 of half the width, and EfficientNet-Lite0.

Both take images as Bifrons normalises them, [N, 3, side, side] in -2…2, and return the features of several stages,
average-pooled to the last stage's grid: [N, FEATURES, side / 32, side / 32]. The artefacts of generators are fine, and
the late stages, trained to recognise objects, discard much of them. Both stems also see the image's residuals, through
weights that start at zero.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from bifrons_training.errors import DataError
from bifrons_training.networks.layers import ConvBN, Stem


class Stages(nn.Module):
    """A stem followed by stages; the features of some stages are returned."""

    def __init__(self, stem: nn.Module, stages: list[nn.Module], seen: list[int]) -> None:
        super().__init__()
        self.stem = stem
        self.stages = nn.ModuleList(stages)
        self.seen = seen
        """The indices of the stages whose features are returned."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, 3, side, side] to the pooled features of the chosen stages, [N, C, side / 32, side / 32]."""
        grid = x.shape[-1] // 32
        x = self.stem(x)
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in self.seen:
                features.append(nn.functional.avg_pool2d(x, x.shape[-1] // grid) if x.shape[-1] > grid else x)
        return torch.cat(features, dim=1)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut (He et al. 2016); the first 1x1 has the stride, as in Caffe."""

    def __init__(self, inputs: int, middle: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * middle
        changes = stride > 1 or inputs != outputs
        self.shortcut = ConvBN(inputs, outputs, 1, stride, relu=False) if changes else nn.Identity()
        self.body = nn.Sequential(
            ConvBN(inputs, middle, 1, stride), ConvBN(middle, middle, 3), ConvBN(middle, outputs, 1, relu=False)
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, H, W] to [N, 4 * middle, H / stride, W / stride]."""
        return self.activation(self.body(x) + self.shortcut(x))


def resnet50_thin() -> tuple[Stages, int]:
    """Returns a ResNet-50 of half the width (stages of 3, 4, 6 and 3 bottlenecks), and its number of features."""
    stem = Stem(ConvBN(3, 64, 7, 2), (123.0, 117.0, 104.0), 1.0)
    stages: list[nn.Module] = [nn.MaxPool2d(3, 2, ceil_mode=True)]
    inputs = 64
    for middle, blocks in ((32, 3), (64, 4), (128, 6), (256, 3)):
        layers = []
        for block in range(blocks):
            layers.append(Bottleneck(inputs, middle, 2 if block == 0 and middle > 32 else 1))
            inputs = 4 * middle
        stages.append(nn.Sequential(*layers))
    return Stages(stem, stages, [1, 2, 3, 4]), 128 + 256 + 512 + 1024


class InvertedResidual(nn.Module):
    """An inverted residual (Sandler et al. 2018): expanding 1x1, depthwise, projecting 1x1, shortcut if possible."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = inputs * expansion
        lite = {"activation": nn.ReLU6, "epsilon": 1e-3}
        layers = [ConvBN(inputs, middle, 1, **lite)] if expansion > 1 else []
        layers += [
            ConvBN(middle, middle, kernel, stride, groups=middle, same=stride == 2, **lite),
            ConvBN(middle, outputs, 1, relu=False, **lite),
        ]
        self.body = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        y = self.body(x)
        return x + y if self.residual else y


def efficientnet_lite0() -> tuple[Stages, int]:
    """Returns EfficientNet-Lite0 (Tan and Le 2019, no squeeze-and-excitation), and its number of features."""
    stem = Stem(ConvBN(3, 32, 3, 2, same=True, activation=nn.ReLU6, epsilon=1e-3), (127.0, 127.0, 127.0), 128.0)
    stages, inputs = [], 32
    for outputs, kernel, stride, expansion, blocks in (
        (16, 3, 1, 1, 1),
        (24, 3, 2, 6, 2),
        (40, 5, 2, 6, 2),
        (80, 3, 2, 6, 3),
        (112, 5, 1, 6, 3),
        (192, 5, 2, 6, 4),
        (320, 3, 1, 6, 1),
    ):
        layers = []
        for block in range(blocks):
            layers.append(InvertedResidual(inputs, outputs, kernel, stride if block == 0 else 1, expansion))
            inputs = outputs
        stages.append(nn.Sequential(*layers))
    stages.append(ConvBN(320, 1280, 1, activation=nn.ReLU6, epsilon=1e-3))
    return Stages(stem, stages, [0, 1, 2, 4, 7]), 16 + 24 + 40 + 112 + 1280


def load_resnet50_thin(body: Stages, file: Path) -> None:
    """Loads the ONNX file `pretrained_weights.RESNET50_THIN` into a folded body.

    Folded means that `ConvBN.fuse` was called on all of its convolutions, because the norms in the file are folded too.
    Raises `DataError` if the file holds another network.
    """
    graph = onnx.load(file).graph
    values = {value.name: numpy_helper.to_array(value) for value in graph.initializer}
    theirs = [node.input[1:] for node in graph.node if node.op_type == "Conv"]
    ours = [module.convolution for module in body.modules() if isinstance(module, ConvBN)]
    shapes = [tuple(module.weight.shape) for module in ours]
    if [values[weight].shape for weight, _ in theirs] != shapes:
        raise DataError(
            f"{file} does not hold a ResNet-50 of half the width: fetch the version that pretrained_weights.py names"
        )
    with torch.no_grad():
        for module, (weight, bias) in zip(ours, theirs, strict=True):
            module.weight.copy_(torch.from_numpy(values[weight].copy()))
            module.bias.copy_(torch.from_numpy(values[bias].copy()))
        first = body.stem.first.convolution
        first.weight.copy_(first.weight.flip(1))  # The file expects BGR images.


def load_efficientnet_lite0(body: Stages, file: Path) -> None:
    """Loads the PyTorch file `pretrained_weights.EFFICIENTNET_LITE0` into the body.

    Raises `DataError` if the file holds another network.
    """
    state = torch.load(file, weights_only=True, map_location="cpu")
    # For each convolution: its weight, then its norm's scale, shift, mean, variance and counter; the classifier is
    # last.
    theirs = [value for name, value in state.items() if not name.startswith("_fc.")]
    ours = [
        tensor
        for module in body.modules()
        if isinstance(module, ConvBN)
        for tensor in (module.convolution.weight, *module.norm.state_dict().values())
    ]
    if [tuple(value.shape) for value in theirs] != [tuple(value.shape) for value in ours]:
        raise DataError(f"{file} does not hold EfficientNet-Lite0: fetch the version that pretrained_weights.py names")
    with torch.no_grad():
        for tensor, value in zip(ours, theirs, strict=True):
            tensor.copy_(value)
