"""From a network in f32 to one in int8, by NNCF's post-training quantisation."""

from __future__ import annotations

import logging
from pathlib import Path

import nncf
import numpy as np
import onnx
from nncf.quantization.advanced_parameters import OverflowFix
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from onnx import helper, numpy_helper

from bifrons_training import preprocessing
from bifrons_training.publishing.export import write_onnx

SUBSET = 300


def front(network: onnx.ModelProto) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    """The convolution of fixed kernels that gives the picture and its residuals, and their cut (`layers.Residuals`)."""
    input_name = network.graph.input[0].name
    convolution = next(node for node in network.graph.node if node.op_type == "Conv" and node.input[0] == input_name)
    return convolution, next(node for node in network.graph.node if node.input[0] == convolution.output[0])


def quantise_front(network: onnx.ModelProto) -> None:
    """Makes the convolution of fixed kernels one of int8 with the same numbers, but for half a grey level at borders.

    A picture is 8 bits wide before it is normalised, and is again when half a grey level is added: the quantiser's
    steps are then grey levels and lose none. Each kernel is a whole multiple of its smallest weight. Ranges that are
    estimated know neither, and of residuals, which are a few grey levels wide, nothing would be left.
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
    input_name = convolution.input[0]
    steps = [
        helper.make_node("Add", [input_name, "front.shift"], ["front.shifted"], "front_shift"),
        helper.make_node(
            "QuantizeLinear", ["front.shifted", "front.step", "front.zero"], ["front.levels"], "front_quantise"
        ),
        helper.make_node(
            "DequantizeLinear", ["front.levels", "front.step", "front.zero"], ["front.picture"], "front_picture"
        ),
        helper.make_node(
            "DequantizeLinear",
            ["front.kernels", "front.scales", "front.zeros"],
            ["front.weights"],
            "front_kernels",
            axis=0,
        ),
    ]
    convolution.input[:] = ["front.picture", "front.weights", "front.bias"]
    nodes = [*steps, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def quantise(file: Path, out: Path, images: np.ndarray) -> None:
    """Writes the network `file` in int8 to `out`.

    `pictures` [n, SIDE, SIDE, 3] uint8 are training pictures, from which the ranges of activations are taken: those
    that lose least by their histograms, for the rare extremes of an activation cost all others their resolution.
    """
    nncf.set_log_level(logging.ERROR)
    network = onnx.load(file)
    name = network.graph.input[0].name

    def feed(image: np.ndarray) -> dict[str, np.ndarray]:
        return {name: preprocessing.normalise(image)[None]}

    made = nncf.quantize(
        network,
        nncf.Dataset(list(images), feed),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=min(SUBSET, len(images)),
        # What averages gains nothing in int8, and would round its input once more.
        ignored_scope=nncf.IgnoredScope(
            names=[node.name for node in front(network)], types=["AveragePool", "ReduceMean"]
        ),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
            # With it the logits of the Inception moved by 0.15 (root mean square), without by 0.04.
            disable_bias_correction=True,
            # Processors without VNNI add pairs of products in 16 bits. With all 8 bits in the weights these sums
            # saturate there, and probabilities move by up to 0.4; with 7 bits no sum can, and all processors compute
            # the same.
            overflow_fix=OverflowFix.ENABLE,
        ),
    )
    quantise_front(made)
    write_onnx(made, out)
