"""The two networks. Both take [N, 3, 128, 128] and give [N, 1] logits: above zero means AI-generated.

Channel counts are multiples of 32, which the vector units of CPUs want; both cost about 0.4 GFLOP an image.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

NAMES = ("resnet", "inception")


class ConvBN(nn.Module):
    """Convolution, batch norm, and ReLU where asked for. `fuse` folds the norm into the convolution for export."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, relu: bool = True) -> None:
        super().__init__()
        self.convolution: nn.Module = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)
        self.activation: nn.Module = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        return self.activation(self.norm(self.convolution(x)))

    def fuse(self) -> None:
        """Puts the norm's scale and shift into the convolution's weights."""
        self.convolution = fuse_conv_bn_eval(self.convolution, self.norm)  # type: ignore[type-var]
        self.norm = nn.Identity()


class Head(nn.Sequential):
    """Global average pooling, dropout and one logit."""

    def __init__(self, inputs: int, dropout: float) -> None:
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(inputs, 1))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (He et al. 2016); the shortcut is 1x1 where the shape changes."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvBN(inputs, outputs, 3, stride), ConvBN(outputs, outputs, 3, relu=False))
        plain = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if plain else ConvBN(inputs, outputs, 1, stride, relu=False)
        self.activation = nn.ReLU(inplace=True)
        nn.init.zeros_(self.body[1].norm.weight)  # Starts as the identity: short trainings settle sooner.

    def forward(self, x: Tensor) -> Tensor:
        """[N, inputs, H, W] to [N, outputs, H / stride, W / stride]."""
        return self.activation(self.body(x) + self.shortcut(x))


class ResNet(nn.Sequential):
    """Residual blocks with growing filters: 32 at 64x64 px, 64 at 32x32, 96 at 16x16, 192 at 8x8."""

    def __init__(self, dropout: float = 0.2) -> None:
        widths, strides = (32, 32, 64, 96, 192), (1, 2, 2, 2)
        blocks = [ResidualBlock(a, b, s) for a, b, s in zip(widths, widths[1:], strides, strict=False)]
        super().__init__(ConvBN(3, widths[0], 3, 2), *blocks, Head(widths[-1], dropout))


class InceptionBlock(nn.Module):
    """Four paths side by side (Szegedy et al. 2015, 2016): 1x1; 3x3; 5x5 as two 3x3; pooling. 1x1 reductions first.

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
        """[N, inputs, H, W] to [N, outputs, H, W]: the paths one after the other."""
        return torch.cat((self.one(x), self.three(x), self.five(x), self.pooled(x)), dim=1)


class Inception(nn.Sequential):
    """A strided stem, then inception blocks: two at 32x32 px, two at 16x16, one at 8x8."""

    def __init__(self, dropout: float = 0.2) -> None:
        layers: list[nn.Module] = [ConvBN(3, 32, 3, 2), ConvBN(32, 64, 3, 2)]
        inputs = 64
        fine = (32, (32, 64), (32, 32, 32), 32)
        middle = (64, (64, 96), (32, 64, 64), 32)
        coarse = (96, (96, 128), (64, 96, 96), 64)
        for step in (fine, fine, "halve", middle, middle, "halve", coarse):
            if isinstance(step, str):
                layers.append(nn.MaxPool2d(3, 2, 1))
            else:
                layers.append(InceptionBlock(inputs, step))
                inputs = layers[-1].outputs
        super().__init__(*layers, Head(inputs, dropout))


def build(name: str) -> nn.Module:
    """A fresh network by name, with He initialisation."""
    network = {"resnet": ResNet, "inception": Inception}[name]()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def fold_norms(network: nn.Module) -> nn.Module:
    """Folds every batch norm into its convolution, in place. For a network in eval mode."""
    for module in network.modules():
        if isinstance(module, ConvBN):
            module.fuse()
    return network


def cost(network: nn.Module, side: int = 128) -> tuple[int, int]:
    """(parameters, multiply-adds of one image), counted over convolutions and linear layers."""
    total = 0

    def count(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        weight = module.weight
        total += weight[0].numel() * output[0].numel()  # type: ignore[index, operator]

    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [module.register_forward_hook(count) for module in layers]
    was_training = network.training
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, side, side))
    network.train(was_training)
    for hook in hooks:
        hook.remove()
    return sum(p.numel() for p in network.parameters()), total
