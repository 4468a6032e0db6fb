"""Restores a trainable network from a published model folder.

Exported networks have their norms folded into the convolutions. Here each convolution gets a norm again that inverts
the statistics it measures on some images: in eval mode the network computes the same as the file, and training
continues from there. Checkpoints stay on the machine that made them, so this is how a training continues elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from bifrons_training.errors import DataError
from bifrons_training.networks import detectors
from bifrons_training.networks.layers import ConvBN
from bifrons_training.preprocessing import normalise


def read(file: Path) -> dict[str, Tensor]:
    """Reads the weights of an ONNX file that `publishing.export` wrote, by their names in a `detectors.Detector`."""
    prefix, weights = "network.", {}
    for initializer in onnx.load(file).graph.initializer:
        value = torch.from_numpy(numpy_helper.to_array(initializer).copy())
        if initializer.name.startswith(prefix):
            weights[initializer.name.removeprefix(prefix)] = value
        elif value.ndim == 4 and value.shape[0] == 1 and value.shape[2:] == (1, 1):
            weights["head.weight"] = value.reshape(1, -1)  # The exporter renames the reshaped head.
    return weights


def load(network: detectors.Detector, file: Path) -> detectors.Detector:
    """Returns `network` in eval mode, with its norms folded, and with the weights of `file`.

    Raises `DataError` if the file holds another network.
    """
    folded = detectors.fold_norms(network.eval())
    constants = {path for path, _ in folded.named_buffers()} - folded.state_dict().keys()
    weights = {path: value for path, value in read(file).items() if path not in constants}
    if {key: value.shape for key, value in folded.state_dict().items()} != {
        key: value.shape for key, value in weights.items()
    }:
        raise DataError(f"{file} does not hold the weights of the current {file.parent.name}: train without it")
    folded.load_state_dict(weights)
    return folded


def restore(name: str, file: Path, images: np.ndarray) -> detectors.Detector:
    """Returns the network `name` with the weights of `file`, its norms set by `images` [n, side, side, 3] uint8.

    Raises `DataError` if the file holds another network.
    """
    folded = load(detectors.build(name), file)
    network = detectors.build(name)
    unfold(folded, network, images)
    network.head.load_state_dict(folded.head.state_dict())
    network.eval()
    return network


def unfold(folded: nn.Module, network: nn.Module, images: np.ndarray) -> None:
    """Gives `network` the weights of its folded twin, and norms that invert their own statistics.

    The statistics are measured on `images`, [n, side, side, 3] uint8.
    """
    statistics: dict[str, tuple[Tensor, Tensor]] = {}

    def measure(path: str, output: Tensor) -> None:
        variance, mean = torch.var_mean(output, (0, 2, 3), correction=0)
        statistics[path] = mean, variance

    blocks = {path: module for path, module in folded.named_modules() if isinstance(module, ConvBN)}
    hooks = [
        block.convolution.register_forward_hook(lambda _, __, output, path=path: measure(path, output))
        for path, block in blocks.items()
    ]
    with torch.no_grad():
        folded.eval()(torch.from_numpy(normalise(images)))
        for path, block in network.named_modules():
            if isinstance(block, ConvBN):
                _unfold(block, blocks[path].convolution, *statistics[path])
    for hook in hooks:
        hook.remove()


def _unfold(block: ConvBN, convolution: nn.Module, mean: Tensor, variance: Tensor) -> None:
    """Gives `block` the weights of a folded convolution whose outputs have the given mean and variance per channel.

    The scale of a convolution followed by a norm does not change the output, but it matters to the optimiser, whose
    steps are as large for small weights as for large ones. Each channel therefore gets the weight norm of a fresh one.
    """
    assert isinstance(convolution, nn.Conv2d) and isinstance(block.norm, nn.BatchNorm2d)
    length = convolution.weight.flatten(1).norm(dim=1)
    scale = torch.where(length > 0, block.convolution.weight.flatten(1).norm(dim=1).mean() / length.clamp(min=1e-12), 1)
    block.convolution.weight.copy_(convolution.weight * scale.reshape(-1, 1, 1, 1))
    block.norm.running_mean.copy_((mean - convolution.bias) * scale)
    block.norm.running_var.copy_(variance * scale**2)
    block.norm.weight.copy_((variance * scale**2 + block.norm.eps).sqrt() / scale)
    block.norm.bias.copy_(mean)
