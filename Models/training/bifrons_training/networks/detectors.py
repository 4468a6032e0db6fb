"""The networks that start from random weights. They map [N, 3, side, side] to logits [N, 1]: positive is AI-generated.

Besides the image all see its prediction residuals, the noise in which cameras and generators differ. The two published
ones make different errors because they pool and compare differently: the ResNet averages and adds, the Inception takes
maxima and compares several scales. No layer drops every second pixel without averaging or convolving first. Channel
counts are multiples of 32, which suits the vector units of CPUs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bifrons_training.networks.backbones import Stages
from bifrons_training.networks.layers import ConvBN, Residuals, Stem
from bifrons_training.preprocessing import MEAN, SIDE, STD

NAMES = ("resnet", "inception")
"""The published networks that start from random weights, and that `make_models` trains."""

SIDES = {"resnet": 192, "inception": 192, "efficientnet": 192}
"""The side of a network's input in pixels, where it is not `preprocessing.SIDE`."""


class Standardised(nn.Module):
    """Features [N, C, h, w] of a body, each standardised to mean 0 and deviation 1 over images and positions."""

    def __init__(self, features: nn.Module, count: int) -> None:
        super().__init__()
        self.features = features
        self.norm = nn.BatchNorm2d(count, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images to standardised features."""
        return self.norm(self.features(x))


class Detector(nn.Module):
    """A body that computes features [N, C, h, w], and a head: mean over the image, dropout, and one logit.

    Because the head is linear, its weights also give each cell's contribution to the logit: the class-activation map
    (Zhou et al. 2016, "Learning deep features for discriminative localization").
    """

    def __init__(self, body: nn.Module, features: int, dropout: float = 0.2) -> None:
        super().__init__()
        self.body = body
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [N, 3, side, side] to logits [N, 1]."""
        return self.head(self.dropout(self.body(x).mean((2, 3))))

    def explained(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Returns the logits [N, 1] and activation maps [N, h, w], whose means are the logits."""
        features = self.body(x)
        weight = self.head.weight.reshape(1, -1, 1, 1)
        maps = nn.functional.conv2d(features, weight, self.head.bias)
        return maps.mean((2, 3)), maps[:, 0]

    @torch.no_grad()
    def fuse(self) -> None:
        """Folds the norm of standardised features into the head's weights."""
        if not isinstance(self.body, Standardised):
            return
        norm = self.body.norm
        scale = (norm.running_var + norm.eps).rsqrt()
        self.head.weight.mul_(scale)
        self.head.bias.sub_(self.head.weight @ norm.running_mean)
        self.body = self.body.features


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al. 2016); the shortcut is 1x1 if the width changes."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBN(inputs, outputs, 3), ConvBN(outputs, outputs, 3, relu=False))
        self.shortcut = nn.Identity() if inputs == outputs else ConvBN(inputs, outputs, 1, relu=False)
        self.activation = nn.ReLU(inplace=True)
        nn.init.zeros_(self.body[1].norm.weight)  # The block starts as the identity, which helps short trainings.

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, H, W] to [N, outputs, H, W]."""
        return self.activation(self.body(x) + self.shortcut(x))


def resnet() -> Detector:
    """Returns the ResNet: a stem that also sees the residuals, then five residual blocks.

    Two blocks have 64 channels at a quarter of the side, two have 128, one has 256. Between them the image is halved by
    averaging (anti-aliased after Zhang 2019, and as in ResNet-D).
    """
    layers: list[nn.Module] = [nn.Sequential(Residuals(), ConvBN(12, 32, 3, 2), ConvBN(32, 32, 3))]
    inputs = 32
    for width, blocks in ((64, 2), (128, 2), (256, 1)):
        layers.append(nn.AvgPool2d(2))
        for _ in range(blocks):
            layers.append(ResidualBlock(inputs, width))
            inputs = width
    return Detector(nn.Sequential(*layers), inputs)


class InceptionBlock(nn.Module):
    """Four parallel paths (Szegedy et al. 2015, 2016), most reduced by 1x1 first: 1x1; 3x3; 5x5 as two 3x3; pooling.

    `paths` gives the widths: (1x1, (reduction, 3x3), (reduction, 3x3, 3x3), pooled).
    """

    def __init__(self, inputs: int, paths: tuple[int, tuple[int, int], tuple[int, int, int], int]) -> None:
        super().__init__()
        one, (reduce3, three), (reduce5, middle, five), pooled = paths
        self.one = ConvBN(inputs, one, 1)
        self.three = nn.Sequential(ConvBN(inputs, reduce3, 1), ConvBN(reduce3, three, 3))
        self.five = nn.Sequential(ConvBN(inputs, reduce5, 1), ConvBN(reduce5, middle, 3), ConvBN(middle, five, 3))
        self.pooled = nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), ConvBN(inputs, pooled, 1))
        self.outputs = one + three + five + pooled

    def forward(self, x: Tensor) -> Tensor:
        """Maps [N, inputs, H, W] to the concatenated paths, [N, outputs, H, W]."""
        return torch.cat((self.one(x), self.three(x), self.five(x), self.pooled(x)), dim=1)


def inception() -> Detector:
    """Returns the Inception: residuals, a stem, then two blocks at an eighth and two at a sixteenth of the side."""
    layers: list[nn.Module] = [Residuals(), ConvBN(12, 32, 3, 2), ConvBN(32, 64, 3, 2), ConvBN(64, 64, 3)]
    inputs = 64
    fine = (64, (64, 64), (32, 64, 64), 64)
    coarse = (96, (64, 128), (32, 64, 96), 64)
    for paths, blocks in ((fine, 2), (coarse, 2)):
        layers.append(nn.MaxPool2d(3, 2, 1))
        for _ in range(blocks):
            layers.append(InceptionBlock(inputs, paths))
            inputs = layers[-1].outputs
    return Detector(nn.Sequential(*layers), inputs)


def inception3() -> Detector:
    """Returns an Inception for distillation from larger teachers (see `Run.teach_by`): 0.6 GMAC at 192 pixels.

    Residuals beside the image, a stem, then blocks at an eighth, a sixteenth and a thirty-second of the side. The head
    sees the features of all three resolutions.
    """
    stem = nn.Sequential(Residuals(), ConvBN(12, 32, 3, 2), ConvBN(32, 64, 3, 2), ConvBN(64, 64, 3))
    stages: list[nn.Module] = []
    inputs, features = 64, 0
    fine = (64, (64, 64), (32, 64, 64), 64)
    middle = (96, (64, 128), (32, 64, 96), 64)
    coarse = (192, (128, 256), (64, 96, 128), 64)
    for paths, blocks in ((fine, 3), (middle, 4), (coarse, 2)):
        layers: list[nn.Module] = [nn.MaxPool2d(3, 2, 1)]
        for _ in range(blocks):
            block = InceptionBlock(inputs, paths)
            layers.append(block)
            inputs = block.outputs
        stages.append(nn.Sequential(*layers))
        features += inputs
    return Detector(Standardised(Stages(stem, stages, [0, 1, 2]), features), features)


BUILDERS = {"resnet": resnet, "inception": inception, "inception3": inception3}
"""The networks that start from random weights, by name."""


def build(name: str) -> Detector:
    """Returns a new network by name, with He initialisation."""
    network = BUILDERS[name]()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    network.to(memory_format=torch.channels_last)
    return network


def network_input(batch: Tensor) -> Tensor:
    """Normalises [N, H, W, 3] uint8 to [N, 3, H, W] in channels-last memory format, without copying the pixels."""
    values = batch.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
    mean = torch.tensor(MEAN, device=batch.device).view(1, 3, 1, 1)
    std = torch.tensor(STD, device=batch.device).view(1, 3, 1, 1)
    return (values / 255 - mean) / std


def side_of(name: str) -> int:
    """Returns the side of a network's input in pixels."""
    return SIDES.get(name, SIDE)


def fold_norms(network: Detector) -> Detector:
    """Folds every batch norm of a network in eval mode into the adjacent weights, in place."""
    for module in list(network.modules()):  # Containers come before the modules they contain.
        if isinstance(module, ConvBN | Stem | Detector):
            module.fuse()
    return network


def cost(network: nn.Module, side: int = SIDE) -> tuple[int, int]:
    """Returns the parameters and the multiply-adds per image, counted over convolutions and linear layers."""
    total = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        weight = module.weight
        total += weight[0].numel() * output[0].numel()

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_hook(count) for module in layers]
    was_training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, side, side, device=next(network.parameters()).device))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in network.parameters()), total
