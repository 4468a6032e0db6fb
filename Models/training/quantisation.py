"""From a network in f32 to one in int8: NNCF's post-training quantisation, held back where logits would move."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import nncf
import numpy as np
import onnx
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from onnx import helper, numpy_helper

import preprocessing
from export import write_onnx
from scoring import Scorer

CONTROLLED_MOVE = 0.08
"""Root mean square of how far the logits of the pictures that control it may move: layers go back to f32 until it is kept.
Each of them costs speed: to keep all probabilities within 0.03 of f32, half of what int8 saves."""

SUBSET = 300


def front(network: onnx.ModelProto) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """The convolution of fixed kernels that gives the picture and its residuals, and their cut (`networks.Residuals`)."""
    convolution = next(node for node in network.graph.node if node.input[0] == network.graph.input[0].name)
    return convolution, next(node for node in network.graph.node if node.input[0] == convolution.output[0])


def quantise_front(network: onnx.ModelProto) -> None:
    """Makes the convolution of fixed kernels one of int8 that gives the same numbers, but for half a grey level at borders.

    A picture is 8 bits wide before it is normalised, and is again when half a grey level is added: the quantiser's steps are
    then grey levels and lose none. Each kernel is a whole multiple of its smallest weight. Ranges that are estimated know
    neither, and of residuals, which are a few grey levels wide, nothing would be left.
    """
    graph = network.graph
    convolution, _ = front(network)
    kernels = next(weight for weight in graph.initializer if weight.name == convolution.input[1])
    values = numpy_helper.to_array(kernels)
    sizes = np.abs(values).reshape(len(values), -1)
    scales = np.where(sizes > 0, sizes, np.inf).min(axis=1).astype(np.float32)
    whole = np.rint(values / scales[:, None, None, None]).astype(np.int8)
    mean, std = preprocessing.MEAN[0], preprocessing.STD[0]
    zero = np.uint8(255 * mean)
    step = 1 / (255 * std)
    shift = (255 * mean - zero) * step
    weights = {
        "front.shift": np.float32(shift),
        "front.step": np.float32(step),
        "front.zero": zero,
        "front.kernels": whole,
        "front.scales": scales,
        "front.zeros": np.zeros(len(values), np.int8),
        "front.bias": (-shift * values.sum(axis=(1, 2, 3))).astype(np.float32),
    }
    graph.initializer.remove(kernels)
    graph.initializer.extend(numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items())
    picture = convolution.input[0]
    steps = [
        helper.make_node("Add", [picture, "front.shift"], ["front.shifted"], "front_shift"),
        helper.make_node("QuantizeLinear", ["front.shifted", "front.step", "front.zero"], ["front.levels"], "front_quantise"),
        helper.make_node("DequantizeLinear", ["front.levels", "front.step", "front.zero"], ["front.picture"], "front_picture"),
        helper.make_node(
            "DequantizeLinear", ["front.kernels", "front.scales", "front.zeros"], ["front.weights"], "front_kernels", axis=0
        ),
    ]
    convolution.input[:] = ["front.picture", "front.weights", "front.bias"]
    nodes = [*steps, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def straighten(network: onnx.ModelProto, line: tuple[float, float]) -> None:
    """Puts each cell of the map, and with them the logit, on a line: `line` is its slope and its height at zero."""
    graph = network.graph
    mean = next(node for node in graph.node if "logit" in node.output)
    cells, slope, height = mean.input[0], "line.slope", "line.height"
    values = zip((slope, height), line, strict=True)
    graph.initializer.extend(numpy_helper.from_array(np.float32(value), name) for name, value in values)
    for node in graph.node:
        node.input[:] = ["line.cells" if name == cells else name for name in node.input]
    at = list(graph.node).index(mean)
    graph.node.insert(at, helper.make_node("Add", ["line.scaled", height], ["line.cells"], "line_height"))
    graph.node.insert(at, helper.make_node("Mul", [cells, slope], ["line.scaled"], "line_slope"))


def fit(logits: np.ndarray, wanted: np.ndarray) -> tuple[float, float]:
    """The line that brings `logits` [n] next to those `wanted`: least squares. Fewer than three are left as they are."""
    if len(logits) < 3:
        return 1.0, 0.0
    slope, height = np.polyfit(logits, wanted, 1)
    return float(slope), float(height)


def quantise(file: Path, out: Path, pictures: np.ndarray, control: np.ndarray) -> None:
    """Writes `file` in int8 to `out`.

    `pictures` [n, SIDE, SIDE, 3] uint8 are training pictures, from which the ranges are taken: those that lose least by
    their histograms, for the rare extremes of an activation cost all others their resolution. On them too the logit's line
    is fitted: what all pictures' logits moved by. How far logits move is measured on `control`.
    """
    nncf.set_log_level(logging.ERROR)
    network = onnx.load(file)
    name = network.graph.input[0].name

    def feed(picture: np.ndarray) -> dict[str, np.ndarray]:
        return {name: preprocessing.normalise(picture)[None]}

    def logits(model: onnx.ModelProto, pictures: np.ndarray) -> np.ndarray:
        return Scorer(model.SerializeToString(), threads=1).logits(pictures)

    def fidelity(model: onnx.ModelProto, items: Iterable[tuple[np.ndarray, float]]) -> tuple[float, list[float]]:
        these, expected = zip(*items, strict=True)
        wanted, made = np.array(expected), logits(model, np.stack(these))
        slope, height = fit(made, wanted)
        moved = slope * made + height - wanted
        return 1 - float(np.sqrt((moved**2).mean())), (1 - np.abs(moved)).tolist()

    made = nncf.quantize_with_accuracy_control(
        network,
        nncf.Dataset(list(pictures), feed),
        nncf.Dataset(list(zip(control, logits(network, control), strict=True)), lambda item: feed(item[0])),
        fidelity,
        max_drop=CONTROLLED_MOVE,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=min(SUBSET, len(pictures)),
        # What averages gains nothing in int8, and would round its input once more.
        ignored_scope=nncf.IgnoredScope(
            names=[node.name for node in front(network)], types=["AveragePool", "ReduceMean"]
        ),
        advanced_quantization_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
            # With it the logits of the Inception moved by 0.15 (root mean square), without by 0.04.
            disable_bias_correction=True,
            # The overflow fix stays: with all 8 bits in the first layer, sums saturate on processors without VNNI, and
            # probabilities move by up to 0.4 there (ONEDNN_MAX_CPU_ISA=AVX2).
        ),
    )
    quantise_front(made)
    straighten(made, fit(logits(made, pictures), logits(network, pictures)))
    write_onnx(made, out)
