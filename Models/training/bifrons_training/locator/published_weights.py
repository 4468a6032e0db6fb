"""Restores a trainable network from the published locator.

In the exported file most norms are folded into their convolutions. Here each convolution gets a norm again that inverts
the statistics it measures on some images, as `networks.published_weights` does for the detectors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from bifrons_training.errors import DataError
from bifrons_training.locator.network import Locator

IMAGES = 192
"""Number of compositions that set the norms' statistics."""


def read(file: Path) -> dict[str, Tensor]:
    """Reads all weights of an ONNX file that `export.export` wrote, by name.

    A folded convolution's bias has the name of its weight followed by `_bias`.
    """
    return {
        initializer.name: torch.from_numpy(numpy_helper.to_array(initializer).copy())
        for initializer in onnx.load(file).graph.initializer
    }


def restore(file: Path, images: np.ndarray) -> Locator:
    """Returns the locator of `file` in eval mode, its norms set by `images` [n, 3, SIDE, SIDE] float32.

    Raises `DataError` if the file holds another network.
    """
    weights, network = read(file), Locator()
    network.eval()
    state = network.state_dict()
    lengths = _lengths(network)
    pairs = _pairs(network)
    with torch.no_grad():
        for index, name in enumerate(("select", "select_1", "select_2")):
            # The exporter names the three scales separately because they are read one by one.
            state["scales"][index] = _taken(file, weights, name, torch.Size([]))
        for path in (*pairs, "output"):
            key = f"{path}.weight"
            state[key].copy_(_taken(file, weights, key, state[key].shape))
        state["output.bias"].copy_(_taken(file, weights, "output.bias", state["output.bias"].shape))
        for path, norm in pairs.items():
            if f"{norm}.weight" in weights:  # The head runs on three levels, so the exporter cannot fold its norms.
                for part in ("weight", "bias", "running_mean", "running_var"):
                    state[f"{norm}.{part}"].copy_(
                        _taken(file, weights, f"{norm}.{part}", state[f"{norm}.{part}"].shape)
                    )
            else:
                module = network.get_submodule(norm)
                state[f"{norm}.running_mean"].zero_()
                state[f"{norm}.running_var"].fill_(1 - module.eps)
                state[f"{norm}.weight"].fill_(1)
                bias = state[f"{norm}.bias"]
                bias.copy_(_taken(file, weights, f"{path}.weight_bias", bias.shape))
        folded = {path: norm for path, norm in pairs.items() if f"{norm}.weight" not in weights}
        statistics = _measured(network, list(folded), torch.from_numpy(images))
        for path, norm in folded.items():
            _unfold(network.get_submodule(path), network.get_submodule(norm), *statistics[path], lengths[path])
    network.eval()
    return network


def _pairs(network: Locator) -> dict[str, str]:
    """Returns the path of each convolution that a norm follows, and the path of the norm."""
    modules = dict(network.named_modules())
    pairs = {}
    for path, module in modules.items():
        if isinstance(module, nn.Conv2d) and path != "output":
            parent, _, place = path.rpartition(".")
            pairs[path] = f"{parent}.{int(place) + 1}"
    return pairs


def _lengths(network: Locator) -> dict[str, Tensor]:
    """Returns the mean norm of a channel's weights in freshly initialised convolutions, by path."""
    return {
        path: module.weight.detach().flatten(1).norm(dim=1).mean()
        for path, module in network.named_modules()
        if isinstance(module, nn.Conv2d)
    }


def _taken(file: Path, weights: dict[str, Tensor], name: str, shape: torch.Size) -> Tensor:
    if name not in weights or weights[name].shape != shape:
        raise DataError(f"{file} does not hold the weights of the current locator ({name}): train without it")
    return weights[name]


def _measured(network: Locator, paths: list[str], images: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
    """Returns the mean and variance of each channel after each convolution."""
    statistics: dict[str, tuple[Tensor, Tensor]] = {}

    def measure(path: str, output: Tensor) -> None:
        variance, mean = torch.var_mean(output, (0, 2, 3), correction=0)
        statistics[path] = mean, variance

    hooks = [
        network.get_submodule(path).register_forward_hook(lambda _, __, output, path=path: measure(path, output))
        for path in paths
    ]
    network(images)
    for hook in hooks:
        hook.remove()
    return statistics


def _unfold(convolution: nn.Module, norm: nn.Module, mean: Tensor, variance: Tensor, length: Tensor) -> None:
    """Gives a norm the statistics of its convolution's outputs, and the convolution the weight norm of a fresh one.

    The scale of a convolution followed by a norm does not change the output, but it matters to the optimiser, whose
    steps are as large for small weights as for large ones.
    """
    assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    own = convolution.weight.flatten(1).norm(dim=1)
    # A channel that is constant has no spread to divide by, so its norm stays as it is.
    alive = (own > 0) & (variance > 1e-8)
    scale = torch.where(alive, length / own.clamp(min=1e-12), 1)
    convolution.weight.mul_(scale.reshape(-1, 1, 1, 1))
    deviation = torch.where(alive, (variance * scale**2 + norm.eps).sqrt() / scale, 1)
    norm.bias.add_(torch.where(alive, mean, 0))
    norm.running_mean.copy_(torch.where(alive, mean * scale, 0))
    norm.running_var.copy_(torch.where(alive, variance * scale**2, 1 - norm.eps))
    norm.weight.copy_(deviation)
